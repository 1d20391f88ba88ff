/** Told in place of events that were dropped because the reader was too slow. */
export interface LostEvents {
  readonly type: 'lost'
  readonly count: number
}

/**
 * Events for one `for await` reader. The buffer is bounded: a reader that does not keep up loses the oldest and is
 * told how many, instead of the engine growing without end.
 */
export class EventQueue<T> implements AsyncIterableIterator<T | LostEvents> {
  readonly #capacity: number
  readonly #onEnd: () => void
  #buffer: T[] = []
  #lost = 0
  #ended = false
  #waiting: ((result: IteratorResult<T | LostEvents>) => void)[] = []

  constructor(capacity: number, onEnd: () => void) {
    this.#capacity = capacity
    this.#onEnd = onEnd
  }

  push(event: T): void {
    if (this.#ended) return
    const reader = this.#waiting.shift()
    if (reader !== undefined) {
      reader({ done: false, value: event })
      return
    }
    this.#buffer.push(event)
    // Cut in halves, so that a stuck reader does not cost a shift of the whole buffer per event.
    if (this.#buffer.length > this.#capacity) {
      const drop = Math.max(1, this.#capacity >>> 1)
      this.#buffer = this.#buffer.slice(drop)
      this.#lost += drop
    }
  }

  /** No more events; what is buffered can still be read. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#onEnd()
    for (const reader of this.#waiting) reader({ done: true, value: undefined })
    this.#waiting = []
  }

  next(): Promise<IteratorResult<T | LostEvents>> {
    if (this.#lost > 0) {
      const value: LostEvents = { type: 'lost', count: this.#lost }
      this.#lost = 0
      return Promise.resolve({ done: false, value })
    }
    const event = this.#buffer.shift()
    if (event !== undefined) return Promise.resolve({ done: false, value: event })
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  return(): Promise<IteratorResult<T | LostEvents>> {
    this.#buffer = []
    this.#lost = 0
    this.end()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
