import type { Severity } from '../rules/schema/rule.js'
import type { EffectiveLimits } from './governor_options.js'
import type { Who } from './lineages.js'

/** A restart that a rule asks for. Times are in the clock that the governor is given. */
export interface RestartRequest extends Who {
  readonly rule: string
  readonly severity: Severity
  /** Its memory: the most comes first. */
  readonly rssBytes: number | undefined
  /** When the breach began that it is for, and when the restart was asked for. */
  readonly sinceMs: number
  readonly wantedMs: number
  /** What it has in common with others by `limits.perGroup`, for example `unit:nginx.service`. */
  readonly group?: string | undefined
  readonly limits: EffectiveLimits
  /** The group, where only its largest member is meant: its members are restarted for the rule one at a time. */
  readonly largestOf?: string | undefined
  /** Whether others waited or went on when it came: only then it is spread by the jitter. */
  readonly inBurst: boolean
}

/** What holds a restart up; see docs/governor.md. */
export type GovernorBound =
  | 'busy'
  | 'suspended'
  | 'gave-up'
  | 'jitter'
  | 'backoff'
  | 'host-stop'
  | 'host-concurrent'
  | 'rule-concurrent'
  | 'group-concurrent'
  | 'rule-window'
  | 'group-window'
  | 'min-healthy'

/** `untilMs`, in the governor's clock, is undefined where something has to end first. What is refused may be asked for again from then on. */
export type Verdict =
  | { readonly kind: 'now' }
  | {
      readonly kind: 'wait'
      readonly bound: GovernorBound
      readonly why: string
      readonly untilMs: number | undefined
    }
  | {
      readonly kind: 'refused'
      readonly bound: 'suspended' | 'gave-up'
      readonly why: string
      readonly untilMs: number
    }

/** Restarts were suspended (of a rule, of a process that flaps, of the whole host), or may be done again. */
export type GovernorChange = Suspension | Resumption
export interface Suspension {
  readonly kind: 'suspended'
  readonly scope: SuspensionScope
  readonly rule: string
  /** The process that it came to this with; the only one that is meant where the scope is `process`. */
  readonly who: Who | undefined
  readonly reason: string
  /** In the governor's clock. */
  readonly untilMs: number
}
export interface Resumption {
  readonly kind: 'resumed'
  readonly scope: SuspensionScope
  readonly rule: string
  readonly who: Who | undefined
  readonly by: 'time' | 'request'
}
export type SuspensionScope = 'rule' | 'process' | 'host'

export interface GovernorParts {
  /**
   * Keys of the living processes that the rule matches in the group, of all where that is undefined; undefined when that is not
   * known.
   */
  readonly members: (rule: string, group: string | undefined) => ReadonlySet<string> | undefined
  readonly onChange: (change: GovernorChange) => void
}

/** How an attempt ended: `refused` and `given-up` left the process as it was. */
export type AttemptEnd = 'done' | 'failed' | 'refused' | 'given-up'
