import type { ProcessStatus } from '../inspect/process_status.js'
import { changesUser } from '../spawn/start.js'

const CAP_SETGID = 1n << 6n
const CAP_SETUID = 1n << 7n
const CAP_SETPCAP = 1n << 8n
const SETUID_OR_SETGID = 0o6000

interface PrivilegeFacts {
  readonly theirs: ProcessStatus
  readonly ours: ProcessStatus
  readonly executableMode: number
  /** What executing the file permits (capabilities(7), file capabilities). */
  readonly fileCapabilities: bigint
}

/** The bounding set for the new process: root fills its permitted set from it at exec. */
export function boundingSet(theirs: ProcessStatus): bigint {
  return theirs.uids[1] === 0 ? theirs.bounding & theirs.permitted : theirs.bounding
}

/** Why starting it again would give it other privileges than it had, or is beyond ours; undefined when it is fine. */
export function privilegeRefusal({
  theirs,
  ours,
  executableMode,
  fileCapabilities,
}: PrivilegeFacts): string | undefined {
  const same = (ids: readonly number[]) => ids.every((id) => id === ids[0])
  if (!same(theirs.uids) || !same(theirs.gids)) {
    return `its real, effective and saved ids differ (uid ${theirs.uids.join('/')}, gid ${theirs.gids.join('/')}), as those of a setuid program do; a new one would have more or less than it has`
  }
  if ((executableMode & SETUID_OR_SETGID) !== 0 && !theirs.noNewPrivileges) {
    return 'its executable is setuid or setgid; a new one would gain by it'
  }
  if ((fileCapabilities & theirs.bounding & ~theirs.permitted) !== 0n && !theirs.noNewPrivileges) {
    return 'its executable has file capabilities that the process does not have; a new one would gain them'
  }
  if (
    changesUser(theirs, ours) &&
    (ours.effective & (CAP_SETUID | CAP_SETGID)) !== (CAP_SETUID | CAP_SETGID)
  ) {
    return `it runs as uid ${theirs.uids[1]}, gid ${theirs.gids[1]}, which this process may not become; run as root or as that user`
  }
  if (theirs.seccompFilters > ours.seccompFilters) {
    return 'it runs under a seccomp filter, which cannot be given to a new one'
  }
  const tooMuch = ours.bounding & ~boundingSet(theirs)
  const canLimit = (ours.effective & CAP_SETPCAP) !== 0n
  if (tooMuch !== 0n && !canLimit && (theirs.uids[1] === 0 || !theirs.noNewPrivileges)) {
    return `its capability bounding set lacks ${tooMuch.toString(16)} (hex), and this process may not take that from a new one (CAP_SETPCAP)`
  }
  return undefined
}

/** What the new process will lack of the old one's capabilities. */
export function privilegeWarnings(theirs: ProcessStatus, ours: ProcessStatus): string[] {
  const warnings: string[] = []
  const root = theirs.uids[1] === 0
  const kept = root ? theirs.permitted & ours.bounding : theirs.ambient & ours.permitted
  const lost = theirs.permitted & ~kept
  if (lost !== 0n) {
    warnings.push(`capabilities ${lost.toString(16)} (hex) that it held cannot be given to a new one`)
  }
  if (root && theirs.bounding !== boundingSet(theirs)) {
    warnings.push('its capability bounding set becomes as small as its permitted set was')
  }
  return warnings
}
