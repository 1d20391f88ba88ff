import { TrendTracker } from '../../trend/tracker.js'
import type { SeriesPlan } from '../compile/plan.js'
import { chunkCell, columnAt, LANES, type SeriesMemory } from './series_memory.js'

/** Columns of a chunk of trends. */
export const TREND = {
  /** The newest sample; NaN: missing. */
  value: 0,
  /** 1: a leak, 0: none, NaN: not known yet. */
  leak: 1,
  /** Analyses in a row that found a leak. */
  found: 2,
  /** Growth now, 0 for none, NaN while it is not known. */
  slopePerMs: 3,
  /** The highest values at the last analysis. */
  level: 4,
  analysedMs: 5,
  dueMs: 6,
  firstMs: 7,
} as const

/** Analyses that a shard does in one tick: 50 to 100 us each. */
const ANALYSES_AT_ONCE = 40
/** A single analysis takes a wave or a cache that fills for a leak now and then; three in a row rarely do. */
const LEAKS_IN_A_ROW = 3
/** The analysis says nothing of fewer. */
const LEAST_SAMPLES = 20
const LEAST_PAUSE_MS = 5000
const PAUSES_PER_SPAN = 20
/** For the part of the points in which the highest values are looked for. */
const LATE_PART = 6

/** Who grows, and how fast: points of each series, and what the last analysis made of them. */
export class Trends {
  readonly capacity: number
  readonly #memory: SeriesMemory
  readonly #buffer: SharedArrayBuffer
  readonly #trackers = new Map<number, TrendTracker>()

  constructor(memory: SeriesMemory, capacity: number, buffer: SharedArrayBuffer) {
    this.#memory = memory
    this.capacity = capacity
    this.#buffer = buffer
  }

  static readonly bytesPerRow = new TrendTracker({ capacity: 1 }).bytesPerSeries

  get bytesPerRow(): number {
    return Trends.bytesPerRow
  }

  add(chunk: number, lane: number, plan: SeriesPlan, value: number, nowMs: number): void {
    const { numbers } = this.#memory
    numbers[columnAt(chunk, TREND.value) + lane] = Number.isFinite(value) ? value : Number.NaN
    if (!Number.isFinite(value)) return
    const firstMs = columnAt(chunk, TREND.firstMs) + lane
    if (Number.isNaN(numbers[firstMs]!)) numbers[firstMs] = nowMs
    this.#tracker(plan).add(this.#row(chunk, lane), nowMs, value)
  }

  /** The series begins anew. */
  clear(chunk: number, lane: number, plan: SeriesPlan): void {
    const { numbers } = this.#memory
    for (const column of Object.values(TREND)) numbers[columnAt(chunk, column) + lane] = Number.NaN
    numbers[columnAt(chunk, TREND.found) + lane] = 0
    numbers[columnAt(chunk, TREND.dueMs) + lane] = Number.NEGATIVE_INFINITY
    this.#tracker(plan).reset(this.#row(chunk, lane))
  }

  /**
   * Analyses what is due, and no more than a tick has time for.
   * @param start where in `chunks` to begin: after what was analysed last, so that everyone has a turn
   * @returns where to begin the next time
   */
  analyze(chunks: readonly { chunk: number; plan: SeriesPlan }[], start: number, nowMs: number): number {
    const { integers } = this.#memory
    let left = ANALYSES_AT_ONCE
    for (let step = 0; step < chunks.length; step++) {
      const at = (start + step) % chunks.length
      const { chunk, plan } = chunks[at]!
      const used = integers[chunk * 2 + chunkCell.used]!
      for (let lane = 0; lane < LANES; lane++) {
        if (((used >>> lane) & 1) === 0 || !this.#isDue(chunk, lane, plan, nowMs)) continue
        // Lanes of one chunk are due in turn: those just analysed are not.
        if (left-- === 0) return at
        this.#analyzeLane(chunk, lane, plan, nowMs)
      }
    }
    return start
  }

  #isDue(chunk: number, lane: number, plan: SeriesPlan, nowMs: number): boolean {
    const dueMs = this.#memory.numbers[columnAt(chunk, TREND.dueMs) + lane]!
    // A clock that was set back must not put it off for long.
    if (nowMs < dueMs && dueMs - nowMs <= pauseMsOf(plan)) return false
    return this.#tracker(plan).count(this.#row(chunk, lane)) >= LEAST_SAMPLES
  }

  #analyzeLane(chunk: number, lane: number, plan: SeriesPlan, nowMs: number): void {
    const { numbers } = this.#memory
    const tracker = this.#tracker(plan)
    const row = this.#row(chunk, lane)
    const set = (column: number, value: number) => {
      numbers[columnAt(chunk, column) + lane] = value
    }
    const spanMs = plan.bucketMs
    const { verdict, slopePerSecond, slopeLow } = tracker.analyze(row, { minSpanMs: spanMs })
    const seenMs = nowMs - numbers[columnAt(chunk, TREND.firstMs) + lane]!
    const before = numbers[columnAt(chunk, TREND.leak) + lane]!
    const found = verdict === 'leak' ? numbers[columnAt(chunk, TREND.found) + lane]! + 1 : 0
    set(TREND.found, found)
    if (found >= LEAKS_IN_A_ROW) set(TREND.leak, 1)
    // What was a leak and has become unsure may only have paused.
    else if (before !== 1 || verdict === 'steady') set(TREND.leak, seenMs >= spanMs ? 0 : Number.NaN)
    set(TREND.slopePerMs, verdict !== 'steady' && slopeLow > 0 ? slopePerSecond / 1000 : 0)
    set(TREND.level, highest(tracker.latest(row, LATE_PART)))
    set(TREND.analysedMs, nowMs)
    set(TREND.dueMs, nowMs + pauseMsOf(plan))
  }

  points(chunk: number, lane: number, plan: SeriesPlan): { atMs: number; value: number }[] {
    return this.#tracker(plan).latest(this.#row(chunk, lane), 1)
  }

  #row(chunk: number, lane: number): number {
    return this.#memory.integers[chunk * 2 + chunkCell.trendRow]! + lane
  }

  #tracker({ windowMs }: SeriesPlan): TrendTracker {
    const known = this.#trackers.get(windowMs)
    if (known !== undefined) return known
    const tracker = new TrendTracker({ capacity: this.capacity, windowMs, buffer: this.#buffer })
    this.#trackers.set(windowMs, tracker)
    return tracker
  }
}

/** Copies the points of all series into a larger memory. */
export function growTrends(
  from: { buffer: SharedArrayBuffer; capacity: number },
  to: { buffer: SharedArrayBuffer; capacity: number },
): void {
  const tracker = new TrendTracker(to)
  tracker.takeOver(new TrendTracker(from))
}

function pauseMsOf({ bucketMs }: SeriesPlan): number {
  return Math.max(LEAST_PAUSE_MS, bucketMs / PAUSES_PER_SPAN)
}

function highest(points: readonly { value: number }[]): number {
  return points.reduce((most, { value }) => Math.max(most, value), Number.NEGATIVE_INFINITY)
}
