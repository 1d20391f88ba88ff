import { constants } from 'node:os'

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
  /** Somebody else holds it: a journal has one writer. */
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
  /** The process was ended, and the new one could not be started. */
  | 'RESTART_FAILED'

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

const codeOfErrno = new Map<number, ErrorCode>([
  [constants.errno.EPERM, 'ACCESS_DENIED'],
  [constants.errno.EACCES, 'ACCESS_DENIED'],
  [constants.errno.ENOENT, 'NOT_FOUND'],
  [constants.errno.ENOTDIR, 'NOT_FOUND'],
  [constants.errno.ESRCH, 'PROCESS_GONE'],
  [constants.errno.EINVAL, 'INVALID_ARGUMENT'],
  [constants.errno.ETIMEDOUT, 'TIMEOUT'],
  [constants.errno.ECANCELED, 'CLOSED'],
  [constants.errno.ENOSYS, 'UNSUPPORTED'],
])

/** An error of the addon, which carries errno, syscall and path, as the class that callers know. */
export function fromNative(error: unknown, message: string): ProcmusterError {
  const { errno, path } = error as { errno?: number; path?: string }
  return new ProcmusterError(codeOfErrno.get(errno ?? 0) ?? 'IO_ERROR', {
    message: `${message}: ${error instanceof Error ? error.message : String(error)}`,
    errno,
    path,
    cause: error,
  })
}
