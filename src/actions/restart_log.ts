import { LIMIT_BOUNDS, type PerWindow } from '../rules/schema/limits.js'

/** The most that a window's `max` may be: so many times are kept. */
const MAX_PER_WINDOW = LIMIT_BOUNDS.perWindow[1]

/** When restarts were begun, oldest first: the last `MAX_PER_WINDOW` of them. */
export class RestartLog {
  #times: number[] = []

  /** A time that goes back, as one in a journal after a clock step can, counts as the latest; gives what it counts as. */
  add(atMs: number): number {
    const time = Math.max(atMs, this.#times.at(-1) ?? atMs)
    this.#times.push(time)
    if (this.#times.length >= 2 * MAX_PER_WINDOW) this.#times = this.#times.slice(-MAX_PER_WINDOW)
    return time
  }

  /** All of it was so much later, or earlier, by another clock. */
  shift(ms: number): void {
    this.#times = this.#times.map((time) => time + ms)
  }

  /** It came to nothing. */
  remove(atMs: number): void {
    const index = this.#times.lastIndexOf(atMs)
    if (index >= 0) this.#times.splice(index, 1)
  }

  /** When there is room for one more within the limit; a time that is past or now means at once. */
  freeAtMs({ max, windowMs }: PerWindow): number {
    const oldest = this.#times[this.#times.length - max]
    return oldest === undefined ? Number.NEGATIVE_INFINITY : oldest + windowMs
  }
}
