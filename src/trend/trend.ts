import { type Checks, checkHas, checkOptions, NUMBER, refuse } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import { findRisingLows } from './envelope.js'
import type { Findings, GrowthOptions } from './findings.js'
import {
  BINS,
  emptyFloors,
  emptyPoints,
  fillBins,
  largeTroughs,
  type Points,
  takeCyclesAway,
} from './floors.js'
import { findGrowth, type OverallGrowth, overallGrowth } from './growth.js'
import { inWords, type Judged } from './reason.js'
import { theilSen } from './slope.js'
import { findTroughs } from './troughs.js'

/** `unsure`: there are too few samples, or there is growth that may become a leak or end. */
export type TrendVerdict = 'leak' | 'steady' | 'unsure'

/** What counts as growth, and for how long. */
export interface TrendOptions {
  /** Where memory is gone, in the unit of the values; for `exhaustionMs`. */
  limit?: number | undefined
  /**
   * Growth is called a leak only when it was seen for this long: a warm-up or a cache that fills looks the same until
   * it ends. 900,000 (15 minutes) when not given; less finds leaks sooner and takes more of those for leaks.
   */
  minSpanMs?: number | undefined
  /** Least growth that counts, as a part of the level at its onset. 0.05 when not given. */
  minGrowth?: number | undefined
}

/** A series, for `analyzeTrend`. */
export interface TrendInput extends TrendOptions {
  /** Times in ms on any one clock, ascending; equal ones are allowed, their lowest and highest values count. */
  readonly timesMs: ArrayLike<number>
  /** As many values, of any unit, bytes for example. NaN and infinite ones are missing, and left out. */
  readonly values: ArrayLike<number>
}

/** What `analyzeTrend` made of a series. */
export interface Trend {
  verdict: TrendVerdict
  /**
   * Slope of the floors (what is left when memory was given back) in units of the values: since the onset of the
   * leak, or over the whole series when there is none. 0 for fewer than two samples.
   */
  slopePerSecond: number
  /** Lower end of the slope's 95 % interval. */
  slopeLow: number
  /** Upper end of the slope's 95 % interval. */
  slopeHigh: number
  /**
   * How far from the line between the verdicts, from 0 to 1: 0.5 for a leak that only just is one. No probability. 0
   * when unsure.
   */
  confidence: number
  /** When the growth was first seen, on the clock of `timesMs`; undefined without a leak. */
  onsetMs: number | undefined
  /** Cycles of growing and giving back that were seen, of at least 5 % of the level. */
  cycles: number
  /** Time from the last sample until the highest values reach `limit`; undefined without a limit or growth. */
  exhaustionMs: number | undefined
  /** The verdict's reason in plain words, for people. */
  reason: string
}

export const MIN_GROWTH = 0.05
const LEAST_SAMPLES = 20
/** Least height of a cycle that is told, as a part of the level. */
const CYCLE_HEIGHT = 0.05
/** Bins of a second look, in which cycles that the first left over vanish. */
const COARSE_BINS = 30

const floors = emptyFloors()
const PARTS = 6
const swings = new Float64Array(PARTS)
let scratch = emptyPoints(1024)

/**
 * Tells a leak from memory that is used: growth of the floors that lasts, whatever cycles lie over it, told apart
 * from warm-ups, steps, filled caches, waves and walks. A pure function: it keeps nothing from call to call. A single
 * fall back after a leak is a restart, and what came before it is left out; with more of them give it the samples
 * since the last restart.
 * @throws ProcmusterError `INVALID_ARGUMENT` when the arrays differ in length, a time is before the one before it (the
 * clock was set back: use a monotonic one), or an option is not a finite number in its range
 */
export function analyzeTrend(input: TrendInput): Trend {
  checkHas('the series', input, ['timesMs', 'values'], 'timesMs and values')
  // A series may say more of itself.
  const { timesMs, values, limit, minSpanMs, minGrowth } = input
  const options = { limit, minSpanMs, minGrowth }
  checkTrendOptions(options)
  // Loading may make `scratch` anew.
  const originMs = loadPoints(timesMs, values)
  return analyzePoints(scratch, originMs, options)
}

/**
 * As `analyzeTrend`, with the growth of the floors from the first fifth of the time to the last; undefined when there
 * are too few samples.
 */
