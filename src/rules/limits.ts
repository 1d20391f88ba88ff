import type { GroupKind } from './language/ast.js'
import type { ActionSpec, CheckedRule } from './rule.js'

/** A rung of a rule's ladder: done so long after the rule fired, while the breach lasts; 0 at once. */
export type Step = ActionSpec & { readonly afterMs: number }

/** At most so many within any span of that length. */
export interface PerWindow {
  readonly max: number
  readonly windowMs: number
}

/** What a rule may do by way of restarts; what is undefined is as the engine's governor has it. */
export interface RuleLimits {
  /** Restarts of this rule under way at the same time. */
  readonly concurrent?: number | undefined
  /** Restarts under way at the same time among processes that have this in common, whichever rule asks. */
  readonly perGroup?: { readonly max: number; readonly by: GroupKind } | undefined
  /** Restarts that this rule begins. */
  readonly perWindow?: PerWindow | undefined
  /** Restarts that are begun in one group of `perGroup`. */
  readonly perGroupWindow?: PerWindow | undefined
  /** Restarts that are asked for while others wait or go on are spread over so long. */
  readonly jitterMs?: number | undefined
  /** Pause after the first restart of a process; doubles with each. */
  readonly backoffFirstMs?: number | undefined
  readonly backoffMaxMs?: number | undefined
  /** So long without a breach after a restart, and the backoff begins anew. */
  readonly successMs?: number | undefined
  /** Restarts of one process and its successors within `flapWindowMs`; asked for one more, the governor gives up on it. */
  readonly flapMax?: number | undefined
  readonly flapWindowMs?: number | undefined
  /** After so long what was given up or suspended is tried again. */
  readonly rearmMs?: number | undefined
  /** Members of the group (of all that match, without `perGroup`) that are never under restart, or percent of them. */
  readonly minHealthy?: number | { readonly percent: number } | undefined
}

/** What of a rule concerns its actions. */
export interface RulePlan {
  readonly steps: readonly Step[]
  readonly limits: RuleLimits
  /** Whom the process actions of a group rule are for. */
  readonly target: 'largest' | 'all'
  readonly dryRun: boolean
}

type Planned = Omit<CheckedRule, 'actions'> & {
  readonly actions: readonly (ActionSpec & { readonly afterMs?: number | undefined })[]
} & Partial<Omit<RulePlan, 'steps'>>

/** The ladder in the order in which its steps are due, and the defaults. */
export function planOf(rule: Planned): RulePlan {
  const { actions, limits = {}, target = 'largest', dryRun = false } = rule
  const steps = actions.map((action) => ({ ...action, afterMs: action.afterMs ?? 0 }))
  return { steps: steps.sort((a, b) => a.afterMs - b.afterMs), limits, target, dryRun }
}
