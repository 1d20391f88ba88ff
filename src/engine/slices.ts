/** Long enough for hundreds of decisions, short enough not to be felt. */
const SLICE_MS = 3

/** Divides long work on the main thread into slices, between which the event loop goes on. */
export class Slices {
  #beganAt = performance.now()

  /** Whether the slice has lasted for long enough; then `next` is to be awaited. */
  get isOver(): boolean {
    return performance.now() - this.#beganAt >= SLICE_MS
  }

  async next(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#beganAt = performance.now()
  }
}
