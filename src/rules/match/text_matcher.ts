import { TEXT_FACTS, type TextFact } from './ast.js'
import type { TextLeaf } from './compile.js'
import { type Pattern, textPattern } from './pattern.js'
import { wordsFor } from './state.js'

/** Characters of a command line that patterns are tried on: it can be megabytes long, of the process's own choice. */
export const COMMAND_LINE_LIMIT = 4096
/** Processes share most of their texts; past so many of one kind, and for long ones, somebody makes them up. */
const REMEMBERED = 2048
const REMEMBERED_LENGTH = 1024

/** Texts of a process by fact: null where it has none (it is in no container), undefined where that could not be read. */
export type Texts = Partial<Record<TextFact, string | null | undefined>>

export interface TextVerdicts {
  /** Words of bits per text, one bit per leaf. */
  readonly yes: Int32Array
  readonly known: Int32Array
  /** How many were done before the time was over; at least one. */
  readonly done: number
  /** What the patterns took of the time. */
  readonly spentMs: number
  /** The leaf that took most of the time, with its share. */
  readonly slowest: { readonly leaf: number; readonly ms: number }
}

/** Tries the text leaves of all rules on what was read of processes. */
export class TextMatcher {
  readonly #leaves: readonly { readonly id: number; readonly fact: TextFact; readonly pattern: Pattern }[]
  readonly #words: number
  readonly #byFact: ReadonlyMap<TextFact, readonly number[]>
  readonly #known = new Map<TextFact, Map<string, Int32Array>>()
  readonly #spentMs: Float64Array

  constructor(leaves: readonly TextLeaf[]) {
    this.#leaves = leaves.map(({ fact, pattern }, id) => ({ id, fact, pattern: textPattern(fact, pattern) }))
    this.#words = wordsFor(leaves.length)
    this.#byFact = new Map(
      TEXT_FACTS.map(
        (fact) => [fact, leaves.flatMap((leaf, id) => (leaf.fact === fact ? [id] : []))] as const,
      ),
    )
    this.#spentMs = new Float64Array(leaves.length)
  }

  /** As many of these as are done in the time, so that no task keeps its thread for long. */
  match(texts: readonly Texts[], limitMs: number): TextVerdicts {
    const words = this.#words
    const yes = new Int32Array(texts.length * words)
    const known = new Int32Array(texts.length * words)
    const startedMs = performance.now()
    this.#spentMs.fill(0)
    let done = 0
    for (const each of texts) {
      if (done > 0 && performance.now() - startedMs > limitMs) break
      for (const [fact, ids] of this.#byFact) {
        const text = each[fact]
        if (text === undefined || ids.length === 0) continue
        const bits = text === null ? undefined : this.#bitsOf(fact, ids, text)
        for (let word = 0; word < words; word++) yes[done * words + word]! |= bits?.[word] ?? 0
        for (const id of ids) known[done * words + (id >>> 5)]! |= 1 << (id & 31)
      }
      done++
    }
    const leaf = this.#spentMs.reduce((most, ms, id) => (ms > this.#spentMs[most]! ? id : most), 0)
    const spentMs = this.#spentMs.reduce((sum, ms) => sum + ms, 0)
    return { yes, known, done, spentMs, slowest: { leaf, ms: this.#spentMs[leaf] ?? 0 } }
  }

  #bitsOf(fact: TextFact, ids: readonly number[], text: string): Int32Array {
    const known = this.#known.get(fact) ?? new Map<string, Int32Array>()
    const before = known.get(text)
    if (before !== undefined) return before
    if (known.size >= REMEMBERED) known.clear()
    const bits = new Int32Array(this.#words)
    for (const id of ids) {
      const startedMs = performance.now()
      if (this.#leaves[id]!.pattern.test(text)) bits[id >>> 5]! |= 1 << (id & 31)
      this.#spentMs[id]! += performance.now() - startedMs
    }
    if (text.length <= REMEMBERED_LENGTH) this.#known.set(fact, known.set(text, bits))
    return bits
  }
}
