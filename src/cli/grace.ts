import type { FaultList } from './fault.js'
import { readNumber } from './values.js'

/** Of every command that ends processes. */
export const GRACE = { flag: '--grace', wanted: 'seconds from 0 to 3600, for example 10', min: 0, max: 3600 }
export const DEFAULT_GRACE_MS = 10_000

export function readGraceMs(raw: string | undefined, faults: FaultList): number | undefined {
  if (raw === undefined) return DEFAULT_GRACE_MS
  const seconds = readNumber(raw, GRACE, faults)
  return seconds && seconds * 1000
}
