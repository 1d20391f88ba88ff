import type { ActionDoneBody } from '../journal/action_records.js'
import type { AttemptEnd } from './governor_types.js'

/** `given-up` where trying again is of no use: the process is gone, or the engine closes; undefined: left to its next start. */
export function attemptEnd(done: Pick<ActionDoneBody, 'status' | 'error'> | undefined): AttemptEnd {
  const { status, error } = done ?? {}
  if (status === 'done' || status === 'failed') return status
  return status === 'refused' && error?.code !== 'PROCESS_GONE' ? 'refused' : 'given-up'
}
