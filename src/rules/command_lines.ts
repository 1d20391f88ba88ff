import { ProcmusterError } from '../errors.js'
import type { Learned } from './changes.js'
import type { JudgePool } from './pool.js'
import { COMMAND_LINE_LIMIT, commandWords } from './selector.js'

/** Reads the command lines of the processes in some slots, in that order; undefined where it could not. */
export type ReadCommandLines = (slots: Uint32Array) => Promise<readonly (string | undefined)[]>

/** Processes per read and per task: few enough that neither holds up the event loop. */
const CHUNK = 512
const RETRY_MS = 10_000
/** A single command line that takes the patterns too long is given up after so many times. */
const MAX_TRIES = 3

/** Processes by slot and generation. */
interface Batch {
  readonly slots: Uint32Array
  readonly generations: Uint32Array
  /** How often it took too long; missing for never. */
  readonly tries?: number
}

/**
 * Learns which command-line patterns fit which processes: reads the command lines of new processes beside the ticks, has the
 * patterns tried in the pool, and keeps the verdicts for the next tick. Works on batches: at its start a large host has tens of
 * thousands of new processes, and the main thread must not touch each of them for long.
 */
export class CommandLines {
  readonly #pool: JudgePool
  readonly #read: ReadCommandLines
  readonly #words: number
  readonly #onWarning: (error: unknown) => void
  readonly #waiting: Batch[] = []
  /** Processes whose command line could not be read, and when to try again; earliest first. */
  readonly #failed: (Batch & { readonly retryMs: number })[] = []
  /** Verdicts that no tick has taken over yet, oldest first. */
  #verdicts: Learned[] = []
  /** How many of them were handed to the tick under way. */
  #handed = 0
  #learning: Promise<void> | undefined
  #closed = false

  constructor(
    pool: JudgePool,
    patternCount: number,
    read: ReadCommandLines,
    onWarning: (error: unknown) => void,
  ) {
    this.#pool = pool
    this.#words = commandWords(patternCount)
    this.#read = read
    this.#onWarning = onWarning
  }

  /** Resolves when all that was wanted so far has been tried. */
  get idle(): Promise<void> {
    return this.#learning ?? Promise.resolve()
  }

  /** Asks for the command lines of these slots, in the background; lists of several shards may overlap. */
  want(lists: readonly Uint32Array[], generationOf: Uint32Array, nowMs: number): void {
    const wanted = withoutDoubles(lists, generationOf.length)
    this.#queue({ slots: wanted, generations: wanted.map((slot) => generationOf[slot]!) })
    while (this.#failed.length > 0 && this.#failed[0]!.retryMs <= nowMs) {
      const batch = this.#failed.shift()!
      const { slots, generations } = batch
      this.#queue(pick(batch, (place) => generationOf[slots[place]!] === generations[place]))
    }
    if (this.#waiting.length === 0 || this.#learning !== undefined) return
    this.#learning = this.#learn(nowMs).finally(() => {
      this.#learning = undefined
    })
  }

  /** The verdicts so far, for a tick; they are given again until `forget`, because a tick can fail. */
  verdicts(): Learned | undefined {
    this.#handed = this.#verdicts.length
    if (this.#handed === 0) return undefined
    const size = this.#verdicts.reduce((sum, { slots }) => sum + slots.length, 0)
    // Shared, so that posting them to each thread copies nothing.
    const buffer = new SharedArrayBuffer(size * (8 + this.#words * 4))
    const all = {
      slots: new Uint32Array(buffer, 0, size),
      generations: new Uint32Array(buffer, size * 4, size),
      bits: new Int32Array(buffer, size * 8, size * this.#words),
    }
    let place = 0
    for (const { slots, generations, bits } of this.#verdicts) {
      all.slots.set(slots, place)
      all.generations.set(generations, place)
      all.bits.set(bits, place * this.#words)
      place += slots.length
    }
    return all
  }

  /** The tick has taken the verdicts over. */
  forget(): void {
    this.#verdicts = this.#verdicts.slice(this.#handed)
    this.#handed = 0
  }

  close(): void {
    this.#closed = true
    this.#waiting.length = 0
  }

  #queue({ slots, generations, tries = 0 }: Batch): void {
    for (let at = 0; at < slots.length; at += CHUNK) {
      this.#waiting.push({
        slots: slots.subarray(at, at + CHUNK),
        generations: generations.subarray(at, at + CHUNK),
        tries,
      })
    }
  }

  async #learn(nowMs: number): Promise<void> {
    for (let batch = this.#waiting.shift(); batch !== undefined; batch = this.#waiting.shift()) {
      try {
        await this.#learnBatch(batch, nowMs)
      } catch (error) {
        if (this.#closed) return
        if (error instanceof ProcmusterError && error.code === 'TIMEOUT') {
          this.#tookTooLong(batch, nowMs, error)
          continue
        }
        this.#failed.push({ ...batch, retryMs: nowMs + RETRY_MS })
        this.#onWarning(error)
      }
    }
  }

  /** Anybody may choose a command line on which a pattern backtracks without end: it is set apart from the others. */
  #tookTooLong(batch: Batch, nowMs: number, error: ProcmusterError): void {
    const { slots, generations } = batch
    if (slots.length > 1) {
      const half = slots.length >>> 1
      this.#waiting.push(
        { slots: slots.subarray(0, half), generations: generations.subarray(0, half) },
        { slots: slots.subarray(half), generations: generations.subarray(half) },
      )
      return
    }
    const tries = (batch.tries ?? 0) + 1
    if (tries < MAX_TRIES) this.#failed.push({ ...batch, tries, retryMs: nowMs + RETRY_MS })
    this.#onWarning(error)
  }

  async #learnBatch(batch: Batch, nowMs: number): Promise<void> {
    const texts = await this.#read(batch.slots)
    const unread = pick(batch, (place) => texts[place] === undefined)
    if (unread.slots.length > 0) this.#failed.push({ ...unread, retryMs: nowMs + RETRY_MS })
    const known = pick(batch, (place) => texts[place] !== undefined)
    if (known.slots.length === 0) return
    const bits = await this.#pool.run({
      type: 'commandLines',
      texts: texts.filter((text) => text !== undefined).map((text) => text.slice(0, COMMAND_LINE_LIMIT)),
    })
    this.#verdicts.push({ slots: known.slots, generations: known.generations, bits })
  }
}

function withoutDoubles(lists: readonly Uint32Array[], capacity: number): Uint32Array {
  const first = lists[0] ?? new Uint32Array(0)
  if (lists.every((list) => list === first || list.length === 0)) return first
  const seen = new Uint8Array(capacity)
  const slots = new Uint32Array(lists.reduce((sum, list) => sum + list.length, 0))
  let size = 0
  for (const list of lists) {
    for (const slot of list) {
      if (seen[slot] === 0) slots[size++] = slot
      seen[slot] = 1
    }
  }
  return slots.subarray(0, size)
}

function pick({ slots, generations, tries = 0 }: Batch, isPicked: (place: number) => boolean): Batch {
  return {
    tries,
    slots: slots.filter((_, place) => isPicked(place)),
    generations: generations.filter((_, place) => isPicked(place)),
  }
}
