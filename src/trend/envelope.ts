import { Findings, type GrowthOptions } from './findings.js'
import type { Floors } from './floors.js'

/** The series is cut into this many parts, up to so many; what most ways of cutting show is what counts. */
const FEWEST = 5
const MOST = 10
const WAYS = MOST - FEWEST + 1

/** What lows that rise have to show; chosen by `bench/leaks` over its tuning seeds. */
const NEEDED = {
  /** Student's t of the line through the lows; more where there were few cycles, whose floors may rise by chance. */
  t: 2.3,
  tOfFew: 3.5,
  few: 20,
  /** What a step leaves unexplained over what the line does. */
  step: 0.42,
  /** Of the rise in each half: less is a warm-up, or a step at the end. */
  half: 0.05,
  /**
   * Rise over the height of the cycles: a leak far smaller than they are cannot be told from the unevenness of their
   * floors.
   */
  height: 0.045,
  /** Height of the cycles over the rise: lower ones do not hide a leak, and the floors tell more. */
  cycles: 0.8,
  /** Falls that were seen. */
  falls: 8,
} as const

const lows = new Float64Array(MOST)
const swings = new Float64Array(MOST)
const ts = new Float64Array(WAYS)
const steps = new Float64Array(WAYS)
/** Of the rise, what was reached halfway. */
const firstHalves = new Float64Array(WAYS)

function cut({ count, values, high }: Floors, parts: number): void {
  for (let part = 0; part < parts; part++) {
    let low = Number.POSITIVE_INFINITY
    let top = Number.NEGATIVE_INFINITY
    const to = Math.floor(((part + 1) * count) / parts)
    for (let i = Math.floor((part * count) / parts); i < to; i++) {
      if (values[i]! < low) low = values[i]!
      if (high[i]! > top) top = high[i]!
    }
    lows[part] = low
    swings[part] = top - low
  }
}

const meanOf = (from: number, to: number): number => {
  let sum = 0
  for (let i = from; i < to; i++) sum += lows[i]!
  return sum / (to - from)
}

/** Squares left over by two levels, from one to the other at the part where that explains most. */
function residualOfStep(parts: number): number {
  let least = Number.POSITIVE_INFINITY
  for (let split = 1; split < parts; split++) {
    const before = meanOf(0, split)
    const after = meanOf(split, parts)
    let sum = 0
    for (let i = 0; i < parts; i++) sum += (lows[i]! - (i < split ? before : after)) ** 2
    if (sum < least) least = sum
  }
  return least
}

/** Fits a line to the lows, keeps its t and how a step compares, and returns its rise over the whole time. */
function fitLows(parts: number): number {
  const mean = meanOf(0, parts)
  const middle = (parts - 1) / 2
  let product = 0
  let square = 0
  for (let i = 0; i < parts; i++) {
    product += (i - middle) * (lows[i]! - mean)
    square += (i - middle) ** 2
  }
  const slope = product / square
  let residual = 0
  for (let i = 0; i < parts; i++) residual += (lows[i]! - mean - slope * (i - middle)) ** 2
  ts[parts - FEWEST] = slope / Math.sqrt(residual / (parts - 2) / square)
  steps[parts - FEWEST] = residualOfStep(parts) / residual
  return slope * parts
}

const medianOf = (values: Float64Array, count: number): number => {
  const sorted = values.subarray(0, count).sort()
  return (sorted[(count - 1) >> 1]! + sorted[count >> 1]!) / 2
}

/**
 * Looks for a leak under cycles that are much larger: whether the lowest values of parts of the time rise. The floor
 * of a cycle is seldom sampled just as it is reached, so that single floors differ by more than the leak; the lowest
 * of many do not.
 * @param floors lowest values of bins, from which cycles were not taken away
 */
export function findRisingLows(floors: Floors, falls: number, options: GrowthOptions): Findings | undefined {
  const { count, timesMs } = floors
  if (count < MOST * 4) return undefined
  let rise = 0
  let swing = 0
  let level = 0
  for (let parts = FEWEST; parts <= MOST; parts++) {
    cut(floors, parts)
    const risen = fitLows(parts)
    const third = Math.ceil(parts / 3)
    const start = meanOf(0, third)
    firstHalves[parts - FEWEST] =
      (meanOf(third, parts - third) - start) / (meanOf(parts - third, parts) - start)
    if (parts === 6) {
      rise = risen
      level = lows[0]!
      swing = medianOf(swings, parts)
    }
  }
  if (!(rise > 0)) return undefined
  const firstHalf = medianOf(firstHalves, WAYS)
  const findings = new Findings(0, rise, level, timesMs[count - 1]! - timesMs[0]!)
  findings.need('span', findings.spanMs / options.minSpanMs)
  findings.need('size', rise / (options.minGrowth * Math.abs(level)))
  findings.need('cycles', Math.min(falls / NEEDED.falls, swing / (NEEDED.cycles * rise)))
  findings.need('noise', medianOf(ts, WAYS) / (falls < NEEDED.few ? NEEDED.tOfFew : NEEDED.t))
  findings.need('noise', rise / (NEEDED.height * swing))
  findings.need('jump', medianOf(steps, WAYS) / NEEDED.step)
  findings.need('fade', (1 - firstHalf) / NEEDED.half)
  findings.need('end', firstHalf / NEEDED.half)
  return findings
}
