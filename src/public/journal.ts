export { type ExplainOptions, explainTrace } from '../journal/explain.js'
export { currentPlace } from '../journal/place.js'
export { type JournalReader, type ReadJournalOptions, readJournal } from '../journal/reader.js'
export type {
  Acknowledgement,
  ActionStatus,
  ActionType,
  Alert,
  AlertKind,
  AlertState,
  BreachedAgainBody,
  ClauseSample,
  ClauseValue,
  DecisionBody,
  Exclusion,
  ExitCause,
  GovernedBody,
  JournalBody,
  JournalRecord,
  LifecycleStats,
  NotifyFailedBody,
  OutcomeBody,
  Place,
  PlannedStep,
  RecordedError,
  RecordedGroup,
  ResumedBody,
  SuspendedBody,
} from '../journal/records.js'
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
