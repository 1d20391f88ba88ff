import { ProcmusterError } from '../errors.js'
import { COLUMNS } from '../table/columns.js'
import { type ColumnName, columnId } from '../table/layout.js'
import { columnOf, nearestColumnName } from './names.js'
import { factorOf, printDuration, printQuantity, readDuration, unitsOf } from './units.js'

export const OPERATORS = ['>', '>=', '<', '<=', '==', '!='] as const
/** How a clause compares; a `state` only by `==` and `!=`. */
export type Operator = (typeof OPERATORS)[number]

/** One comparison of a condition. */
export interface Clause {
  readonly column: ColumnName
  readonly op: Operator
  /** In the column's unit; for `state` the character code of the letter. */
  readonly threshold: number
  /** The threshold is percent of the host's physical memory, not bytes. */
  readonly ofMemory: boolean
}

/** What a rule waits for: every clause true, without a break, for so long. */
export interface Condition {
  readonly clauses: readonly Clause[]
  /** 0: at once. */
  readonly forMs: number
}

/** Letters of proc_pid_stat(5) field 3, past and present kernels. */
const STATES = 'RSDTtZXxKWPI'
/** Longer ones are a slip of the pen; it also keeps every sum of times exact. */
export const MAX_DURATION_MS = 366 * 86_400_000

const word = /[A-Za-z_][\w.]*/y
const operator = /[<>=!]+/y
const number = /[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?/iy
const unit = /(?!(?:and|for|or|not)\b)(?:%|\/s\b|[A-Za-z]+(?:\/s\b)?)/iy
const space = /\s*/y
const either = /and\b|&&/iy
const during = /for\b/iy

/**
 * Reads a condition: `COLUMN OP VALUE [and COLUMN OP VALUE ...] [for DURATION]`, for example
 * `rss > 500MiB and cpu > 80% for 30s`.
 *
 * Columns are those of the table, or their short names (`rss`, `vsz`, `cpu`, `memory`, `swap`, ...). Values take the units of
 * their column; `80%` of a memory column is percent of the host's physical memory; `state` takes a letter.
 * @throws ProcmusterError INVALID_ARGUMENT with the position and the nearest name
 */
export function parseCondition(text: string): Condition {
  const reader = new Reader(text)
  const clauses = [readClause(reader)]
  while (reader.take(either) !== undefined) clauses.push(readClause(reader))
  let forMs = 0
  if (reader.take(during) !== undefined) {
    const duration = readDuration(text, reader.at)
    if (duration === undefined)
      throw reader.error("expected a duration such as '30s', '5m' or '1h30m' after 'for'")
    if (duration.ms > MAX_DURATION_MS) throw reader.error('a duration is at most 366 days')
    forMs = duration.ms
    reader.moveTo(duration.end)
  }
  if (!reader.atEnd) {
    const rest = reader.take(word)
    throw rest === undefined
      ? reader.error("expected 'and', 'for' or the end")
      : reader.errorAtTaken(
          /^(or|not)$/i.test(rest)
            ? `'${rest}' is not part of a condition; write a rule for each case`
            : `expected 'and', 'for' or the end, not '${rest}'`,
        )
  }
  return { clauses, forMs }
}

/** Writes a condition so that `parseCondition` gives it back. */
export function printCondition(condition: Condition): string {
  const clauses = condition.clauses.map(printClause).join(' and ')
  return condition.forMs === 0 ? clauses : `${clauses} for ${printDuration(condition.forMs)}`
}

function printClause({ column, op, threshold, ofMemory }: Clause): string {
  const value = ofMemory
    ? `${threshold}%`
    : column === 'state'
      ? String.fromCharCode(threshold)
      : printQuantity(threshold, COLUMNS[columnId[column]]!.unit)
  return `${column} ${op} ${value}`
}

/**
 * Reads a duration such as `30s`, `5m` or `1h30m`.
 * @throws ProcmusterError INVALID_ARGUMENT
 */
export function parseDuration(text: string): number {
  const trimmed = text.trim()
  const duration = readDuration(trimmed, 0)
  if (duration === undefined || duration.end !== trimmed.length) {
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message: `${JSON.stringify(text)} is no duration; write '30s', '5m' or '1h30m'`,
    })
  }
  if (duration.ms > MAX_DURATION_MS) {
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message: `${JSON.stringify(text)} is too long a duration; give at most 366 days`,
    })
  }
  return duration.ms
}

