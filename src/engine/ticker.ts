/** Monotonic milliseconds and a timer; a parameter, so that a test needs no time. */
interface TickerClock {
  now(): number
  setTimer(callback: () => void, ms: number): unknown
  clearTimer(timer: unknown): void
}

const systemClock: TickerClock = {
  now: () => performance.now(),
  setTimer: (callback, ms) => setTimeout(callback, ms),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
}

const SHORTEST_GAP_MS = 250
const SHORTEST_EXTRA_GAP_MS = 1000

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
  /** Extra ticks among them. */
  extra = 0

  readonly #intervalMs: number
  readonly #tick: () => Promise<void>
  readonly #clock: TickerClock
  #startedAt: number | undefined
  #begunAt = 0
  #extraAt: number | undefined
  #lastExtraAt = Number.NEGATIVE_INFINITY
  #dueIndex = 0
  #timer: unknown
  #running: Promise<void> | undefined
  #isTicking = false
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

  /**
   * An extra tick, between those at whole intervals: at once, unless one was begun just now (CPU time is counted in steps,
   * rates over a moment mean nothing) or the last extra one was not long ago.
   */
  soon(): void {
    if (this.#stopped || this.#startedAt === undefined || this.#extraAt !== undefined) return
    this.#extraAt = Math.max(
      this.#clock.now(),
      this.#begunAt + SHORTEST_GAP_MS,
      this.#lastExtraAt + SHORTEST_EXTRA_GAP_MS,
    )
    if (this.#isTicking) return
    this.#clock.clearTimer(this.#timer)
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
    const regularAt = this.#startedAt! + this.#dueIndex * this.#intervalMs
    const isExtra = this.#extraAt !== undefined && this.#extraAt < regularAt
    const dueAt = isExtra ? this.#extraAt! : regularAt
    const delayMs = Math.max(0, dueAt - this.#clock.now())
    this.#timer = this.#clock.setTimer(() => this.#fire(dueAt, isExtra), delayMs)
  }

  #fire(dueAt: number, isExtra: boolean): void {
    // What is asked for from here on, this tick may come too early for.
    this.#extraAt = undefined
    this.#begunAt = this.#clock.now()
    if (isExtra) {
      this.#lastExtraAt = this.#begunAt
      this.extra++
    }
    this.latenessMs = Math.max(0, this.#begunAt - dueAt)
    this.maxLatenessMs = Math.max(this.maxLatenessMs, this.latenessMs)
    this.ticks++
    this.#isTicking = true
    this.#running = this.#tick().then(() => {
      this.#running = undefined
      this.#isTicking = false
      // An interval that has begun by now is lost; the next whole one is taken.
      const begun = Math.floor((this.#clock.now() - this.#startedAt!) / this.#intervalMs)
      const last = isExtra ? this.#dueIndex - 1 : this.#dueIndex
      const next = Math.max(last, begun) + 1
      this.missed += next - last - 1
      this.#dueIndex = next
      this.#arm()
    })
  }
}
