export type { ActionReport, EvidenceSettings } from './actions/context.js'
export {
  collectEvidence,
  type Evidence,
  type EvidenceFile,
  type EvidenceOptions,
} from './actions/evidence.js'
export type { RestartResult } from './actions/replace.js'
export { type StartedProcess, type StartOptions, startAgain } from './actions/restart.js'
export { type CaptureOptions, captureRestart } from './actions/restart_capture.js'
export type { RestartSpec } from './actions/restart_spec.js'
export { releaseRestart } from './actions/restart_stdio.js'
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
export type { AlertQuery } from './engine/alert_book.js'
export { Engine } from './engine/engine.js'
export type { EngineEvent, EngineEvents, EngineStats, Overrun, TickReport } from './engine/events.js'
export type { EngineEventSource } from './engine/lifecycle.js'
export type { EngineOptions } from './engine/options.js'
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
export type { ProcessFacts } from './inspect/process_facts.js'
export { currentPlace } from './journal/place.js'
export { type JournalReader, readJournal } from './journal/reader.js'
export type {
  ActionStatus,
  ActionType,
  Alert,
  AlertKind,
  ClauseValue,
  ExitCause,
  JournalBody,
  JournalRecord,
  LifecycleStats,
  OutcomeBody,
  Place,
  RecordedError,
} from './journal/records.js'
export { type JournalState, recover, type UnfinishedAction } from './journal/recover.js'
export {
  type Decision,
  type DecisionClause,
  type GroupMember,
  type GroupRef,
  subjectKey,
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
export { comparisonsOf } from './rules/language/walk.js'
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
