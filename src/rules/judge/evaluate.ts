import { isMissing } from '../../table/layout.js'
import type { ColumnInterval, Truth } from '../compile/plan.js'
import { copyMatched, type Evaluation, listBits, listSlots } from './evaluation.js'
import { cause, edge, kind } from './findings.js'
import { isIdle } from './idle.js'
import { report, writeReports } from './report.js'
import { settleWord } from './settle.js'
import { NO, UNKNOWN, YES } from './truths.js'

/**
 * Judges one rule of a shard. Three-valued: what a missing cell decides is unknown, never fires and never clears, and the time during
 * which a condition was unknown does not count for its `for`.
 * @returns when the rule has to be looked at again though no cell changes
 */
export function evaluateRule(evaluation: Evaluation, local: number): number {
  const { rules, groups, nowMs, gapMs, seenMs, state } = evaluation
  const plan = rules.plans[local]!
  // Before its due time no subject that waits (for its `for`, a cooldown, a settled identity) needs a look.
  const due = state.dueMs[local]!
  const isDue = nowMs >= due || seenMs !== gapMs || gapMs < 0
  if (isIdle(evaluation, local)) return isDue ? Number.POSITIVE_INFINITY : due
  const isSimple = plan.conjunction !== undefined && plan.clear === undefined && groups[local] === undefined
  const nextDue = isSimple
    ? evaluateConjunction(evaluation, local, plan.conjunction!, isDue)
    : evaluateTree(evaluation, local, isDue)
  return isDue ? nextDue : Math.min(due, nextDue)
}

/** Any condition, of processes or groups: by lists of those that the rule is about. */
function evaluateTree(evaluation: Evaluation, local: number, isDue: boolean): number {
  const { rules, groups, state, changes, masks, signals } = evaluation
  const { condition, clear } = rules.plans[local]!
  const group = groups[local]
  const words = group === undefined ? changes.wordLimit : state.words
  const { alive, yes, no, slots } = masks
  if (group === undefined) copyMatched(evaluation, local, alive)
  else alive.set(group.live)
  const active = bitsOf(state.active, local, state.words)
  const firing = bitsOf(state.firing, local, state.words)
  signals.groups = group
  const count = listBits(alive, words, slots)
  masks.rows += words + count * 10
  tell(evaluation, condition, count, yes, no)
  if (clear !== undefined) {
    const fired = listSlots((word) => firing[word]! & alive[word]!, words, slots)
    tell(evaluation, clear.condition, fired, masks.clearYes, masks.clearNo)
  }
  let nextDue = Number.POSITIVE_INFINITY
  for (let word = 0; word < words; word++) {
    let isActive = active[word]!
    const isYes = yes[word]!
    // Nothing waits, fires or begins there.
    if ((isActive | isYes) === 0) continue
    let isFiring = firing[word]!
    const lost = isActive & (group === undefined ? changes.changed[word]! | ~alive[word]! : ~alive[word]!)
    if (lost !== 0) {
      dropLost(evaluation, local, word, lost, isFiring)
      isActive &= ~lost
      isFiring &= ~lost
    }
    const due = settleWord(evaluation, local, word, isActive, isFiring, alive[word]!, isYes, no[word]!, isDue)
    if (due < nextDue) nextDue = due
  }
  writeReports(evaluation, local)
  signals.groups = undefined
  return nextDue
}

function bitsOf(bits: Int32Array, local: number, words: number): Int32Array {
  return bits.subarray(local * words, (local + 1) * words)
}

/** Whether something holds for the first `count` of the listed slots, as bitsets. */
function tell(
  { truths, masks }: Evaluation,
  truth: Truth,
  count: number,
  yes: Int32Array,
  no: Int32Array,
): void {
  const { slots } = masks
  yes.fill(0)
  no.fill(0)
  if (count === 0) return
  const found = truths.take(count)
  truths.read(truth, slots, count, found)
  for (let at = 0; at < count; at++) {
    const slot = slots[at]!
    if (found[at] === YES) yes[slot >>> 5]! |= 1 << (slot & 31)
    else if (found[at] === NO) no[slot >>> 5]! |= 1 << (slot & 31)
  }
  truths.release()
}

/**
 * The common rule: columns compared with constants, all of which have to hold. Words of slots in which they may all hold are narrowed
 * clause by clause; only where something changes is it asked which cells are missing.
 */
