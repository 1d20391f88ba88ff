import type { RulePlan, SeriesPlan } from '../compile/plan.js'
import type { CompiledMatch } from '../match/compile.js'
import { Matcher } from '../match/matcher.js'
import { type MatchPlan, planMatch } from '../match/plan.js'

/** All rules as the threads need them; plain data. Rules of a shard lie side by side, in an order of their own. */
export interface RuleProgram {
  readonly id: number
  readonly match: CompiledMatch
  readonly plans: readonly RulePlan[]
  readonly shards: readonly ShardProgram[]
}

export interface ShardProgram {
  readonly first: number
  readonly ruleCount: number
  readonly series: readonly SeriesProgram[]
  /** Places for series that the shard's memory has room for. */
  readonly seriesPlaces: number
}

export interface SeriesProgram {
  readonly plan: SeriesPlan
  readonly place: number
  /** Tells it from others that had the place before. */
  readonly tag: number
  /** The shard's rules that have it, counted from its first. */
  readonly rules: readonly number[]
}

/** A shard's part of a program. */
export interface ShardRules extends ShardProgram {
  readonly plans: readonly RulePlan[]
  readonly match: MatchPlan
}

export function shardRules({ match, plans, shards }: RuleProgram, shard: number): ShardRules {
  const program = shards[shard]!
  const { first, ruleCount } = program
  return {
    ...program,
    plans: plans.slice(first, first + ruleCount),
    match: planMatch(match, first, ruleCount),
  }
}

export { Matcher }
