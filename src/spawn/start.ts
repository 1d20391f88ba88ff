import { readFile } from 'node:fs/promises'
import { type Reaping, reapChild } from '../control/children.js'
import { identify } from '../control/handle.js'
import { RESOURCES } from '../control/rlimit.js'
import { codeOfErrno, errnoName, errnoOf, ProcmusterError } from '../errors.js'
import { type ProcessStatus, parseStatus } from '../inspect/process_status.js'
import { type NativeGate, type NativePidHandle, type NativeStdio, native } from '../native.js'
import type { ProcessIdentity } from '../table/identity.js'
import { fromBytes, joinZeros, type StartSpec } from './start_spec.js'

/** The order of `SpawnPlace` in native/spawn/child.h. */
export enum Place {
  /** In this process's own session and process group. */
  parents = 0,
  group = 1,
  session = 2,
}

/** The order of `SpawnStep` in native/spawn/child.h. */
export enum StartStep {
  done,
  resources,
  clone,
  place,
  stdio,
  directory,
  bounding,
  groups,
  user,
  capabilities,
  executable,
  exec,
  timeout,
  gate,
}

const WORDED_STEPS: Readonly<Record<StartStep, string>> = {
  [StartStep.done]: 'starting',
  [StartStep.resources]: 'making pipes and a thread',
  [StartStep.clone]: 'clone',
  [StartStep.place]: 'making a session or process group',
  [StartStep.stdio]: 'placing its standard descriptors',
  [StartStep.directory]: 'entering its working directory',
  [StartStep.bounding]: 'limiting its capability bounding set',
  [StartStep.groups]: 'setting its groups',
  [StartStep.user]: 'setting its user',
  [StartStep.capabilities]: 'limiting its capabilities',
  [StartStep.executable]: 'checking its executable, which is another file by now or setuid',
  [StartStep.exec]: 'exec',
  [StartStep.timeout]: 'waiting for it for 10 s',
  [StartStep.gate]: 'opening its gate: it was killed before it could execute anything',
}

export const wordedStep = (step: StartStep): string => WORDED_STEPS[step]

/** How a start differs from another one of the same program. */
interface StartManner {
  readonly place: Place
  /** Whether the program may be setuid or setgid. */
  readonly allowSetuid: boolean
  /**
   * Called while the child stands before its exec. Rejecting calls the child off; it also ends by itself when this
   * process dies meanwhile.
   * @param lacking bits of `SpawnWarning` in native/spawn/child.h
   */
  prepare(child: ProcessIdentity, lacking: number): Promise<void>
  /** What a failed step is to the caller. */
  failure(errno: number, step: StartStep): ProcmusterError
}

/** A program that was executed. */
export interface Started {
  readonly child: ProcessIdentity
  /** Closed when the child has ended. */
  readonly handle: NativePidHandle
  readonly reaping: Reaping
  /** When its gate was opened, on the clock of `process.hrtime`. */
  readonly startedAtMs: number
}

/**
 * Starts a program: the one way to do it. The child is this process's own, and is waited for whatever happens to it.
 * When this rejects, no child is left.
 */
export async function startProgram(
  spec: StartSpec,
  stdio: NativeStdio,
  manner: StartManner,
): Promise<Started> {
  const handle = native.control.newHandle()
  const gate = await newGate(spec, stdio, manner)
  let reaping: Reaping | undefined
  try {
    const out = new Float64Array(4)
    await native.spawn.startGate(gate, stdio, handle, out)
    const [errno, step, pid, lacking] = out as unknown as [number, StartStep, number, number]
    if (errno !== 0) throw manner.failure(errno, step)
    const found = await identify(pid).catch((error: unknown) => ({ error }))
    // From here on it is waited for.
    reaping = reapChild('error' in found ? { pid, startTicks: -1, settled: false } : found, handle)
    if ('error' in found) throw found.error
    if (reaping.errno !== 0) throw manner.failure(reaping.errno, StartStep.resources)
    await manner.prepare(found, lacking)
    const opened = new Float64Array(2)
    const startedAtMs = Number(process.hrtime.bigint()) / 1e6
    await native.spawn.openGate(gate, opened)
    if (opened[0] !== 0) throw manner.failure(opened[0]!, opened[1]!)
    return { child: found, handle, reaping, startedAtMs }
  } catch (error) {
    native.spawn.cancelGate(gate)
    await reaping?.within(END_MS)
    throw error
  }
}

