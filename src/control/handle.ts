import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkOptions, checkPid, FLAG, PATH } from '../arguments.js'
import { codeOfErrno, errnoName, ProcmusterError } from '../errors.js'
import { type NativePidHandle, native } from '../native.js'
import { markReadHere, type ProcessIdentity } from '../table/identity.js'
import { type ExitInfo, exitOfChild } from './children.js'
import { foreignPidsError, Step, stepError } from './results.js'
import { type SignalName, signalName, signalNumber } from './signal_names.js'
import { packTargets } from './targets.js'

const TICK_MS = 10

/**
 * Who `pid` is now, certain enough to act on: waits a clock tick or two for a process that has only just started.
 * @throws ProcmusterError `PROCESS_GONE` when there is no such process, `ACCESS_DENIED` when `/proc` hides it (hidepid),
 *   `INVALID_ARGUMENT` for what is no pid, `UNSUPPORTED` where `/proc` is not that of this PID namespace
 */
export async function identify(
  pid: number,
  options: { readonly procRoot?: string } = {},
): Promise<ProcessIdentity> {
  checkOptions(options, { procRoot: PATH })
  checkPid(pid)
  const procRoot = options.procRoot ?? '/proc'
  // A pidfd vouches for what stat said only where that stat is this kernel's.
  const live = procRoot === '/proc'
  for (let attempt = 0; ; attempt++) {
    const out = new Float64Array(5)
    await native.control.identify(pid, procRoot, live, out)
    const [error, startTicks, inode, settledNumber, isKernelThread] = out as unknown as IdentifyCells
    if (error !== 0) throw live && isHidden(pid) ? hiddenError(pid) : identifyError(pid, error)
    const settled = settledNumber === 1
    if (settled || attempt === 5) {
      if (inode === 0) return { pid, startTicks, settled }
      const identity = { pid, startTicks, pidfsInode: inode, settled }
      return isKernelThread ? identity : markReadHere(identity)
    }
    await sleep(TICK_MS)
  }
}

// As native/control/control_binding.cc fills them.
type IdentifyCells = [
  error: number,
  startTicks: number,
  inode: number,
  settled: number,
  isKernelThread: number,
]

function identifyError(pid: number, errno: number): ProcmusterError {
  if (errno === constants.errno.EXDEV) return foreignPidsError({ pid })
  // ENOENT and EINVAL of pidfd_open: the number is a thread's, not a process's.
  const code = codeOfErrno(errno)
  const gone = code === 'NOT_FOUND' || code === 'PROCESS_GONE' || code === 'INVALID_ARGUMENT'
  return new ProcmusterError(gone ? 'PROCESS_GONE' : code, {
    message: gone ? `there is no process ${pid}` : `process ${pid} cannot be looked at (${errnoName(errno)})`,
    pid,
    errno,
  })
}

