import type { SeriesPlan, SeriesRead } from '../compile/plan.js'
import { chunkNumber, columnAt, LANES, type SeriesMemory } from './series_memory.js'

/**
 * Windows: the samples of a time in buckets, the bucket under way and `buckets` closed ones in a ring. Each family keeps what its
 * functions ask for, and what the closed buckets come to together, so that a tick costs a process the same however long the window.
 *
 * Columns: first sample's time, last sample's time, value now (NaN: missing), then by family
 * - sum: sum and count of the bucket under way, sum and count of the closed ones, ring of sums, ring of counts
 * - min, max: of the bucket under way, of the closed ones, ring
 * - first: first value of the bucket under way and its time, ring of values, ring of times
 * - last: last value of the bucket under way, ring
 */
const FIRST_MS = 0
const LAST_MS = 1
const VALUE = 2
const CURRENT = 3

type WindowPlan = Pick<SeriesPlan, 'family' | 'buckets' | 'bucketMs' | 'windowMs'>

/** The bucket that a time belongs to. */
export function bucketOf(nowMs: number, { bucketMs }: Pick<SeriesPlan, 'bucketMs'>): number {
  return Math.floor(nowMs / bucketMs)
}

/** Time without a sample after which a window begins anew. */
export function holeMsOf({ windowMs }: Pick<SeriesPlan, 'windowMs'>, gapLimitMs: number): number {
  return Number.isFinite(gapLimitMs) ? Math.max(windowMs / 2, gapLimitMs) : windowMs
}

/** Forgets all samples of a lane. */
export function clearLane(memory: SeriesMemory, chunk: number, lane: number, plan: WindowPlan): void {
  const { numbers } = memory
  const { family, buckets } = plan
  for (const column of [FIRST_MS, LAST_MS, VALUE]) numbers[columnAt(chunk, column) + lane] = Number.NaN
  const columns = ringEnd(family, buckets)
  const neutral = neutralOf(family)
  for (let column = CURRENT; column < columns; column++) numbers[columnAt(chunk, column) + lane] = neutral
}

/** Takes the chunk's lanes on to a bucket. `phase` staggers the work among series. */
export function advance(
  memory: SeriesMemory,
  chunk: number,
  plan: WindowPlan,
  bucket: number,
  phase: number,
): void {
  const { numbers } = memory
  const { buckets } = plan
  let at = numbers[chunk + chunkNumber.bucket]!
  if (at === bucket) return
  if (bucket - at > buckets + 1) {
    // All of it is over. When a lane was last seen still tells whether that is too long ago.
    for (let lane = 0; lane < LANES; lane++) {
      const firstMs = numbers[columnAt(chunk, FIRST_MS) + lane]!
      const lastMs = numbers[columnAt(chunk, LAST_MS) + lane]!
      clearLane(memory, chunk, lane, plan)
      numbers[columnAt(chunk, FIRST_MS) + lane] = firstMs
      numbers[columnAt(chunk, LAST_MS) + lane] = lastMs
    }
  } else {
    for (; at < bucket; at++) closeBucket(numbers, chunk, plan, positionOf(at, buckets, phase))
  }
  numbers[chunk + chunkNumber.bucket] = bucket
}

function closeBucket(numbers: Float64Array, chunk: number, plan: WindowPlan, position: number): void {
  const { family, buckets } = plan
  const current = columnAt(chunk, CURRENT)
  switch (family) {
    case 'sum': {
      const sums = columnAt(chunk, CURRENT + 4)
      const counts = columnAt(chunk, CURRENT + 4 + buckets)
      const closed = columnAt(chunk, CURRENT + 2)
      rollSum(numbers, current, closed, sums, position, buckets)
      rollSum(numbers, current + LANES, closed + LANES, counts, position, buckets)
      break
    }
    case 'min':
    case 'max':
      rollExtreme(numbers, current, columnAt(chunk, CURRENT + 2), position, buckets, family === 'min')
      break
    case 'first':
      rollRaw(numbers, current, columnAt(chunk, CURRENT + 2), position)
      rollRaw(numbers, current + LANES, columnAt(chunk, CURRENT + 2 + buckets), position)
      break
    default:
      rollRaw(numbers, current, columnAt(chunk, CURRENT + 1), position)
  }
}

function rollSum(
  numbers: Float64Array,
  current: number,
  closed: number,
  ring: number,
  position: number,
  buckets: number,
): void {
  const cell = ring + position * LANES
  for (let lane = 0; lane < LANES; lane++) {
    numbers[closed + lane]! += numbers[current + lane]! - numbers[cell + lane]!
    numbers[cell + lane] = numbers[current + lane]!
    numbers[current + lane] = 0
  }
  if (position !== 0) return
  // Once a turn from scratch: what rounding left behind does not add up, nor does a huge value outlast its window.
  for (let lane = 0; lane < LANES; lane++) numbers[closed + lane] = 0
  for (let bucket = 0; bucket < buckets; bucket++) {
    for (let lane = 0; lane < LANES; lane++) numbers[closed + lane]! += numbers[ring + bucket * LANES + lane]!
  }
}