function evaluateConjunction(
  evaluation: Evaluation,
  local: number,
  clauses: readonly ColumnInterval[],
  isDue: boolean,
): number {
  const { rules, state, changes, zones } = evaluation
  const base = local * state.words
  const mayHold = zones.mayHold(clauses)
  const cools = rules.plans[local]!.cooldownMs >= 0
  const missingNeverHits = clauses.every(({ isFloat, outside }) => isFloat && !outside)
  let nextDue = Number.POSITIVE_INFINITY
  for (let word = 0; word < changes.wordLimit; word++) {
    let matched = state.matched[base + word]!
    let active = state.active[base + word]!
    let firing = state.firing[base + word]!
    const touched = changes.touched[word]!
    if (touched !== 0) {
      matched = (matched & ~touched) | (changes.matched[base + word]! & touched)
      const lost = active & (changes.changed[word]! | ~matched)
      if (lost !== 0) dropLost(evaluation, local, word, lost, firing)
      active &= ~lost
      firing &= ~lost
    }
    if (matched === 0) continue
    let hits = mayHold && zones.mayHoldIn(word, clauses) ? matched : 0
    if (hits !== 0) evaluation.masks.rows += 32
    for (let clause = 0; clause < clauses.length && hits !== 0; clause++) {
      hits = narrow(evaluation, clauses[clause]!, word << 5, hits)
    }
    const waiting = isDue || !missingNeverHits ? hits & active & ~firing : 0
    const held = isDue && cools ? hits & firing : 0
    const picked = (hits ^ active) | waiting | held
    if (picked === 0) continue
    let yes = 0
    let no = 0
    for (let rest = picked; rest !== 0; ) {
      const bit = 31 - Math.clz32(rest)
      rest ^= 1 << bit
      const truth = truthOf(evaluation, clauses, (word << 5) + bit, ((hits >>> bit) & 1) === 1)
      if (truth === YES) yes |= 1 << bit
      else if (truth === NO) no |= 1 << bit
    }
    const due = settleWord(evaluation, local, word, active, firing, picked, yes, no, isDue)
    if (due < nextDue) nextDue = due
  }
  writeReports(evaluation, local)
  return nextDue
}

/** The bits of `bits` for which the clause's cell is in (or outside of) its interval. */
function narrow({ cells }: Evaluation, clause: ColumnInterval, slot: number, bits: number): number {
  const column = cells[clause.column]!
  const { low, high } = clause
  let inside: number
  if (clause.isFloat) {
    inside =
      isCrowded(bits) && slot + 32 <= column.length
        ? insideOfWord(column as Float64Array, slot, low, high)
        : insideOfFloats(column as Float64Array, slot, bits, low, high)
  } else {
    inside = insideOfIntegers(column as Int32Array, slot, bits, low, high)
  }
  return clause.outside ? bits & ~inside : bits & inside
}

function insideOfWord(column: Float64Array, slot: number, low: number, high: number): number {
  let inside = 0
  for (let bit = 0; bit < 32; bit++) {
    const cell = column[slot + bit]!
    if (cell >= low && cell <= high) inside |= 1 << bit
  }
  return inside
}

function insideOfFloats(column: Float64Array, slot: number, bits: number, low: number, high: number): number {
  let inside = 0
  for (let rest = bits; rest !== 0; ) {
    const bit = 31 - Math.clz32(rest)
    rest ^= 1 << bit
    const cell = column[slot + bit]!
    if (cell >= low && cell <= high) inside |= 1 << bit
  }
  return inside
}

// Apart from the one for floats, so that neither loop sees more kinds of arrays than it must.
function insideOfIntegers(column: Int32Array, slot: number, bits: number, low: number, high: number): number {
  let inside = 0
  for (let rest = bits; rest !== 0; ) {
    const bit = 31 - Math.clz32(rest)
    rest ^= 1 << bit
    const cell = column[slot + bit]!
    if (cell >= low && cell <= high) inside |= 1 << bit
  }
  return inside
}

/** Whether more than eight bits are set: then all 32 cells are compared faster than those picked one by one. */
function isCrowded(bits: number): boolean {
  if (bits === -1) return true
  let pairs = bits - ((bits >>> 1) & 0x55555555)
  pairs = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((pairs + (pairs >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24 > 8
}

function truthOf(
  { table, cells }: Evaluation,
  clauses: readonly ColumnInterval[],
  slot: number,
  isHit: boolean,
): number {
  let truth: number = YES
  for (const { column, isFloat, low, high, outside } of clauses) {
    const cell = cells[column]![slot]!
    if (isFloat ? Number.isNaN(cell) : isMissing(table, slot, column)) {
      truth = UNKNOWN
    } else if (!isHit && (cell >= low && cell <= high) === outside) {
      return NO
    }
  }
  return truth
}

/** Subjects that are gone, or are none of the rule's any more. */
function dropLost(evaluation: Evaluation, local: number, word: number, lost: number, firing: number): void {
  const { changes, findings, groups } = evaluation
  for (let rest = lost; rest !== 0; ) {
    const bit = 31 - Math.clz32(rest)
    rest ^= 1 << bit
    const slot = (word << 5) + bit
    const wasFiring = ((firing >>> bit) & 1) === 1
    findings.edge(slot, local, wasFiring ? edge.clear : edge.drop)
    if (!wasFiring) continue
    const isGone = groups[local] !== undefined || ((changes.changed[word]! >>> bit) & 1) === 1
    report(evaluation, slot, kind.clear, isGone ? cause.gone : cause.unmatched, Number.NaN)
  }
}
