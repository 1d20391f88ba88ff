export type { ActionReport, EvidenceSettings } from './actions/context.js'
export {
  collectEvidence,
  type Evidence,
  type EvidenceFile,
  type EvidenceOptions,
} from './actions/evidence.js'
export type { GovernorOptions } from './actions/governor_options.js'
export { governorSchema } from './actions/governor_schema.js'
export type { GovernorBound, SuspensionScope } from './actions/governor_types.js'
export { type Nudge, type NudgeOptions, nudgeParent } from './actions/nudge_parent.js'
export type { Relief } from './actions/relief.js'
export type { RestartResult } from './actions/replace.js'
export { type StartedProcess, type StartOptions, startAgain } from './actions/restart.js'
export { type CaptureOptions, captureRestart } from './actions/restart_capture.js'
export type { RestartSpec } from './actions/restart_spec.js'
export { releaseRestart } from './actions/restart_stdio.js'
export type { AlertQuery } from './alerts/alert_book.js'
export type { FoldedAlerts } from './alerts/alert_fold.js'
export type { AlertNote, SilenceResult } from './alerts/alerting.js'
export { type AlertHistory, type HistoryQuery, type ListedAlert, readAlerts } from './alerts/history.js'
export type { NotifierStats } from './alerts/notifiers/notifiers.js'
export { type NotifierSpec, notifierSchema } from './alerts/notifiers/spec.js'
export type { EngineRequest } from './alerts/requests/request.js'
export {
  isJournalInUse,
  type RequestAnswer,
  type SendOptions,
  type SentRequest,
  sendRequest,
} from './alerts/requests/send.js'
export type { Silence, SilenceMatch, SilenceRequest } from './alerts/silences.js'
export type { ExitInfo } from './control/children.js'
export { identify, ProcessHandle } from './control/handle.js'
export { lowerOwnPriority, type OwnPriority } from './control/own_priority.js'
export { setPriority } from './control/priority.js'
export type { ControlResult } from './control/results.js'
export {
  getResourceLimits,
  type LimitValue,
  RESOURCES,
  type Resource,
  type ResourceLimit,
  type ResourceLimits,
  setResourceLimit,
} from './control/rlimit.js'
export { sendSignal } from './control/signal.js'
export { SIGNAL_NAMES, type SignalName, signalName, signalNumber } from './control/signal_names.js'
export { type TerminateOptions, type Termination, terminate } from './control/terminate.js'
export { Engine } from './engine/engine.js'
export type { EngineEvent, EngineEvents, EngineStats, Overrun, TickReport } from './engine/events.js'
export type { MatchesQuery, RuleMatches } from './engine/judging.js'
export type { EngineEventSource } from './engine/lifecycle.js'
export type { EngineOptions } from './engine/options.js'
export type { RulesChange } from './engine/rulebook.js'
export type { ShortLivedCount } from './engine/short_lived.js'
export { type ErrorCode, type ErrorDetails, ProcmusterError } from './errors.js'
export type {
  EventSource,
  ExecEvent,
  ExitEvent,
  ForkEvent,
  LifecycleEvent,
  LifecycleEventType,
  LostEvent,
  ProcessEvent,
  SignalEvent,
  SignalSender,
} from './events/event.js'
export { EventStream, type EventStreamOptions } from './events/stream.js'
export {
  type OpenDescriptor,
  type ProcFile,
  type ProcFilesOptions,
  parseDescriptors,
  readProcFiles,
} from './inspect/proc_files.js'
export { type FactsOptions, type ProcessFacts, readProcessFacts } from './inspect/process_facts.js'
export {
  type StuckOptions,
  type StuckProcess,
  stuckFacts,
  stuckProcesses,
} from './inspect/stuck.js'
export { type StuckFacts, stuckAdvice } from './inspect/stuck_advice.js'
export { type SigchldHandling, type ZombieFacts, zombieAdvice } from './inspect/zombie_advice.js'
export { findZombies, type ZombieGroup, type ZombieParent, zombieFacts } from './inspect/zombies.js'
export { type ExplainOptions, explainTrace } from './journal/explain.js'
export { currentPlace } from './journal/place.js'
export { type JournalReader, type ReadJournalOptions, readJournal } from './journal/reader.js'
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
} from './journal/records.js'
export { type JournalState, recover, type UnfinishedAction } from './journal/recover.js'
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
} from './journal/trace.js'
export { escapeForTerminal, safeJson } from './printable.js'
export {
  BUILTIN_RULES,
  type BuiltinOptions,
  type BuiltinRule,
  type BuiltinSettings,
  builtinRules,
} from './rules/builtin/builtin.js'
export type {
  Decision,
  DecisionClause,
} from './rules/decision.js'
export {
  type Comparison,
  type Condition,
  type GroupKind,
  HOST_METRICS,
  type HostMetric,
  type Operand,
  type Operator,
  type Unit,
  type When,
} from './rules/language/ast.js'
export { parseDuration } from './rules/language/durations.js'
export { parseWhen } from './rules/language/parse.js'
export { printCondition, printOperand, printWhen } from './rules/language/print.js'
export { unitOf } from './rules/language/typing.js'
export { printDuration } from './rules/language/units.js'
export { allOperands, comparisonsOf } from './rules/language/walk.js'
export type { Match } from './rules/match/ast.js'
export type { FactNeeds, ReadFacts } from './rules/match/facts.js'
export type { PendingSubject } from './rules/remembered.js'
export {
  type Explanation,
  groupsNeeded,
  RuleEngine,
  type RuleEngineOptions,
  type RuleMemory,
  type RuleTable,
} from './rules/rule_engine.js'
export { type SchemaFault, schemaFaults } from './rules/schema/faults.js'
export type { MatchSpec, RuleMatchSpec } from './rules/schema/match.js'
export {
  type ActionSpec,
  type CheckedRule,
  checkRules,
  type Rule,
  type RuleLimits,
  ruleJsonSchema,
  ruleSchema,
  type Severity,
  type Step,
} from './rules/schema/rule.js'
export { type GroupMember, type GroupRef, type Subject, subjectKey } from './rules/subject.js'
export { Sampler, type SamplerOptions } from './sampler/sampler.js'
export { nearestWord } from './spelling.js'
export type { Capability } from './system/capabilities.js'
export { CHECK_IDS, type Check, type CheckId, type CheckState, type Requirement } from './system/check.js'
export { type Diagnosis, diagnose, type Grant } from './system/diagnosis.js'
export { bpfObstacle, type Obstacle, type ObstacleCode } from './system/kernel_support.js'
export { COLUMNS } from './table/columns.js'
export type { ProcessIdentity } from './table/identity.js'
export type { ColumnGroup, ColumnInfo, ColumnName, Columns, OptionalGroup } from './table/layout.js'
export { type ProcessDetails, ProcessRow } from './table/process.js'
export { type ProcessFilter, type Source, Table } from './table/table.js'
export { type Cohort, type CohortMember, type CohortVerdict, compareCohort } from './trend/cohort.js'
export { TrendTracker, type TrendTrackerOptions } from './trend/tracker.js'
export {
  analyzeTrend,
  type Trend,
  type TrendInput,
  type TrendOptions,
  type TrendVerdict,
} from './trend/trend.js'
export {
  type ClauseToWord,
  wordedBytes,
  wordedClause,
  wordedClauses,
  wordedComparison,
  wordedDuration,
  wordedQuantity,
} from './words.js'
