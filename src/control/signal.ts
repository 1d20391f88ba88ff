import type { ProcessIdentity } from '../table/identity.js'
import type { ControlResult } from './results.js'
import { type SignalName, signalName, signalNumber } from './signal_names.js'
import { ActionKind, actOn } from './targets.js'

/**
 * Sends a signal to each target whose identity still holds, through a pidfd. One result per target, in their order;
 * a target that has ended, or whose pid is another's by now, gets `PROCESS_GONE` and nothing is sent.
 * @param options.force also pid 1, kernel threads and this process
 * @throws ProcmusterError `INVALID_ARGUMENT` for an unknown signal or a target that is no identity
 */
export async function sendSignal(
  targets: readonly ProcessIdentity[],
  signal: SignalName | number,
  options: { readonly force?: boolean } = {},
): Promise<ControlResult[]> {
  const number = signalNumber(signal)
  return actOn(targets, signalName(number), ActionKind.signal, [number], options.force ?? false)
}
