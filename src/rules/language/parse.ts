import { TEXT } from '../../arguments.js'
import { type Condition, OPERATORS, type Operand, type Operator, type When } from './ast.js'
import { readCall, readWritten } from './calls.js'
import {
  arithmeticDraft,
  type Draft,
  inUnit,
  numberDraft,
  type OperandDraft,
  settled,
  settleSum,
} from './draft.js'
import { readDuration } from './durations.js'
import { functionNamed, nameOf, nearestFunction, nearestName, STATES, valueNamed } from './names.js'
import { Reader } from './reader.js'
import { isComparable, unitOf } from './typing.js'

/** A condition longer than this is written by a program gone wrong. */
const MAX_CONDITION_LENGTH = 1000
const MAX_DEPTH = 32

const word = /(?!(?:and|for|or|not)\b)[A-Za-z_][\w.]*/iy
const anyWord = /[A-Za-z_][\w.]*/y
const operator = /[<>=!]+/y
const number = /(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?/iy
const unit = /(?!(?:and|for|or|not)\b)(?:%|\/s\b|[A-Za-z]+(?:\/s\b)?)/iy
const additive = /[-+]/y
const multiplicative = /[*/]/y
const open = /\(/y
const close = /\)/y
const both = /and\b|&&/iy
const either = /or\b|\|\|/iy
const negation = /not\b|!(?!=)/iy
const during = /for\b/iy

/**
 * Reads what a rule waits for: a condition and, after `for`, how long it has to hold without a break. For example
 * `rss > 500MiB and not cpu > 80% for 30s`, `avg(cpu, 1m) > 80`, `leak(rss, 10m) or timeTo(rss, 2GiB) < 30m`.
 * @throws ProcmusterError INVALID_ARGUMENT with the position and the nearest name
 */
export function parseWhen(text: string): When {
  TEXT('the condition', text)
  const reader = new Reader(text)
  if (text.length > MAX_CONDITION_LENGTH) {
    throw new Reader(`${text.slice(0, 40)}...`).error(`more than ${MAX_CONDITION_LENGTH} characters`, 0)
  }
  const parser = new Parser(reader)
  const condition = parser.condition(parser.either())
  let forMs = 0
  if (reader.take(during) !== undefined) {
    forMs = readWritten(reader, "expected a duration such as '30s', '5m' or '1h30m' after 'for'")
  }
  if (!reader.atEnd) {
    const rest = reader.peek(anyWord)
    const ends = forMs > 0 ? 'the end' : "'and', 'or', 'for' or the end"
    throw reader.error(`expected ${ends}${rest === undefined ? '' : `, not '${rest}'`}`)
  }
  return { condition, forMs }
}

/** From the loosest bond to the tightest: or, and, not, comparison, + -, * /, sign. */
class Parser {
  readonly #reader: Reader
  #depth = 0

  constructor(reader: Reader) {
    this.#reader = reader
  }

  either(): Draft {
    return this.#joined('or', either, () => this.#joined('and', both, () => this.#negated()))
  }

  condition(draft: Draft): Condition {
    if (draft.kind === 'condition') return draft.condition
    throw this.#reader.error(`expected one of ${OPERATORS.join(' ')}`)
  }

  #joined(kind: 'and' | 'or', joint: RegExp, next: () => Draft): Draft {
    const first = next()
    if (this.#reader.peek(joint) === undefined) return first
    const parts = [this.condition(first)]
    while (this.#reader.take(joint) !== undefined) parts.push(this.condition(next()))
    return { kind: 'condition', at: first.at, condition: { kind, parts } }
  }

  #negated(): Draft {
    const { at } = this.#reader
    if (this.#reader.take(negation) === undefined) return this.#compared()
    const part = this.#deeper(at, () => this.condition(this.#negated()))
    return { kind: 'condition', at, condition: { kind: 'not', part } }
  }

  #compared(): Draft {
    const reader = this.#reader
    const left = this.#sum()
    const opAt = reader.at
    const op = reader.take(operator)
    if (op === undefined) return left
    if (left.kind === 'condition') throw reader.error(`a condition is not compared by '${op}'`, opAt)
    if (!isOperator(op)) {
      const hint = op === '=' ? "; did you mean '=='?" : `; use one of ${OPERATORS.join(' ')}`
      throw reader.error(`unknown comparison '${op}'${hint}`, opAt)
    }
    const sides = this.#stateSides(left, op, opAt) ?? this.#numberSides(left, op, opAt)
    if (reader.peek(operator) !== undefined) {
      throw reader.error("a comparison has two sides; join comparisons by 'and'")
    }
    return { kind: 'condition', at: left.at, condition: { kind: 'compare', op, ...sides } }
  }

  #numberSides(left: OperandDraft, op: Operator, opAt: number): { left: Operand; right: Operand } {
    const reader = this.#reader
    const right = this.#operand(this.#sum(`expected a number, a column or a function after '${op}'`))
    if (left.isConstant && right.isConstant) {
      throw reader.error("two numbers are compared; one side has to be measured, such as 'rss'", left.at)
    }
    const sides = settleSum(left, right)
    if (unitOf(sides.left) === 'state' || unitOf(sides.right) === 'state') {
      throw reader.error("a state stands on the left and a letter on the right, as in 'state == D'", opAt)
    }
    if (!isComparable(unitOf(sides.left), unitOf(sides.right))) {
      throw reader.error(`${inUnit(sides.left)} and ${inUnit(sides.right)} are not of one unit`, opAt)
    }
    return sides
  }

  /** `state == D`; undefined where the left side is no state. */
  #stateSides(left: OperandDraft, op: Operator, opAt: number): { left: Operand; right: Operand } | undefined {
    const reader = this.#reader
    if (left.isConstant) return undefined
    const column = left.settle()
    if (column.kind !== 'column' || column.column !== 'state') return undefined
    if (op !== '==' && op !== '!=') {
      throw reader.error(`a state is compared by == or !=, not by ${op}`, opAt)
    }
    const { at } = reader
    const letter = reader.take(word) ?? ''
    if (letter.length !== 1 || !STATES.includes(letter)) {
      throw reader.error(`expected a state, one letter of ${[...STATES].join(' ')}`, at)
    }
    return { left: column, right: { kind: 'state', letter } }
  }

  #sum(expected?: string): Draft {
    return this.#reckoned(additive, () => this.#reckoned(multiplicative, () => this.#signed(expected)))
  }

  #reckoned(operators: RegExp, next: () => Draft): Draft {
    let left = next()
    for (;;) {
      const { at } = this.#reader
      const op = this.#reader.take(operators) as '+' | '-' | '*' | '/' | undefined
      if (op === undefined) return left
      left = arithmeticDraft(this.#reader, op, at, this.#operand(left), this.#operand(next()))
    }
  }

  #signed(expected?: string): Draft {
    const reader = this.#reader
    const { at } = reader
    const written = reader.take(additive)
    if (written === undefined) return this.#primary(expected)
    if (reader.peek(number) !== undefined) return this.#number(at, written)
    const operand = this.#deeper(at, () => this.#operand(this.#signed()))
    if (written === '+') return operand
    const zero = numberDraft(reader, at, { digits: '0', value: 0, written: '', unitAt: at })
    return arithmeticDraft(reader, '-', at, zero, operand)
  }

  #primary(expected = "expected a column such as 'rss' or a function such as 'avg(cpu, 1m)'"): Draft {
    const reader = this.#reader
    const { at } = reader
    if (reader.peek(number) !== undefined) return this.#number(at, '')
    if (reader.take(open) !== undefined) {
      const inner = this.#deeper(at, () => this.either())
      if (reader.take(close) === undefined)
        throw reader.error(`expected ')' for the '(' at character ${at + 1}`)
      return inner
    }
    const name = reader.take(word)
    if (name === undefined) throw reader.error(expected)
    return this.#named(name, at)
  }

  #named(name: string, at: number): Draft {
    const reader = this.#reader
    const fn = functionNamed(name)
    if (fn !== undefined) {
      return this.#deeper(at, () => readCall(fn, reader, at, () => this.#operand(this.#sum())))
    }
    const value = valueNamed(name)
    const isCalled = reader.peek(open) !== undefined
    if (value !== undefined && !isCalled) return settled(at, value)
    if (value !== undefined) throw reader.error(`${nameOf(value)} is no function`, at)
    if (/^(nan|infinity|inf)$/i.test(name)) throw reader.error(`'${name}' is no number to compare with`, at)
    const nearest = isCalled ? nearestFunction(name) : nearestName(name)
    const kind = isCalled ? 'function' : kindOf(name)
    const list = kind === 'column' ? '`muster ps --help`' : 'docs/rules.md'
    const hint = nearest === undefined ? `; ${list} lists them` : `; did you mean '${nearest}'?`
    throw reader.error(`unknown ${kind} '${name}'${hint}`, at)
  }

  #number(at: number, written: string): OperandDraft {
    const reader = this.#reader
    const duration = readDuration(reader.text, reader.at)
    if (duration !== undefined && duration.parts > 1) {
      const digits = reader.text.slice(reader.at, duration.end)
      reader.moveTo(duration.end)
      const value = written === '-' ? -duration.ms : duration.ms
      return numberDraft(reader, at, { digits, value, written: 'ms', unitAt: at })
    }
    const digits = written + reader.take(number)!
    const unitAt = reader.at
    return numberDraft(reader, at, {
      digits,
      value: Number(digits),
      written: reader.take(unit) ?? '',
      unitAt,
    })
  }

  #operand(draft: Draft): OperandDraft {
    if (draft.kind === 'operand') return draft
    throw this.#reader.error('expected a number, a column or a function, not a condition', draft.at)
  }

  #deeper<T>(at: number, read: () => T): T {
    if (++this.#depth > MAX_DEPTH) throw this.#reader.error(`nested more than ${MAX_DEPTH} deep`, at)
    const result = read()
    this.#depth--
    return result
  }
}

function kindOf(name: string): string {
  const [place] = /^(host|limit)\./i.exec(name) ?? []
  if (place === undefined) return 'column'
  return place.toLowerCase() === 'host.' ? 'number of the host' : 'limit'
}

function isOperator(text: string): text is Operator {
  return (OPERATORS as readonly string[]).includes(text)
}
