import type { Operator } from '../language/ast.js'
import type { Interval } from './plan.js'

/** The numbers that stand in that relation to a threshold. */
export function intervalOf(op: Operator, threshold: number): Interval {
  switch (op) {
    case '>':
      return { low: nextAbove(threshold), high: Number.POSITIVE_INFINITY, outside: false }
    case '>=':
      return { low: threshold, high: Number.POSITIVE_INFINITY, outside: false }
    case '<':
      return { low: Number.NEGATIVE_INFINITY, high: -nextAbove(-threshold), outside: false }
    case '<=':
      return { low: Number.NEGATIVE_INFINITY, high: threshold, outside: false }
    case '==':
      return { low: threshold, high: threshold, outside: false }
    case '!=':
      return { low: threshold, high: threshold, outside: true }
  }
}

/** The same relation seen from the right side. */
export function mirrored(op: Operator): Operator {
  const mirrors = { '>': '<', '>=': '<=', '<': '>', '<=': '>=', '==': '==', '!=': '!=' } as const
  return mirrors[op]
}

const scratch = new DataView(new ArrayBuffer(8))

/** The least number greater than a finite one. */
function nextAbove(value: number): number {
  if (value === 0) return Number.MIN_VALUE
  scratch.setFloat64(0, value)
  const bits = scratch.getBigInt64(0)
  scratch.setBigInt64(0, value > 0 ? bits + 1n : bits - 1n)
  return scratch.getFloat64(0)
}
