export { dropPidFile } from '../spawn/pid_file.js'
export type { FileTarget, SpawnOptions, StdioTarget } from '../spawn/spawn_options.js'
export { spawnProcess } from '../spawn/spawn_process.js'
export type { LifetimeUse, ProcessExit, SpawnedProcess } from '../spawn/spawned_process.js'
