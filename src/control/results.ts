import { codeOfErrno, type ErrorCode, errnoName, ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'

/** What became of one target of a batch; results come in the order of the targets. */
export type ControlResult =
  | { readonly pid: number; readonly ok: true }
  | { readonly pid: number; readonly ok: false; readonly error: ProcmusterError }

// The order of `Step` in native/control/identity.h.
export enum Step {
  done = 0,
  unsettled = 1,
  open = 2,
  stat = 3,
  mismatch = 4,
  protected = 5,
  act = 6,
  goneDuring = 7,
  unreadable = 8,
  foreignPids = 9,
}

/** Who has the pid in `/proc` is not whom a signal to it would reach. */
export function foreignPidsError({ pid, startTicks }: { pid: number; startTicks?: number }): ProcmusterError {
  const message = `process ${pid} cannot be told from another: /proc is not that of this PID namespace; mount it anew here (mount -t proc proc /proc, unshare --mount-proc)`
  return new ProcmusterError('UNSUPPORTED', { message, pid, startTicks })
}

/** The error for a step of the addon that did not succeed, or undefined when all of them did. */
export function stepError(
  target: ProcessIdentity,
  action: string,
  errno: number,
  step: Step,
  hints: Readonly<Record<string, string>> = {},
): ProcmusterError | undefined {
  if (step === Step.done) return undefined
  const { pid, startTicks } = target
  const who = `process ${pid} (started at tick ${startTicks})`
  const fail = (code: ErrorCode, message: string) =>
    new ProcmusterError(code, { message, pid, startTicks, errno })
  switch (step) {
    case Step.unsettled:
      return fail(
        'UNSETTLED',
        `${action}: ${who} is too young for a certain identity; nothing was done. Sample it again and retry`,
      )
    case Step.mismatch:
      return fail(
        'PROCESS_GONE',
        `${action}: ${who} has ended, and its pid is another's now; nothing was done`,
      )
    case Step.protected:
      return fail('PROTECTED', `${action}: ${who} is ${protectedWhat(pid)}; give force to do it all the same`)
    case Step.goneDuring:
      return fail('PROCESS_GONE', `${action}: ${who} ended while it was under way`)
    case Step.unreadable:
      return fail('UNSUPPORTED', `${action}: /proc/${pid}/stat cannot be understood; nothing was done`)
    case Step.foreignPids:
      return foreignPidsError(target)
  }
  const code = codeOfErrno(errno)
  const name = errnoName(errno)
  if (code === 'PROCESS_GONE') return fail(code, `${action}: ${who} has ended; nothing was done`)
  const hint = hints[name]
  if (hint !== undefined) return fail(code, `${action}: failed on ${who} (${name}): ${hint}`)
  if (code === 'ACCESS_DENIED') {
    const way = 'run as its user, or with CAP_KILL for signals, CAP_SYS_NICE for priorities and scheduling'
    return fail(code, `${action}: no permission for ${who} (${name}); ${way}`)
  }
  if (code === 'UNSUPPORTED')
    return fail(code, `${action}: this kernel cannot do it (${name}); Linux 5.3 can`)
  return fail(code, `${action}: failed on ${who} (${name})`)
}

/** Which of those that are acted on only with `force`. */
function protectedWhat(pid: number): string {
  return pid === 1 ? 'pid 1' : pid === process.pid ? 'this very process' : 'a kernel thread'
}

/** The result of one target, for its errno and step. */
export function controlResult(
  target: ProcessIdentity,
  action: string,
  errno: number,
  step: Step,
  hints?: Readonly<Record<string, string>>,
): ControlResult {
  if (step === Step.done) return { pid: target.pid, ok: true }
  return { pid: target.pid, ok: false, error: stepError(target, action, errno, step, hints)! }
}

/** One result each; what fails for one target does not hinder the others. */
export async function eachOf<Result extends object>(
  targets: readonly ProcessIdentity[],
  each: (target: ProcessIdentity) => Promise<Result>,
): Promise<(({ pid: number; ok: true } & Result) | { pid: number; ok: false; error: ProcmusterError })[]> {
  const results = []
  for (const target of targets) {
    const { pid } = target
    try {
      results.push({ pid, ok: true as const, ...(await each(target)) })
    } catch (error) {
      if (!(error instanceof ProcmusterError)) throw error
      results.push({ pid, ok: false as const, error })
    }
  }
  return results
}
