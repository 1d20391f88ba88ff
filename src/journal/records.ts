import type { Alert, AlertState } from '../alerts/alert.js'
import type { Silence } from '../alerts/silences.js'
import type {
  ActionBegunBody,
  ActionDoneBody,
  ActionStepBody,
  BreachedAgainBody,
  GovernedBody,
  OutcomeBody,
  ResumedBody,
  SuspendedBody,
} from './action_records.js'
import type { DecisionBody } from './decision_records.js'
import type { Place } from './place.js'

/** Version of the record shape; a reader skips, and counts, what it does not know. */
export const JOURNAL_VERSION = 1

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

interface AlertBody {
  readonly type: 'alert'
  readonly alert: Alert
}

interface AlertResolvedBody {
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

interface SelfBody {
  readonly type: 'self'
  readonly userCpuMs: number
  readonly systemCpuMs: number
  readonly rssBytes: number
  readonly ticks: number
  readonly missedTicks: number
}

interface EngineStopBody {
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
interface OverrunBody {
  readonly type: 'overrun'
  readonly count: number
}

/** The engine goes on with other rules: their names. */
interface RulesBody {
  readonly type: 'rules'
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
}

/** Samples cannot be judged, or can again. */
interface JudgingBody {
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
