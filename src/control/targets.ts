import { ProcmusterError } from '../errors.js'
import { native } from '../native.js'
import type { ProcessIdentity } from '../table/identity.js'
import { type ControlResult, stepError } from './results.js'

const NUMBERS_PER_TARGET = 4
const PID_MAX = 4_194_304

/** The order of `ActionKind` in native/control/action.h. */
export enum ActionKind {
  signal = 0,
  priority = 1,
  resourceLimit = 2,
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
  action: string,
  kind: ActionKind,
  args: readonly number[],
  force: boolean,
): Promise<ControlResult[]> {
  if (targets.length === 0) return []
  const outcomes = new Int32Array(targets.length * 2)
  await native.control.act(packTargets(targets), kind, Float64Array.from(args), force, outcomes)
  return targets.map((target, index) => {
    const error = stepError(target, action, outcomes[index * 2]!, outcomes[index * 2 + 1]!)
    return error === undefined ? { pid: target.pid, ok: true } : { pid: target.pid, ok: false, error }
  })
}
