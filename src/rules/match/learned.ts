import type { MatchPlan } from './plan.js'
import { bitAt, wordsFor } from './state.js'
import { type Truth, unknown } from './truth.js'

/** Facts about processes that the main thread brings along. */
export interface Learned {
  readonly slots: Uint32Array
  /** The process that they were read of; another in the slot since has nothing to do with it. */
  readonly generations: Uint32Array
  /** Words of bits per slot, one bit per text leaf of all shards: it holds. */
  readonly yes: Int32Array
  /** Whether it could be told. */
  readonly known: Int32Array
  /** Per slot, by number fact; NaN: unknown. */
  readonly numbers: Float64Array
}

/** What was learned of a text leaf of the plan. */
export function learnedTruth({ yes, known }: Learned, place: number, plan: MatchPlan, row: number): Truth {
  const { text } = plan.texts[row]!
  const base = place * wordsFor(plan.textCount) * 32
  if (bitAt(known, 0, base + text) === 0) return unknown
  return bitAt(yes, 0, base + text)
}
