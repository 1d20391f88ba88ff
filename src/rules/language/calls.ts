import {
  AGGREGATE_FUNCTIONS,
  type AggregateFunction,
  type Operand,
  WINDOW_FUNCTIONS,
  type WindowFunction,
} from './ast.js'
import { type Draft, inUnit, type OperandDraft, settled } from './draft.js'
import { MAX_DURATION_MS, readDuration } from './durations.js'
import { type FunctionName, STATES } from './names.js'
import { printOperand } from './print.js'
import type { Reader } from './reader.js'
import { isComparable, unitOf } from './typing.js'
import { findOperand } from './walk.js'

/** A leak is looked for over this time unless the rule says otherwise. */
const LEAK_SPAN_MS = 15 * 60_000
const EXIT_RATE_MS = 60_000

const letters = /[A-Za-z]+/y
const open = /\(/y
const close = /\)/y
const comma = /,/y

/** What stands between the parentheses of a function. */
interface Arguments {
  readonly reader: Reader
  /** Where the function's name begins. */
  readonly at: number
  readonly readOperand: () => OperandDraft
}

/** Reads a function's arguments, from behind its name on. */
export function readCall(
  name: FunctionName,
  reader: Reader,
  at: number,
  readOperand: () => OperandDraft,
): Draft {
  if (reader.take(open) === undefined) {
    if (name === 'exitRate') return settled(at, { kind: 'exitRate', windowMs: EXIT_RATE_MS })
    throw reader.error(`expected '(' after '${name}'; write ${example(name)}`)
  }
  const draft = readArguments(name, { reader, at, readOperand })
  if (reader.take(close) === undefined) {
    throw reader.error(
      reader.peek(comma) === undefined
        ? `expected ')' at the end of ${name}(...)`
        : `${name} takes no more; write ${example(name)}`,
    )
  }
  return draft
}

function readArguments(name: FunctionName, call: Arguments): Draft {
  const { reader, at } = call
  switch (name) {
    case 'count':
      return settled(at, { kind: 'count' })
    case 'exitRate': {
      const isBare = reader.peek(close) !== undefined
      return settled(at, { kind: 'exitRate', windowMs: isBare ? EXIT_RATE_MS : readSpan(reader) })
    }
    case 'stateSeconds':
      return settled(at, { kind: 'stateSeconds', states: readStates(reader) })
    case 'leak': {
      const of = readMeasured(call)
      const spanMs = reader.take(comma) === undefined ? LEAK_SPAN_MS : readSpan(reader)
      return { kind: 'condition', at, condition: { kind: 'leak', of, spanMs } }
    }
    case 'timeTo':
      return readTimeTo(call)
    default:
      return readWindowOrAggregate(name, call)
  }
}

function readWindowOrAggregate(name: WindowFunction | AggregateFunction, call: Arguments): Draft {
  const { reader, at } = call
  const operandAt = reader.at
  const draft = call.readOperand()
  if (isOneOf(WINDOW_FUNCTIONS, name) && reader.take(comma) !== undefined) {
    const of = overTime(reader, operandAt, draft)
    return settled(at, { kind: 'window', fn: name, of, windowMs: readSpan(reader) })
  }
  if (isOneOf(AGGREGATE_FUNCTIONS, name)) {
    if (reader.peek(comma) !== undefined) {
      throw reader.error(`${name} is over the members of a group, without a time; write ${example(name)}`)
    }
    return settled(at, { kind: 'aggregate', fn: name, of: overMembers(reader, operandAt, draft) })
  }
  throw reader.error(`expected ',' and a duration; write ${example(name)}`)
}

function readTimeTo(call: Arguments): Draft {
  const { reader, at } = call
  const of = readMeasured(call)
  if (reader.take(comma) === undefined)
    throw reader.error(`expected ',' and a limit; write ${example('timeTo')}`)
  const limitAt = reader.at
  const draft = call.readOperand()
  const limit = draft.settle(draft.isConstant ? of : undefined)
  if (!isComparable(unitOf(of), unitOf(limit))) {
    throw reader.error(`${inUnit(of)} does not grow to ${inUnit(limit)}`, limitAt)
  }
  refuseWindows(reader, limitAt, limit)
  return settled(at, { kind: 'timeTo', of, limit })
}

