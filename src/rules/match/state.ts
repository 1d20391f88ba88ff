import type { MatchPlan } from './plan.js'

/** What the matching of a shard remembers of each process, over shared memory. */
export interface MatchState {
  readonly capacity: number
  /** 32-bit words of a bitset over slots. */
  readonly words: number
  /** Bitsets, leaf after leaf (the plan's texts, then its subtrees): the leaf holds. */
  readonly yes: Int32Array
  /** Whether it holds has been told. */
  readonly known: Int32Array
  /** Bitset: the facts of the process's program are known or on their way. */
  readonly asked: Int32Array
  /** By number fact, by slot; NaN: unknown. Only means something for live slots. */
  readonly numbers: readonly Float64Array[]
  /** By shadow of the plan, by slot: what the last tick saw; NaN for a missing cell. */
  readonly shadows: readonly Float64Array[]
}

const ALIGNMENT = 64

/** Bytes that `mapMatchState` takes. */
export function matchStateBytes(plan: MatchPlan, capacity: number): number {
  return placesOf(plan, capacity).end
}

/** Makes the views of a state that begins at `offset`, a multiple of 64; fresh memory is an empty state. */
export function mapMatchState(
  plan: MatchPlan,
  capacity: number,
  buffer: SharedArrayBuffer,
  offset: number,
): MatchState {
  const at = placesOf(plan, capacity)
  const words = wordsOf(capacity)
  const bits = (start: number, rows: number) => new Int32Array(buffer, offset + start, rows * words)
  const cells = (start: number) => new Float64Array(buffer, offset + start, capacity)
  return {
    capacity,
    words,
    yes: bits(at.yes, keptLeaves(plan)),
    known: bits(at.known, keptLeaves(plan)),
    asked: bits(at.asked, 1),
    numbers: at.numbers.map(cells),
    shadows: at.shadows.map(cells),
  }
}

/**
 * Takes over what another state knows, be it smaller or of another plan; that needs a tick that matches all processes again.
 * @param keepsAsked whether facts that are on their way will arrive, and no others are needed
 */
export function carryMatchState(
  from: MatchState,
  fromPlan: MatchPlan,
  to: MatchState,
  toPlan: MatchPlan,
  keepsAsked: boolean,
): void {
  const rows = (plan: MatchPlan) => [
    ...plan.texts.map(({ spec }) => JSON.stringify([spec.fact, spec.pattern])),
    ...plan.subtrees.map((leaf) => JSON.stringify(plan.leaves[leaf])),
  ]
  const numbers = (plan: MatchPlan) => plan.numbers.map((fact) => JSON.stringify(fact))
  const shadows = (plan: MatchPlan) => plan.shadows.map(({ column }) => column)
  const oldRows = rows(fromPlan)
  const oldNumbers = numbers(fromPlan)
  for (const [row, key] of rows(toPlan).entries()) {
    const old = oldRows.indexOf(key)
    if (old < 0) continue
    for (const name of ['yes', 'known'] as const) {
      to[name].set(from[name].subarray(old * from.words, (old + 1) * from.words), row * to.words)
    }
  }
  for (const [place, key] of numbers(toPlan).entries()) {
    const old = oldNumbers.indexOf(key)
    if (old < 0) to.numbers[place]!.fill(Number.NaN)
    else to.numbers[place]!.set(from.numbers[old]!)
  }
  for (const [place, column] of shadows(toPlan).entries()) {
    const old = shadows(fromPlan).indexOf(column)
    if (old >= 0) to.shadows[place]!.set(from.shadows[old]!)
  }
  if (keepsAsked) to.asked.set(from.asked)
}

export function bitAt(bits: Int32Array, word: number, bit: number): 0 | 1 {
  return ((bits[word + (bit >>> 5)]! >>> (bit & 31)) & 1) as 0 | 1
}

export function keptLeaves({ texts, subtrees }: MatchPlan): number {
  return texts.length + subtrees.length
}

function wordsOf(capacity: number): number {
  return (capacity + 31) >>> 5
}

function placesOf(plan: MatchPlan, capacity: number) {
  let end = 0
  const place = (bytes: number): number => {
    const start = end
    end = Math.ceil((start + bytes) / ALIGNMENT) * ALIGNMENT
    return start
  }
  const words = wordsOf(capacity)
  return {
    yes: place(keptLeaves(plan) * words * 4),
    known: place(keptLeaves(plan) * words * 4),
    asked: place(words * 4),
    numbers: plan.numbers.map(() => place(capacity * 8)),
    shadows: plan.shadows.map(() => place(capacity * 8)),
    end,
  }
}
