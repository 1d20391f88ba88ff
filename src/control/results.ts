import { getSystemErrorMap } from 'node:util'
import { type ErrorCode, ProcmusterError } from '../errors.js'
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
}

const EPERM = 1
const ESRCH = 3
const EACCES = 13
const EINVAL = 22
const ENOSYS = 38

/** The kernel's name of an errno, for example `EPERM`. */
export function errnoName(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[0] ?? `errno ${errno}`
}

/** The code that an errno of a system call on a process stands for. */
export function codeOfErrno(errno: number): ErrorCode {
  if (errno === ESRCH) return 'PROCESS_GONE'
  if (errno === EPERM || errno === EACCES) return 'ACCESS_DENIED'
  if (errno === EINVAL) return 'INVALID_ARGUMENT'
  if (errno === ENOSYS) return 'UNSUPPORTED'
  return 'IO_ERROR'
}

/** The error for a step of the addon that did not succeed, or undefined when all of them did. */
export function stepError(
  target: ProcessIdentity,
  action: string,
  errno: number,
  step: Step,
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
      return fail(
        'PROTECTED',
        `${action}: ${who} is pid 1, a kernel thread or this very process; give force to do it all the same`,
      )
    case Step.goneDuring:
      return fail('PROCESS_GONE', `${action}: ${who} ended while it was under way`)
    case Step.unreadable:
      return fail('UNSUPPORTED', `${action}: /proc/${pid}/stat cannot be understood; nothing was done`)
  }
  if (errno === ESRCH) return fail('PROCESS_GONE', `${action}: ${who} has ended; nothing was done`)
  const code = codeOfErrno(errno)
  const name = errnoName(errno)
  if (code === 'ACCESS_DENIED') {
    return fail(code, `${action}: no permission for ${who} (${name}); run as its user or with the capability`)
  }
  if (code === 'UNSUPPORTED')
    return fail(code, `${action}: this kernel cannot do it (${name}); Linux 5.3 can`)
  return fail(code, `${action}: failed on ${who} (${name})`)
}
