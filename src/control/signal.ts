import { checkOptions, ELSEWHERE, FLAG } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { ControlResult } from './results.js'
import { type SignalName, signalName, signalNumber } from './signal_names.js'
import { ActionKind, actOn } from './targets.js'

/** Options of `sendSignal`. */
export interface SignalOptions {
  /** Also pid 1, kernel threads and this process. */
  readonly force?: boolean
  /** 32 bit number that comes with the signal, as sigqueue(3) sends it. */
  readonly value?: number
}

/**
 * Sends a signal to each target whose identity still holds, through a pidfd; many at once in no certain order
 * (`signalTree` has one). One result per target, in the order of the targets;
 * a target that has ended, or whose pid is another's by now, gets `PROCESS_GONE` and nothing is sent. Real-time
 * signals are queued; `BUSY` says that the queue of the target's user is full (RLIMIT_SIGPENDING). pidfd_send_signal(2).
 * @throws ProcmusterError `INVALID_ARGUMENT` for an unknown signal or a target that is no identity
 */
export async function sendSignal(
  targets: readonly ProcessIdentity[],
  signal: SignalName | number,
  options: SignalOptions = {},
): Promise<ControlResult[]> {
  checkOptions(options, { force: FLAG, value: ELSEWHERE })
  const number = signalNumber(signal)
  return actOn(targets, {
    name: signalName(number),
    kind: ActionKind.signal,
    args: [number, signalValue(options.value)],
    force: options.force,
    hints: { EAGAIN: 'as many signals wait for its user as RLIMIT_SIGPENDING allows; send it again later' },
  })
}

/** NaN for none. */
export function signalValue(value: number | undefined): number {
  if (value === undefined) return Number.NaN
  if (Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31) return value
  throw new ProcmusterError('INVALID_ARGUMENT', {
    message: `${String(value)} cannot come with a signal; use a whole number of 32 bits, -2147483648 to 2147483647`,
  })
}
