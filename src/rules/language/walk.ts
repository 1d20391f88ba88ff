import { checkHas } from '../../arguments.js'
import type { Comparison, Condition, LeakTest, Operand } from './ast.js'

/** The comparisons of a condition in the order in which they are written: the clauses of a decision. */
export function comparisonsOf(condition: Condition): (Comparison | LeakTest)[] {
  checkHas('the condition', condition, ['kind'], 'one of parseWhen')
  switch (condition.kind) {
    case 'and':
    case 'or':
      return condition.parts.flatMap(comparisonsOf)
    case 'not':
      return comparisonsOf(condition.part)
    default:
      return [condition]
  }
}

/** The operands that a condition compares, the outermost ones. */
export function operandsOf(condition: Condition): Operand[] {
  return comparisonsOf(condition).flatMap((each) =>
    each.kind === 'leak' ? [each.of] : [each.left, each.right],
  )
}

/** The operands that an operand is made of, one step down. */
export function partsOf(operand: Operand): readonly Operand[] {
  switch (operand.kind) {
    case 'arithmetic':
      return [operand.left, operand.right]
    case 'window':
    case 'aggregate':
      return [operand.of]
    case 'timeTo':
      return [operand.of, operand.limit]
    default:
      return []
  }
}

/** The first operand, itself or a part at any depth, of which something holds. */
export function findOperand(operand: Operand, holds: (each: Operand) => boolean): Operand | undefined {
  if (holds(operand)) return operand
  for (const part of partsOf(operand)) {
    const found = findOperand(part, holds)
    if (found !== undefined) return found
  }
  return undefined
}

/** Every operand of a condition at every depth. */
export function* allOperands(condition: Condition): Generator<Operand> {
  checkHas('the condition', condition, ['kind'], 'one of parseWhen')
  const waiting = operandsOf(condition).reverse()
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    yield next
    waiting.push(...[...partsOf(next)].reverse())
  }
}
