import type { KeptExit } from '../../public/spawn.js'
import type { ProcessIdentity } from '../../public/table.js'

/** What is kept of a program in the background, a file each. */
export interface Job {
  readonly version: 1
  readonly name: string
  readonly pid: number
  readonly startTicks: number
  /** Of its session (job_session.ts); null where the kernel has none. */
  readonly autogroup: number | null
  /** Pids and ticks begin anew with each boot. */
  readonly bootId: string
  readonly startedAtMs: number
  readonly program: string
  readonly arguments: readonly string[]
  readonly directory: string
  readonly log: string
  /** The log is one of muster's own, and goes with the job. */
  readonly ownLog: boolean
  readonly pidFile: string | null
  /** It has a control group of its own. */
  readonly capped: boolean
  /** The signal that `muster jobs stop` ended it by. */
  readonly stoppedBy: string | null
  /** Waits for it, and writes how it ended. */
  readonly keeper: Pick<ProcessIdentity, 'pid' | 'startTicks'>
}

/**
 * Of an `orphaned` one the program has ended, and others of its session run on. `unknown`: this /proc hides it.
 */
export type JobState = 'running' | 'suspended' | 'orphaned' | 'ended' | 'unknown'

export interface JobNow extends Job {
  readonly state: JobState
  /** Null while it runs, and where its keeper was killed. */
  readonly exit: KeptExit | null
}

export const identityOf = ({ pid, startTicks }: Job): ProcessIdentity => ({ pid, startTicks, settled: true })

/** Whether what was read is a whole one. */
export function isJob(value: unknown): value is Job {
  if (typeof value !== 'object' || value === null) return false
  const job = value as Partial<Record<keyof Job, unknown>>
  const keeper: Partial<Job['keeper']> = job.keeper ?? {}
  const numbers = [job.pid, job.startTicks, job.startedAtMs, keeper.pid, keeper.startTicks]
  const texts = [job.name, job.bootId, job.program, job.directory, job.log, ...[job.arguments].flat()]
  return (
    job.version === 1 &&
    Array.isArray(job.arguments) &&
    numbers.every((each) => Number.isSafeInteger(each) && (each as number) > 0) &&
    texts.every((each) => typeof each === 'string') &&
    [job.pidFile, job.stoppedBy].every((each) => each === null || typeof each === 'string')
  )
}
