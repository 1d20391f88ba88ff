import type { SeriesPlan } from '../compile/plan.js'
import { chunkNumber, chunkShapeOf, columnAt, LANES, partOf, type SeriesMemory } from './series_memory.js'

/**
 * Windows: the samples of a time in buckets, the bucket under way and `buckets` closed ones in a ring. Each family keeps what its
 * functions ask for, and what the closed buckets come to together, so that a tick costs a process the same however long the window.
 *
 * Columns: first sample's time, last sample's time, value now (NaN: missing), then by family
 * - sum: sum and count of the bucket under way, sum and count of the closed ones; ring of sums and counts side by side
 * - min, max: of the bucket under way, of the closed ones; ring, what is left of it, and extremes of its parts (see `closeExtreme`)
 * - first: first value of the bucket under way and its time, first of the closed ones and its time; ring of values and times
 * - last: last value of the bucket under way; ring
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
  const { columns, ringColumns } = chunkShapeOf({ family, buckets })
  const neutral = neutralOf(family)
  const start = columnAt(chunk, 0) + lane
  const ring = memory.ringAt(chunk) + lane
  for (let column = 0; column < columns; column++)
    numbers[start + column * LANES] = column < CURRENT ? Number.NaN : neutral
  for (let column = 0; column < ringColumns; column++) numbers[ring + column * LANES] = neutral
}

/** Takes the chunk's lanes on to a bucket. */
export function advance(memory: SeriesMemory, chunk: number, plan: WindowPlan, bucket: number): void {
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
    for (; at < bucket; at++) closeBucket(memory, chunk, plan, positionOf(at, buckets, chunk))
  }
  numbers[chunk + chunkNumber.bucket] = bucket
}

function closeBucket(memory: SeriesMemory, chunk: number, plan: WindowPlan, position: number): void {
  const { numbers } = memory
  const { family, buckets } = plan
  const current = columnAt(chunk, CURRENT)
  const ring = memory.ringAt(chunk)
  switch (family) {
    case 'sum':
      closeSum(numbers, current, ring, position, buckets)
      break
    case 'min':
    case 'max':
      closeExtreme(numbers, current, ring, position, buckets, family === 'min')
      break
    case 'first':
      closeFirst(numbers, current, ring, position, buckets)
      break
    default:
      numbers.copyWithin(ring + position * LANES, current, current + LANES)
      numbers.fill(Number.NaN, current, current + LANES)
  }
}

const PAIR = 2 * LANES

function closeSum(
  numbers: Float64Array,
  current: number,
  ring: number,
  position: number,
  buckets: number,
): void {
  const cell = ring + position * PAIR
  const closed = current + PAIR
  // Sums and counts alike.
  for (let at = 0; at < PAIR; at++) {
    const value = numbers[current + at]!
    numbers[closed + at]! += value - numbers[cell + at]!
    numbers[cell + at] = value
    numbers[current + at] = 0
  }
  if (position !== 0) return
  // Once a turn from scratch: what rounding left behind does not add up, nor does a huge value outlast its window.
  for (let at = 0; at < PAIR; at++) numbers[closed + at] = 0
  for (let bucket = ring; bucket < ring + buckets * PAIR; bucket += PAIR) {
    for (let at = 0; at < PAIR; at++) numbers[closed + at]! += numbers[bucket + at]!
  }
}

/**
 * The ring is written part by part. When a part is begun, it is reckoned ahead what is left after each of its buckets that will be
 * overwritten: those behind it, and the other parts. The rest is what was written since.
 */
function closeExtreme(
  numbers: Float64Array,
  current: number,
  ring: number,
  position: number,
  buckets: number,
  isMin: boolean,
): void {
  const part = partOf(buckets)
  const step = position % part
  const closed = current + LANES
  const cell = ring + position * LANES
  const left = ring + (buckets + step) * LANES
  const written = ring + (buckets + part + (position - step) / part) * LANES
  const neutral = isMin ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
  if (step === 0) {
    numbers.fill(neutral, written, written + LANES)
    reckonLeft(numbers, ring, position, buckets, isMin)
  }
  for (let lane = 0; lane < LANES; lane++) {
    const value = numbers[current + lane]!
    const best = extreme(numbers[written + lane]!, value, isMin)
    numbers[cell + lane] = value
    numbers[written + lane] = best
    numbers[closed + lane] = extreme(best, numbers[left + lane]!, isMin)
    numbers[current + lane] = neutral
  }
}

