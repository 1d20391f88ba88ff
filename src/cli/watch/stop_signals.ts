import { constants } from 'node:os'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE'] as const

/**
 * The first signal asks for a clean stop; a second one ends the process at once. SIGPIPE stands for a reader of
 * stdout that went away (see main.ts); every further write reports it again, so that one never aborts.
 */
export class StopSignals implements Disposable {
  #received: (typeof SIGNALS)[number] | undefined
  readonly #controller = new AbortController()
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (this.#received === undefined) {
      this.#received = signal as (typeof SIGNALS)[number]
      this.#controller.abort()
    } else if (signal !== 'SIGPIPE') process.exit(this.exitCode)
  }

  constructor() {
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
    for (const signal of SIGNALS) process.off(signal, this.#onSignal)
  }
}
