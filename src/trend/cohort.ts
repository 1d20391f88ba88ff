import { checkHas, refuse } from '../arguments.js'
import {
  analyzeWithGrowth,
  checkTrendOptions,
  MIN_GROWTH,
  type Trend,
  type TrendInput,
  type TrendOptions,
} from './trend.js'

/**
 * `apart`: grows much faster than its equals. `alike`: does as they do. `unsure`: too few samples, or too few equals
 * to compare with.
 */
export type CohortVerdict = 'apart' | 'alike' | 'unsure'

/** One of the series, against the others. */
export interface CohortMember {
  verdict: CohortVerdict
  /** Growth over that of the cohort, in units of the values per second; undefined with too few samples. */
  excessPerSecond: number | undefined
  /** What `analyzeTrend` made of it alone. */
  trend: Trend
  reason: string
}

/** What `compareCohort` made of series of equals. */
export interface Cohort {
  /** The median of how fast members grew, from the first fifth of their time to the last. 0 without members. */
  growthPerSecond: number
  /** How far from it members usually are, as a standard deviation; their noise when that is larger. */
  spreadPerSecond: number
  /** In the order given. */
  members: CohortMember[]
}

/** Fewest members with enough samples: of two, neither can be told to be the other's exception. */
const LEAST_MEMBERS = 3
/** Distance from the cohort, in spreads, from which on a member is apart. */
const APART = 5
/** Of a normal distribution, the standard deviation over the median distance. */
const NORMAL = 1.4826

/**
 * Compares equals, workers of one service for example, whose memory should take the same course: a load that they all
 * share makes all of them grow, a leak of one makes it grow alone. The samples should span about the same time.
 * @throws ProcmusterError `INVALID_ARGUMENT` as `analyzeTrend` does
 */
export function compareCohort(
  members: readonly Pick<TrendInput, 'timesMs' | 'values'>[],
  options: TrendOptions = {},
): Cohort {
  checkTrendOptions(options)
  if (!Array.isArray(members)) refuse('the members', members, 'a list of series')
  for (const each of members)
    checkHas('one of the members', each, ['timesMs', 'values'], 'timesMs and values')
  const analyzed = members.map(({ timesMs, values }) => analyzeWithGrowth({ ...options, timesMs, values }))
  const compared = analyzed.flatMap(({ growth }) => (growth === undefined ? [] : [growth]))
  const middle = medianOf(compared.map(({ perMs }) => perMs))
  const distance = medianOf(compared.map(({ perMs }) => Math.abs(perMs - middle))) * NORMAL
  const spread = Math.max(distance, medianOf(compared.map(({ noisePerMs }) => noisePerMs)))
  const equals = compared.length - 1
  return {
    growthPerSecond: middle * 1000,
    spreadPerSecond: spread * 1000,
    members: analyzed.map(({ trend, growth }): CohortMember => {
      if (growth === undefined) {
        return { verdict: 'unsure', excessPerSecond: undefined, trend, reason: trend.reason }
      }
      const { perMs, noisePerMs, part } = growth
      const excess = perMs - middle
      const member = { excessPerSecond: excess * 1000, trend }
      if (compared.length < LEAST_MEMBERS) {
        const reason = `it has ${equals} equals with enough samples: ${LEAST_MEMBERS - 1} are needed`
        return { verdict: 'unsure', ...member, reason }
      }
      // Its own noise counts too: it may be larger than that of its equals.
      const isFar = perMs > 0 && excess > APART * Math.max(spread, noisePerMs)
      if (!isFar || !((part * excess) / perMs >= (options.minGrowth ?? MIN_GROWTH))) {
        return { verdict: 'alike', ...member, reason: `it grows as its ${equals} equals do, or less` }
      }
      const reason =
        middle > 0
          ? `it grows ${(perMs / middle).toPrecision(3)} times as fast as the median of its ${equals} equals`
          : `it grows, and the median of its ${equals} equals does not`
      return { verdict: 'apart', ...member, reason }
    }),
  }
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return 0
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
