import type { ColumnName } from '../table/layout.js'
import { absolute } from './decision.js'
import type { CheckedRule } from './rule.js'

/**
 * Columns that the bpf source takes from the kernel's approximate counters, like `rssBytes`, and that it makes exact for
 * all processes or for none (group `exactRss`).
 */
const EXACT_FOR_ALL: ReadonlySet<ColumnName> = new Set<ColumnName>([
  'sharedBytes',
  'rssAnonBytes',
  'rssFileBytes',
  'rssShmemBytes',
  'swapBytes',
  'peakRssBytes',
])

/** Whether a rule stands on a memory column that is not exact near a threshold alone. */
export function needsExactForAll(rules: readonly CheckedRule[]): boolean {
  return rules.some(({ when }) => when.clauses.some(({ column }) => EXACT_FOR_ALL.has(column)))
}

/**
 * Bytes of `rssBytes` at which the rules' conditions turn, ascending. Every operator turns at its threshold, in both
 * directions, whether it starts, holds or ends a `for`: so a cell counts as near whatever the rule did before. A
 * threshold below zero never turns.
 * @param memTotalBytes physical memory, for percentages
 */
export function exactNear(rules: readonly CheckedRule[], memTotalBytes: number): Float64Array {
  const thresholds = rules.flatMap(({ when }) =>
    when.clauses.flatMap(({ column, threshold, ofMemory }) => {
      if (column === 'rssBytes') return [absolute(threshold, ofMemory, memTotalBytes)]
      // The same counter, seen as a part of physical memory.
      return column === 'memoryPercent' ? [absolute(threshold, true, memTotalBytes)] : []
    }),
  )
  return Float64Array.from(new Set(thresholds.filter((bytes) => bytes >= 0))).sort()
}
