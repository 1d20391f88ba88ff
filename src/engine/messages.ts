import type { ClauseValue } from '../journal/records.js'
import { COLUMNS } from '../table/columns.js'
import type { ProcessIdentity } from '../table/identity.js'

const unitOf = new Map<string, string>(COLUMNS.map(({ name, unit }) => [name, unit]))
const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** One line for people, free of control characters: `"node" (pid 12): rssBytes 612.3 MiB > 500 MiB`. */
export function breachMessage(
  name: string,
  identity: ProcessIdentity,
  clauses: readonly ClauseValue[],
): string {
  const parts = clauses.map(
    ({ column, op, threshold, value }) =>
      `${column} ${quantity(column, value)} ${op} ${quantity(column, threshold)}`,
  )
  return `${JSON.stringify(name)} (pid ${identity.pid}): ${parts.join(' and ')}`
}

function quantity(column: string, value: number | undefined): string {
  if (value === undefined) return 'unknown'
  if (column === 'state') return String.fromCharCode(value)
  switch (unitOf.get(column)) {
    case 'bytes':
      return size(value)
    case 'bytes/s':
      return `${size(value)}/s`
    case '%':
      return `${round(value)} %`
    case 'ns':
      return `${round(value / 1e9)} s`
    case '1/s':
      return `${round(value)}/s`
    default:
      return String(value)
  }
}

function size(bytes: number): string {
  const power = bytes === 0 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log2(Math.abs(bytes)) / 10))
  return `${round(bytes / 1024 ** Math.max(0, power))} ${SIZES[Math.max(0, power)]}`
}

function round(value: number): number {
  const size = Math.abs(value)
  return Number(size < 0.1 ? value.toPrecision(2) : value.toFixed(size < 10 ? 2 : 1))
}
