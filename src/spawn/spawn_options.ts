import type { Resource, ResourceLimit } from '../control/rlimit.js'
import type { IoPriority, SchedulerSetting } from '../control/scheduling.js'
import type { ProcessIdentity } from '../table/identity.js'

/** A file as a standard descriptor: of 0 to read, of 1 and 2 to write. */
export interface FileTarget {
  readonly file: string
  /** Whether what is in it stays, which it does unless told otherwise; else it is emptied. */
  readonly append?: boolean
  /** Permissions of a file that is not there yet, less the umask of this process; 0600 unless told otherwise. */
  readonly mode?: number
}

/**
 * What a standard descriptor is: `inherit` that of this process, `ignore` /dev/null, `pipe` a pipe (no socket) with a stream at
 * this end. With `inherit` both share one open file, which is set to block (no `O_NONBLOCK`) for this process, too: few programs
 * expect anything else of a standard descriptor. fcntl(2).
 */
export type StdioTarget = 'inherit' | 'ignore' | 'pipe' | FileTarget

/** How `spawnProcess` starts a program. What is left out is as it is in this process. */
export interface SpawnOptions {
  /** Added to the environment of this process; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** False: `env` is the whole environment. */
  readonly extendEnv?: boolean
  /** Working directory; a relative path of the program begins there. */
  readonly cwd?: string
  /**
   * Name or uid, as getpwnam(3) knows it. Its group and supplementary groups become the process's, HOME, USER, LOGNAME and SHELL
   * those of the account, unless told otherwise.
   */
  readonly user?: string | number
  /** Name or gid. */
  readonly group?: string | number
  /** Supplementary groups, each a name or gid. */
  readonly groups?: readonly (string | number)[]
  readonly umask?: number
  /** A half that is left out stays. setrlimit(2). */
  readonly limits?: Readonly<Partial<Record<Resource, Partial<ResourceLimit>>>>
  /** -20 (first) to 19. */
  readonly nice?: number
  readonly ioPriority?: IoPriority
  readonly scheduler?: SchedulerSetting
  /** Processors: numbers, or a list like `0-3,8`. */
  readonly affinity?: string | readonly number[]
  /** -1000 to 1000. */
  readonly oomScoreAdj?: number
  /** A control group that is there, such as `/web/api`; entered before the program is executed. */
  readonly cgroup?: string
  /** It leads a session of its own, without a terminal. setsid(2). */
  readonly newSession?: boolean
  /** It leads a process group of its own: signals from the terminal do not reach it. setpgid(2). */
  readonly newProcessGroup?: boolean
  /** It and its descendants never gain privileges by executing a file. PR_SET_NO_NEW_PRIVS. */
  readonly noNewPrivileges?: boolean
  /** Default: `ignore`. */
  readonly stdin?: StdioTarget
  /** Default: `inherit`; of a detached one `ignore`. */
  readonly stdout?: StdioTarget
  /** `stdout`: where that goes. Default: `inherit`; of a detached one where its output goes. */
  readonly stderr?: StdioTarget | 'stdout'
  /**
   * A daemon: it leads a session of its own, does not keep this process's event loop alive, and lives on when this process ends.
   * It has no pipes, which would end with this process.
   */
  readonly detached?: boolean
  /**
   * Written before the program is executed, and removed when it has ended if this process is still there to see it. A file
   * that names a process which has ended is replaced; any other one is `BUSY`, also where another process has got that pid.
   */
  readonly pidFile?: string
  /**
   * Called with the child before it executes anything, so that it can be put under limits, or named in a journal first. Rejecting
   * calls the child off. A few starts are under way at a time: one that waits for another here may wait for ever.
   */
  readonly onReady?: (child: ProcessIdentity) => Promise<void> | void
}