function reckonLeft(
  numbers: Float64Array,
  ring: number,
  start: number,
  buckets: number,
  isMin: boolean,
): void {
  const part = partOf(buckets)
  const left = ring + buckets * LANES
  const parts = left + part * LANES
  const partsEnd = parts + Math.ceil(buckets / part) * LANES
  const last = Math.min(part, buckets - start) - 1
  for (let lane = 0; lane < LANES; lane++) {
    let best = isMin ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
    for (let cell = parts + lane; cell < partsEnd; cell += LANES) best = extreme(best, numbers[cell]!, isMin)
    numbers[left + last * LANES + lane] = best
    for (let step = last; step > 0; step--) {
      best = extreme(best, numbers[ring + (start + step) * LANES + lane]!, isMin)
      numbers[left + (step - 1) * LANES + lane] = best
    }
  }
}

function extreme(a: number, b: number, isMin: boolean): number {
  return a < b === isMin ? a : b
}

function closeFirst(
  numbers: Float64Array,
  current: number,
  ring: number,
  position: number,
  buckets: number,
): void {
  const cell = ring + position * PAIR
  const oldest = current + PAIR
  for (let lane = 0; lane < LANES; lane++) {
    const isOver = !Number.isNaN(numbers[cell + lane]!)
    const isEmpty = Number.isNaN(numbers[oldest + lane]!)
    for (let at = lane; at < PAIR; at += LANES) {
      numbers[cell + at] = numbers[current + at]!
      numbers[current + at] = Number.NaN
    }
    if (!isOver && !isEmpty) continue
    let from = cell
    if (!isEmpty) {
      for (let step = 1; step <= buckets; step++) {
        const next = position + step
        from = ring + (next < buckets ? next : next - buckets) * PAIR
        if (!Number.isNaN(numbers[from + lane]!)) break
      }
    }
    for (let at = lane; at < PAIR; at += LANES) numbers[oldest + at] = numbers[from + at]!
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
  const scalars = columnAt(chunk, 0)
  let next = at
  for (let lane = 0; lane < LANES; lane++) {
    if (((used >>> lane) & 1) === 0) continue
    const value = samples[next++]!
    const cell = scalars + lane
    if (!Number.isFinite(value)) {
      numbers[cell + VALUE * LANES] = Number.NaN
      continue
    }
    const sinceMs = nowMs - numbers[cell + LAST_MS * LANES]!
    if (!(sinceMs >= 0 && sinceMs <= holeMs)) {
      clearLane(memory, chunk, lane, plan)
      numbers[cell + FIRST_MS * LANES] = nowMs
    }
    numbers[cell + LAST_MS * LANES] = nowMs
    numbers[cell + VALUE * LANES] = value
  }
  takeIn(numbers, columnAt(chunk, VALUE), columnAt(chunk, CURRENT), plan.family, nowMs)
  return next
}

/** What an unused lane takes in does no harm: it is cleared before it is used. */
function takeIn(
  numbers: Float64Array,
  values: number,
  current: number,
  family: SeriesPlan['family'],
  nowMs: number,
): void {
  for (let lane = 0; lane < LANES; lane++) {
    const value = numbers[values + lane]!
    const cell = current + lane
    if (Number.isNaN(value)) continue
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
}

/** Columns of a bucket in the ring. */
export function ringWidth(family: SeriesPlan['family']): number {
  return family === 'sum' || family === 'first' ? 2 : 1
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

/** Where in the ring of a chunk a bucket lies. Staggered among chunks, as is the work that a turn of the ring makes. */
export function positionOf(bucket: number, buckets: number, chunk: number): number {
  return (((bucket + chunk / 4) % buckets) + buckets) % buckets
}
