import { seenOf } from '../rules/judge/seen.js'

/** Times in which nothing was sampled, since the engine was stopped: nobody saw what lasted, or kept quiet, in them. */
export class Gaps {
  readonly #intervalMs: number
  #lastMs: number | undefined

  /** @param intervalMs usual time between two ticks; with Infinity there are no gaps */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs
  }

  /** A tick; tells when the one before was, and how much since then was not seen: all but one interval. */
  tick(nowMs: number): { readonly lastMs: number; readonly unseenMs: number } {
    const lastMs = this.#lastMs ?? nowMs
    this.#lastMs = nowMs
    const gapMs = nowMs - lastMs
    return { lastMs, unseenMs: Math.max(0, gapMs - seenOf(gapMs, this.#intervalMs)) }
  }
}
