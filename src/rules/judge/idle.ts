import type { ColumnInterval, Interval } from '../compile/plan.js'
import type { Evaluation } from './evaluation.js'
import type { Cells } from './signals.js'
import { YES } from './truths.js'

/** Whether there is nothing to do for a rule, found in less time than what there is to do: as mostly, of rules about few processes. */
export function isIdle(evaluation: Evaluation, local: number): boolean {
  const { rules, groups, state, changes, lists, zones, masks } = evaluation
  if (groups[local] !== undefined) return false
  if (state.hasActive[local] !== 0) {
    if (anyBit(state.active, local * state.words, state.words)) return false
    state.hasActive[local] = 0
  }
  const { conjunction } = rules.plans[local]!
  const listed = lists.slots(changes, local)
  if (listed === undefined) return conjunction !== undefined && !zones.mayHold(conjunction)
  if (conjunction !== undefined) {
    masks.rows += listed.length
    return !anyInside(evaluation.cells, conjunction, listed)
  }
  masks.rows += listed.length * 5
  return !anyHolds(evaluation, local, listed)
}

function anyBit(bits: Int32Array, start: number, words: number): boolean {
  for (let word = start; word < start + words; word++) if (bits[word] !== 0) return true
  return false
}

/** Missing cells are no matter: what is in them can only make it look once more. */
function anyInside(cells: readonly Cells[], clauses: readonly ColumnInterval[], slots: Int32Array): boolean {
  const [first] = clauses
  if (first === undefined) return slots.length > 0
  const { low, high, outside } = first
  if (first.isFloat) {
    const column = cells[first.column] as Float64Array
    for (let at = 0; at < slots.length; at++) {
      const cell = column[slots[at]!]!
      if ((cell >= low && cell <= high) !== outside && allInside(cells, clauses, slots[at]!)) return true
    }
  } else {
    const column = cells[first.column] as Int32Array
    for (let at = 0; at < slots.length; at++) {
      const cell = column[slots[at]!]!
      if ((cell >= low && cell <= high) !== outside && allInside(cells, clauses, slots[at]!)) return true
    }
  }
  return false
}

function allInside(cells: readonly Cells[], clauses: readonly ColumnInterval[], slot: number): boolean {
  for (let clause = 1; clause < clauses.length; clause++) {
    const { column, low, high, outside } = clauses[clause]!
    const cell = cells[column]![slot]!
    if ((cell >= low && cell <= high) === outside) return false
  }
  return true
}

/** The commonest window rule: one function of one window compared with a constant. NaN is unknown, and holds in no case. */
function anyWithin(values: Float64Array, places: Int32Array, { low, high, outside }: Interval): boolean {
  if (outside) {
    for (let at = 0; at < places.length; at++) {
      const value = values[places[at]!]!
      if (value < low || value > high) return true
    }
  } else {
    for (let at = 0; at < places.length; at++) {
      const value = values[places[at]!]!
      if (value >= low && value <= high) return true
    }
  }
  return false
}

function anyHolds(evaluation: Evaluation, local: number, listed: Int32Array): boolean {
  const { rules, state, signals, truths, lists, isAllFollowed } = evaluation
  const { source } = signals
  const { condition, series: plans } = rules.plans[local]!
  const series = plans[0] && source.series.get(plans[0].key)
  const order =
    series !== undefined && isAllFollowed && !series.isLarge ? lists.inOrder(local, series) : undefined
  if (
    condition.kind === 'interval' &&
    condition.of.kind === 'series' &&
    condition.of.series === series?.plan.key
  ) {
    const { read } = condition.of
    if (order !== undefined)
      return anyWithin(series.values(read, source.nowMs, source), order.places, condition)
    if (series.isLarge)
      return anyWithin(series.column(read, source.nowMs, source, state.capacity), listed, condition)
  }
  signals.inOrderOf = order
  const slots = signals.inOrderOf?.slots ?? listed
  const found = truths.take(slots.length)
  truths.read(condition, slots, slots.length, found)
  let any = false
  for (let at = 0; at < slots.length; at++) if (found[at] === YES) any = true
  truths.release()
  signals.inOrderOf = undefined
  return any
}
