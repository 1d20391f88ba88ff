import { types } from 'node:util'
import { ProcmusterError } from './errors.js'
import { nearestWord } from './spelling.js'
import type { ProcessIdentity } from './table/identity.js'

/** Throws `INVALID_ARGUMENT` that names the value and what is wanted, unless the value is that. */
export type Check = (name: string, value: unknown) => void

/** One check for each key that there is. */
export type Checks<T> = { readonly [Key in keyof Required<T>]: Check }

/** The longest time that a timer of Node has: 24 days. */
export const MAX_TIMER_MS = 2 ** 31 - 1
/** PID_MAX_LIMIT of linux/threads.h. */
const PID_MAX = 4_194_304
const SHOWN_CHARACTERS = 60

export function refuse(name: string, value: unknown, wanted: string): never {
  // Of arguments there are many, as in "the targets"; an option goes by its one name.
  const is = name.startsWith('the ') ? ':' : ' is'
  throw new ProcmusterError('INVALID_ARGUMENT', { message: `${name}${is} ${shown(value)}; give ${wanted}` })
}

/** The value, where it lies between these. @throws ProcmusterError `INVALID_ARGUMENT` that names the option and its value. */
export function range(name: string, value: number, least: number, most: number): number {
  if (Number.isFinite(value) && value >= least && value <= most) return value
  return refuse(name, value, `${least} to ${most}`)
}

/** @throws ProcmusterError `INVALID_ARGUMENT`: 0 and negative numbers mean groups of processes to the kernel. */
export function checkPid(pid: number): void {
  if (Number.isInteger(pid) && pid >= 1 && pid <= PID_MAX) return
  throw new ProcmusterError('INVALID_ARGUMENT', {
    message: `${shown(pid)} is no pid; pids are 1 to ${PID_MAX}`,
  })
}

/** What an action names: a pid alone may be another's by now. */
export function checkIdentity(target: Pick<ProcessIdentity, 'pid' | 'startTicks'>): void {
  checkProcess(target)
  const { pid, startTicks } = target
  if (Number.isSafeInteger(startTicks) && startTicks >= 0) return
  throw new ProcmusterError('INVALID_ARGUMENT', {
    message: `process ${pid} has no start time (startTicks ${shown(startTicks)}); take its row's identity`,
    pid,
  })
}

/** The same where whoever has the pid may be meant: its start time may be left out. */
export function checkProcess(target: { readonly pid: number; readonly startTicks?: number }): void {
  if (typeof target !== 'object' || target === null) {
    refuse('the process', target, 'its identity: of identify(pid), or of a row')
  }
  checkPid(target.pid)
  if (target.startTicks !== undefined) within(0, Number.MAX_SAFE_INTEGER)('startTicks', target.startTicks)
}

/** Identities in a list. */
export function checkIdentities(targets: readonly Pick<ProcessIdentity, 'pid' | 'startTicks'>[]): void {
  if (!Array.isArray(targets)) refuse('the targets', targets, 'a list of identities')
  for (const target of targets) checkIdentity(target)
}

/** Keys that there are not are refused: a misspelt option would be taken for one that is left out. */
export function checkOptions<T extends object>(options: T, checks: Checks<T>, name = 'the options'): void {
  RECORD(name, options)
  // What is inherited is read as well.
  for (const key in options) {
    if (Object.hasOwn(checks, key)) continue
    const nearest = nearestWord(key, Object.keys(checks))
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message: `unknown option ${shown(key)}; ${
        nearest === undefined ? `there are ${Object.keys(checks).join(', ')}` : `did you mean ${nearest}?`
      }`,
    })
  }
  checkValues(options, checks)
}

/** Also those of getters, which a class has. */
function checkValues<T extends object>(options: T, checks: Checks<T>): void {
  for (const key of Object.keys(checks) as (keyof T & string)[]) {
    const value = options[key]
    if (value !== undefined) checks[key](key, value)
  }
}

/**
 * As `checkOptions`, of a query that a process may be: an identity, a row, a process that was spawned. What else such a one has is no
 * option.
 */
export function checkQuery<T extends object>(query: T, checks: Checks<T>): void {
  if (!isProcess(query)) {
    checkOptions(query, checks, 'the query')
    return
  }
  checkIdentity(query)
  checkValues<T>(query, checks)
}

