export type { ExitInfo } from '../control/children.js'
export { identify, ProcessHandle } from '../control/handle.js'
export { lowerOwnPriority, type OwnPriority } from '../control/own_priority.js'
export { setPriority } from '../control/priority.js'
export type { ControlResult } from '../control/results.js'
export {
  getResourceLimits,
  type LimitValue,
  RESOURCES,
  type Resource,
  type ResourceLimit,
  type ResourceLimits,
  setResourceLimit,
} from '../control/rlimit.js'
export { sendSignal } from '../control/signal.js'
export { SIGNAL_NAMES, type SignalName, signalName, signalNumber } from '../control/signal_names.js'
export { type TerminateOptions, type Termination, terminate } from '../control/terminate.js'