export function analyzeWithGrowth(input: TrendInput): { trend: Trend; growth: OverallGrowth | undefined } {
  const trend = analyzeTrend(input)
  if (scratch.count < LEAST_SAMPLES) return { trend, growth: undefined }
  fillBins(scratch, BINS, floors)
  takeCyclesAway(floors)
  return { trend, growth: overallGrowth(floors) }
}

function checkNumbers(name: string, list: ArrayLike<number>): void {
  if (typeof list !== 'object' || !Number.isInteger(list?.length)) refuse(name, list, 'a list of numbers')
}

/** Text that looks like a number would be left out without a word. */
function checkMissing(name: string, value: unknown): void {
  if (typeof value !== 'number' && value != null) refuse(name, value, 'a number, or NaN for a missing one')
}

/**
 * Takes samples to `scratch`, without missing ones and with those of the same time as one; returns the time of the
 * first.
 */
function loadPoints(timesMs: ArrayLike<number>, values: ArrayLike<number>): number {
  checkNumbers('timesMs', timesMs)
  checkNumbers('values', values)
  const { length } = timesMs
  if (values.length !== length) {
    invalid(`there are ${length} times and ${values.length} values: give one value for each time`)
  }
  if (scratch.timesMs.length < length) scratch = emptyPoints(length * 2)
  const { timesMs: times, low, high } = scratch
  let count = 0
  let originMs = 0
  for (let i = 0; i < length; i++) {
    const value = values[i]!
    const atMs = timesMs[i]!
    if (!Number.isFinite(value) || !Number.isFinite(atMs)) {
      checkMissing(`values[${i}]`, value)
      checkMissing(`timesMs[${i}]`, atMs)
      continue
    }
    if (count === 0) originMs = atMs
    const sinceMs = atMs - originMs
    const beforeMs = count === 0 ? -1 : times[count - 1]!
    if (count > 0 && sinceMs < beforeMs) {
      invalid(`timesMs[${i}] is ${atMs}, earlier than the sample before: times must ascend`)
    }
    if (sinceMs === beforeMs) {
      if (value < low[count - 1]!) low[count - 1] = value
      if (value > high[count - 1]!) high[count - 1] = value
      continue
    }
    times[count] = sinceMs
    low[count] = value
    high[count] = value
    count++
  }
  scratch.count = count
  return originMs
}

const CHECKS: Checks<TrendOptions> = { limit: NUMBER, minSpanMs: NUMBER, minGrowth: NUMBER }

export function checkTrendOptions(options: TrendOptions): void {
  checkOptions(options, CHECKS)
  const { limit, minSpanMs, minGrowth } = options
  if (limit !== undefined && !Number.isFinite(limit)) invalid(`limit is ${limit}: give a finite number`)
  if (minSpanMs !== undefined && !(minSpanMs > 0 && Number.isFinite(minSpanMs))) {
    invalid(`minSpanMs is ${minSpanMs}: give a finite number over 0`)
  }
  if (minGrowth !== undefined && !(minGrowth > 0 && Number.isFinite(minGrowth))) {
    invalid(`minGrowth is ${minGrowth}: give a finite number over 0, for example 0.05`)
  }
}

function invalid(message: string): never {
  throw new ProcmusterError('INVALID_ARGUMENT', { message })
}

