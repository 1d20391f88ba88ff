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

/** Work that can be left off at each `yield`. */
export type Steps<T> = Generator<void, T, void>

export async function inSlices<T>(work: Steps<T>): Promise<T> {
  const slices = new Slices()
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
    if (slices.isOver) await slices.next()
  }
}

export function atOnce<T>(work: Steps<T>): T {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}
