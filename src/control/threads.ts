import { ProcmusterError } from '../errors.js'

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

/** @throws ProcmusterError `INVALID_ARGUMENT` */
export function leaderOnly({ threads = 'all' }: ThreadOptions): boolean {
  if (threads === 'all' || threads === 'leader') return threads === 'leader'
  throw new ProcmusterError('INVALID_ARGUMENT', {
    message: `unknown threads ${JSON.stringify(threads)}; use all or leader`,
  })
}