/** As `analyzeTrend`, for points whose options were checked. `originMs` is the time of the first one. */
export function analyzePoints(points: Points, originMs: number, options: TrendOptions): Trend {
  const { limit, minSpanMs = 900_000, minGrowth = MIN_GROWTH } = options
  const needed: GrowthOptions = { minSpanMs, minGrowth }
  const trend: Trend = {
    verdict: 'unsure',
    slopePerSecond: 0,
    slopeLow: 0,
    slopeHigh: 0,
    confidence: 0,
    onsetMs: undefined,
    cycles: 0,
    exhaustionMs: undefined,
    reason: '',
  }
  const since = points.count < LEAST_SAMPLES ? points : sinceRestart(points, needed)
  const judged: Judged = { samples: since.count, spanMs: 0, isRestarted: since !== points, ...needed }
  if (since.count < LEAST_SAMPLES) {
    trend.reason = inWords(trend, undefined, judged, LEAST_SAMPLES)
    return trend
  }
  judged.spanMs = since.timesMs[since.count - 1]! - since.timesMs[0]!
  trend.cycles = countCycles(since)
  const findings = judge(since, trend.cycles, needed)
  const isLeak = findings?.isLeak === true
  const slope = theilSen(floors.timesMs, floors.values, isLeak ? findings.onset : 0, floors.count)
  trend.slopePerSecond = slope.perMs * 1000
  trend.slopeLow = slope.low * 1000
  trend.slopeHigh = slope.high * 1000
  const score = findings === undefined ? 0 : Math.max(0, findings.score)
  if (isLeak) {
    trend.verdict = 'leak'
    trend.confidence = 1 - 0.5 / Math.min(score, 5) ** 2
    trend.onsetMs = originMs + floors.timesMs[findings.onset]!
  } else if (!findings?.isGrowing) {
    trend.verdict = 'steady'
    trend.confidence = 1 - Math.min(score, 1) / 2
  }
  if (limit !== undefined && trend.verdict !== 'steady' && slope.low > 0) {
    trend.exhaustionMs = Math.max(0, (limit - highestOfLate(since)) / slope.perMs)
  }
  trend.reason = inWords(trend, findings, judged, LEAST_SAMPLES)
  return trend
}

/** Takes the bins of the points in `floors`, and leaves there what the findings are about. */
function judge(points: Points, cycles: number, needed: GrowthOptions): Findings | undefined {
  const lows = findRisingLows(floors, cycles, needed)
  takeCyclesAway(floors)
  const fine = findGrowth(floors, needed)
  if (fine?.isLeak) return fine
  if (lows?.isLeak) {
    fillBins(points, BINS, floors)
    return lows
  }
  fillBins(points, COARSE_BINS, floors)
  takeCyclesAway(floors)
  const coarse = findGrowth(floors, needed)
  return coarse?.isLeak ? coarse : (fine ?? coarse)
}

/**
 * The points after a restart: a fall at once to where growth began that was called a leak until then. Leaves their
 * bins in `floors`.
 */
function sinceRestart(points: Points, needed: GrowthOptions): Points {
  fillBins(points, BINS, floors)
  const [trough, ...others] = largeTroughs(floors)
  if (trough === undefined || others.length > 0 || trough.at - trough.peak > 2) return points
  const bottom = floors.values[trough.at]!
  const bottomMs = floors.timesMs[trough.at]!
  const { count } = floors
  floors.count = trough.peak + 1
  const before = findGrowth(floors, needed)
  floors.count = count
  if (!before?.isLeak || bottom > before.level + before.rise / 2) return points
  const first = points.timesMs.findIndex((atMs) => atMs >= bottomMs)
  const since: Points = {
    count: points.count - first,
    timesMs: points.timesMs.subarray(first),
    low: points.low.subarray(first),
    high: points.high.subarray(first),
  }
  fillBins(since, BINS, floors)
  return since
}

/**
 * Falls by at least half of what the values usually go up and down in a sixth of the time, and by enough beside the
 * level.
 */
function countCycles(points: Points): number {
  const { count, low, high } = points
  let least = Number.POSITIVE_INFINITY
  for (let part = 0; part < PARTS; part++) {
    const to = Math.floor(((part + 1) * count) / PARTS)
    let bottom = Number.POSITIVE_INFINITY
    let top = Number.NEGATIVE_INFINITY
    for (let i = Math.floor((part * count) / PARTS); i < to; i++) {
      if (low[i]! < bottom) bottom = low[i]!
      if (high[i]! > top) top = high[i]!
    }
    swings[part] = top - bottom
    if (bottom < least) least = bottom
  }
  swings.sort()
  return findTroughs(low, high, count, Math.max(swings[PARTS >> 1]! / 2, CYCLE_HEIGHT * Math.abs(least)))
}

/** The highest value of the last sixth of the points. */
function highestOfLate({ count, high }: Points): number {
  let highest = Number.NEGATIVE_INFINITY
  for (let i = Math.floor((count * (PARTS - 1)) / PARTS); i < count; i++)
    highest = Math.max(highest, high[i]!)
  return highest
}
