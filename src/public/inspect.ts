export {
  type OpenDescriptor,
  type ProcFile,
  type ProcFilesOptions,
  parseDescriptors,
  readProcFiles,
} from '../inspect/proc_files.js'
export { type FactsOptions, type ProcessFacts, readProcessFacts } from '../inspect/process_facts.js'
export {
  type StuckOptions,
  type StuckProcess,
  stuckFacts,
  stuckProcesses,
} from '../inspect/stuck.js'
export { type StuckFacts, stuckAdvice } from '../inspect/stuck_advice.js'
export { type SigchldHandling, type ZombieFacts, zombieAdvice } from '../inspect/zombie_advice.js'
export { findZombies, type ZombieGroup, type ZombieParent, zombieFacts } from '../inspect/zombies.js'
