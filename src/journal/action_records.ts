import type { GovernorBound, SuspensionScope } from '../actions/governor_types.js'
import type { Relief } from '../actions/relief.js'
import type { ActionSpec } from '../rules/schema/rule.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { Place } from './place.js'

/** What can be done about a breach. */
export type ActionType = ActionSpec['type']

/** A `ProcmusterError`, or an error of the system, as the journal keeps it. */
export interface RecordedError {
  readonly code: string
  readonly message: string
  readonly errno?: number | undefined
  readonly path?: string | undefined
}

/** Steps of a restart, in the order in which they are passed. */
export type RestartStep = 'captured' | 'terminating' | 'exited' | 'ready'

/**
 * How an action ended. `refused`: nothing was done to the target. `failed`: it was begun and did not succeed.
 * `interrupted`: the engine ended in between, and the action was given up. `dry-run`: only said, not done.
 */
export type ActionStatus = 'done' | 'refused' | 'failed' | 'interrupted' | 'dry-run'

interface Targeted {
  readonly rule: string
  readonly identity: ProcessIdentity
  readonly name: string
}

export interface ActionBegunBody extends Targeted {
  readonly type: 'action-begun'
  readonly actionId: string
  readonly decisionId: string
  readonly action: ActionType
  readonly place: Place
  /** What of the action's parameters a reader needs, for example `{ signal: 'SIGTERM' }`. */
  readonly parameters: Readonly<Record<string, unknown>>
  /** Of a restart whose rule has limits per group. */
  readonly group?: string | undefined
}

export interface ActionStepBody {
  readonly type: 'action-step'
  readonly actionId: string
  readonly step: RestartStep
  /** With `ready`: the new process, held before its exec until this record is on disk. */
  readonly child?: ProcessIdentity | undefined
  readonly endedBy?: string | undefined
  readonly tookMs?: number | undefined
}

export interface ActionDoneBody extends Targeted {
  readonly type: 'action-done'
  readonly actionId: string
  /** Missing in journals from before version 0.1. */
  readonly decisionId?: string | undefined
  readonly action: ActionType
  readonly status: ActionStatus
  /** True when a later run of the engine ended what an earlier one had begun. */
  readonly recovered?: boolean | undefined
  readonly reason?: string | undefined
  readonly error?: RecordedError | undefined
  readonly successor?: ProcessIdentity | undefined
  readonly result?: Readonly<Record<string, unknown>> | undefined
}

/**
 * What became of a restart, or of a signal that processes are meant to end by: written when its window is over, or the
 * successor breached or ended in it.
 */
export interface OutcomeBody extends Targeted {
  readonly type: 'outcome'
  readonly actionId: string
  readonly action: 'restart' | 'signal'
  /** Of a restart. */
  readonly successor?: ProcessIdentity | undefined
  /** Missing when it has not ended, or an earlier run of the engine ended it. Of a signal no closer than the sampling. */
  readonly exitedInMs?: number | undefined
  readonly endedBy: string
  /** Missing when the cell could not be read. */
  readonly rssBeforeBytes?: number | undefined
  readonly rssAfterBytes?: number | undefined
  /** Memory of the whole host that programs could get. */
  readonly hostAvailableBeforeBytes?: number | undefined
  readonly hostAvailableAfterBytes?: number | undefined
  readonly breachedAgain: boolean
  /** The successor ended within the window, and not by us. */
  readonly successorGone: boolean
  /**
   * For how long it was seen to keep quiet, which is 0 where no sample had it; when the successor breached or ended: the time since
   * the action.
   */
  readonly observedMs: number
  /** Whether it was of use. Missing in journals from before version 0.1. */
  readonly relieved?: Relief | undefined
  /** Why so, in words. */
  readonly reasons?: readonly string[] | undefined
}

/** A successor that had kept quiet for the window of its outcome breached the same rule all the same. */
export interface BreachedAgainBody extends Targeted {
  readonly type: 'breached-again'
  /** Of the restart, of which `identity` is the successor. */
  readonly actionId: string
  readonly afterMs: number
}

/** The governor put a restart off, or refused it for a while: one record for each bound that it came up against. */
export interface GovernedBody extends Targeted {
  readonly type: 'governed'
  readonly decisionId: string
  readonly action: 'restart'
  readonly verdict: 'put-off' | 'refused'
  readonly bound: GovernorBound
  readonly reason: string
  /**
   * Epoch milliseconds, by the wall clock as it is when this is written; missing where something has to end first. What passes is
   * measured by a clock that is never set and stands still while the host is suspended: then it ends so much later.
   */
  readonly untilMs?: number | undefined
  readonly group?: string | undefined
}

/** No restarts for a while: of a rule, of one process and its successors, of the whole host. */
export interface SuspendedBody {
  readonly type: 'suspended'
  readonly scope: SuspensionScope
  readonly rule: string
  /** The process that it came to this with; the only one meant where the scope is `process`. */
  readonly identity?: ProcessIdentity | undefined
  readonly name?: string | undefined
  readonly reason: string
  /** As that of `GovernedBody`. */
  readonly untilMs: number
}

export interface ResumedBody {
  readonly type: 'resumed'
  readonly scope: SuspensionScope
  readonly rule: string
  readonly identity?: ProcessIdentity | undefined
  readonly name?: string | undefined
  /** `request`: `engine.resume()`. */
  readonly by: 'time' | 'request'
}
