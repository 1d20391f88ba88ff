/** Work that is done one after the other, in the order in which it was asked for, whatever came of what was before. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  take<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => {})
    return done
  }

  /** Resolves when all that was asked for so far is over. */
  async over(): Promise<void> {
    await this.#last
  }
}
