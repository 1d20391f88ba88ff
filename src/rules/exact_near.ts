import type { ColumnName } from '../table/layout.js'
import { absolute } from './decision.js'
import type { CheckedRule } from './rule.js'

/**
 * Columns that a fast source takes from the kernel's approximate counters. What each processor has counted and not handed
 * in yet is not in them.
 */
const APPROXIMATE = [
  'rssBytes',
  'sharedBytes',
  'rssAnonBytes',
  'rssFileBytes',
  'rssShmemBytes',
  'swapBytes',
  'peakRssBytes',
] as const satisfies readonly ColumnName[]

/** A column whose cells can be off by what the processors have not handed in. */
export type ApproximateColumn = (typeof APPROXIMATE)[number]

/** By column: the bytes at which a rule turns, ascending. A cell near one of them has to be exact. */
export type ExactNear = { readonly [C in ApproximateColumn]?: Float64Array }

/**
 * Where the rules' conditions turn. Every operator turns at its threshold, in both directions, whether it starts, holds or
 * ends a `for`: so a cell counts as near whatever the rule did before. A threshold below zero never turns.
 * @param memTotalBytes physical memory, for percentages
 */
export function exactNear(rules: readonly CheckedRule[], memTotalBytes: number): ExactNear {
  const near: { [C in ApproximateColumn]?: Float64Array } = {}
  for (const column of APPROXIMATE) {
    const thresholds = rules.flatMap(({ when }) =>
      when.clauses.flatMap(({ column: name, threshold, ofMemory }) => {
        if (name === column) return [absolute(threshold, ofMemory, memTotalBytes)]
        // The same counter, seen as a part of physical memory.
        return name === 'memoryPercent' && column === 'rssBytes'
          ? [absolute(threshold, true, memTotalBytes)]
          : []
      }),
    )
    const turning = [...new Set(thresholds)].filter((bytes) => bytes >= 0 && Number.isFinite(bytes))
    if (turning.length > 0) near[column] = Float64Array.from(turning).sort()
  }
  return near
}
