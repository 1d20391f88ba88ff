import type { GovernorBound, SuspensionScope } from '../actions/governor_types.js'
import type { Relief } from '../actions/relief.js'
import type { Silence } from '../alerts/silences.js'
import type { GroupKind, Unit } from '../rules/language/ast.js'
import type { ActionSpec, Severity } from '../rules/schema/rule.js'
import type { GroupRef } from '../rules/subject.js'
import type { ProcessIdentity } from '../table/identity.js'

/** Version of the record shape; a reader skips, and counts, what it does not know. */
export const JOURNAL_VERSION = 1

/** What an alert is about; see `Alert.kind`. */
export type AlertKind =
  | 'breach'
  | 'died'
  | 'restart-failed'
  | 'suspended'
  | 'gave-up'
  | 'host-stop'
  | 'judging-failed'
/** What can be done about a breach. */
export type ActionType = ActionSpec['type']

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

/**
 * How a process ended; what the source of events could not tell is missing. `exitCode` is missing when a signal ended it.
 * The sender is missing when it was the kernel itself, as for a fault.
 */
export interface ExitCause {
  readonly exitCode?: number | undefined
  readonly signal?: string | undefined
  readonly coreDumped?: boolean | undefined
  /** By the kernel, which was out of memory. */
  readonly oomKilled?: boolean | undefined
  readonly sender?: { readonly pid: number; readonly name: string | undefined } | undefined
  readonly cpuTimeNs?: number | undefined
  readonly peakRssBytes?: number | undefined
  readonly readBytes?: number | undefined
  readonly writeBytes?: number | undefined
  readonly lifetimeMs?: number | undefined
}

/** `pending`: the condition holds, and its `for` is not over. */
export type AlertState = 'pending' | 'firing' | 'resolved'

/** Something that somebody should know of, from when it began to fire until it is resolved. */
export interface Alert {
  /** Unique over all runs of all engines. */
  readonly id: string
  readonly rule: string
  readonly severity: Severity
  /**
   * `breach`: the rule's condition holds. `died`: a process watched by pid ended, and not by us. `suspended`, `gave-up`,
   * `host-stop`: no restarts of a rule, of a process, on the host for a while. `judging-failed`: no rule is judged.
   */
  readonly kind: AlertKind
  readonly state: AlertState
  /** Missing exactly for an alert about a group. */
  readonly identity?: ProcessIdentity | undefined
  readonly group?: GroupRef | undefined
  /** Of the process; of a group `unit nginx.service`. */
  readonly name: string
  /** The clauses that held, with their values; empty for kinds other than `breach`. */
  readonly values: readonly ClauseValue[]
  readonly message: string
  /** What can be done about it, a line each, where the engine knows: of zombies and stuck processes. */
  readonly advice?: readonly string[] | undefined
  /** Of a `died`: the cause, as far as it is known. */
  readonly exit?: ExitCause | undefined
  /** When it began to fire, epoch milliseconds. */
  readonly atMs: number
  /** How often it was raised again since, while it fired (see the rule's cooldown), and when last. */
  readonly repeats: number
  readonly lastAtMs: number
  readonly resolvedAtMs?: number | undefined
  readonly acknowledged?: Acknowledgement | undefined
  /** Id of the silence because of which no notifier is told. */
  readonly silencedBy?: string | undefined
}

/** Somebody has taken an alert up: notifiers are not told again while it lasts. */
export interface Acknowledgement {
  readonly by: string
  /** Epoch milliseconds. */
  readonly atMs: number
  readonly note?: string | undefined
}

/** A `ProcmusterError`, or an error of the system, as the journal keeps it. */
export interface RecordedError {
  readonly code: string
  readonly message: string
  readonly errno?: number | undefined
  readonly path?: string | undefined
}

/**
 * Where an identity means something: the boot, and the PID namespace. After a reboot, or in another container, a pid
 * with its start ticks can name a stranger.
 */
