import { type Checks, checkOptions, listOf, oneOf, wholeWithin } from '../arguments.js'
import { openFeed } from './choose.js'
import type { EventSource, LifecycleEvent, LifecycleEventType } from './event.js'
import type { EventFeed } from './feed.js'

/** Options of `EventStream.open`. */
export interface EventStreamOptions {
  /** `auto` takes the first of bpf, netlink and snapshots that works here. */
  source?: 'auto' | EventSource
  /** Event types wanted; all that the source can give by default. */
  types?: readonly LifecycleEventType[]
  /** Milliseconds between two samples, with `snapshots`; 1,000 by default. */
  intervalMs?: number
  /** Room for events that nobody has read yet, in bytes: 4 KiB to 1 GiB, 4 MiB by default. `snapshots` needs none. */
  bufferBytes?: number
}

const TYPES: readonly LifecycleEventType[] = ['fork', 'exec', 'exit', 'signal']
const SOURCES: readonly EventSource[] = ['bpf', 'netlink', 'snapshots']

type Result = IteratorResult<LifecycleEvent, undefined>

const CHECKS: Checks<EventStreamOptions> = {
  source: oneOf(['auto', ...SOURCES]),
  types: listOf(oneOf(TYPES)),
  intervalMs: wholeWithin(1, 3_600_000),
  bufferBytes: wholeWithin(2 ** 12, 2 ** 30),
}

/**
 * Births, execs, ends and fatal signals of all processes of the host, as they happen.
 *
 * ```ts
 * const stream = await EventStream.open()
 * for await (const event of stream) if (event.type === 'exit') console.log(event.pid, event.exitCode, event.sender)
 * ```
 *
 * One reader. Events wait in a buffer of bounded size until they are read; a reader that does not keep up gets an event
 * of type `lost` in the place of those it missed. An open stream keeps the program alive only while `next()` is
 * awaited, as a `for await` loop does.
 */
export class EventStream implements AsyncIterableIterator<LifecycleEvent, undefined>, AsyncDisposable {
  /** Why this source, and why not those before it, in one line. */
  readonly sourceReason: string
  readonly #feed: EventFeed
  #batch: LifecycleEvent[] = []
  #at = 0
  #waiting: { resolve(result: Result): void; reject(error: unknown): void }[] = []
  #closing: Promise<void> | undefined

  private constructor(feed: EventFeed, sourceReason: string) {
    this.#feed = feed
    this.sourceReason = sourceReason
  }

  /**
   * @throws ProcmusterError `INVALID_ARGUMENT` for an option out of range; for a source asked for by name that cannot be
   * had `ACCESS_DENIED` or `UNSUPPORTED`, with the reason.
   */
  static async open(options: EventStreamOptions = {}): Promise<EventStream> {
    checkOptions(options, CHECKS)
    const { source = 'auto', types = TYPES, intervalMs = 1_000, bufferBytes = 4 * 2 ** 20 } = options
    let stream: EventStream | undefined
    const wake = () => {
      if (stream !== undefined) stream.#deliver()
    }
    const { feed, reason } = await openFeed(source, { types: new Set(types), intervalMs, bufferBytes, wake })
    stream = new EventStream(feed, reason)
    return stream
  }

  get source(): EventSource {
    return this.#feed.source
  }

  /** Events lost so far because nobody read them in time; each loss is also told by an event of type `lost`. */
  get lost(): number {
    return this.#feed.lost
  }

  /** The next event; done once the stream is closed. */
  next(): Promise<Result> {
    try {
      if (this.#waiting.length === 0) {
        const event = this.#closing === undefined ? this.#pull() : undefined
        if (event !== undefined) return Promise.resolve({ done: false, value: event })
      }
    } catch (error) {
      void this.close()
      return Promise.reject(error)
    }
    if (this.#closing !== undefined) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#feed.arm()
    })
  }

  /** Idempotent. Ends every reader at once; what was not read yet is dropped. Frees threads, timers and descriptors. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#batch = []
      this.#closing = this.#feed.close()
      for (const { resolve } of this.#waiting.splice(0)) resolve({ done: true, value: undefined })
    }
    return this.#closing
  }

  async return(): Promise<Result> {
    await this.close()
    return { done: true, value: undefined }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #pull(): LifecycleEvent | undefined {
    if (this.#at >= this.#batch.length) {
      this.#batch = this.#feed.take()
      this.#at = 0
    }
    return this.#batch[this.#at++]
  }

  /** Called by the feed: events, or a failure, are there. */
  #deliver(): void {
    try {
      while (this.#waiting.length > 0) {
        const event = this.#pull()
        if (event === undefined) break
        this.#waiting.shift()!.resolve({ done: false, value: event })
      }
      if (this.#waiting.length > 0) this.#feed.arm()
    } catch (error) {
      for (const { reject } of this.#waiting.splice(0)) reject(error)
      void this.close()
    }
  }
}
