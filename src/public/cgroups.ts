export {
  type CapLimits,
  type CapOptions,
  type CapResult,
  capProcess,
} from '../cgroups/cap.js'
export { Cgroup } from '../cgroups/cgroup.js'
export type { CgroupOptions } from '../cgroups/group_place.js'
export {
  type CgroupHierarchy,
  type CgroupHost,
  CONTROLLERS,
  type Controller,
  type DetectOptions,
  detectCgroups,
} from '../cgroups/hierarchies.js'
export type { CgroupLimit, CgroupLimits, IoLimit } from '../cgroups/limits.js'
export { type UncapOptions, type UncapResult, uncapProcess } from '../cgroups/uncap.js'
export type { CgroupEventCounts, CgroupIoUse, CgroupUse, CgroupUsePart } from '../cgroups/use.js'
export type { CgroupWatch } from '../cgroups/watch.js'
