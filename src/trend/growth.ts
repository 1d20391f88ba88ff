import { Findings, type GrowthOptions } from './findings.js'
import { BINS, type Floors } from './floors.js'

/** Growth that lasts is seen in each of this many parts of the time since its onset. */
const PARTS = 5
/** Fewest floors that a part may have. */
const LEAST_PER_PART = 2
/** Onsets tried, at equal distances over the first six sevenths. */
const ONSETS = 12

/** What growth of the floors has to show; chosen by `bench/leaks` over its tuning seeds. */
const NEEDED = {
  /** Of an even share of the rise, in each part. */
  part: 0.25,
  /** The same in the last part. */
  last: 0.5,
  /** Most of the rise that one part may have. */
  jump: 0.62,
  /** Most of the time that may have passed since nine tenths of the rise were reached. */
  over: 0.25,
  /** Most of the longest time for a tenth of the rise, that may have passed without one. */
  pause: 1.6,
  /** Rise of the second half over that of the first. */
  fade: 0.55,
  /**
   * The same after faster growth, and how much longer than that it must have lasted: a warm-up fades like a
   * logarithm.
   */
  fadeAfterFaster: 0.85,
  longerThanFaster: 1.5,
  /** Rise over the greatest fall since the onset. */
  noise: 3,
  /** Rise over the height of cycles that were taken away, whose floors are few. */
  height: 0.15,
  /** Rise over the greatest fall before it. */
  wander: 4,
  /** Of the rise, above the highest level before the onset. */
  record: 0.6,
} as const

const TENTHS = 10
/** Of the rise: what is nearer to the top is noise. */
const NEARLY = 0.95
const FASTER = 1.3

const smooth = new Float64Array(BINS)
const levels = new Float64Array(PARTS)
const sortedPart = new Float64Array(BINS)

function medianOf(values: Float64Array, from: number, to: number): number {
  const count = to - from
  for (let i = 0; i < count; i++) {
    const value = values[from + i]!
    let at = i
    while (at > 0 && sortedPart[at - 1]! > value) {
      sortedPart[at] = sortedPart[at - 1]!
      at--
    }
    sortedPart[at] = value
  }
  return (sortedPart[(count - 1) >> 1]! + sortedPart[count >> 1]!) / 2
}

const median3 = (a: number, b: number, c: number): number =>
  Math.max(Math.min(a, b), Math.min(Math.max(a, b), c))

function smoothFloors({ count, values }: Floors): void {
  for (let i = 0; i < count; i++) {
    const isEnd = i === 0 || i === count - 1
    smooth[i] = isEnd ? values[i]! : median3(values[i - 1]!, values[i]!, values[i + 1]!)
  }
}

/** The greatest fall from a level to a later one. */
function greatestFall(from: number, to: number): number {
  let most = Number.NEGATIVE_INFINITY
  let fall = 0
  for (let i = from; i < to; i++) {
    const value = smooth[i]!
    if (value > most) most = value
    else if (most - value > fall) fall = most - value
  }
  return fall
}

function highestBefore(onset: number): number {
  let highest = Number.NEGATIVE_INFINITY
  for (let i = 0; i < onset; i++) if (smooth[i]! > highest) highest = smooth[i]!
  return highest
}

/** When the floors came to a level. */
function timeOfLevel({ count, timesMs }: Floors, onset: number, level: number): number {
  let at = onset
  while (at < count - 1 && smooth[at]! < level) at++
  return timesMs[at]!
}

/**
 * How long the floors have not risen, as a multiple of the longest time that a tenth of the rise took: growth that
 * came in few steps pauses in between, growth that was even does not.
 */
function lastPause({ count, timesMs }: Floors, onset: number): number {
  let top = Number.NEGATIVE_INFINITY
  for (let i = onset; i < count; i++) if (smooth[i]! > top) top = smooth[i]!
  const bottom = smooth[onset]!
  let longestMs = 0
  let atMs = timesMs[onset]!
  let at = onset
  for (let tenth = 1; tenth <= TENTHS; tenth++) {
    const level = bottom + (top - bottom) * (tenth < TENTHS ? tenth / TENTHS : NEARLY)
    while (at < count - 1 && smooth[at]! < level) at++
    const below = at > onset ? smooth[at - 1]! : bottom
    const part = smooth[at]! > below ? (level - below) / (smooth[at]! - below) : 1
    const beforeMs = timesMs[Math.max(onset, at - 1)]!
    const passedMs = beforeMs + (timesMs[at]! - beforeMs) * Math.min(1, Math.max(0, part))
    if (tenth < TENTHS && passedMs - atMs > longestMs) longestMs = passedMs - atMs
    atMs = passedMs
  }
  return (timesMs[count - 1]! - atMs) / longestMs
}

