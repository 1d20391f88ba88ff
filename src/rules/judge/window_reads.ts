import type { SeriesRead } from '../compile/plan.js'
import { columnAt, LANES, type SeriesMemory } from './series_memory.js'
import { bucketOf, CURRENT, FIRST_MS, positionOf, ringStart, VALUE, type WindowPlan } from './windows.js'

const sorted = new Float64Array(64)

/**
 * What a function makes of windows; NaN while it is unknown.
 * @param cells where each lane's first column is
 */
export function readWindows(
  { numbers }: SeriesMemory,
  cells: Int32Array,
  plan: WindowPlan,
  read: SeriesRead,
  nowMs: number,
  phase: number,
  into: Float64Array,
): void {
  const { windowMs, bucketMs, buckets } = plan
  // The whole window must have been seen, but for a sixtieth: ticks are never quite on time.
  const leastMs = windowMs - windowMs / 60
  const bucket = bucketOf(nowMs, plan)
  const startMs = (bucket - buckets) * bucketMs
  const position = positionOf(bucket, buckets, phase)
  for (let at = 0; at < cells.length; at++) {
    const scalars = cells[at]!
    const value = numbers[scalars + VALUE * LANES]!
    const firstMs = numbers[scalars + FIRST_MS * LANES]!
    if (Number.isNaN(value) || !(nowMs - firstMs >= leastMs)) {
      into[at] = Number.NaN
      continue
    }
    const current = scalars + CURRENT * LANES
    if (read === 'avg') {
      into[at] =
        (numbers[current]! + numbers[current + 2 * LANES]!) /
        (numbers[current + LANES]! + numbers[current + 3 * LANES]!)
    } else if (read === 'max') {
      into[at] = Math.max(numbers[current]!, numbers[current + LANES]!)
    } else if (read === 'min') {
      into[at] = Math.min(numbers[current]!, numbers[current + LANES]!)
    } else if (read === 'delta' || read === 'rate') {
      into[at] = change(numbers, current, buckets, position, value, read, nowMs)
    } else if (read === 'perSecond') {
      const sum = numbers[current]! + numbers[current + 2 * LANES]!
      into[at] = sum / ((nowMs - Math.max(firstMs, startMs)) / 1000)
    } else {
      into[at] = percentile(numbers, current, buckets, read)
    }
  }
}

/** From the oldest bucket's first value until now. */
function change(
  numbers: Float64Array,
  current: number,
  buckets: number,
  position: number,
  value: number,
  read: 'delta' | 'rate',
  nowMs: number,
): number {
  const oldest = oldestOf(numbers, current, buckets, position)
  const delta = value - numbers[oldest]!
  if (read === 'delta') return delta
  const atMs = numbers[oldest === current ? current + LANES : oldest + buckets * LANES]!
  return nowMs > atMs ? delta / ((nowMs - atMs) / 1000) : Number.NaN
}

function oldestOf(numbers: Float64Array, current: number, buckets: number, position: number): number {
  const ring = current + 2 * LANES
  for (let step = 0; step < buckets; step++) {
    const at = position + step
    const cell = ring + (at < buckets ? at : at - buckets) * LANES
    if (!Number.isNaN(numbers[cell]!)) return cell
  }
  return current
}

const PERCENT: Partial<Record<SeriesRead, number>> = { p50: 0.5, p95: 0.95, p99: 0.99 }

/** By nearest rank, over the last sample of each bucket. */
function percentile(numbers: Float64Array, current: number, buckets: number, read: SeriesRead): number {
  let count = 0
  for (let step = 0, cell = current; step <= buckets; step++, cell += LANES) {
    const value = numbers[cell]!
    if (Number.isNaN(value)) continue
    let at = count++
    for (; at > 0 && sorted[at - 1]! > value; at--) sorted[at] = sorted[at - 1]!
    sorted[at] = value
  }
  return sorted[Math.max(0, Math.ceil(PERCENT[read]! * count) - 1)]!
}

/** The buckets of a lane that hold something, oldest first, as pairs of time and value; for people. */
export function readBuckets(
  memory: SeriesMemory,
  chunk: number,
  lane: number,
  plan: WindowPlan,
  nowMs: number,
  phase: number,
): { atMs: number; value: number }[] {
  const { numbers } = memory
  const { family, buckets, bucketMs } = plan
  const current = columnAt(chunk, CURRENT) + lane
  const ring = columnAt(chunk, ringStart(family)) + lane
  const bucket = bucketOf(nowMs, plan)
  const found: { atMs: number; value: number }[] = []
  for (let back = buckets; back >= 0; back--) {
    const cell = back === 0 ? current : ring + positionOf(bucket - back, buckets, phase) * LANES
    let value = numbers[cell]!
    if (family === 'sum') value /= numbers[back === 0 ? current + LANES : cell + buckets * LANES]!
    if (!Number.isFinite(value)) continue
    found.push({ atMs: back === 0 ? nowMs : (bucket - back + 1) * bucketMs, value })
  }
  return found
}