function readClause(reader: Reader): Clause {
  const name = reader.take(word)
  if (name === undefined) throw reader.error("expected a column such as 'rss' or 'cpu'")
  const column = columnOf(name)
  if (column === undefined) {
    const nearest = nearestColumnName(name)
    const hint = nearest === undefined ? '' : `; did you mean '${nearest}'?`
    throw reader.errorAtTaken(`unknown column '${name}'${hint}`)
  }
  const op = reader.take(operator)
  if (op === undefined) throw reader.error(`expected one of ${OPERATORS.join(' ')} after '${name}'`)
  if (!isOperator(op)) {
    const hint = op === '=' ? "; did you mean '=='?" : `; use one of ${OPERATORS.join(' ')}`
    throw reader.errorAtTaken(`unknown comparison '${op}'${hint}`)
  }
  return column === 'state' ? readStateClause(reader, op) : readNumberClause(reader, column, op)
}

function readStateClause(reader: Reader, op: Operator): Clause {
  if (op !== '==' && op !== '!=') throw reader.errorAtTaken(`a state is compared by == or !=, not by ${op}`)
  const expected = `expected a state, one letter of ${[...STATES].join(' ')}`
  const letter = reader.take(word)
  if (letter === undefined) throw reader.error(expected)
  if (letter.length !== 1 || !STATES.includes(letter)) throw reader.errorAtTaken(expected)
  return { column: 'state', op, threshold: letter.charCodeAt(0), ofMemory: false }
}

function readNumberClause(reader: Reader, column: ColumnName, op: Operator): Clause {
  const digits = reader.take(number)
  if (digits === undefined) throw reader.error(`expected a number after '${column} ${op}'`)
  const { unit: columnUnit, group } = COLUMNS[columnId[column]]!
  const written = reader.take(unit) ?? ''
  const ofMemory = written === '%' && columnUnit === 'bytes' && group !== 'io'
  const factor = ofMemory ? 1 : factorOf(written, columnUnit)
  if (factor === undefined) {
    const memory = columnUnit === 'bytes' && group !== 'io' ? ', or % of physical memory' : ''
    throw reader.errorAtTaken(`'${written}' does not fit ${column}; it takes ${unitsOf[columnUnit]}${memory}`)
  }
  const threshold = Number(digits) * factor + 0 // + 0: no negative zero
  if (!Number.isFinite(threshold)) throw reader.errorAtTaken(`${digits}${written} is too large`)
  return { column, op, threshold, ofMemory }
}

function isOperator(text: string): text is Operator {
  return (OPERATORS as readonly string[]).includes(text)
}

class Reader {
  at = 0
  #taken = 0

  constructor(readonly text: string) {
    this.#skipSpace()
  }

  get atEnd(): boolean {
    return this.at === this.text.length
  }

  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at
    const match = pattern.exec(this.text)
    if (match === null) return undefined
    this.#taken = this.at
    this.moveTo(pattern.lastIndex)
    return match[0]
  }

  moveTo(position: number): void {
    this.at = position
    this.#skipSpace()
  }

  error(reason: string): ProcmusterError {
    return this.#errorAt(this.at, reason)
  }

  errorAtTaken(reason: string): ProcmusterError {
    return this.#errorAt(this.#taken, reason)
  }

  #skipSpace(): void {
    space.lastIndex = this.at
    space.exec(this.text)
    this.at = space.lastIndex
  }

  #errorAt(position: number, reason: string): ProcmusterError {
    const where = position >= this.text.length ? 'at the end' : `at character ${position + 1}`
    return new ProcmusterError('INVALID_ARGUMENT', {
      message: `condition ${JSON.stringify(this.text)}, ${where}: ${reason}`,
    })
  }
}
