export type { ActionReport, EvidenceSettings } from '../actions/context.js'
export {
  collectEvidence,
  type Evidence,
  type EvidenceFile,
  type EvidenceOptions,
} from '../actions/evidence.js'
export type { GovernorOptions } from '../actions/governor_options.js'
export type { GovernorBound, SuspensionScope } from '../actions/governor_types.js'
export { type Nudge, type NudgeOptions, nudgeParent } from '../actions/nudge_parent.js'
export type { Relief } from '../actions/relief.js'
export type { RestartResult } from '../actions/replace.js'
export { type StartedProcess, type StartOptions, startAgain } from '../actions/restart.js'
export { type CaptureOptions, captureRestart } from '../actions/restart_capture.js'
export type { RestartSpec } from '../actions/restart_spec.js'
export { releaseRestart } from '../actions/restart_stdio.js'
