import type { ColumnInfo } from '../table/layout.js'

export type ColumnUnit = ColumnInfo['unit']

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

/** What may be written behind a number for a column of that unit, for messages. */
export const unitsOf: Record<ColumnUnit, string> = {
  '': 'a plain number',
  ticks: 'a plain number of clock ticks',
  ns: 'ns, us, ms, s, m, h or d',
  '%': 'a number or %',
  bytes: 'B, KB, KiB, MB, MiB, GB, GiB, TB or TiB',
  'bytes/s': 'KB/s, KiB/s, MB/s, MiB/s, GB/s or GiB/s',
  '1/s': 'a plain number or /s',
}

/** The factor from a written unit to the unit of the column, or undefined when it does not fit. */
export function factorOf(written: string, unit: ColumnUnit): number | undefined {
  if (written === '') return 1
  switch (unit) {
    case '%':
      return written === '%' ? 1 : undefined
    case 'bytes':
      return byteUnits.get(written.toLowerCase())
    case 'bytes/s':
      return byteUnits.get(written.toLowerCase().replace(/\/s$/, ''))
    case '1/s':
      return written === '/s' ? 1 : undefined
    case 'ns':
      return timeUnits.get(written)
    default:
      return undefined
  }
}

const printedBytes = [
  ['TiB', 2 ** 40],
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
] as const
const printedNs = [
  ['h', 3600e9],
  ['m', 60e9],
  ['s', 1e9],
  ['ms', 1e6],
] as const
const printedMs = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const

/** Writes a number of a column's unit so that reading it gives the very same number. */
export function printQuantity(value: number, unit: ColumnUnit): string {
  switch (unit) {
    case '%':
      return `${value}%`
    case 'bytes':
      return inUnits(value, printedBytes)
    case 'bytes/s':
      return `${inUnits(value, printedBytes, 'B')}/s`
    case 'ns':
      return inUnits(value, printedNs)
    default:
      return String(value)
  }
}

function inUnits(value: number, units: readonly (readonly [string, number])[], otherwise = ''): string {
  if (value !== 0 && Number.isSafeInteger(value)) {
    for (const [name, factor] of units) if (value % factor === 0) return `${value / factor}${name}`
  }
  return `${value}${otherwise}`
}

/** Writes a duration, for example `30s`. */
export function printDuration(ms: number): string {
  return inUnits(ms, printedMs, 'ms')
}

// In milliseconds from the start: a way over nanoseconds would round.
const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  min: 60_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const durationPart = /(\d+(?:\.\d+)?(?:e[-+]?\d+)?)(ms|s|min|m|h|d)/y

/**
 * Reads a duration such as `30s`, `5m` or `1h30m` at a position of a text.
 * @returns its milliseconds and where it ends, or undefined when there is none
 */
export function readDuration(text: string, start: number): { ms: number; end: number } | undefined {
  let ms = 0
  let end = start
  for (;;) {
    durationPart.lastIndex = end
    const part = durationPart.exec(text)
    if (part === null) break
    ms += Number(part[1]) * durationUnits[part[2]!]!
    end = durationPart.lastIndex
  }
  return end === start || /[\w.]/.test(text.charAt(end)) || !Number.isFinite(ms) ? undefined : { ms, end }
}
