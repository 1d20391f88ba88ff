import type { ActionSpec, Severity } from '../rules/schema/rule.js'
import type { ProcessIdentity } from '../table/identity.js'

/** Version of the record shape; a reader skips, and counts, what it does not know. */
export const JOURNAL_VERSION = 1

/** What an alert is about; see `Alert.kind`. */
export type AlertKind = 'breach' | 'died' | 'restart-failed'
/** What can be done about a breach. */
export type ActionType = ActionSpec['type']

/** One clause of a rule with the value that it had; undefined when that could not be read. */
export interface ClauseValue {
  readonly column: string
  readonly op: string
  readonly threshold: number
  readonly value: number | undefined
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

/** Something that somebody should know of, from when it began to fire until it is resolved. */
export interface Alert {
  /** Unique over all runs of all engines. */
  readonly id: string
  readonly rule: string
  readonly severity: Severity
  /** `breach`: the rule's condition holds. `died`: a process watched by pid ended, and not by us. */
  readonly kind: AlertKind
  readonly state: 'firing' | 'resolved'
  readonly identity: ProcessIdentity
  readonly name: string
  /** The clauses that held, with their values; empty for kinds other than `breach`. */
  readonly values: readonly ClauseValue[]
  readonly message: string
  /** Of a `died`: the cause, as far as it is known. */
  readonly exit?: ExitCause | undefined
  /** When it began to fire, epoch milliseconds. */
  readonly atMs: number
  /** How often it was raised again since, while it fired (see the rule's cooldown), and when last. */
  readonly repeats: number
  readonly lastAtMs: number
  readonly resolvedAtMs?: number | undefined
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
export interface DecisionBody extends Targeted {
  readonly type: 'decision'
  readonly decisionId: string
  readonly kind: 'fire' | 'clear'
  readonly severity: Severity
  readonly clauses: readonly ClauseValue[]
  /** Why a breach is over. */
  readonly cause: 'condition' | 'gone' | 'unmatched'
  /** Since when the condition held, epoch milliseconds; missing for a clear. */
  readonly sinceMs: number | undefined
  /** What follows from it, in this order. */
  readonly actions: readonly ActionType[]
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
  readonly action: ActionType
  readonly status: ActionStatus
  /** True when a later run of the engine ended what an earlier one had begun. */
  readonly recovered?: boolean | undefined
  readonly reason?: string | undefined
  readonly error?: RecordedError | undefined
  readonly successor?: ProcessIdentity | undefined
  readonly result?: Readonly<Record<string, unknown>> | undefined
}
/** What became of a restart: written when its window is over, or the successor breached or ended in it. */
export interface OutcomeBody extends Targeted {
  readonly type: 'outcome'
  readonly actionId: string
  readonly successor: ProcessIdentity
  /** Missing when an earlier run of the engine ended it. */
  readonly exitedInMs?: number | undefined
  readonly endedBy: string
  /** Missing when the cell could not be read. */
  readonly rssBeforeBytes?: number | undefined
  readonly rssAfterBytes?: number | undefined
  readonly breachedAgain: boolean
  /** The successor ended within the window, and not by us. */
  readonly successorGone: boolean
  readonly observedMs: number
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

/** What a record says, by its `type`. */
export type JournalBody =
  | EngineStartBody
  | AlertBody
  | AlertResolvedBody
  | DecisionBody
  | ActionBegunBody
  | ActionStepBody
  | ActionDoneBody
  | OutcomeBody
  | SelfBody
  | OverrunBody
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
