export { type Connection, readConnections } from '../inspect/connections.js'
export { type InspectOptions, inspectProcess } from '../inspect/inspect_process.js'
export { readLibraries } from '../inspect/libraries.js'
export {
  type MemoryClass,
  type MemoryField,
  MemoryMap,
  type MemoryMapOptions,
  type MemoryRegion,
  type MemoryTotals,
  type MemoryUse,
  readMemoryMap,
  type StackUse,
} from '../inspect/memory_map.js'
export { type Namespace, readNamespaces } from '../inspect/namespaces.js'
export {
  type OpenFile,
  type OpenFileKind,
  type OpenFilesOptions,
  readOpenFiles,
} from '../inspect/open_files.js'
export {
  type OpenDescriptor,
  type ProcFile,
  type ProcFilesOptions,
  parseDescriptors,
  readProcFiles,
} from '../inspect/proc_files.js'
export type { ProcessCgroup } from '../inspect/process_cgroups.js'
export { type FactsOptions, type ProcessFacts, readProcessFacts } from '../inspect/process_facts.js'
export type {
  InspectSection,
  MissingField,
  ProcessInfo,
  ProcessIo,
  ProcessMemory,
  ProcessUsage,
} from '../inspect/process_info.js'
export type { ProcessStatus } from '../inspect/process_status.js'
export {
  type ResourceSample,
  type ResourceTrack,
  type TrackOptions,
  trackResources,
} from '../inspect/resource_track.js'
export { readSockets, type Socket, type SocketProtocol, type SocketsOptions } from '../inspect/sockets.js'
export {
  type StuckOptions,
  type StuckProcess,
  stuckFacts,
  stuckProcesses,
} from '../inspect/stuck.js'
export { type StuckFacts, stuckAdvice } from '../inspect/stuck_advice.js'
export { readThreads, type Thread, type ThreadsOptions } from '../inspect/threads.js'
export { type SigchldHandling, type ZombieFacts, zombieAdvice } from '../inspect/zombie_advice.js'
export { findZombies, type ZombieGroup, type ZombieParent, zombieFacts } from '../inspect/zombies.js'
