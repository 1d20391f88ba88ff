import type { Condition, Operand, Unit } from './ast.js'
import { printOperand } from './print.js'
import type { Reader } from './reader.js'
import { isComparable, isMemory, unitOf } from './typing.js'
import { isTime, quantityIn, unitAlone, unitsOf } from './units.js'

/** What was read from a place of the text: a condition, or an operand of which not every unit is known yet. */
export type Draft = ConditionDraft | OperandDraft

interface ConditionDraft {
  readonly kind: 'condition'
  readonly at: number
  readonly condition: Condition
}

export interface OperandDraft {
  readonly kind: 'operand'
  readonly at: number
  /** Made of numbers only: the same for every process at all times. */
  readonly isConstant: boolean
  /** The unit that is written behind a number, empty for none; undefined for what is no number. */
  readonly written?: string
  /** Gives the operand; its numbers take the unit of what they stand beside, where that decides. */
  settle(beside?: Operand): Operand
}

/** An operand that needs nothing beside it. */
export function settled(at: number, operand: Operand): OperandDraft {
  return { kind: 'operand', at, isConstant: false, settle: () => operand }
}

/** A number, with the unit that is written behind it. */
export function numberDraft(
  reader: Reader,
  at: number,
  number: {
    readonly digits: string
    readonly value: number
    readonly written: string
    readonly unitAt: number
  },
): OperandDraft {
  const { digits, value, written, unitAt } = number
  const settle = (beside?: Operand): Operand => {
    const unit = beside === undefined ? unitAlone(written) : unitBeside(beside, written)
    if (unit === undefined)
      throw reader.error(`'${written}' is no unit; a number takes ${unitList()}`, unitAt)
    if (beside !== undefined && written === '%' && isMemory(beside)) {
      return { kind: 'memoryShare', percent: finite(reader, at, digits, value) }
    }
    const converted = quantityIn(unit, value, written)
    if (converted === undefined) throw reader.error(misfit(written, beside!), written === '' ? at : unitAt)
    return { kind: 'constant', value: finite(reader, at, `${digits}${written}`, converted), unit }
  }
  return { kind: 'operand', at, isConstant: true, written, settle }
}

/** Beside a ratio a plain number stays one: `0.9` and `90%` are printed as they were written. */
function unitBeside(beside: Operand, written: string): Unit {
  const unit = unitOf(beside)
  return unit === 'ratio' && written === '' ? '' : unit
}

/** `+` and `-`, where both sides are in one unit, and `*` and `/`, where each has its own. */
export function arithmeticDraft(
  reader: Reader,
  op: '+' | '-' | '*' | '/',
  opAt: number,
  left: OperandDraft,
  right: OperandDraft,
): OperandDraft {
  const isConstant = left.isConstant && right.isConstant
  const settle = (beside?: Operand): Operand => {
    const sides =
      op === '+' || op === '-' ? settleSum(left, right, beside) : settleProduct(op, left, right, beside)
    const operand: Operand = { kind: 'arithmetic', op, ...sides }
    for (const side of [sides.left, sides.right]) {
      if (unitOf(side) === 'state')
        throw reader.error('a state is a letter; nothing is reckoned with it', opAt)
    }
    if ((op === '+' || op === '-') && !isComparable(unitOf(sides.left), unitOf(sides.right))) {
      throw reader.error(`${inUnit(sides.left)} and ${inUnit(sides.right)} are not of one unit`, opAt)
    }
    if (op === '/' && sides.right.kind === 'constant' && sides.right.value === 0) {
      throw reader.error('division by zero', right.at)
    }
    return operand
  }
  return { kind: 'operand', at: left.at, isConstant, settle }
}

/** Both sides of a comparison or a sum: a side of numbers takes the unit of the other side. */
export function settleSum(
  left: OperandDraft,
  right: OperandDraft,
  beside?: Operand,
): { left: Operand; right: Operand } {
  if (!left.isConstant) {
    const first = left.settle()
    return { left: first, right: right.settle(right.isConstant ? first : undefined) }
  }
  const last = right.settle(right.isConstant ? beside : undefined)
  return { left: left.settle(right.isConstant ? beside : last), right: last }
}

function settleProduct(
  op: '*' | '/',
  left: OperandDraft,
  right: OperandDraft,
  beside?: Operand,
): { left: Operand; right: Operand } {
  if (left.isConstant && right.isConstant) {
    // One of them carries the unit of what the product stands beside, the other says how often.
    return op === '/' || isFactor(right, left)
      ? { left: left.settle(beside), right: right.settle() }
      : { left: left.settle(), right: right.settle(beside) }
  }
  const first = left.isConstant ? undefined : left.settle()
  const last = right.isConstant ? undefined : right.settle()
  return {
    left: first ?? left.settle(timesOf(left, last)),
    right: last ?? right.settle(timesOf(right, first)),
  }
}

/** Of two numbers, whether the first says how often: a plain one, or percent of one that has a unit. */
function isFactor(number: OperandDraft, of: OperandDraft): boolean {
  if (of.written === '') return false
  return number.written === '' || (number.written === '%' && of.written !== '%')
}

/** `1h` by milliseconds is in milliseconds, not in seconds. */
function timesOf(number: OperandDraft, other: Operand | undefined): Operand | undefined {
  const { written } = number
  const isWrittenTime = written !== undefined && isTime(unitAlone(written))
  return isWrittenTime && other !== undefined && isTime(unitOf(other)) ? other : undefined
}

function misfit(written: string, beside: Operand): string {
  const unit = unitOf(beside)
  const memory = isMemory(beside) ? ', or % of physical memory' : ''
  const what = written === '' ? 'a number' : `'${written}'`
  return `${what} does not fit ${printOperand(beside)}; it takes ${unitsOf[unit]}${memory}`
}

/** For messages: an operand with its unit. */
export function inUnit(operand: Operand): string {
  const unit: Unit = unitOf(operand)
  return `${printOperand(operand)} (${unit === '' ? 'a plain number' : unit})`
}

function unitList(): string {
  return 'a size (MiB), a time (s, m, h), % or /s'
}

function finite(reader: Reader, at: number, written: string, value: number): number {
  if (!Number.isFinite(value)) throw reader.error(`${written} is too large`, at)
  return value + 0 // no negative zero
}
