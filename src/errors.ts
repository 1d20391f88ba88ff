import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'

/** What went wrong, stable across versions. */
export type ErrorCode =
  /** The process has exited, or its pid belongs to another process now. Nothing was done to it. */
  | 'PROCESS_GONE'
  /** The process is so young that its identity is not certain yet; sample again and retry. */
  | 'UNSETTLED'
  /** The target is pid 1, a kernel thread or this process itself, and `force` was not given. */
  | 'PROTECTED'
  | 'ACCESS_DENIED'
  | 'INVALID_ARGUMENT'
  | 'OUT_OF_RANGE'
  | 'NOT_FOUND'
  | 'TIMEOUT'
  /** Somebody else holds it, or it is full for now: a journal has one writer, a control group with members stays. */
  | 'BUSY'
  /** The kernel, or this process's privileges or namespace, cannot do it at all. */
  | 'UNSUPPORTED'
  /** The table's memory has been given to a newer sample; use `table.copy()` to keep one. */
  | 'STALE_TABLE'
  /** Used after `close()`. */
  | 'CLOSED'
  | 'IO_ERROR'
  | 'CONFIG_INVALID'
  /** A restart was refused before anything was done to the process. */
  | 'RESTART_REFUSED'
  /** The service manager was asked, and did not do it: the service failed, a dependency of it, or it is masked. */
  | 'SERVICE_FAILED'
  /** The process was ended, and the new one could not be started. */
  | 'RESTART_FAILED'

/** What an error knows besides its code; what does not apply is left out. */
export interface ErrorDetails {
  /** Sentence that names the value and the way out. */
  message: string
  pid?: number | undefined
  startTicks?: number | undefined
  path?: string | undefined
  /** errno as a positive number, for example 13 for EACCES. */
  errno?: number | undefined
  cause?: unknown
}

/** The one error class of this package; tell kinds apart by `code`. */
export class ProcmusterError extends Error {
  override readonly name = 'ProcmusterError'
  readonly code: ErrorCode
  readonly pid: number | undefined
  readonly startTicks: number | undefined
  readonly path: string | undefined
  readonly errno: number | undefined

  constructor(code: ErrorCode, details: ErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.pid = details.pid
    this.startTicks = details.startTicks
    this.path = details.path
    this.errno = details.errno
  }
}

const { errno: E } = constants
const codes = new Map<number, ErrorCode>([
  [E.EPERM, 'ACCESS_DENIED'],
  [E.EACCES, 'ACCESS_DENIED'],
  [E.ENOENT, 'NOT_FOUND'],
  [E.ENOTDIR, 'NOT_FOUND'],
  [E.ESRCH, 'PROCESS_GONE'],
  [E.EINVAL, 'INVALID_ARGUMENT'],
  [E.ETIMEDOUT, 'TIMEOUT'],
  [E.ECANCELED, 'CLOSED'],
  [E.ENOSYS, 'UNSUPPORTED'],
  [E.EOPNOTSUPP, 'UNSUPPORTED'],
  [E.EAGAIN, 'BUSY'],
  [E.EBUSY, 'BUSY'],
])

/** The code that the errno of a failed system call stands for, unless its place tells more. */
export function codeOfErrno(errno: number): ErrorCode {
  return codes.get(errno) ?? 'IO_ERROR'
}

/** The kernel's name of an errno, for example `EPERM`. */
export function errnoName(errno: number): string {
  const known = getSystemErrorMap().get(-errno)?.[0]
  // Node's own calls never see some, as ENOEXEC.
  return known ?? Object.entries(E).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`
}

/** The positive errno of an error of Node's own calls, undefined when it has none. */
export function errnoOf(error: unknown): number | undefined {
  const { errno } = error as NodeJS.ErrnoException
  return errno === undefined ? undefined : Math.abs(errno)
}
