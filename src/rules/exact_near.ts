import type { ColumnName } from '../table/layout.js'
import type { Comparison, LeakTest, Operand, When } from './language/ast.js'
import { allOperands, comparisonsOf } from './language/walk.js'
import type { CheckedRule } from './schema/rule.js'

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
/** The counter that is made exact near thresholds, and what follows from it. */
const EXACT_NEAR: ReadonlySet<ColumnName> = new Set<ColumnName>(['rssBytes', 'memoryPercent'])

/** Whether a rule stands on a memory column that is not exact near a threshold alone. */
export function needsExactForAll(rules: readonly CheckedRule[]): boolean {
  return rules.some((rule) => comparisonsIn(rule).some(needsExact))
}

/**
 * Bytes of `rssBytes` at which the rules' conditions turn, ascending. Every operator turns at its threshold, in both
 * directions, whether it starts, holds or ends a `for`: so a cell counts as near whatever the rule did before. A
 * threshold below zero never turns. What is reckoned from many samples (windows, trends, sums over a group) does not
 * turn on the error of one.
 * @param memTotalBytes physical memory, for percentages
 */
export function exactNear(rules: readonly CheckedRule[], memTotalBytes: number): Float64Array {
  const thresholds = rules.flatMap((rule) =>
    comparisonsIn(rule).flatMap((comparison) => {
      if (comparison.kind === 'leak') return []
      const { left, right } = comparison
      const bytes = thresholdOf(left, right, memTotalBytes) ?? thresholdOf(right, left, memTotalBytes)
      return bytes === undefined ? [] : [bytes]
    }),
  )
  return Float64Array.from(new Set(thresholds.filter((bytes) => bytes >= 0))).sort()
}

function comparisonsIn({ when, clear }: CheckedRule): (Comparison | LeakTest)[] {
  const conditions = [when, clear].filter((each): each is When => each !== undefined)
  return conditions.flatMap(({ condition }) => comparisonsOf(condition))
}

function needsExact(comparison: Comparison | LeakTest): boolean {
  for (const operand of allOperands(comparison)) {
    if (operand.kind === 'column' && EXACT_FOR_ALL.has(operand.column)) return true
  }
  return false
}

function thresholdOf(side: Operand, other: Operand, memTotalBytes: number): number | undefined {
  if (side.kind !== 'column' || !EXACT_NEAR.has(side.column)) return undefined
  if (other.kind === 'memoryShare') return (other.percent / 100) * memTotalBytes
  if (other.kind !== 'constant') return undefined
  // The same counter, seen as a part of physical memory.
  return side.column === 'memoryPercent' ? (other.value / 100) * memTotalBytes : other.value
}
