export type { Acknowledgement, Alert, AlertKind, AlertState, ExitCause } from '../alerts/alert.js'
export type {
  ActionStatus,
  ActionType,
  BreachedAgainBody,
  GovernedBody,
  OutcomeBody,
  RecordedError,
  ResumedBody,
  SuspendedBody,
} from '../journal/action_records.js'
export type {
  ClauseSample,
  ClauseValue,
  DecisionBody,
  Exclusion,
  PlannedStep,
  RecordedGroup,
} from '../journal/decision_records.js'
export { type ExplainOptions, explainTrace } from '../journal/explain.js'
export type { Place } from '../journal/place.js'
export { currentPlace } from '../journal/place.js'
export {
  type JournalReader,
  type LinePlace,
  type ReadJournalOptions,
  readJournal,
} from '../journal/reader.js'
export type { JournalBody, JournalRecord, LifecycleStats, NotifyFailedBody } from '../journal/records.js'
export { type JournalState, recover, type UnfinishedAction } from '../journal/recover.js'
export {
  type Trace,
  type TracedAction,
  type TracedDecision,
  type TracedNote,
  type TracedOrigin,
  type TracedRun,
  type TracedStep,
  type TracedSubject,
  type TraceQuery,
  traceDecisions,
} from '../journal/trace.js'
