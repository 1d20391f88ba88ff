import { ProcessHandle, terminate, terminateTree } from '../../public/control.js'
import type { ProcessIdentity } from '../../public/table.js'
import { EXIT } from '../exit_codes.js'
import { FaultList } from '../fault.js'
import { readGraceMs } from '../grace.js'
import { fineDuration } from '../quantities.js'
import type { RawControl } from './options.js'
import { report } from './report.js'
import { numberOf } from './signal.js'
import { type Outcome, outcomeOf, pidsOf, Targets } from './targets.js'

/** As commander hands them over. */
export interface RawStop extends RawControl {
  tree?: boolean
  grace?: string
  signal?: string
}

type Ended = Outcome & { readonly endedBy?: string | undefined; readonly tookMs?: number }

/** `muster stop PID...` */
export async function stop(words: readonly string[], raw: RawStop): Promise<void> {
  const faults = new FaultList()
  const pids = pidsOf(words, faults)
  const graceMs = readGraceMs(raw.grace, faults)
  const first = numberOf(raw.signal ?? 'TERM', '--signal', faults)
  if (first === 0) {
    faults.add(EXIT.outOfRange, '--signal "0" only asks and ends nobody; give one like TERM, INT or QUIT')
  }
  faults.throwIfAny()
  const targets = await Targets.identify(pids)
  const options = { graceMs: graceMs!, signal: first!, force: raw.force === true }
  const stopOne = raw.tree ? stopTree : stopProcess
  const ended = await Promise.all(targets.identities.map((identity) => stopOne(identity, options)))
  const all: Ended[] = [...targets.failed, ...ended.flat()]
  report(all, raw.json, ({ pid, endedBy, tookMs }) =>
    endedBy === 'itself'
      ? `${pid}: had ended`
      : `${pid}: ended by ${endedBy}${tookMs === undefined ? '' : ` after ${fineDuration(tookMs)}`}`,
  )
}

interface StopOptions {
  readonly graceMs: number
  readonly signal: number
  readonly force: boolean
}

async function stopProcess(identity: ProcessIdentity, options: StopOptions): Promise<Ended[]> {
  const result = await outcomeOf(identity.pid, async () => {
    using handle = await ProcessHandle.open(identity)
    const { endedBy, tookMs } = await terminate(handle, options)
    return { endedBy, tookMs }
  })
  return [result]
}

async function stopTree(root: ProcessIdentity, options: StopOptions): Promise<Ended[]> {
  const result = await outcomeOf(root.pid, () => terminateTree(root, options))
  if (!result.ok) return [result]
  return result.members.map(({ pid, endedBy, error }): Ended => {
    if (error !== undefined) return { pid, ok: false, error }
    return {
      pid,
      ok: true,
      endedBy,
      ...(pid === root.pid && { tookMs: result.tookMs }),
    }
  })
}