/**
 * Looks for growth of the floors that lasts to the end: the earliest onset that will do, else the one that shows it
 * best.
 */
export function findGrowth(floors: Floors, options: GrowthOptions): Findings | undefined {
  const { count } = floors
  smoothFloors(floors)
  let best: Findings | undefined
  let last = -1
  for (let k = 0; k < ONSETS; k++) {
    const onset = Math.floor((k * count) / (ONSETS + 2))
    if (onset === last) continue
    last = onset
    if (count - onset < PARTS * LEAST_PER_PART) break
    const findings = judge(floors, onset, options)
    if (findings?.isLeak) return findings
    if (findings === undefined || (best?.isGrowing && !findings.isGrowing)) continue
    const isNearer = best === undefined || findings.score > best.score
    if (isNearer || (findings.isGrowing && !best?.isGrowing)) best = findings
  }
  return best
}

function judge(floors: Floors, onset: number, options: GrowthOptions): Findings | undefined {
  const { count, timesMs } = floors
  const length = count - onset
  for (let part = 0; part < PARTS; part++) {
    const from = onset + Math.floor((part * length) / PARTS)
    const to = onset + Math.floor(((part + 1) * length) / PARTS)
    levels[part] = medianOf(floors.values, from, to)
  }
  const [first, , middle, beforeLast, last] = levels as unknown as [number, number, number, number, number]
  const total = last - first
  if (!(total > 0)) return undefined
  const spanMs = timesMs[count - 1]! - timesMs[onset]!
  // Between the middles of the first and the last part lie four fifths of the time.
  const rise = (total * PARTS) / (PARTS - 1)
  const findings = new Findings(onset, rise, first, spanMs)
  findings.need('span', spanMs / options.minSpanMs)
  findings.need('size', rise / (options.minGrowth * Math.abs(first)))
  const even = total / (PARTS - 1)
  let most = 0
  for (let part = 1; part < PARTS; part++) {
    const share = levels[part]! - levels[part - 1]!
    if (share > most) most = share
    findings.need('parts', share / (even * NEEDED.part))
  }
  findings.need('jump', (NEEDED.jump * total) / most)
  findings.need('end', (last - beforeLast) / (even * NEEDED.last))
  const sinceMs = timesMs[count - 1]! - timeOfLevel(floors, onset, first + 0.9 * total)
  findings.need('end', (NEEDED.over * spanMs) / sinceMs)
  findings.need('end', NEEDED.pause / lastPause(floors, onset))
  const beforeMs = timesMs[onset]! - timesMs[0]!
  const isSlower = onset > 0 && (smooth[onset]! - smooth[0]!) / beforeMs > (FASTER * rise) / spanMs
  const fade = isSlower ? NEEDED.fadeAfterFaster : NEEDED.fade
  findings.need('fade', (last - middle) / (middle - first) / fade)
  if (isSlower) findings.need('span', spanMs / (NEEDED.longerThanFaster * beforeMs))
  findings.need('noise', rise / (NEEDED.noise * greatestFall(onset, count)))
  if (floors.height > 0) findings.need('noise', rise / (NEEDED.height * floors.height))
  if (onset > 0) {
    findings.need('wander', rise / (NEEDED.wander * greatestFall(0, onset)))
    findings.need('record', (last - highestBefore(onset)) / (rise * NEEDED.record))
  }
  return findings
}

/** Growth of the floors whatever its course. */
export interface OverallGrowth {
  perMs: number
  /** How far the floors are from their neighbours, over the same time: what of it may be chance. */
  noisePerMs: number
  /** Rise over the level that it began at. */
  part: number
}

/** From the level of the first fifth of the time to that of the last. */
export function overallGrowth(floors: Floors): OverallGrowth {
  const { count, timesMs, values } = floors
  const part = Math.max(1, Math.floor(count / PARTS))
  const first = medianOf(values, 0, part)
  const rise = medianOf(values, count - part, count) - first
  // Between the middles of both.
  const ms = ((timesMs[count - 1]! - timesMs[0]!) * (PARTS - 1)) / PARTS
  for (let i = 1; i < count; i++) smooth[i - 1] = Math.abs(values[i]! - values[i - 1]!)
  const noise = count > 1 ? medianOf(smooth, 0, count - 1) : 0
  return { perMs: ms > 0 ? rise / ms : 0, noisePerMs: ms > 0 ? noise / ms : 0, part: rise / Math.abs(first) }
}
