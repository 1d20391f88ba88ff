export type { ExitInfo } from '../control/children.js'
export { identify, ProcessHandle } from '../control/handle.js'
export {
  type MemberResult,
  type MembersOptions,
  type MembersResult,
  signalGroup,
  signalSession,
  signalTree,
} from '../control/members.js'
export { lowerOwnPriority, type OwnPriority } from '../control/own_priority.js'
export { setPriority } from '../control/priority.js'
export type { ControlResult } from '../control/results.js'
export {
  getResourceLimits,
  type LimitValue,
  RESOURCE_UNITS,
  RESOURCES,
  type Resource,
  type ResourceLimit,
  type ResourceLimits,
  setResourceLimit,
} from '../control/rlimit.js'
export {
  IO_CLASSES,
  type IoClass,
  type IoPriority,
  type Policy,
  parseProcessors,
  printProcessors,
  type SchedulerSetting,
  SETTABLE_POLICIES,
  type SettablePolicy,
  setAffinity,
  setAutogroupNice,
  setIoPriority,
  setOomScoreAdj,
  setScheduler,
  setTimerSlack,
} from '../control/scheduling.js'
export {
  getScheduling,
  type Scheduling,
  type SchedulingPart,
  type SchedulingResult,
} from '../control/scheduling_reading.js'
export { type SignalOptions, sendSignal } from '../control/signal.js'
export { SIGNAL_NAMES, type SignalName, signalName, signalNumber } from '../control/signal_names.js'
export { type TerminateOptions, type Termination, terminate } from '../control/terminate.js'
export {
  type TerminateTreeOptions,
  type TreeMemberEnd,
  type TreeTermination,
  terminateTree,
} from '../control/terminate_tree.js'
export type { ThreadOptions } from '../control/threads.js'