function readMeasured(call: Arguments): Operand {
  const at = call.reader.at
  return overTime(call.reader, at, call.readOperand())
}

/** What is to be followed over time: something that is measured, and not over time itself. */
function overTime(reader: Reader, at: number, draft: OperandDraft): Operand {
  const operand = measured(reader, at, draft)
  refuseWindows(reader, at, operand)
  return operand
}

function overMembers(reader: Reader, at: number, draft: OperandDraft): Operand {
  const operand = measured(reader, at, draft)
  const inner = findOperand(operand, isOverTime)
  if (inner !== undefined) {
    throw reader.error(
      inner.kind === 'exitRate'
        ? 'exitRate is of the whole group already'
        : `first over the members, then over time: avg(sum(rss), 5m), not sum(avg(rss, 5m))`,
      at,
    )
  }
  const ofGroup = findOperand(operand, ({ kind }) => kind === 'aggregate' || kind === 'count')
  if (ofGroup !== undefined) throw reader.error(`${printOperand(ofGroup)} is of the whole group already`, at)
  if (findOperand(operand, isOfProcess) === undefined) {
    throw reader.error(`${printOperand(operand)} is the same for every member`, at)
  }
  return operand
}

function measured(reader: Reader, at: number, draft: OperandDraft): Operand {
  if (draft.isConstant)
    throw reader.error("expected something that is measured, such as 'rss', not a number", at)
  const operand = draft.settle()
  if (unitOf(operand) === 'state') {
    throw reader.error("a state is a letter; write 'state == D' or 'stateSeconds(D) > 20s'", at)
  }
  return operand
}

function refuseWindows(reader: Reader, at: number, operand: Operand): void {
  const inner = findOperand(operand, isOverTime)
  if (inner !== undefined) throw reader.error(`${printOperand(inner)} is over time already`, at)
}

function isOverTime({ kind }: Operand): boolean {
  return kind === 'window' || kind === 'timeTo' || kind === 'exitRate'
}

/** A number that each process has of its own. */
export function isOfProcess({ kind }: Operand): boolean {
  return kind === 'column' || kind === 'limit' || kind === 'age' || kind === 'stateSeconds'
}

function readSpan(reader: Reader): number {
  const { at } = reader
  const ms = readWritten(reader, 'expected a duration such as 30s, 5m or 1h30m')
  if (ms === 0) throw reader.error('a window is longer than 0', at)
  return ms
}

/** A duration of at most 366 days. */
export function readWritten(reader: Reader, expected: string): number {
  const duration = readDuration(reader.text, reader.at)
  if (duration === undefined) throw reader.error(expected)
  if (duration.ms > MAX_DURATION_MS) throw reader.error('a duration is at most 366 days')
  reader.moveTo(duration.end)
  return duration.ms
}

function readStates(reader: Reader): string {
  const { at } = reader
  const states = reader.take(letters) ?? ''
  if (states === '' || [...states].some((letter) => !STATES.includes(letter))) {
    throw reader.error(`expected states, letters of ${[...STATES].join(' ')}, for example D or DZ`, at)
  }
  if (new Set(states).size < states.length) throw reader.error(`a state is twice in '${states}'`, at)
  return states
}

function isOneOf<T extends string>(names: readonly T[], name: string): name is T {
  return (names as readonly string[]).includes(name)
}

function example(name: FunctionName): string {
  switch (name) {
    case 'count':
      return 'count()'
    case 'exitRate':
      return 'exitRate(1m)'
    case 'leak':
      return 'leak(rss, 10m)'
    case 'timeTo':
      return 'timeTo(rss, 2GiB)'
    case 'stateSeconds':
      return 'stateSeconds(D)'
    case 'sum':
      return 'sum(rss) or avg(sum(rss), 5m)'
    default:
      return `${name}(rss, 5m)`
  }
}
