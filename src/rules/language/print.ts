import { checkHas } from '../../arguments.js'
import type { Condition, Operand, When } from './ast.js'
import { nameOf } from './names.js'
import { printDuration, printQuantity } from './units.js'

/** Writes a rule's `when` so that `parseWhen` gives it back. */
export function printWhen(when: When): string {
  checkHas('the condition', when, ['condition', 'forMs'], 'one of parseWhen')
  const { condition, forMs } = when
  const text = printCondition(condition)
  return forMs === 0 ? text : `${text} for ${printDuration(forMs)}`
}

export function printCondition(condition: Condition): string {
  checkHas('the condition', condition, ['kind'], 'one of parseWhen')
  switch (condition.kind) {
    case 'or':
      return condition.parts.map((part) => enclosed(part, part.kind === 'or')).join(' or ')
    case 'and':
      return condition.parts
        .map((part) => enclosed(part, part.kind === 'or' || part.kind === 'and'))
        .join(' and ')
    case 'not':
      return `not ${enclosed(condition.part, condition.part.kind === 'or' || condition.part.kind === 'and')}`
    case 'compare':
      return `${printOperand(condition.left)} ${condition.op} ${printOperand(condition.right)}`
    case 'leak':
      return `leak(${printOperand(condition.of)}, ${printDuration(condition.spanMs)})`
  }
}

export function printOperand(operand: Operand): string {
  checkHas('the operand', operand, ['kind'], 'one of parseWhen')
  switch (operand.kind) {
    case 'constant':
      return printQuantity(operand.value, operand.unit)
    case 'memoryShare':
      return `${operand.percent}%`
    case 'state':
      return operand.letter
    case 'column':
    case 'limit':
    case 'host':
    case 'age':
      return nameOf(operand)
    case 'stateSeconds':
      return `stateSeconds(${operand.states})`
    case 'arithmetic': {
      const { op, left, right } = operand
      const rank = rankOf(operand)
      const before = rankOf(left) < rank ? `(${printOperand(left)})` : printOperand(left)
      // Of two operators of one rank the left one goes first.
      const after = rankOf(right) <= rank ? `(${printOperand(right)})` : printOperand(right)
      return `${before} ${op} ${after}`
    }
    case 'window':
      return `${operand.fn}(${printOperand(operand.of)}, ${printDuration(operand.windowMs)})`
    case 'timeTo':
      return `timeTo(${printOperand(operand.of)}, ${printOperand(operand.limit)})`
    case 'aggregate':
      return `${operand.fn}(${printOperand(operand.of)})`
    case 'count':
      return 'count()'
    case 'exitRate':
      return `exitRate(${printDuration(operand.windowMs)})`
  }
}

function enclosed(condition: Condition, within: boolean): string {
  return within ? `(${printCondition(condition)})` : printCondition(condition)
}

function rankOf(operand: Operand): number {
  if (operand.kind !== 'arithmetic') return 3
  return operand.op === '*' || operand.op === '/' ? 2 : 1
}
