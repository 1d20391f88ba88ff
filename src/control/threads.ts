import { type Checks, checkOptions, FLAG, oneOf } from '../arguments.js'
/** Options of what the kernel keeps for each thread. */
export interface ThreadOptions {
  /**
   * `all` threads, those that are made meanwhile too, or the main thread alone (`leader`), as chrt, taskset and ionice do
   * it. Default `all`.
   */
  readonly threads?: 'all' | 'leader'
  /** Also pid 1 and kernel threads; this process may always be named. */
  readonly force?: boolean
}

const CHECKS: Checks<ThreadOptions> = { threads: oneOf(['all', 'leader']), force: FLAG }

/** @throws ProcmusterError `INVALID_ARGUMENT` */
export function leaderOnly(options: ThreadOptions): boolean {
  checkOptions(options, CHECKS)
  return options.threads === 'leader'
}
