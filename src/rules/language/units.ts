import { NUMBER, TEXT } from '../../arguments.js'
import { ProcmusterError } from '../../errors.js'
import type { Unit } from './ast.js'

/**
 * Units of sizes. `KB` is 1000 and `KiB` is 1024, as their standards say. A bare `K`, `M`, `G`, `T` is a power of
 * 1024, as in ps, top, ulimit and unit files (`MemoryMax=500M`). Letters may be of either case.
 */
const byteUnits = new Map<string, number>([
  ['b', 1],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['tb', 1e12],
  ['k', 2 ** 10],
  ['kib', 2 ** 10],
  ['m', 2 ** 20],
  ['mib', 2 ** 20],
  ['g', 2 ** 30],
  ['gib', 2 ** 30],
  ['t', 2 ** 40],
  ['tib', 2 ** 40],
])

/** Units of time in nanoseconds. Case matters: `m` is a minute. */
const timeUnits = new Map<string, number>([
  ['ns', 1],
  ['us', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
  ['m', 60e9],
  ['min', 60e9],
  ['h', 3600e9],
  ['d', 86_400e9],
])
const nsPer = { ns: 1, ms: 1e6, s: 1e9 } as const

/** What may be written behind a number beside that unit, for messages. */
export const unitsOf: Readonly<Record<Unit, string>> = {
  '': 'a plain number',
  ticks: 'a plain number of clock ticks',
  ns: 'ns, us, ms, s, m, h or d',
  ms: 'a unit: ms, s, m, h or d',
  s: 'ns, us, ms, s, m, h or d',
  '%': 'a number or %',
  ratio: 'a number or %',
  bytes: 'B, KB, KiB, MB, MiB, GB, GiB, TB or TiB',
  'bytes/s': 'KB/s, KiB/s, MB/s, MiB/s, GB/s or GiB/s',
  '1/s': 'a plain number or /s',
  state: 'a state letter',
}

/** A number with the unit written behind it, in another unit; undefined when the written one does not fit. */
export function quantityIn(unit: Unit, digits: number, written: string): number | undefined {
  // Nobody thinks of milliseconds who writes `timeTo(rss, 2GiB) < 30`.
  if (written === '') return unit === 'state' || (unit === 'ms' && digits !== 0) ? undefined : digits
  const times = (factor: number | undefined): number | undefined =>
    factor === undefined ? undefined : digits * factor
  switch (unit) {
    case '%':
      return written === '%' ? digits : undefined
    case 'ratio':
      return written === '%' ? digits / 100 : undefined
    case 'bytes':
      return times(byteUnits.get(written.toLowerCase()))
    case 'bytes/s':
      return times(byteUnits.get(written.toLowerCase().replace(/\/s$/, '')))
    case '1/s':
      return written === '/s' ? digits : undefined
    case 'ns':
    case 'ms':
    case 's': {
      const ns = timeUnits.get(written)
      return ns === undefined ? undefined : times(ns / nsPer[unit])
    }
    default:
      return undefined
  }
}

/**
 * Reads a size such as `500M` or `1.5GiB` in bytes; without a unit it is bytes.
 * @throws ProcmusterError INVALID_ARGUMENT
 */
export function parseBytes(text: string): number {
  TEXT('the size', text)
  const [, digits, written] = /^(\d+(?:\.\d+)?) ?([a-zA-Z]*)$/.exec(text.trim()) ?? []
  const bytes = digits === undefined ? undefined : quantityIn('bytes', Number(digits), written!)
  if (bytes !== undefined && Number.isSafeInteger(Math.round(bytes))) return Math.round(bytes)
  throw new ProcmusterError('INVALID_ARGUMENT', {
    message: `${JSON.stringify(text)} is no size; write bytes, or 500M, 1.5GiB (${unitsOf.bytes})`,
  })
}

/** The unit that a number has by what is written behind it alone; undefined when that is no unit. */
export function unitAlone(written: string): Unit | undefined {
  if (written === '') return ''
  if (written === '%') return 'ratio'
  if (written === '/s') return '1/s'
  if (timeUnits.has(written)) return 's'
  if (byteUnits.has(written.toLowerCase())) return 'bytes'
  return byteUnits.has(written.toLowerCase().replace(/\/s$/, '')) ? 'bytes/s' : undefined
}

export function isTime(unit: Unit | undefined): unit is keyof typeof nsPer {
  return unit !== undefined && unit in nsPer
}

const printedBytes = [
  ['TiB', 2 ** 40],
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
] as const
const hours = (second: number): readonly (readonly [string, number])[] => [
  ['h', 3600 * second],
  ['m', 60 * second],
  ['s', second],
]
const printedNs = [...hours(1e9), ['ms', 1e6]] as const
const printedMs = hours(1000)
const printedSeconds = hours(1)

/** Writes a number of a unit so that reading it gives the very same number. */
export function printQuantity(value: number, unit: Unit): string {
  if (!Number.isFinite(value)) return String(value)
  switch (unit) {
    case '%':
      return `${value}%`
    case 'ratio':
      return printRatio(value)
    case 'bytes':
      return inUnits(value, printedBytes, 'B')
    case 'bytes/s':
      return `${inUnits(value, printedBytes, 'B')}/s`
    case '1/s':
      return `${value}/s`
    case 'ns':
      return inUnits(value, printedNs, 'ns')
    case 'ms':
      return inUnits(value, printedMs, 'ms')
    case 's':
      return inUnits(value, printedSeconds, 's')
    case 'state':
      return String.fromCharCode(value)
    default:
      return String(value)
  }
}

/** Writes a duration, for example `30s`. */
export function printDuration(ms: number): string {
  NUMBER('the duration', ms)
  return inUnits(ms, printedMs, 'ms')
}

function inUnits(value: number, units: readonly (readonly [string, number])[], otherwise: string): string {
  if (value !== 0 && Number.isSafeInteger(value)) {
    for (const [name, factor] of units) if (value % factor === 0) return `${value / factor}${name}`
  }
  return `${value}${otherwise}`
}

/** In percent: the shortest number that a hundredth of is the value, which 100 times it need not be. */
function printRatio(value: number): string {
  const percent = value * 100
  const step = Math.abs(percent) * Number.EPSILON
  const near = [
    Number(percent.toPrecision(15)),
    percent,
    ...[0.5, -0.5, 1, -1].map((n) => percent + n * step),
  ]
  const found = near.find((each) => each / 100 === value)
  return found === undefined ? String(value) : `${found}%`
}