function rollExtreme(
  numbers: Float64Array,
  current: number,
  ring: number,
  position: number,
  buckets: number,
  isMin: boolean,
): void {
  const closed = current + LANES
  const neutral = isMin ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
  for (let lane = 0; lane < LANES; lane++) {
    const cell = ring + position * LANES + lane
    const over = numbers[cell]!
    const value = numbers[current + lane]!
    numbers[cell] = value
    numbers[current + lane] = neutral
    const best = numbers[closed + lane]!
    if (isMin ? value <= best : value >= best) {
      numbers[closed + lane] = value
    } else if (over === best) {
      let left = neutral
      for (let at = ring + lane, end = at + buckets * LANES; at < end; at += LANES) {
        const other = numbers[at]!
        if (isMin ? other < left : other > left) left = other
      }
      numbers[closed + lane] = left
    }
  }
}

function rollRaw(numbers: Float64Array, current: number, ring: number, position: number): void {
  const cell = ring + position * LANES
  for (let lane = 0; lane < LANES; lane++) {
    numbers[cell + lane] = numbers[current + lane]!
    numbers[current + lane] = Number.NaN
  }
}

/** Takes in a lane's sample; NaN is a missing one. */
export function addSample(
  memory: SeriesMemory,
  chunk: number,
  lane: number,
  plan: WindowPlan,
  value: number,
  nowMs: number,
  holeMs: number,
): void {
  const { numbers } = memory
  const scalars = columnAt(chunk, 0) + lane
  if (!Number.isFinite(value)) {
    numbers[scalars + VALUE * LANES] = Number.NaN
    return
  }
  const sinceMs = nowMs - numbers[scalars + LAST_MS * LANES]!
  if (!(sinceMs >= 0 && sinceMs <= holeMs)) {
    clearLane(memory, chunk, lane, plan)
    numbers[scalars + FIRST_MS * LANES] = nowMs
  }
  numbers[scalars + LAST_MS * LANES] = nowMs
  numbers[scalars + VALUE * LANES] = value
  const current = scalars + CURRENT * LANES
  switch (plan.family) {
    case 'sum':
      numbers[current]! += value
      numbers[current + LANES]!++
      break
    case 'min':
      if (value < numbers[current]!) numbers[current] = value
      break
    case 'max':
      if (value > numbers[current]!) numbers[current] = value
      break
    case 'first':
      if (!Number.isNaN(numbers[current]!)) break
      numbers[current] = value
      numbers[current + LANES] = nowMs
      break
    default:
      numbers[current] = value
  }
}

const sorted = new Float64Array(64)

/** What a function makes of a lane's window; NaN while it is unknown. */
export function readWindow(
  memory: SeriesMemory,
  chunk: number,
  lane: number,
  plan: WindowPlan,
  read: SeriesRead,
  nowMs: number,
  phase: number,
): number {
  const { numbers } = memory
  const { windowMs, bucketMs, buckets } = plan
  const scalars = columnAt(chunk, 0) + lane
  const value = numbers[scalars + VALUE * LANES]!
  const firstMs = numbers[scalars + FIRST_MS * LANES]!
  // The whole window must have been seen, but for a sixtieth: ticks are never quite on time.
  if (Number.isNaN(value) || !(nowMs - firstMs >= windowMs - windowMs / 60)) return Number.NaN
  const current = scalars + CURRENT * LANES
  switch (read) {
    case 'avg':
      return (
        (numbers[current]! + numbers[current + 2 * LANES]!) /
        (numbers[current + LANES]! + numbers[current + 3 * LANES]!)
      )
    case 'perSecond': {
      const startMs = Math.max(firstMs, (bucketOf(nowMs, plan) - buckets) * bucketMs)
      return (numbers[current]! + numbers[current + 2 * LANES]!) / ((nowMs - startMs) / 1000)
    }
    case 'min':
      return Math.min(numbers[current]!, numbers[current + LANES]!)
    case 'max':
      return Math.max(numbers[current]!, numbers[current + LANES]!)
    case 'delta':
    case 'rate': {
      const oldest = oldestOf(numbers, chunk, lane, plan, positionOf(bucketOf(nowMs, plan), buckets, phase))
      const delta = value - numbers[oldest]!
      if (read === 'delta') return delta
      const isCurrent = oldest === current
      const atMs = numbers[isCurrent ? current + LANES : oldest + buckets * LANES]!
      return nowMs > atMs ? delta / ((nowMs - atMs) / 1000) : Number.NaN
    }
    default:
      return percentile(numbers, current, buckets, read)
  }
}

/** The cell of the oldest bucket's first value. */
function oldestOf(
  numbers: Float64Array,
  chunk: number,
  lane: number,
  { buckets }: WindowPlan,
  position: number,
): number {
  const ring = columnAt(chunk, CURRENT + 2) + lane
  for (let step = 0; step < buckets; step++) {
    const at = position + step
    const cell = ring + (at < buckets ? at : at - buckets) * LANES
    if (!Number.isNaN(numbers[cell]!)) return cell
  }
  return columnAt(chunk, CURRENT) + lane
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

function ringStart(family: SeriesPlan['family']): number {
  return family === 'sum' ? CURRENT + 4 : family === 'last' ? CURRENT + 1 : CURRENT + 2
}

function ringEnd(family: SeriesPlan['family'], buckets: number): number {
  return ringStart(family) + buckets * (family === 'sum' || family === 'first' ? 2 : 1)
}

function neutralOf(family: SeriesPlan['family']): number {
  switch (family) {
    case 'sum':
      return 0
    case 'min':
      return Number.POSITIVE_INFINITY
    case 'max':
      return Number.NEGATIVE_INFINITY
    default:
      return Number.NaN
  }
}

function positionOf(bucket: number, buckets: number, phase: number): number {
  return (((bucket + phase) % buckets) + buckets) % buckets
}