/** Not in a /proc that was mounted with hidepid, and yet there to be refused a signal. */
function isHidden(pid: number): boolean {
  if (existsSync(`/proc/${pid}`)) return false
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const hiddenError = (pid: number): ProcmusterError =>
  new ProcmusterError('ACCESS_DENIED', {
    message: `process ${pid} is hidden by this /proc (hidepid); run as its user, or as root`,
    pid,
    path: `/proc/${pid}`,
  })

/**
 * An open pidfd: the one process for as long as the handle is held, whatever becomes of its pid. Close it, or declare
 * it with `using`.
 */
export class ProcessHandle implements Disposable {
  readonly identity: ProcessIdentity
  /** Pid 1, a kernel thread or this very process: signalled only with `force`. */
  readonly isProtected: boolean
  /** Of a child of ours. */
  readonly #exitOfChild: Promise<ExitInfo> | undefined
  #native: NativePidHandle | undefined
  #exited: Promise<ExitInfo> | undefined
  #watch: number | undefined
  #rejectExited: ((error: ProcmusterError) => void) | undefined

  private constructor(
    identity: ProcessIdentity,
    handle: NativePidHandle,
    isProtected: boolean,
    exitOfChild: Promise<ExitInfo> | undefined,
  ) {
    this.identity = identity
    this.#native = handle
    this.isProtected = isProtected
    this.#exitOfChild = exitOfChild
  }

  /** @throws ProcmusterError `PROCESS_GONE`, `UNSETTLED`, `INVALID_ARGUMENT`, `UNSUPPORTED` (before Linux 5.3, and as `identify`) */
  static async open(identity: ProcessIdentity): Promise<ProcessHandle> {
    const handle = native.control.newHandle()
    const out = new Int32Array(3)
    const packed = packTargets([identity])
    // Asked before it can end, for it is forgotten soon after.
    const exit = exitOfChild(identity)
    await native.control.openHandle(handle, packed, out)
    const failure = stepError(identity, 'open', out[0]!, out[1]!)
    if (failure !== undefined) throw failure
    return new ProcessHandle(identity, handle, out[2] === 1, exit)
  }

  get pid(): number {
    return this.identity.pid
  }

  /** True once the process has ended; a zombie has. */
  get hasExited(): boolean {
    return native.control.handleExited(this.#open())
  }

  /**
   * Settles when the process ends, which for a zombie is at once. Asking for it keeps the event loop alive; see
   * `unref`. Rejects with `CLOSED` when the handle is closed first.
   */
  get exited(): Promise<ExitInfo> {
    this.#exited ??= this.#watchExit()
    return this.#exited
  }

  /**
   * Sends a signal through the pidfd; a zombie takes it without effect.
   * @throws ProcmusterError `PROCESS_GONE`, `ACCESS_DENIED`, `PROTECTED`, `INVALID_ARGUMENT`, `CLOSED`
   */
  signal(signal: SignalName | number, options: { readonly force?: boolean } = {}): void {
    checkOptions(options, { force: FLAG })
    const number = signalNumber(signal)
    const handle = this.#open()
    if (this.isProtected && !(options.force ?? false))
      throw stepError(this.identity, signalName(number), 0, Step.protected)!
    const errno = native.control.signalHandle(handle, number)
    if (errno !== 0) throw stepError(this.identity, signalName(number), errno, Step.act)!
  }

  /**
   * Takes the process for this handle alone among all that ask for it, of whichever program on this host, until it is closed or
   * its own process has ended. It hinders nobody who does not ask. flock(2) on the pidfd, which needs pidfs (Linux 6.9).
   * @returns false when another handle has it, undefined where the kernel cannot tell
   * @throws ProcmusterError `CLOSED`
   */
  lock(): boolean | undefined {
    const errno = native.control.lockHandle(this.#open())
    return errno === 0 ? true : errno === constants.errno.EWOULDBLOCK ? false : undefined
  }

  /** Lets the event loop end although `exited` is still awaited. */
  unref(): this {
    if (this.#watch !== undefined) native.control.keepExitAlive(this.#watch, false)
    return this
  }

  /** Keeps the event loop alive again. */
  ref(): this {
    if (this.#watch !== undefined) native.control.keepExitAlive(this.#watch, true)
    return this
  }

  /** May be called again. */
  close(): void {
    if (this.#native === undefined) return
    if (this.#watch !== undefined) native.control.unwatchExit(this.#watch)
    this.#watch = undefined
    native.control.closeHandle(this.#native)
    this.#native = undefined
    this.#rejectExited?.(this.#closedError())
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #open(): NativePidHandle {
    if (this.#native === undefined) throw this.#closedError()
    return this.#native
  }

  #closedError(): ProcmusterError {
    const { pid, startTicks } = this.identity
    return new ProcmusterError('CLOSED', {
      message: `the handle of process ${pid} is closed`,
      pid,
      startTicks,
    })
  }

  #watchExit(): Promise<ExitInfo> {
    const handle = this.#open()
    const exited = new Promise<ExitInfo>((resolve, reject) => {
      const id = native.control.watchExit(handle, false, true, () => {
        this.#watch = undefined
        this.#rejectExited = undefined
        // A child that we started ourselves has been waited for by another watch, which knows more.
        resolve(this.#exitOfChild ?? exitOfChild(this.identity) ?? {})
      })
      if (id < 0) {
        const message = `process ${this.pid} cannot be watched (${errnoName(-id)})`
        reject(new ProcmusterError('IO_ERROR', { message, pid: this.pid, errno: -id }))
        return
      }
      this.#watch = id
      this.#rejectExited = reject
    })
    // Closing a handle that nobody awaits any more is no error of anyone's.
    exited.catch(() => {})
    return exited
  }
}