export interface Place {
  readonly bootId: string
  /** `pid:[number]@start`, the start being that of its first process in clock ticks. */
  readonly pidNamespace: string
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

export interface EngineStartBody {
  readonly type: 'engine-start'
  readonly engine: { readonly pid: number; readonly startTicks: number }
  readonly place: Place
  /** Where samples come from, and births and deaths (`off` without), with the reasons, a line each. */
  readonly source: string
  readonly sourceReason?: string | undefined
  readonly eventSource?: string | undefined
  readonly eventSourceReason?: string | undefined
  readonly intervalMs: number
  readonly dryRun: boolean
  readonly rules: readonly string[]
}
export interface AlertBody {
  readonly type: 'alert'
  readonly alert: Alert
}
export interface AlertResolvedBody {
  readonly type: 'alert-resolved'
  readonly alert: Alert
}
interface Answering {
  /** The request from outside that it answers; see `sendRequest`. */
  readonly request?: string | undefined
}
export interface AcknowledgedBody extends Answering {
  readonly type: 'acknowledged'
  readonly alert: Alert
}
export interface SilenceBody extends Answering {
  readonly type: 'silence'
  readonly silence: Silence
  /** It is in force, and probably not as it was meant. */
  readonly warning?: string | undefined
}
export interface UnsilenceBody extends Answering {
  readonly type: 'unsilence'
  readonly silenceId: string
  readonly by: string
}
/** Somebody asked that the restarts of a rule go on; `resumed` says what was suspended. */
export interface ResumeBody extends Answering {
  readonly type: 'resume'
  readonly rule: string
  readonly by: string
}
/** A request from outside that could not be carried out, or read. */
export interface RequestRefusedBody extends Answering {
  readonly type: 'request-refused'
  readonly reason: string
}
/** A notifier was not told of an alert. */
export interface NotifyFailedBody {
  readonly type: 'notify-failed'
  readonly alertId: string
  readonly state: AlertState
  readonly notifier: string
  /** 0: given up before the first. */
  readonly attempts: number
  readonly reason: string
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
  readonly cause: 'condition' | 'gone' | 'unmatched' | 'removed'
  /** Since when the condition held, epoch milliseconds; missing for a clear. */
  readonly sinceMs: number | undefined
  /** What follows from it, in this order. */
  readonly steps: readonly PlannedStep[]
  readonly dryRun: boolean
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
  /** Missing in journals of version 0.1. */
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
  readonly observedMs: number
  /** Whether it was of use. Missing in records of earlier versions. */
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
export interface SelfBody {
  readonly type: 'self'
  readonly userCpuMs: number
  readonly systemCpuMs: number
  readonly rssBytes: number
  readonly ticks: number
  readonly missedTicks: number
}
export interface EngineStopBody {
  readonly type: 'engine-stop'
  readonly ticks: number
  readonly missedTicks: number
  /** Actions that the next start has to finish or report. */
  readonly unfinished: number
  readonly source?: string | undefined
  /** As in `engine.stats`. */
  readonly lifecycle?: LifecycleStats | undefined
}
/** What an engine has heard of births and deaths between its samples. */
export interface LifecycleStats {
  readonly source: 'bpf' | 'netlink' | 'off'
  /** One line: why this source, and why no better one. */
  readonly reason: string
  /** Events that came faster than they could be read, and extra samples that made up for them. */
  readonly lost: number
  readonly rescans: number
  readonly forks: number
  readonly execs: number
  readonly exits: number
  /** Processes that no sample has seen. CPU time is undefined when the source does not tell it. */
  readonly shortLived: { readonly count: number; readonly cpuTimeNs: number | undefined }
}
/** Events of births and deaths were lost; a sample made up for them. */
export interface OverrunBody {
  readonly type: 'overrun'
  readonly count: number
}

/** The engine goes on with other rules: their names. */
export interface RulesBody {
  readonly type: 'rules'
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
}
/** Samples cannot be judged, or can again. */
export interface JudgingBody {
  readonly type: 'judging'
  readonly state: 'failed' | 'recovered'
  /** Of a failure. */
  readonly reason?: string | undefined
  /** For how long it had failed. */
  readonly lastedMs?: number | undefined
}

/** What a record says, by its `type`. */
export type JournalBody =
  | EngineStartBody
  | AlertBody
  | AlertResolvedBody
  | AcknowledgedBody
  | SilenceBody
  | UnsilenceBody
  | ResumeBody
  | RequestRefusedBody
  | NotifyFailedBody
  | DecisionBody
  | ActionBegunBody
  | ActionStepBody
  | ActionDoneBody
  | OutcomeBody
  | BreachedAgainBody
  | GovernedBody
  | SuspendedBody
  | ResumedBody
  | SelfBody
  | OverrunBody
  | RulesBody
  | JudgingBody
  | EngineStopBody

export interface RecordHead {
  readonly v: typeof JOURNAL_VERSION
  /** Rises over the whole file, also across runs; a gap means that records could not be written. */
  readonly seq: number
  /** Epoch milliseconds. */
  readonly atMs: number
  /** The same in ISO 8601, for people. */
  readonly time: string
}
/** One line of the journal. */
export type JournalRecord = RecordHead & JournalBody
