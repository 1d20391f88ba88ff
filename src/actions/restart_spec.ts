import type { ResourceLimits } from '../control/rlimit.js'
import type { Bytes, FileIdentity, StartSpec } from '../spawn/start_spec.js'

export interface StdioSpec {
  readonly number: 0 | 1 | 2
  /** `lost`: it can be neither taken over nor opened again. */
  readonly kind: 'file' | 'device' | 'pipe' | 'socket' | 'other' | 'closed' | 'lost'
  /** Of files and devices, to open them again after a crash of ours; the file must be the same one still. */
  readonly path?: Bytes | undefined
  readonly file?: FileIdentity | undefined
  /** User id. A terminal that ended leaves its number, and its inode's, to the next one. */
  readonly owner?: number | undefined
  /** open(2) flags. */
  readonly flags?: number | undefined
  readonly position?: number | undefined
}

export interface CgroupSpec {
  /** Empty for cgroup v2. */
  readonly controllers: string
  readonly path: string
}

/**
 * Everything that it takes to start a process again as it was. Plain JSON, for a journal; it holds the environment, so
 * keep it private (0600). The open descriptors go with the object itself, not with its JSON.
 */
export interface RestartSpec extends StartSpec {
  readonly version: 1
  /** Of the process that it was taken from. */
  readonly pid: number
  readonly startTicks: number
  readonly name: string
  readonly limits: ResourceLimits
  readonly cgroups: readonly CgroupSpec[]
  readonly oomScoreAdj: number
  readonly stdio: readonly StdioSpec[]
  /** What the new process will lack, known beforehand. */
  readonly warnings: readonly string[]
}
