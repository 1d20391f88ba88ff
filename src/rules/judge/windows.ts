import type { SeriesPlan } from '../compile/plan.js'
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
export const FIRST_MS = 0
const LAST_MS = 1
export const VALUE = 2
export const CURRENT = 3

export type WindowPlan = Pick<SeriesPlan, 'family' | 'buckets' | 'bucketMs' | 'windowMs'>

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

/**
 * Takes in a sample for each used lane of a chunk, from place `at` on; NaN is a missing one.
 * @returns the place after the last
 */
export function addSamples(
  memory: SeriesMemory,
  chunk: number,
  used: number,
  plan: WindowPlan,
  samples: Float64Array,
  at: number,
  nowMs: number,
  holeMs: number,
): number {
  const { numbers } = memory
  const { family } = plan
  const current = columnAt(chunk, CURRENT)
  let next = at
  for (let lane = 0; lane < LANES; lane++) {
    if (((used >>> lane) & 1) === 0) continue
    const value = samples[next++]!
    if (!takesIn(memory, chunk, lane, plan, value, nowMs, holeMs)) continue
    const cell = current + lane
    if (family === 'sum') {
      numbers[cell]! += value
      numbers[cell + LANES]!++
    } else if (family === 'max') {
      if (value > numbers[cell]!) numbers[cell] = value
    } else if (family === 'min') {
      if (value < numbers[cell]!) numbers[cell] = value
    } else if (family === 'last') {
      numbers[cell] = value
    } else if (Number.isNaN(numbers[cell]!)) {
      numbers[cell] = value
      numbers[cell + LANES] = nowMs
    }
  }
  return next
}

function takesIn(
  memory: SeriesMemory,
  chunk: number,
  lane: number,
  plan: WindowPlan,
  value: number,
  nowMs: number,
  holeMs: number,
): boolean {
  const { numbers } = memory
  const scalars = columnAt(chunk, 0) + lane
  if (!Number.isFinite(value)) {
    numbers[scalars + VALUE * LANES] = Number.NaN
    return false
  }
  const sinceMs = nowMs - numbers[scalars + LAST_MS * LANES]!
  if (!(sinceMs >= 0 && sinceMs <= holeMs)) {
    clearLane(memory, chunk, lane, plan)
    numbers[scalars + FIRST_MS * LANES] = nowMs
  }
  numbers[scalars + LAST_MS * LANES] = nowMs
  numbers[scalars + VALUE * LANES] = value
  return true
}

export function ringStart(family: SeriesPlan['family']): number {
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

export function positionOf(bucket: number, buckets: number, phase: number): number {
  return (((bucket + phase) % buckets) + buckets) % buckets
}
