import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { ControlResult } from './results.js'
import { ActionKind, actOn } from './targets.js'

/**
 * Sets the nice value, -20 (first) to 19 (last), of all threads of each target (setpriority(2) has no pidfd form, so
 * the identity is checked before and after). Lowering it needs CAP_SYS_NICE or RLIMIT_NICE.
 * @param options.force also pid 1 and kernel threads; this process may always be named
 * @throws ProcmusterError `INVALID_ARGUMENT` for a value out of range
 */
export async function setPriority(
  targets: readonly ProcessIdentity[],
  nice: number,
  options: { readonly force?: boolean } = {},
): Promise<ControlResult[]> {
  if (!Number.isInteger(nice) || nice < -20 || nice > 19) {
    throw new ProcmusterError('INVALID_ARGUMENT', { message: `${nice} is no nice value; use -20 to 19` })
  }
  return actOn(targets, `set nice ${nice}`, ActionKind.priority, [nice], options.force ?? false)
}