/** For a child that was called off to end; one that hangs in the kernel is waited for in the background. */
const END_MS = 1000

/** What this process may do now. @throws ProcmusterError */
export async function ownStatus(): Promise<ProcessStatus> {
  const path = '/proc/self/status'
  try {
    return parseStatus(await readFile(path, 'utf8'))
  } catch (cause) {
    const errno = errnoOf(cause)
    if (errno === undefined) throw cause
    const message = `${path} cannot be read (${errnoName(errno)}); a start takes it`
    throw new ProcmusterError(codeOfErrno(errno), { message, path, errno, cause })
  }
}

async function newGate(
  spec: StartSpec,
  stdio: NativeStdio,
  { place, allowSetuid }: StartManner,
): Promise<NativeGate> {
  const ours = await ownStatus()
  const ids = (id: number) => [id, id, id, id]
  const wanted = { ...ours, uids: ids(spec.uid), gids: ids(spec.gid), groups: spec.groups }
  const numbers = [
    spec.executable.device,
    spec.executable.inode,
    spec.directoryIdentity.device,
    spec.directoryIdentity.inode,
    changesUser(wanted, ours) ? 1 : 0,
    spec.uid,
    spec.gid,
    spec.umask,
    spec.nice,
    spec.ioPriority,
    spec.noNewPrivileges ? 1 : 0,
    place,
    allowSetuid ? 1 : 0,
  ]
  const value = (limit: number | 'unlimited') => (limit === 'unlimited' ? Number.POSITIVE_INFINITY : limit)
  const { limits } = spec
  const { bounding, inheritable, ambient } = spec.capabilities
  return native.spawn.newGate(
    stdio,
    fromBytes(spec.path),
    fromBytes(spec.directory),
    joinZeros(spec.arguments),
    joinZeros(spec.environment),
    Float64Array.from(numbers),
    Uint32Array.from(spec.groups),
    Float64Array.from(
      limits === undefined
        ? []
        : RESOURCES.flatMap((name) => [value(limits[name].soft), value(limits[name].hard)]),
    ),
    BigUint64Array.from([bounding, inheritable, ambient].map((mask) => BigInt(`0x${mask}`))),
    spec.namedPath === undefined ? new Uint8Array(0) : fromBytes(spec.namedPath),
    processorMask(spec.processors),
  )
}

/** Whether user, group or groups have to be changed at all. */
export function changesUser(theirs: ProcessStatus, ours: ProcessStatus): boolean {
  // Whether its own group is among the supplementary ones makes no difference.
  const sorted = ({ gids, groups }: ProcessStatus) =>
    [...new Set([gids[1]!, ...groups])].sort((a, b) => a - b).join()
  return (
    ours.uids.some((uid) => uid !== theirs.uids[1]) ||
    ours.gids.some((gid) => gid !== theirs.gids[1]) ||
    sorted(theirs) !== sorted(ours)
  )
}

// The words of a mask are written highest first; sched_setaffinity(2) takes it lowest byte first, in whole longs.
function processorMask(text: string | undefined): Uint8Array {
  if (text === undefined) return new Uint8Array(0)
  const digits = text.replaceAll(',', '')
  const padded = digits.padStart(Math.ceil(digits.length / 16) * 16, '0')
  return Uint8Array.from(Buffer.from(padded, 'hex').reverse())
}
