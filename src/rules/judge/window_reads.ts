import type { SeriesRead } from '../compile/plan.js'
import { columnAt, LANES, type SeriesMemory } from './series_memory.js'
import { bucketOf, CURRENT, FIRST_MS, positionOf, ringWidth, VALUE, type WindowPlan } from './windows.js'

const sorted = new Float64Array(64)

/**
 * What a function makes of windows; NaN while it is unknown.
 * @param cells where each lane's first column is
 * @param rings where each lane's part of the ring begins
 */
export function readWindows(
  { numbers }: SeriesMemory,
  cells: Int32Array,
  rings: Int32Array,
  plan: WindowPlan,
  read: SeriesRead,
  nowMs: number,
  into: Float64Array,
  from: number,
  to: number,
): void {
  const { windowMs, bucketMs, buckets } = plan
  // The whole window must have been seen, but for a sixtieth: ticks are never quite on time.
  const leastMs = windowMs - windowMs / 60
  const bucket = bucketOf(nowMs, plan)
  const startMs = (bucket - buckets) * bucketMs
  for (let at = from; at < to; at++) {
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
      into[at] = change(numbers, current, value, read, nowMs)
    } else if (read === 'perSecond') {
      const sum = numbers[current]! + numbers[current + 2 * LANES]!
      into[at] = sum / ((nowMs - Math.max(firstMs, startMs)) / 1000)
    } else {
      into[at] = percentile(numbers, current, rings[at]!, buckets, read)
    }
  }
}

/** From the oldest bucket's first value until now; one sample alone, of a window shorter than the ticks are apart, tells no change. */
function change(
  numbers: Float64Array,
  current: number,
  value: number,
  read: 'delta' | 'rate',
  nowMs: number,
): number {
  const closed = current + 2 * LANES
  const oldest = Number.isNaN(numbers[closed]!) ? current : closed
  const atMs = numbers[oldest + LANES]!
  if (!(nowMs > atMs)) return Number.NaN
  const delta = value - numbers[oldest]!
  return read === 'delta' ? delta : delta / ((nowMs - atMs) / 1000)
}

const PERCENT: Partial<Record<SeriesRead, number>> = { p50: 0.5, p95: 0.95, p99: 0.99 }

/** By nearest rank, over the last sample of each bucket. */
function percentile(
  numbers: Float64Array,
  current: number,
  ring: number,
  buckets: number,
  read: SeriesRead,
): number {
  let count = 0
  for (let bucket = -1; bucket < buckets; bucket++) {
    const value = numbers[bucket < 0 ? current : ring + bucket * LANES]!
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
): { atMs: number; value: number }[] {
  const { numbers } = memory
  const { family, buckets, bucketMs } = plan
  const current = columnAt(chunk, CURRENT) + lane
  const ring = memory.ringAt(chunk) + lane
  const width = ringWidth(family) * LANES
  const bucket = bucketOf(nowMs, plan)
  const found: { atMs: number; value: number }[] = []
  for (let back = buckets; back >= 0; back--) {
    const cell = back === 0 ? current : ring + positionOf(bucket - back, buckets, chunk) * width
    let value = numbers[cell]!
    if (family === 'sum') value /= numbers[cell + LANES]!
    if (!Number.isFinite(value)) continue
    found.push({ atMs: back === 0 ? nowMs : (bucket - back + 1) * bucketMs, value })
  }
  return found
}
