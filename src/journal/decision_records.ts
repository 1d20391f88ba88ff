import type { Decision } from '../rules/decision.js'
import type { GroupKind, Unit } from '../rules/language/ast.js'
import type { Severity } from '../rules/schema/rule.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { ActionType } from './action_records.js'

/**
 * One comparison of a rule's condition as it stood when the rule decided. In the journal a value or threshold of null has no
 * end (a limit that is unlimited, a time that never comes), since JSON has no infinity; a missing one is not known.
 */
export interface ClauseValue {
  /** As the language writes it: `avg(cpuPercent, 1m) > 80%`. */
  readonly text: string
  /** Its left side. */
  readonly operand: string
  /** One of `> >= < <= == !=`, or `leak`. */
  readonly op: string
  /** Of value and threshold; a `state` is its character code. */
  readonly unit: Unit
  /** Undefined: a cell that could not be read, a window that is not full yet, a process that is gone. */
  readonly value: number | undefined
  readonly threshold: number | undefined
  /** Undefined: not known. */
  readonly truth: boolean | undefined
  /** Over how long, where that is said. */
  readonly windowMs?: number | undefined
  /** What the value was reckoned from, thinned out. */
  readonly samples?: readonly ClauseSample[] | undefined
}

export interface ClauseSample {
  readonly atMs: number
  readonly value: number
}

/** Processes that a rule is about together, as they were when it decided. */
export interface RecordedGroup {
  readonly kind: GroupKind
  readonly key: string
  readonly count: number
  /** Those that count most, largest first. */
  readonly members: readonly {
    readonly identity: ProcessIdentity
    readonly name: string
    /** Undefined: could not be read, and is left out. */
    readonly value?: number | undefined
  }[]
}

/** What a decision could not take into account. */
export interface Exclusion {
  readonly what: 'clause' | 'member'
  /** The clause's text, or the member's name. */
  readonly name: string
  readonly pid?: number | undefined
  /** `gone`: the process has ended. `window`: not seen for so long yet, or samples are missing. */
  readonly why: 'unreadable' | 'window' | 'gone'
}

/** What is to follow from a decision. */
export interface PlannedStep {
  readonly action: ActionType
  /**
   * So long after the decision, while the breach lasts; 0: at once. Of a rule that fires again by its cooldown, what is still to come
   * of the steps that it had begun.
   */
  readonly afterMs: number
}

export interface DecisionBody {
  readonly type: 'decision'
  readonly decisionId: string
  readonly rule: string
  /** Missing exactly for a group. */
  readonly identity?: ProcessIdentity | undefined
  readonly group?: RecordedGroup | undefined
  /** The process's, or `unit nginx.service`. */
  readonly name: string
  readonly kind: 'fire' | 'clear'
  readonly severity: Severity
  /** The rule's, as the language writes it. */
  readonly condition: string
  readonly clauses: readonly ClauseValue[]
  readonly excluded: readonly Exclusion[]
  /** Why a breach is over. */
  readonly cause: Decision['cause']
  /** Since when the condition held, epoch milliseconds; missing for a clear. */
  readonly sinceMs: number | undefined
  /** What follows from it, in this order. */
  readonly steps: readonly PlannedStep[]
  readonly dryRun: boolean
}
