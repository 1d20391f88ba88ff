/** Monotonic milliseconds and a timer; a parameter, so that a test needs no time. */
export interface TickerClock {
  now(): number
  setTimer(callback: () => void, ms: number): unknown
  clearTimer(timer: unknown): void
}

const systemClock: TickerClock = {
  now: () => performance.now(),
  setTimer: (callback, ms) => setTimeout(callback, ms),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
}

/**
 * Calls `tick` at whole intervals from the start: lateness of one does not shift the next. Ticks never overlap; those
 * that fall into a long one are skipped and counted.
 */
export class Ticker {
  /** Ticks that were begun. */
  ticks = 0
  /** Ticks skipped because the one before was not over. */
  missed = 0
  /** How late the last tick began, and the latest of all. */
  latenessMs = 0
  maxLatenessMs = 0

  readonly #intervalMs: number
  readonly #tick: () => Promise<void>
  readonly #clock: TickerClock
  #startedAt = 0
  #dueIndex = 0
  #timer: unknown
  #running: Promise<void> | undefined
  #stopped = false

  /** @param tick must not reject */
  constructor(intervalMs: number, tick: () => Promise<void>, clock: TickerClock = systemClock) {
    this.#intervalMs = intervalMs
    this.#tick = tick
    this.#clock = clock
  }

  start(): void {
    this.#startedAt = this.#clock.now()
    this.#arm()
  }

  /** Resolves when no tick runs and none will. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#clock.clearTimer(this.#timer)
    await this.#running
  }

  #arm(): void {
    if (this.#stopped) return
    const dueAt = this.#startedAt + this.#dueIndex * this.#intervalMs
    this.#timer = this.#clock.setTimer(() => this.#fire(dueAt), Math.max(0, dueAt - this.#clock.now()))
  }

  #fire(dueAt: number): void {
    this.latenessMs = Math.max(0, this.#clock.now() - dueAt)
    this.maxLatenessMs = Math.max(this.maxLatenessMs, this.latenessMs)
    this.ticks++
    this.#running = this.#tick().then(() => {
      this.#running = undefined
      // An interval that has begun by now is lost; the next whole one is taken.
      const begun = Math.floor((this.#clock.now() - this.#startedAt) / this.#intervalMs)
      const next = Math.max(this.#dueIndex, begun) + 1
      this.missed += next - this.#dueIndex - 1
      this.#dueIndex = next
      this.#arm()
    })
  }
}
