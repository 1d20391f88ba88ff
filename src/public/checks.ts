export type { Capability } from '../system/capabilities.js'
export { CHECK_IDS, type Check, type CheckId, type CheckState, type Requirement } from '../system/check.js'
