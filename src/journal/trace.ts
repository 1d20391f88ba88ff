import type { Alert } from '../alerts/alert.js'
import { checkQuery, NUMBER, PATH, TEXT } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { ActionDoneBody, ActionType, OutcomeBody, RestartStep } from './action_records.js'
import type { RecordedDecision } from './decision_reading.js'
import type { DecisionBody, RecordedGroup } from './decision_records.js'
import { readJournal } from './reader.js'
import type { JournalRecord } from './records.js'
import { subjectKey, TraceCollector } from './trace_collector.js'

/**
 * What of a journal to tell: of a pid (of one of its lives, with `startTicks`, as an identity and a row have it), or of the id of an
 * alert, a decision or an action.
 */
export type TraceQuery = (
  | { readonly pid: number; readonly startTicks?: number | undefined }
  | { readonly id: string }
) & {
  /** At most so many decisions, the newest; default 20. */
  readonly limit?: number | undefined
}

/** An action of a decision, from its beginning to what became of it. */
export interface TracedAction {
  readonly actionId: string
  readonly action: ActionType
  readonly identity: ProcessIdentity
  readonly name: string
  /** Undefined: never begun (refused, or a dry run). */
  readonly begunAtMs: number | undefined
  readonly parameters: Readonly<Record<string, unknown>>
  /** Of a restart. */
  readonly steps: readonly TracedStep[]
  /** Undefined: not over, or the journal does not say. */
  readonly done: (Omit<ActionDoneBody, 'type'> & { readonly atMs: number }) | undefined
  readonly outcome: (Omit<OutcomeBody, 'type'> & { readonly atMs: number }) | undefined
}
export interface TracedStep {
  readonly step: RestartStep
  readonly atMs: number
  readonly child?: ProcessIdentity | undefined
  readonly endedBy?: string | undefined
  readonly tookMs?: number | undefined
}

/** A record of another kind that belongs to a decision: something put off, given up, suspended. */
export interface TracedNote {
  readonly atMs: number
  readonly type: string
  readonly text: string
}

/** One breach of a rule: what was decided and all that followed from it. */
export interface TracedDecision {
  readonly decision: RecordedDecision
  /** As it was last. */
  readonly alert: Alert | undefined
  readonly actions: readonly TracedAction[]
  readonly notes: readonly TracedNote[]
  /** Why it is over; undefined while it lasts. `engine-stop`: whoever watched it ended before it did. */
  readonly end:
    | {
        readonly atMs: number
        readonly cause: DecisionBody['cause'] | 'resolved' | 'engine-stop'
        readonly decisionId?: string | undefined
      }
    | undefined
}

/** One life of a process, or one group, and what was decided about it. */
export interface TracedSubject {
  readonly identity: ProcessIdentity | undefined
  readonly group: RecordedGroup | undefined
  readonly name: string
  /** Of the last record that is about it. */
  readonly lastAtMs: number
  /** Newest first. */
  readonly decisions: readonly TracedDecision[]
  /** Alerts that no decision stands behind, such as the death of a watched process; oldest first. */
  readonly alerts: readonly Alert[]
  /** The process whose place it was started in. */
  readonly origin: TracedOrigin | undefined
}
export interface TracedOrigin {
  readonly identity: ProcessIdentity
  readonly rule: string
  readonly actionId: string
  readonly decisionId: string | undefined
  readonly atMs: number
}

/** A run of an engine: who watched, and for what. */
export interface TracedRun {
  readonly startedAtMs: number
  /** Undefined: it runs, or crashed. */
  readonly stoppedAtMs: number | undefined
  readonly rules: readonly string[]
  readonly dryRun: boolean
}

/** What a journal tells about a process, an alert, a decision or an action. */
export interface Trace {
  readonly query: TraceQuery
  /** Newest first: several lives of one pid are several subjects. Empty when there is nothing to tell. */
  readonly subjects: readonly TracedSubject[]
  /** Older decisions that the limit left out. */
  readonly leftOut: number
  /** The last run. */
  readonly run: TracedRun | undefined
  /** Lines that could not be read as records; what they said is missing here. */
  readonly badLines: number
}

const DEFAULT_LIMIT = 20

/**
 * Collects from a journal what belongs together: the decision, its alert, its actions with their steps and results, what
 * became of them, and how the breach ended. Reads the file once or, for an id, up to three times, in memory bounded by the limit. May
 * be used while an engine writes it.
 * @throws ProcmusterError `NOT_FOUND` (no such journal), `ACCESS_DENIED`, `IO_ERROR`, `INVALID_ARGUMENT`
 */
export async function traceDecisions(path: string, query: TraceQuery): Promise<Trace> {
  PATH('the journal', path)
  checkQuery<Partial<Record<'limit' | 'pid' | 'startTicks' | 'id', unknown>>>(query, {
    limit: NUMBER,
    pid: NUMBER,
    startTicks: NUMBER,
    id: TEXT,
  })
  const limit = query.limit ?? DEFAULT_LIMIT
  if (!Number.isInteger(limit) || limit < 1) {
    throw new ProcmusterError('INVALID_ARGUMENT', { message: `limit is ${limit}; give 1 or more` })
  }
  if ('pid' in query) {
    const { pid, startTicks } = query
    const isAsked = (identity: ProcessIdentity | undefined): boolean =>
      identity?.pid === pid && (startTicks === undefined || identity.startTicks === startTicks)
    return collect(path, { pid, startTicks, limit: query.limit }, new TraceCollector({ isAsked, limit }))
  }
  const scope = await findScope(path, query.id)
  return collect(path, query, new TraceCollector({ ...scope, id: query.id, limit }))
}

async function collect(path: string, query: TraceQuery, collector: TraceCollector): Promise<Trace> {
  const reader = readJournal(path)
  for await (const record of reader) collector.add(record)
  return { query, ...collector.result(), badLines: reader.badLines }
}

interface Scope {
  readonly rule: string
  readonly key: string
}

/** Which rule and subject an id is about, so that the records before it are known for what they are. */
async function findScope(path: string, id: string): Promise<Scope | undefined> {
  for await (const record of readJournal(path)) {
    const found = scopeOf(record, id)
    if (found === undefined) continue
    // A member's action: its decision is about the group.
    return typeof found === 'string' ? ((await findScope(path, found)) ?? ownScope(record)) : found
  }
  return undefined
}

/** The scope, or the id of the decision that has it. */
function scopeOf(record: JournalRecord, id: string): Scope | string | undefined {
  switch (record.type) {
    case 'decision':
      return record.decisionId === id ? ownScope(record) : undefined
    case 'alert':
    case 'alert-resolved':
      return record.alert.id === id ? ownScope(record.alert) : undefined
    case 'action-begun':
    case 'action-done':
      if (record.actionId !== id) return undefined
      return record.decisionId !== undefined && record.decisionId !== id
        ? record.decisionId
        : ownScope(record)
    default:
      return undefined
  }
}

function ownScope(record: object): Scope | undefined {
  const { rule } = record as { rule?: unknown }
  const key = subjectKey(record)
  return typeof rule === 'string' && key !== undefined ? { rule, key } : undefined
}