/** Of a bare pid and start anything else is an option. */
function isProcess(value: unknown): value is ProcessIdentity {
  if (typeof value !== 'object' || value === null) return false
  return 'pid' in value && 'startTicks' in value && ('settled' in value || 'identity' in value)
}

/** An object that holds values by name, also a module or of a class; and no list, map, date or other. */
export const RECORD: Check = (name, value) => {
  const isOther = typeof value !== 'object' || value === null || Symbol.iterator in value
  if (isOther || NO_RECORDS.some((is) => is(value))) refuse(name, value, 'an object')
}

const { isDate, isRegExp, isPromise, isNativeError, isBoxedPrimitive, isAnyArrayBuffer, isArrayBufferView } =
  types
/** What cannot be iterated over; a weak map has no names, and a proxy is what it stands for. */
const NO_RECORDS: readonly ((value: unknown) => boolean)[] = [
  ...[isDate, isRegExp, isPromise, isNativeError, isBoxedPrimitive, isAnyArrayBuffer, isArrayBufferView],
  ...[types.isWeakMap, types.isWeakSet],
]

export const TEXT: Check = (name, value) => {
  if (typeof value !== 'string') refuse(name, value, 'a string')
}

export const PATH: Check = (name, value) => {
  if (typeof value !== 'string' || value === '' || value.includes('\0')) refuse(name, value, 'a path')
}

export const FLAG: Check = (name, value) => {
  if (typeof value !== 'boolean') refuse(name, value, 'true or false')
}

export const CALLBACK: Check = (name, value) => {
  if (typeof value !== 'function') refuse(name, value, 'a function')
}

export const ABORT_SIGNAL: Check = (name, value) => {
  if (!(value instanceof AbortSignal)) refuse(name, value, 'an AbortSignal')
}

/** A number, NaN apart. */
export const NUMBER: Check = (name, value) => {
  if (typeof value !== 'number' || Number.isNaN(value)) refuse(name, value, 'a number')
}

export const within =
  (least: number, most: number): Check =>
  (name, value) => {
    range(name, value as number, least, most)
  }

export const wholeWithin =
  (least: number, most: number): Check =>
  (name, value) => {
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
      refuse(name, value, `a whole number from ${least} to ${most}`)
    }
  }

/** How many at most; Infinity is all. */
export const LIMIT: Check = (name, value) => {
  if (value === Number.POSITIVE_INFINITY || (Number.isInteger(value) && (value as number) >= 0)) return
  refuse(name, value, 'a whole number from 0')
}

/** A time that a timer is set to, or that is waited for. */
export const MILLISECONDS = within(0, MAX_TIMER_MS)
export const BYTES = within(0, Number.MAX_SAFE_INTEGER)

export const oneOf =
  (words: readonly string[]): Check =>
  (name, value) => {
    if (!words.includes(value as string)) refuse(name, value, words.join(' or '))
  }

export const listOf =
  (check: Check): Check =>
  (name, value) => {
    if (!Array.isArray(value)) refuse(name, value, 'a list')
    for (const each of value as unknown[]) check(`one of ${name}`, each)
  }

export const MAP: Check = (name, value) => {
  if (!(value instanceof Map)) refuse(name, value, 'a Map')
}

export const ITERABLE: Check = (name, value) => {
  if (typeof value === 'object' && value !== null && Symbol.iterator in value) return
  refuse(name, value, 'a list, or another iterable')
}

/** By what it has, so that who only takes one need not load it. */
export const TABLE: Check = (name, value) =>
  checkHas(name, value, ['slots', 'columns'], 'a table of a Sampler')

/** What another function of this package gave: with these keys. */
export function checkHas(name: string, value: unknown, keys: readonly string[], wanted: string): void {
  if (typeof value !== 'object' || value === null || !keys.every((key) => key in value)) {
    refuse(name, value, wanted)
  }
}

export const LOGGER: Check = (name, value) =>
  checkHas(name, value, ['debug', 'info', 'warn', 'error'], 'a pino logger')

/** What is checked elsewhere, closer to its meaning. */
export const ELSEWHERE: Check = (name, value) => {
  if (value === null) refuse(name, value, 'a value, or leave it out')
}

function shown(value: unknown): string {
  if (typeof value === 'string') {
    const cut = value.length > SHOWN_CHARACTERS ? `${value.slice(0, SHOWN_CHARACTERS)}…` : value
    return JSON.stringify(cut)
  }
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'function') return 'a function'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}
