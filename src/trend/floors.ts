import { findTroughs, type Trough } from './troughs.js'

/**
 * Samples, or points that each stand for several: the time of the lowest value, it and the highest. Times do not
 * fall.
 */
export interface Points {
  count: number
  /** In ms since the first. */
  timesMs: Float64Array
  low: Float64Array
  high: Float64Array
}

/** Equal parts of time that a series is looked at in. More would cost time and tell hardly more. */
export const BINS = 60

/** The course of the floors: what stays in use after memory was given back. At most one floor per bin. */
export interface Floors {
  count: number
  readonly timesMs: Float64Array
  readonly values: Float64Array
  /** The highest value of the bin. */
  readonly high: Float64Array
  /** Height of the cycles that were taken away; 0 without three of them. */
  height: number
}

export function emptyPoints(capacity: number): Points {
  const array = () => new Float64Array(capacity)
  return { count: 0, timesMs: array(), low: array(), high: array() }
}

export function emptyFloors(): Floors {
  const array = () => new Float64Array(BINS)
  return { count: 0, timesMs: array(), values: array(), high: array(), height: 0 }
}

/** A fall or a rise is a turn when it is at least this part of the whole range. */
const TURN = 0.3

/** Times that cycles are taken away: those of each collection, then those of partial and full ones. */
const PASSES = 3

/** Lowest and highest of each bin of equal time; bins without a sample are left out. */
export function fillBins(points: Points, most: number, into: Floors): void {
  const { count, timesMs, low, high } = points
  const spanMs = timesMs[count - 1]! - timesMs[0]!
  const perMs = count > most && spanMs > 0 ? most / spanMs : 0
  let bins = 0
  let current = -1
  for (let i = 0; i < count; i++) {
    // The last sample lies on the end of the last bin.
    const bin = perMs === 0 ? i : Math.min(most - 1, Math.floor((timesMs[i]! - timesMs[0]!) * perMs))
    if (bin !== current) {
      current = bin
      into.timesMs[bins] = timesMs[i]!
      into.values[bins] = low[i]!
      into.high[bins] = high[i]!
      bins++
      continue
    }
    if (low[i]! < into.values[bins - 1]!) {
      into.values[bins - 1] = low[i]!
      into.timesMs[bins - 1] = timesMs[i]!
    }
    if (high[i]! > into.high[bins - 1]!) into.high[bins - 1] = high[i]!
  }
  into.count = bins
  into.height = 0
}

function rangeOf(values: Float64Array, count: number): number {
  let least = Number.POSITIVE_INFINITY
  let most = Number.NEGATIVE_INFINITY
  for (let i = 0; i < count; i++) {
    if (values[i]! < least) least = values[i]!
    if (values[i]! > most) most = values[i]!
  }
  return most - least
}

/** From the lowest to the highest of all. */
function heightOf({ values, high, count }: Floors): number {
  let least = Number.POSITIVE_INFINITY
  let most = Number.NEGATIVE_INFINITY
  for (let i = 0; i < count; i++) {
    if (values[i]! < least) least = values[i]!
    if (high[i]! > most) most = high[i]!
  }
  return most - least
}

const troughs: Trough[] = []

/** The troughs of the bins that are large beside all that happens; the same array for each call. */
export function largeTroughs({ values, count }: Floors): readonly Trough[] {
  findTroughs(values, values, count, TURN * rangeOf(values, count), troughs)
  return troughs
}

/** Turns lowest values into floors: what every cycle of growing and giving back comes down to. */
export function takeCyclesAway(floors: Floors): void {
  const { timesMs, values } = floors
  floors.height = 0
  for (let pass = 0; pass < PASSES; pass++) {
    largeTroughs(floors)
    if (troughs.length === 0) return
    if (pass === 0 && troughs.length >= 3) floors.height = heightOf(floors)
    let longestMs = 0
    let from = 0
    for (const [k, { at }] of troughs.entries()) {
      // The first one may be the end of a cycle that began before the series.
      const ms = (timesMs[at]! - timesMs[from]!) * (k === 0 ? 2 : 1)
      if (ms > longestMs) longestMs = ms
      for (let i = from; i < at; i++) values[i] = Math.min(values[i]!, values[at]!)
      from = at
    }
    // What grew since the last trough may be given back as it was before: only after a much longer time it is a floor.
    if (timesMs[floors.count - 1]! - timesMs[from]! > 2 * longestMs) continue
    // What fell lower than the trough is one at once, although that fall is not over.
    for (let i = from + 1; i < floors.count; i++) values[from] = Math.min(values[from]!, values[i]!)
    floors.count = from + 1
  }
}
