import { EventStream, type ExitEvent } from '../../public/events.js'
import type { ProcessIdentity } from '../../public/table.js'

/** Hears of the end of a process, where the kernel tells of ends. */
export class ExitWatch implements AsyncDisposable {
  readonly #stream: EventStream
  #isHearing: boolean
  readonly #heard = new AbortController()
  #event: ExitEvent | undefined

  private constructor(target: ProcessIdentity, stream: EventStream) {
    this.#stream = stream
    this.#isHearing = stream.source !== 'snapshots'
    // That the process is gone is seen all the same.
    if (this.#isHearing)
      this.#listen(target).catch(() => {
        this.#isHearing = false
      })
    // It would look at all processes, only to see that this one is gone.
    else void stream.close()
  }

  static async open(target: ProcessIdentity): Promise<ExitWatch> {
    return new ExitWatch(target, await EventStream.open({ types: ['exit'] }))
  }

  /** Whether the kernel tells of ends here. */
  get isHearing(): boolean {
    return this.#isHearing
  }

  /** Aborted when it has ended. */
  get signal(): AbortSignal {
    return this.#heard.signal
  }

  /** How it ended; undefined where that is not told within `waitMs`. */
  async event(waitMs: number): Promise<ExitEvent | undefined> {
    if (!this.#isHearing || this.signal.aborted) return this.#event
    const timer = setTimeout(() => this.#heard.abort(), waitMs)
    await new Promise((resolve) => this.signal.addEventListener('abort', resolve, { once: true }))
    clearTimeout(timer)
    return this.#event
  }

  async #listen({ pid, startTicks }: ProcessIdentity): Promise<void> {
    for await (const event of this.#stream) {
      if (event.type !== 'exit' || event.pid !== pid) continue
      if (event.startTicks !== undefined && event.startTicks !== startTicks) continue
      this.#event = event
      this.#heard.abort()
      return
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stream.close()
  }
}
