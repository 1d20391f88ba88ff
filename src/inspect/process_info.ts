import type { ResourceLimits } from '../control/rlimit.js'
import type { Scheduling } from '../control/scheduling_reading.js'
import type { ErrorCode } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { CgroupPlace } from './cgroup_path.js'
import type { Connection } from './connections.js'
import type { Library } from './libraries.js'
import type { MemoryMap } from './memory_map.js'
import type { Namespace } from './namespaces.js'
import type { OpenFile } from './open_files.js'
import type { ProcessCgroup } from './process_cgroups.js'
import type { ProcessStatus } from './process_status.js'
import type { StuckFacts } from './stuck_advice.js'
import type { Thread } from './threads.js'

/** Parts of `ProcessInfo` that cost more than a few small files. */
export type InspectSection =
  | 'memoryMap'
  | 'files'
  | 'connections'
  | 'threads'
  | 'namespaces'
  | 'libraries'
  | 'scheduling'
  | 'cgroups'

/** Something that could not be read, and why. */
export interface MissingField {
  /** File, such as `/proc/42/exe`. */
  readonly path: string
  readonly code: ErrorCode
  /** Sentence for people. */
  readonly reason: string
}

/** Counters since the start of the process; proc_pid_stat(5), proc_pid_status(5), proc_pid_io(5). */
export interface ProcessUsage {
  readonly userMs: number
  readonly systemMs: number
  readonly minorFaults: number
  readonly majorFaults: number
  readonly voluntarySwitches: number | undefined
  readonly involuntarySwitches: number | undefined
  /** Undefined of a process without memory, as a kernel thread is. */
  readonly memory: ProcessMemory | undefined
  readonly io: ProcessIo | undefined
}

/** From proc_pid_status(5), without any lock of the process. */
export interface ProcessMemory {
  readonly vszBytes: number
  readonly peakVszBytes: number
  readonly rssBytes: number
  readonly peakRssBytes: number
  readonly rssAnonBytes: number
  readonly rssFileBytes: number
  readonly rssShmemBytes: number
  readonly swapBytes: number
  readonly lockedBytes: number
  readonly pageTableBytes: number
}

/** proc_pid_io(5). */
export interface ProcessIo {
  /** Through system calls, from the page cache too. */
  readonly readCallBytes: number
  readonly writeCallBytes: number
  readonly readCalls: number
  readonly writeCalls: number
  /** From and to storage. */
  readonly readBytes: number
  readonly writeBytes: number
  readonly cancelledWriteBytes: number
}

/**
 * One process in depth. A field is undefined when it was not asked for, does not exist (a kernel thread has no program, a zombie no
 * memory), or could not be read: then `missing` says why. Texts that the process chose are hostile: escape them.
 */
export interface ProcessInfo {
  readonly identity: ProcessIdentity
  readonly name: string
  /** Letter, proc_pid_stat(5) field 3. */
  readonly state: string
  readonly isKernelThread: boolean
  /** The first thread has ended, and others live on: the fields tell of these. */
  readonly isHeadless: boolean
  readonly ppid: number
  readonly processGroup: number
  readonly session: number
  /** Controlling terminal, such as `pts/3`; undefined for none. */
  readonly terminal: string | undefined
  readonly nice: number
  readonly threadCount: number
  /** Pid in each PID namespace, the outermost that is seen first. */
  readonly namespacePids: readonly number[] | undefined
  readonly credentials: ProcessStatus | undefined
  /** Name of the effective user, the number as text if /etc/passwd has none. */
  readonly user: string | undefined
  readonly args: readonly string[] | undefined
  /** Only with `environment`. */
  readonly environment: Readonly<Record<string, string>> | undefined
  /** The kernel appends ` (deleted)`. */
  readonly exe: string | undefined
  readonly cwd: string | undefined
  readonly root: string | undefined
  readonly usage: ProcessUsage
  readonly limits: ResourceLimits | undefined
  readonly cgroup: CgroupPlace | undefined
  /** 0 to 2000; and its adjustment, -1000 to 1000. */
  readonly oomScore: number | undefined
  readonly oomScoreAdjustment: number | undefined
  readonly wait: StuckFacts | undefined
  readonly memoryMap: MemoryMap | undefined
  readonly files: readonly OpenFile[] | undefined
  readonly connections: readonly Connection[] | undefined
  readonly threads: readonly Thread[] | undefined
  readonly namespaces: readonly Namespace[] | undefined
  readonly libraries: readonly Library[] | undefined
  /** Of the main thread; what could not be read of it is in its own `missing`. */
  readonly scheduling: Scheduling | undefined
  /** Use and limits of each control group that it is in; what could not be read of one is told there. */
  readonly cgroups: readonly ProcessCgroup[] | undefined
  readonly missing: readonly MissingField[]
}
