import { ProcmusterError } from '../errors.js'

/** Lets at most `limit` restarts run at once; the others wait in the order in which they came. */
export class RestartGate {
  readonly #limit: number
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Whether the next to enter has to wait. */
  get isFull(): boolean {
    return this.#running >= this.#limit
  }

  /** Resolves with the function that gives the place back. Rejects with `CLOSED` when `signal` aborts first. */
  async enter(signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) throw closed()
    if (this.isFull) await this.#wait(signal)
    else this.#running++
    let left = false
    return () => {
      if (left) return
      left = true
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener('abort', abort)
        resolve()
      }
      const abort = () => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1)
        reject(closed())
      }
      this.#waiting.push(enter)
      signal.addEventListener('abort', abort, { once: true })
    })
  }
}

function closed(): ProcmusterError {
  return new ProcmusterError('CLOSED', { message: 'The engine is closing; nothing was done to the process' })
}

export interface BackoffOptions {
  readonly firstMs: number
  readonly maxMs: number
}

/** Wait before attempt `failures + 1`: doubles with each failure up to the maximum. */
export function backoffMs(failures: number, { firstMs, maxMs }: BackoffOptions): number {
  return failures === 0 ? 0 : Math.min(maxMs, firstMs * 2 ** (failures - 1))
}

interface Failures {
  count: number
  notBeforeMs: number
}

/** Exponential backoff per target: a process whose restart was refused or failed is left alone for a while. */
export class Backoff {
  readonly #options: BackoffOptions
  readonly #failures = new Map<string, Failures>()
  readonly #maxTargets: number

  constructor(options: BackoffOptions, maxTargets = 10_000) {
    this.#options = options
    this.#maxTargets = maxTargets
  }

  /** Milliseconds until the target may be tried again; 0 when it may now. */
  remainingMs(target: string, nowMs: number): number {
    const failures = this.#failures.get(target)
    return failures === undefined ? 0 : Math.max(0, failures.notBeforeMs - nowMs)
  }

  failed(target: string, nowMs: number): void {
    const count = (this.#failures.get(target)?.count ?? 0) + 1
    this.#failures.delete(target)
    this.#failures.set(target, { count, notBeforeMs: nowMs + backoffMs(count, this.#options) })
    if (this.#failures.size <= this.#maxTargets) return
    // Insertion order is order of the last failure: what is forgotten first failed longest ago.
    for (const oldest of this.#failures.keys()) {
      this.#failures.delete(oldest)
      break
    }
  }

  forget(target: string): void {
    this.#failures.delete(target)
  }
}
