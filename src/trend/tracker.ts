import { type Checks, checkOptions, NUMBER, refuse } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import { emptyPoints } from './floors.js'
import { analyzePoints, checkTrendOptions, type Trend, type TrendOptions } from './trend.js'

/** Options of a `TrendTracker`. */
export interface TrendTrackerOptions {
  /** Series that are followed at most, one per slot from 0 on: slots of the process table, for example. */
  capacity: number
  /** Points kept per series, 64 to 65,536: 128 when not given. Each takes 12 bytes. */
  points?: number | undefined
  /** How far back to look, in ms; what is older is dropped. Everything since the series began when not given. */
  windowMs?: number | undefined
  /**
   * Memory of a tracker of the same capacity and points, of another thread for example; fresh memory when not given.
   */
  buffer?: SharedArrayBuffer | undefined
}

const headerCell = { originMs: 0, lastMs: 1, shiftMs: 2, spacingMs: 3, count: 4 } as const
const HEADER_CELLS = 5
const LEAST_POINTS = 64
const MOST_POINTS = 65_536

const CHECKS: Checks<TrendTrackerOptions> = {
  capacity: NUMBER,
  points: NUMBER,
  windowMs: NUMBER,
  buffer: (name, value) => {
    if (!(value instanceof SharedArrayBuffer)) refuse(name, value, 'a SharedArrayBuffer')
  },
}

/**
 * Follows many series sample by sample in little memory, all of it in one SharedArrayBuffer: a series that fills its
 * points is thinned out by joining neighbours, of which the lowest and the highest value are kept. Threads may share
 * the memory as long as no two use the same slot at a time.
 */
export class TrendTracker {
  readonly points: number
  readonly windowMs: number
  #capacity: number
  #buffer: SharedArrayBuffer
  #header!: Float64Array
  #seconds!: Float32Array
  #low!: Float32Array
  #high!: Float32Array
  readonly #scratch

  /** @throws ProcmusterError `INVALID_ARGUMENT` for a number out of its range or a buffer of another size */
  constructor(options: TrendTrackerOptions) {
    checkOptions(options, CHECKS)
    const { capacity, points = 128, windowMs, buffer } = options
    if (!Number.isSafeInteger(capacity) || capacity < 1)
      invalid(`capacity is ${capacity}: give a whole number from 1 on`)
    if (!Number.isSafeInteger(points) || points < LEAST_POINTS || points > MOST_POINTS) {
      invalid(`points is ${points}: give a whole number from ${LEAST_POINTS} to ${MOST_POINTS}`)
    }
    if (windowMs !== undefined && !(windowMs > 0)) invalid(`windowMs is ${windowMs}: give a number over 0`)
    this.points = points
    this.windowMs = windowMs ?? Number.POSITIVE_INFINITY
    this.#capacity = capacity
    const bytes = capacity * this.bytesPerSeries
    if (buffer !== undefined && buffer.byteLength !== bytes) {
      invalid(
        `the buffer has ${buffer.byteLength} bytes: ${capacity} series of ${points} points take ${bytes}`,
      )
    }
    this.#buffer = buffer ?? new SharedArrayBuffer(bytes)
    this.#scratch = emptyPoints(points)
    this.#map()
  }

  get capacity(): number {
    return this.#capacity
  }

  /** The memory of all series; another one after `grow`. */
  get buffer(): SharedArrayBuffer {
    return this.#buffer
  }

  get bytesPerSeries(): number {
    return HEADER_CELLS * Float64Array.BYTES_PER_ELEMENT + this.points * 3 * Float32Array.BYTES_PER_ELEMENT
  }

