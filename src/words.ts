import { checkHas, ITERABLE, NUMBER, refuse, TEXT } from './arguments.js'
import type { ClauseValue } from './journal/decision_records.js'
import type { Unit } from './rules/language/ast.js'

const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const
/** No double tells apart more. */
const MAX_DIGITS = 15

/** `1536` as `1.5 KiB`, for sentences. */
export function wordedBytes(bytes: number): string {
  NUMBER('the size', bytes)
  return sized(bytes, round)
}

/** Milliseconds as `350 ms`, `1.5 s`, `2 min 30 s`, `5 h 12 min`, `3 days`, for sentences. */
export function wordedDuration(ms: number): string {
  NUMBER('the duration', ms)
  if (ms === Number.POSITIVE_INFINITY) return 'never'
  if (ms < 0) return `-${wordedDuration(-ms)}`
  if (ms < 999.5) return `${ms < 10 ? round(ms) : Math.round(ms)} ms`
  const seconds = ms / 1000
  if (seconds < 119.95) return `${Number(seconds.toFixed(1))} s`
  const whole = Math.round(seconds)
  if (whole < 3600) return pair(whole, 60, 'min', 1, 's')
  if (whole < 48 * 3600) return pair(whole, 3600, 'h', 60, 'min')
  return pair(whole, 86_400, 'days', 3600, 'h')
}

/** A number of a condition as people say it: `612.3 MiB`, `80 %`, `1.5 s`, `Z`; `unknown` where there is none. */
export function wordedQuantity(value: number | undefined, unit: Unit): string {
  checkQuantity('the value', value)
  TEXT('the unit', unit)
  return worded(value, unit, round)
}

/**
 * `612.3 MiB > 500 MiB`, with as many digits as it takes to tell the two apart: a breach by a page must not read
 * `500 MiB > 500 MiB`.
 */
export function wordedComparison(
  value: number | undefined,
  op: string,
  threshold: number | undefined,
  unit: Unit,
): string {
  checkQuantity('the value', value)
  checkQuantity('the threshold', threshold)
  TEXT('the operator', op)
  TEXT('the unit', unit)
  let [left, right] = [worded(value, unit, round), worded(threshold, unit, round)]
  for (let digits = 5; left === right && value !== threshold && digits <= MAX_DIGITS; digits++) {
    const precise = (number: number): number => Number(number.toPrecision(digits))
    left = worded(value, unit, precise)
    right = worded(threshold, unit, precise)
  }
  return `${left} ${op} ${right}`
}

/** Undefined and NaN are unknown. */
function checkQuantity(name: string, value: number | undefined): void {
  if (value !== undefined && typeof value !== 'number') refuse(name, value, 'a number, or undefined')
}

/** What words take from a clause of a decision. */
export type ClauseToWord = Pick<
  ClauseValue,
  'text' | 'operand' | 'op' | 'unit' | 'value' | 'threshold' | 'truth'
>

/** A clause and what was found: `rssBytes 612.3 MiB > 500 MiB`; a leak test, which has no threshold: `leak(rssBytes, 10m) at 612.3 MiB`. */
export function wordedClause(clause: Omit<ClauseToWord, 'truth'>): string {
  checkHas('the clause', clause, ['operand', 'op', 'unit'], 'that of a decision')
  const { text, operand, op, unit, value, threshold } = clause
  if (op !== 'leak') return `${operand} ${wordedComparison(value, op, threshold, unit)}`
  return value === undefined ? text : `${text} at ${wordedQuantity(value, unit)}`
}

/** What is known of a condition's clauses, in a sentence: `rssBytes 612.3 MiB > 500 MiB and not cpuPercent 8 % < 5 %`. */
export function wordedClauses(clauses: readonly ClauseToWord[]): string {
  ITERABLE('the clauses', clauses)
  return clauses
    .filter(({ truth }) => truth !== undefined)
    .map((clause) => (clause.truth ? wordedClause(clause) : `not ${wordedClause(clause)}`))
    .join(' and ')
}

type Rounding = (value: number) => number

function worded(value: number | undefined, unit: Unit, rounding: Rounding): string {
  if (value === undefined || Number.isNaN(value)) return 'unknown'
  switch (unit) {
    case 'state':
      return String.fromCharCode(value)
    case 'ns':
      return time(value / 1e6, rounding)
    case 'ms':
      return time(value, rounding)
    case 's':
      return time(value * 1000, rounding)
  }
  if (value === Number.POSITIVE_INFINITY) return 'unlimited'
  switch (unit) {
    case 'bytes':
      return sized(value, rounding)
    case 'bytes/s':
      return `${sized(value, rounding)}/s`
    case '%':
      return `${rounding(value)} %`
    case 'ratio':
      return `${rounding(value * 100)} %`
    case '1/s':
      return `${rounding(value)}/s`
    case 'ticks':
      return `${rounding(value)} ticks`
    default:
      return String(Number.isInteger(value) ? value : rounding(value))
  }
}

function time(ms: number, rounding: Rounding): string {
  // In words a second is lost among hours; where it matters, seconds alone say it.
  return rounding === round || !Number.isFinite(ms) ? wordedDuration(ms) : `${rounding(ms / 1000)} s`
}

function sized(bytes: number, rounding: Rounding): string {
  let rest = Math.abs(bytes)
  let power = 0
  // 1023.97 would be rounded to 1024.
  while (power < SIZES.length - 1 && rest >= 1023.95) {
    rest /= 1024
    power++
  }
  return `${bytes < 0 ? '-' : ''}${rounding(rest)} ${SIZES[power]}`
}

/** One decimal, two of what is below ten, and two digits of what is below a tenth: 0.001 is not 0. */
function round(value: number): number {
  const size = Math.abs(value)
  return Number(size < 0.1 ? value.toPrecision(2) : value.toFixed(size < 9.995 ? 2 : 1))
}

function pair(total: number, unit: number, name: string, smaller: number, smallerName: string): string {
  const rest = Math.floor((total % unit) / smaller)
  return `${Math.floor(total / unit)} ${name}${rest === 0 ? '' : ` ${rest} ${smallerName}`}`
}
