import type { Learned } from './changes.js'
import type { JudgePool } from './pool.js'
import { COMMAND_LINE_LIMIT, commandWords } from './selector.js'

/** Reads the command lines of the processes in some slots, in that order; undefined where it could not. */
export type ReadCommandLines = (slots: Uint32Array) => Promise<readonly (string | undefined)[]>

/** Processes per read and per task: few enough that neither holds up the event loop. */
const CHUNK = 512
const RETRY_MS = 10_000

interface Verdict {
  readonly generation: number
  readonly bits: Int32Array
}

/**
 * Learns which command-line patterns fit which processes: reads the command lines of new processes beside the ticks, has the
 * patterns tried in the pool, and keeps the verdicts for the next tick.
 */
export class CommandLines {
  readonly #pool: JudgePool
  readonly #read: ReadCommandLines
  readonly #words: number
  readonly #onWarning: (error: unknown) => void
  /** Generation by slot of what waits to be read. */
  readonly #waiting = new Map<number, number>()
  /** Slots whose command line could not be read, and when to try again. */
  readonly #failed = new Map<number, { generation: number; retryMs: number }>()
  readonly #verdicts = new Map<number, Verdict>()
  /** Given to a tick that has not taken them over yet. */
  readonly #handed = new Map<number, Verdict>()
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

  /** Asks for the command lines of these slots, in the background. */
  want(slots: Iterable<number>, generations: Uint32Array, nowMs: number): void {
    for (const slot of slots) this.#waiting.set(slot, generations[slot]!)
    for (const [slot, { generation, retryMs }] of this.#failed) {
      if (generations[slot] === generation && retryMs > nowMs) continue
      this.#failed.delete(slot)
      if (generations[slot] === generation) this.#waiting.set(slot, generation)
    }
    if (this.#waiting.size > 0 && this.#learning === undefined) {
      this.#learning = this.#learn(nowMs).finally(() => {
        this.#learning = undefined
      })
    }
  }

  /** The verdicts so far, for a tick; they are given again until `forget`, because a tick can fail. */
  verdicts(): Learned | undefined {
    for (const [slot, verdict] of this.#verdicts) this.#handed.set(slot, verdict)
    this.#verdicts.clear()
    if (this.#handed.size === 0) return undefined
    const slots = Uint32Array.from(this.#handed.keys())
    const generations = new Uint32Array(slots.length)
    const bits = new Int32Array(slots.length * this.#words)
    let place = 0
    for (const verdict of this.#handed.values()) {
      generations[place] = verdict.generation
      bits.set(verdict.bits, place * this.#words)
      place++
    }
    return { slots, generations, bits }
  }

  /** The tick has taken the verdicts over. */
  forget(): void {
    this.#handed.clear()
  }

  close(): void {
    this.#closed = true
    this.#waiting.clear()
  }

  async #learn(nowMs: number): Promise<void> {
    while (this.#waiting.size > 0) {
      const chunk: [slot: number, generation: number][] = []
      for (const entry of this.#waiting) {
        chunk.push(entry)
        this.#waiting.delete(entry[0])
        if (chunk.length === CHUNK) break
      }
      try {
        await this.#learnChunk(chunk, nowMs)
      } catch (error) {
        if (this.#closed) return
        this.#retryLater(chunk, nowMs)
        this.#onWarning(error)
      }
    }
  }

  async #learnChunk(chunk: readonly [number, number][], nowMs: number): Promise<void> {
    const texts = await this.#read(Uint32Array.from(chunk, ([slot]) => slot))
    this.#retryLater(
      chunk.filter((_, place) => texts[place] === undefined),
      nowMs,
    )
    const known = chunk.filter((_, place) => texts[place] !== undefined)
    if (known.length === 0) return
    const bits = await this.#pool.run({
      type: 'commandLines',
      texts: texts.filter((text) => text !== undefined).map((text) => text.slice(0, COMMAND_LINE_LIMIT)),
    })
    for (const [place, [slot, generation]] of known.entries()) {
      const start = place * this.#words
      this.#verdicts.set(slot, { generation, bits: bits.subarray(start, start + this.#words) })
    }
  }

  #retryLater(chunk: readonly [number, number][], nowMs: number): void {
    for (const [slot, generation] of chunk) this.#failed.set(slot, { generation, retryMs: nowMs + RETRY_MS })
  }
}
