import { codeOfErrno, errnoName, ProcmusterError } from '../errors.js'
import { type NativeEventFeed, native } from '../native.js'
import { EventCells, TYPE_NUMBERS } from './decode.js'
import type { LifecycleEvent } from './event.js'
import type { EventFeed, FeedOptions } from './feed.js'

const SOURCES = { bpf: 0, netlink: 1 } as const
const BATCH = 256
const REFUSAL_BYTES = 1_024

/** Events that the addon receives. */
export class NativeFeed implements EventFeed {
  readonly source: keyof typeof SOURCES
  readonly #native: NativeEventFeed
  readonly #cells = new EventCells(BATCH)
  /** The addon holds it only while it is armed. */
  readonly #wake: () => void
  /** How many lost ones have been told of. */
  #lostTold = 0

  private constructor(source: keyof typeof SOURCES, { types, bufferBytes, wake }: FeedOptions) {
    let wanted = 0
    for (const type of types) wanted |= 1 << TYPE_NUMBERS[type]
    this.source = source
    this.#wake = wake
    this.#native = new native.EventFeed(SOURCES[source], wanted, powerOfTwo(bufferBytes), this.#wake)
  }

  /** @throws ProcmusterError with what the kernel said, where it refuses. */
  static async open(source: keyof typeof SOURCES, options: FeedOptions): Promise<NativeFeed> {
    const feed = new NativeFeed(source, options)
    const out = new Int32Array(1)
    const refusal = new Uint8Array(REFUSAL_BYTES)
    await feed.#native.open(out, refusal)
    const errno = out[0]!
    if (errno === 0) return feed
    feed.#native.close()
    const words = Buffer.from(refusal).toString('utf8').split('\0')[0]!
    throw new ProcmusterError(codeOfErrno(errno), {
      message: `${words === '' ? 'the kernel refuses' : words} (${errnoName(errno)})`,
      errno,
    })
  }

  get lost(): number {
    return this.#native.lost()
  }

  take(): LifecycleEvent[] {
    const count = this.#native.drain(this.#cells.cells)
    const events: LifecycleEvent[] = []
    for (let i = 0; i < count; i++) {
      this.#tellLost(this.#cells.lostBefore(i), events)
      events.push(this.#cells.event(i))
    }
    if (count === 0) this.#tellLost(this.lost, events)
    return events
  }

  arm(): void {
    const errno = this.#native.arm()
    if (errno === 0) return
    throw new ProcmusterError('IO_ERROR', { message: `cannot wait for events (${errnoName(errno)})`, errno })
  }

  async close(): Promise<void> {
    this.#native.close()
  }

  #tellLost(lost: number, events: LifecycleEvent[]): void {
    if (lost <= this.#lostTold) return
    events.push({ type: 'lost', count: lost - this.#lostTold, atMs: Date.now() })
    this.#lostTold = lost
  }
}

/** The smallest power of two that is not below it, and at least a page of any machine. */
function powerOfTwo(bytes: number): number {
  return Math.max(2 ** Math.ceil(Math.log2(bytes)), 65_536)
}
