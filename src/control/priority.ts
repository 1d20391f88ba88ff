import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { ControlResult } from './results.js'
import { ActionKind, actOn } from './targets.js'
import { leaderOnly, type ThreadOptions } from './threads.js'

/**
 * Sets the nice value, -20 (first) to 19 (last), of the threads of each target (setpriority(2) has no pidfd form, so
 * the identity is checked before and after). Lowering it needs CAP_SYS_NICE or RLIMIT_NICE.
 * @throws ProcmusterError `INVALID_ARGUMENT` for a value out of range
 */
export async function setPriority(
  targets: readonly ProcessIdentity[],
  nice: number,
  options: ThreadOptions = {},
): Promise<ControlResult[]> {
  const leader = leaderOnly(options)
  return actOn(targets, {
    name: `set nice ${nice}`,
    kind: ActionKind.priority,
    args: [checkNice(nice)],
    force: options.force,
    leaderOnly: leader,
    hints: { EACCES: 'a lower nice value than it has takes CAP_SYS_NICE' },
  })
}

/** @throws ProcmusterError `INVALID_ARGUMENT` */
export function checkNice(nice: number): number {
  if (Number.isInteger(nice) && nice >= -20 && nice <= 19) return nice
  throw new ProcmusterError('INVALID_ARGUMENT', { message: `${nice} is no nice value; use -20 to 19` })
}
