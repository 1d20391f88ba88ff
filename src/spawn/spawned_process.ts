import type { Readable, Writable } from 'node:stream'
import type { ChildUse, ExitInfo } from '../control/children.js'
import { Step, stepError } from '../control/results.js'
import { type SignalName, signalName, signalNumber } from '../control/signal_names.js'
import { native } from '../native.js'
import { markReadHere, type ProcessIdentity } from '../table/identity.js'
import type { ChildStdio } from './child_stdio.js'
import type { Started } from './start.js'

const ESRCH = 3

/**
 * What a process used in its life, with those of its children that it has waited for; wait4(2), getrusage(2).
 */
export interface LifetimeUse extends Omit<ChildUse, 'peakRssBytes'> {
  /**
   * Missing when it never had more than this process had when it started it: the kernel counts from there, and what is
   * below cannot be told apart.
   */
  readonly peakRssBytes: number | undefined
}

/** How a process that `spawnProcess` started ended. */
export interface ProcessExit extends ExitInfo {
  /** From its exec to its end. */
  readonly lifetimeMs: number
  /** Whether the kernel wrote a core file, or handed one to its handler. core(5). */
  readonly coreDumped: boolean | undefined
  /** Missing, as are code and signal, when another part of this program has waited for it. */
  readonly use: LifetimeUse | undefined
}

/** A child of this process, waited for when it ends: no zombie stays. It is its own identity for the calls that take one. */
export class SpawnedProcess implements ProcessIdentity {
  readonly pid: number
  readonly startTicks: number
  readonly pidfsInode?: number | undefined
  readonly settled: boolean
  /** Where these are pipes. */
  readonly stdin: Writable | undefined
  readonly stdout: Readable | undefined
  readonly stderr: Readable | undefined
  /** Settles when it has ended; its pipes may still hold output then. Never rejects. */
  readonly exited: Promise<ProcessExit>
  readonly #started: Started
  #hasEnded = false

  /** Only `spawnProcess` makes them. */
  constructor(started: Started, stdio: ChildStdio) {
    const { child, reaping, startedAtMs } = started
    this.pid = child.pid
    this.startTicks = child.startTicks
    if (child.pidfsInode !== undefined) this.pidfsInode = child.pidfsInode
    this.settled = child.settled
    markReadHere(this)
    this.stdin = stdio.stdin
    this.stdout = stdio.stdout
    this.stderr = stdio.stderr
    this.#started = started
    const before = process.resourceUsage().maxRSS * 1024
    this.exited = reaping.ended.then((end): ProcessExit => {
      this.#hasEnded = true
      this.stdin?.destroy() // nobody will read it
      if (end === undefined) {
        const lifetimeMs = Number(process.hrtime.bigint()) / 1e6 - startedAtMs
        return { lifetimeMs, coreDumped: undefined, use: undefined }
      }
      const { endedAtMs, use, ...how } = end
      const peakRssBytes = use.peakRssBytes > before ? use.peakRssBytes : undefined
      return { ...how, lifetimeMs: endedAtMs - startedAtMs, use: { ...use, peakRssBytes } }
    })
  }

  /**
   * Sends a signal, through its pidfd.
   * @throws ProcmusterError `PROCESS_GONE`, `ACCESS_DENIED` when it has become another user, `INVALID_ARGUMENT`
   */
  signal(signal: SignalName | number): void {
    const number = signalNumber(signal)
    const errno = this.#hasEnded ? ESRCH : native.control.signalHandle(this.#started.handle, number)
    if (errno !== 0) throw stepError(this, signalName(number), errno, Step.act)!
  }

  /** The event loop may end while it runs. */
  unref(): this {
    this.#started.reaping.keepAlive(false)
    return this
  }

  /** The event loop goes on while it runs; so it is from the start, but for a detached one. */
  ref(): this {
    this.#started.reaping.keepAlive(true)
    return this
  }

  /**
   * Leaves it to whatever this process becomes by exec to wait for it; false when it has ended already.
   * @internal
   */
  leave(): boolean {
    return this.#started.reaping.leave()
  }
}