  #map(): void {
    const cells = this.#capacity * this.points
    const end = this.#capacity * HEADER_CELLS * Float64Array.BYTES_PER_ELEMENT
    this.#header = new Float64Array(this.#buffer, 0, this.#capacity * HEADER_CELLS)
    this.#seconds = new Float32Array(this.#buffer, end, cells)
    this.#low = new Float32Array(this.#buffer, end + cells * 4, cells)
    this.#high = new Float32Array(this.#buffer, end + cells * 8, cells)
  }

  /** Moves to memory for more series; a smaller capacity changes nothing. */
  grow(capacity: number): void {
    if (capacity <= this.#capacity) return
    const grown = new TrendTracker({ capacity, points: this.points })
    grown.takeOver(this)
    this.#capacity = capacity
    this.#buffer = grown.#buffer
    this.#map()
  }

  /** Copies all series of a tracker of the same points that has no more capacity than this one. */
  takeOver(from: TrendTracker): void {
    this.#header.set(from.#header)
    this.#seconds.set(from.#seconds)
    this.#low.set(from.#low)
    this.#high.set(from.#high)
  }

  /** Forgets the series of a slot: the process was restarted, has run another program, or is another one. */
  reset(slot: number): void {
    const header = this.#headerOf(slot)
    this.#header.fill(0, header, header + HEADER_CELLS)
  }

  /** Points that a slot has now. */
  count(slot: number): number {
    return this.#header[this.#headerOf(slot) + headerCell.count]!
  }

  /**
   * Takes in one sample. A missing value (NaN) is left out. When the clock is set back, that sample counts as taken
   * at the time of the one before, and time goes on from there.
   */
  add(slot: number, timeMs: number, value: number): void {
    const at = this.#headerOf(slot)
    if (!Number.isFinite(value) || !Number.isFinite(timeMs)) return
    const header = this.#header
    if (header[at + headerCell.count] === 0) {
      header[at + headerCell.originMs] = timeMs
      header[at + headerCell.lastMs] = timeMs
    }
    const lastMs = header[at + headerCell.lastMs]!
    let nowMs = timeMs + header[at + headerCell.shiftMs]!
    if (nowMs < lastMs) {
      header[at + headerCell.shiftMs] = lastMs - timeMs
      nowMs = lastMs
    }
    header[at + headerCell.lastMs] = nowMs
    if (this.#join(slot, at, nowMs, value)) return
    if (header[at + headerCell.count] === this.points) this.#makeRoom(slot, at, nowMs)
    if (this.#join(slot, at, nowMs, value)) return
    const cell = slot * this.points + header[at + headerCell.count]!
    this.#seconds[cell] = (nowMs - header[at + headerCell.originMs]!) / 1000
    this.#low[cell] = value
    this.#high[cell] = value
    header[at + headerCell.count]!++
  }

  /**
   * What `analyzeTrend` makes of the points kept.
   * @throws ProcmusterError `INVALID_ARGUMENT` for a slot or an option out of its range
   */
  analyze(slot: number, options: TrendOptions = {}): Trend {
    checkTrendOptions(options)
    const at = this.#headerOf(slot)
    const header = this.#header
    const count = header[at + headerCell.count]!
    const originMs = header[at + headerCell.originMs]!
    const startMs = header[at + headerCell.lastMs]! - this.windowMs - originMs
    const { timesMs, low, high } = this.#scratch
    let firstMs = 0
    let taken = 0
    for (let cell = slot * this.points, end = cell + count; cell < end; cell++) {
      const sinceMs = this.#seconds[cell]! * 1000
      if (sinceMs < startMs) continue
      if (taken === 0) firstMs = sinceMs
      timesMs[taken] = sinceMs - firstMs
      low[taken] = this.#low[cell]!
      high[taken] = this.#high[cell]!
      taken++
    }
    this.#scratch.count = taken
    return analyzePoints(this.#scratch, originMs + firstMs - header[at + headerCell.shiftMs]!, options)
  }

  /** The latest `1 / part` of a slot's points, oldest first, each with its highest value. */
  latest(slot: number, part: number): { atMs: number; value: number }[] {
    const at = this.#headerOf(slot)
    const header = this.#header
    const count = header[at + headerCell.count]!
    const originMs = header[at + headerCell.originMs]! - header[at + headerCell.shiftMs]!
    const points: { atMs: number; value: number }[] = []
    const end = slot * this.points + count
    for (let cell = end - Math.ceil(count / part); cell < end; cell++)
      points.push({ atMs: originMs + this.#seconds[cell]! * 1000, value: this.#high[cell]! })
    return points
  }

  #headerOf(slot: number): number {
    if (!Number.isInteger(slot) || slot < 0 || slot >= this.#capacity) {
      invalid(`slot is ${slot}: this tracker has slots 0 to ${this.#capacity - 1}`)
    }
    return slot * HEADER_CELLS
  }

  /** Joins a sample to the last point if it belongs to the same stretch of time. */
  #join(slot: number, at: number, nowMs: number, value: number): boolean {
    const header = this.#header
    const count = header[at + headerCell.count]!
    if (count === 0) return false
    const cell = slot * this.points + count - 1
    const seconds = (nowMs - header[at + headerCell.originMs]!) / 1000
    const spacing = header[at + headerCell.spacingMs]! / 1000
    const isSame =
      spacing === 0
        ? Math.fround(seconds) === this.#seconds[cell]
        : Math.floor(seconds / spacing) <= Math.floor(this.#seconds[cell]! / spacing)
    if (!isSame) return false
    if (value < this.#low[cell]!) {
      this.#low[cell] = value
      this.#seconds[cell] = seconds
    }
    if (value > this.#high[cell]!) this.#high[cell] = value
    return true
  }

  #makeRoom(slot: number, at: number, nowMs: number): void {
    const header = this.#header
    const first = slot * this.points
    const originMs = header[at + headerCell.originMs]!
    let old = 0
    while (old < this.points && originMs + this.#seconds[first + old]! * 1000 < nowMs - this.windowMs) old++
    if (old > 0) this.#drop(slot, at, old, nowMs)
    if (old >= this.points >> 2) return
    // As wide as leaves half of the points free.
    const spanMs = nowMs - originMs
    const spacingMs = Math.max(2 * header[at + headerCell.spacingMs]!, (2 * spanMs) / this.points)
    header[at + headerCell.spacingMs] = spacingMs
    this.#thin(slot, at, spacingMs / 1000)
  }

  /** Forgets the oldest points; times are counted from the first that stays, so that they keep their precision. */
  #drop(slot: number, at: number, old: number, nowMs: number): void {
    const first = slot * this.points
    const end = first + this.points
    for (const array of [this.#seconds, this.#low, this.#high]) array.copyWithin(first, first + old, end)
    const count = this.points - old
    const header = this.#header
    header[at + headerCell.count] = count
    const originMs = header[at + headerCell.originMs]!
    const gone = count > 0 ? this.#seconds[first]! : (nowMs - originMs) / 1000
    for (let cell = first; cell < first + count; cell++) this.#seconds[cell]! -= gone
    header[at + headerCell.originMs] = originMs + gone * 1000
  }

  /** Joins the points of each stretch of time. */
  #thin(slot: number, at: number, spacing: number): void {
    const first = slot * this.points
    const end = first + this.#header[at + headerCell.count]!
    let to = first - 1
    let stretch = -1
    for (let cell = first; cell < end; cell++) {
      const own = Math.floor(this.#seconds[cell]! / spacing)
      if (own !== stretch) {
        stretch = own
        to++
        this.#seconds[to] = this.#seconds[cell]!
        this.#low[to] = this.#low[cell]!
        this.#high[to] = this.#high[cell]!
        continue
      }
      if (this.#low[cell]! < this.#low[to]!) {
        this.#low[to] = this.#low[cell]!
        this.#seconds[to] = this.#seconds[cell]!
      }
      if (this.#high[cell]! > this.#high[to]!) this.#high[to] = this.#high[cell]!
    }
    this.#header[at + headerCell.count] = to + 1 - first
  }
}

function invalid(message: string): never {
  throw new ProcmusterError('INVALID_ARGUMENT', { message })
}
