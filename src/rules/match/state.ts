import type { MatchPlan } from './plan.js'

/** What the matching of a shard remembers of each process, over shared memory. */
export interface MatchState {
  readonly capacity: number
  /** 32-bit words of a bitset over slots. */
  readonly words: number
  /** Bitsets, text leaf after text leaf: it holds. */
  readonly yes: Int32Array
  /** Whether it holds has been told. */
  readonly known: Int32Array
  /** Slot after slot, a bit per subtree: the process is in it. The other way round than texts, since all are inherited at once. */
  readonly subtreeYes: Int32Array
  readonly subtreeKnown: Int32Array
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
  const words = wordsFor(capacity)
  const bits = (start: number, rows: number) => new Int32Array(buffer, offset + start, rows * words)
  const cells = (start: number) => new Float64Array(buffer, offset + start, capacity)
  return {
    capacity,
    words,
    yes: bits(at.yes, plan.texts.length),
    known: bits(at.known, plan.texts.length),
    subtreeYes: new Int32Array(buffer, offset + at.subtreeYes, capacity * wordsFor(plan.subtrees.length)),
    subtreeKnown: new Int32Array(buffer, offset + at.subtreeKnown, capacity * wordsFor(plan.subtrees.length)),
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
  const rows = (plan: MatchPlan) => plan.texts.map(({ spec }) => JSON.stringify([spec.fact, spec.pattern]))
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
  carrySubtrees(from, fromPlan, to, toPlan)
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

/** 32-bit words for so many bits. */
export function wordsFor(bits: number): number {
  return (bits + 31) >>> 5
}

function carrySubtrees(from: MatchState, fromPlan: MatchPlan, to: MatchState, toPlan: MatchPlan): void {
  const subtrees = (plan: MatchPlan) => plan.subtrees.map((leaf) => JSON.stringify(plan.leaves[leaf]))
  const oldRows = subtrees(fromPlan)
  const oldWords = wordsFor(fromPlan.subtrees.length)
  const words = wordsFor(toPlan.subtrees.length)
  for (const [row, key] of subtrees(toPlan).entries()) {
    const old = oldRows.indexOf(key)
    if (old < 0) continue
    for (const name of ['subtreeYes', 'subtreeKnown'] as const) {
      for (let slot = 0; slot < from.capacity; slot++) {
        to[name][slot * words + (row >>> 5)]! |= bitAt(from[name], slot * oldWords, old) << (row & 31)
      }
    }
  }
}

function placesOf(plan: MatchPlan, capacity: number) {
  let end = 0
  const place = (bytes: number): number => {
    const start = end
    end = Math.ceil((start + bytes) / ALIGNMENT) * ALIGNMENT
    return start
  }
  const words = wordsFor(capacity)
  return {
    yes: place(plan.texts.length * words * 4),
    known: place(plan.texts.length * words * 4),
    subtreeYes: place(capacity * wordsFor(plan.subtrees.length) * 4),
    subtreeKnown: place(capacity * wordsFor(plan.subtrees.length) * 4),
    asked: place(words * 4),
    numbers: plan.numbers.map(() => place(capacity * 8)),
    shadows: plan.shadows.map(() => place(capacity * 8)),
    end,
  }
}
