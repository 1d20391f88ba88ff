import { ProcmusterError } from '../errors.js'
import { native } from '../native.js'
import type { ProcessIdentity } from '../table/identity.js'
import { type ControlResult, controlResult } from './results.js'

const NUMBERS_PER_TARGET = 4
const PID_MAX = 4_194_304

/** The order of `ActionKind` in native/control/action.h. */
export enum ActionKind {
  signal = 0,
  priority = 1,
  resourceLimit = 2,
  ioPriority = 3,
  scheduler = 4,
  affinity = 5,
  oomScoreAdj = 6,
  timerSlack = 7,
  autogroup = 8,
}

/** What is done to each target of a batch. */
export interface BatchAction {
  /** As an error names it. */
  readonly name: string
  readonly kind: ActionKind
  /** As native/control/control_binding.cc reads them. */
  readonly args: readonly number[]
  readonly force?: boolean | undefined
  /** Only the main thread, of what the kernel keeps for each. */
  readonly leaderOnly?: boolean | undefined
  /** What an errno means here, by its name. */
  readonly hints?: Readonly<Record<string, string>> | undefined
}

/** @throws ProcmusterError `INVALID_ARGUMENT`: 0 and negative numbers mean groups of processes to the kernel. */
export function checkPid(pid: number): void {
  if (Number.isInteger(pid) && pid >= 1 && pid <= PID_MAX) return
  throw new ProcmusterError('INVALID_ARGUMENT', { message: `${pid} is no pid; pids are 1 to ${PID_MAX}` })
}

/** The addon's form of some identities: four numbers each. */
export function packTargets(targets: readonly ProcessIdentity[]): Float64Array {
  const packed = new Float64Array(targets.length * NUMBERS_PER_TARGET)
  targets.forEach((target, index) => {
    checkPid(target.pid)
    if (!Number.isSafeInteger(target.startTicks) || target.startTicks < 0) {
      throw new ProcmusterError('INVALID_ARGUMENT', {
        message: `process ${target.pid} has no start time (startTicks ${target.startTicks}); take its row's identity`,
        pid: target.pid,
      })
    }
    packed.set(
      [target.pid, target.startTicks, target.pidfsInode ?? 0, target.settled ? 1 : 0],
      index * NUMBERS_PER_TARGET,
    )
  })
  return packed
}

/** Does one thing to many processes in one call of the addon, off the main thread. */
export async function actOn(
  targets: readonly ProcessIdentity[],
  { name, kind, args, force = false, leaderOnly = false, hints }: BatchAction,
): Promise<ControlResult[]> {
  if (targets.length === 0) return []
  const outcomes = new Int32Array(targets.length * 2)
  const packed = packTargets(targets)
  await native.control.act(packed, kind, Float64Array.from(args), force, leaderOnly, outcomes)
  return targets.map((target, index) =>
    controlResult(target, name, outcomes[index * 2]!, outcomes[index * 2 + 1]!, hints),
  )
}
