import { type Checks, checkOptions, ELSEWHERE, FLAG, MAX_TIMER_MS, range, refuse } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import type { ExitInfo } from './children.js'
import { ProcessHandle } from './handle.js'
import { type SignalName, signalName, signalNumber } from './signal_names.js'

/** Times in milliseconds. */
export interface TerminateOptions {
  /** How long the process may take to end by itself after the first signal. */
  readonly graceMs: number
  /** The first signal; SIGTERM unless told otherwise. */
  readonly signal?: SignalName | number
  /** How long to wait for SIGKILL to work; a process in an uninterruptible wait can take long. Default 10 s. */
  readonly killWaitMs?: number
  readonly force?: boolean
}

/** How a process came to its end, and in what time. */
export interface Termination {
  /** The signal that it ended after, as `signalName` calls it; `itself`: it had ended before anything was sent. */
  readonly endedBy: string
  readonly tookMs: number
  readonly exit: ExitInfo
}

/** Times are checked by `checkTimes`, the signal by `signalNumber`. */
export const TERMINATE_CHECKS: Checks<TerminateOptions> = {
  graceMs: ELSEWHERE,
  signal: ELSEWHERE,
  killWaitMs: ELSEWHERE,
  force: FLAG,
}

/**
 * Ends a process: SIGTERM (and SIGCONT, without which a stopped one could not handle it), waits on the pidfd for its
 * real end, SIGKILL only if it is still there after the grace time. A zombie has ended.
 * @throws ProcmusterError `INVALID_ARGUMENT` for a time that is none; `ACCESS_DENIED`, `PROTECTED`; `TIMEOUT` when it outlives even SIGKILL by `killWaitMs`
 */
export async function terminate(handle: ProcessHandle, options: TerminateOptions): Promise<Termination> {
  if (!(handle instanceof ProcessHandle)) refuse('the handle', handle, 'one of ProcessHandle.open')
  checkOptions(options, TERMINATE_CHECKS)
  checkTimes(options)
  const startedAt = performance.now()
  const first = signalNumber(options.signal ?? 'SIGTERM')
  const ended = (endedBy: string, exit: ExitInfo): Termination => ({
    endedBy,
    tookMs: performance.now() - startedAt,
    exit,
  })
  const exited = handle.exited
  if (handle.hasExited) return ended('itself', await exited)
  const force = options.force ?? false
  if (!sent(handle, first, force)) return ended('itself', await exited)
  sent(handle, 'SIGCONT', force)
  const afterGrace = await within(exited, options.graceMs)
  if (afterGrace !== undefined) return ended(signalName(first), afterGrace)
  if (!sent(handle, 'SIGKILL', force)) return ended(signalName(first), await exited)
  const killWaitMs = options.killWaitMs ?? 10_000
  const afterKill = await within(exited, killWaitMs)
  if (afterKill !== undefined) return ended('SIGKILL', afterKill)
  throw new ProcmusterError('TIMEOUT', {
    message: `process ${handle.pid} is still there ${killWaitMs} ms after SIGKILL; it waits uninterruptibly in the kernel, or its control group is frozen`,
    pid: handle.pid,
    startTicks: handle.identity.startTicks,
  })
}

/** Node's setTimeout takes any other for 1 ms: who was to have for ever would be killed at once. */
export function checkTimes({
  graceMs,
  killWaitMs = 0,
}: Pick<TerminateOptions, 'graceMs' | 'killWaitMs'>): void {
  range('graceMs', graceMs, 0, MAX_TIMER_MS)
  range('killWaitMs', killWaitMs, 0, MAX_TIMER_MS)
}

// False when there is nobody left to signal: between the look and the signal it has been waited for.
function sent(handle: ProcessHandle, signal: SignalName | number, force: boolean): boolean {
  try {
    handle.signal(signal, { force })
    return true
  } catch (error) {
    if (error instanceof ProcmusterError && error.code === 'PROCESS_GONE') return false
    throw error
  }
}

function within(exited: Promise<ExitInfo>, ms: number): Promise<ExitInfo | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms, undefined)
    exited.then(
      (exit) => {
        clearTimeout(timer)
        resolve(exit)
      },
      (error) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}
