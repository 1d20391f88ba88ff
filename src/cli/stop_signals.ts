import { EventEmitter } from 'node:events'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
type StopSignal = (typeof SIGNALS)[number] | 'SIGPIPE'

/**
 * Told when the reader of stdout is gone. Not the signal itself, which Node ignores: a handler of it would be called for every pipe and
 * socket, as that of a notifier's command that does not read.
 */
export const output = new EventEmitter<{ closed: [] }>()

/**
 * One Ctrl-C can arrive twice: from the terminal, and passed on by npx; so does what timeout(1) sends. What follows
 * within this time is the same request.
 */
const SAME_REQUEST_MS = 500

/**
 * The first signal asks for a clean stop; a second one ends the process at once. SIGPIPE stands for a reader of
 * stdout that went away (see run.ts); every further write reports it again, so that one never aborts.
 */
export class StopSignals implements Disposable {
  #received: StopSignal | undefined
  #receivedAt = 0
  readonly #controller = new AbortController()
  /** What SIGHUP is about instead of an end, for who reads its configuration again by it. */
  onHangup: (() => void) | undefined
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGHUP' && this.onHangup !== undefined) {
      this.onHangup()
      return
    }
    if (this.#received === undefined) {
      this.#received = signal as StopSignal
      this.#receivedAt = performance.now()
      this.#controller.abort()
    } else if (signal !== 'SIGPIPE' && performance.now() - this.#receivedAt > SAME_REQUEST_MS) {
      process.exit(this.exitCode)
    }
  }

  readonly #onOutputClosed = (): void => this.#onSignal('SIGPIPE')

  constructor() {
    output.on('closed', this.#onOutputClosed)
    for (const signal of SIGNALS) process.on(signal, this.#onSignal)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get name(): string | undefined {
    return this.#received
  }

  /** 128 plus the signal's number, as a shell shows it; undefined while none came. */
  get exitCode(): number | undefined {
    return this.#received && 128 + constants.signals[this.#received]
  }

  [Symbol.dispose](): void {
    output.off('closed', this.#onOutputClosed)
    for (const signal of SIGNALS) process.off(signal, this.#onSignal)
  }
}

/** Waits; false when it was ended early. */
export async function passed(ms: number, signal: AbortSignal): Promise<boolean> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
  return !signal.aborted
}
