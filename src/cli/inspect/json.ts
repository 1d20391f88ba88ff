import { safeJson } from '../terminal.js'

/** One JSON value: what is undefined is null, no bound is "unlimited", and a set of bits is in hexadecimal. */
export function printJson(value: unknown): void {
  process.stdout.write(`${safeJson(plain(value))}\n`)
}

function plain(value: unknown): unknown {
  if (value === undefined) return null
  if (typeof value === 'bigint') return `0x${value.toString(16)}`
  if (value === Number.POSITIVE_INFINITY) return 'unlimited'
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]))
}
