import type { Relief } from '../actions/relief.js'
import { wordedBytes, wordedDuration } from '../words.js'

/** What was seen of a process that was restarted, or told to end. */
export interface Seen {
  readonly action: 'restart' | 'signal'
  /** Undefined while it has not ended. */
  readonly exitedInMs: number | undefined
  readonly isAboutMemory: boolean
  readonly rssBeforeBytes: number | undefined
  readonly rssAfterBytes: number | undefined
  readonly breachedAgain: boolean
  readonly successorGone: boolean
  /** Before anybody looked. */
  readonly goneBeforeSeen: boolean
  readonly observedMs: number
  /** For how long it should have been followed. */
  readonly windowMs: number
}

/** At least this part of the memory has to come back for it to be counted as given back. */
const GIVEN_BACK = 0.1

/** Whether an action was of use, and why one thinks so. */
export function reliefOf(seen: Seen): { relieved: Relief; reasons: string[] } {
  const { action, exitedInMs, observedMs, windowMs } = seen
  const isCutShort = observedMs < windowMs
  const observed = wordedDuration(observedMs)
  if (action === 'signal') {
    if (exitedInMs !== undefined)
      return { relieved: true, reasons: [`it ended within ${wordedDuration(exitedInMs)}`] }
    const reasons = [`it had not ended after ${observed}`]
    return { relieved: isCutShort ? 'unknown' : false, reasons }
  }
  const memory = memoryReason(seen)
  const reasons = memory.reason === undefined ? [] : [memory.reason]
  if (seen.breachedAgain)
    return { relieved: false, reasons: [`it breached the rule again after ${observed}`, ...reasons] }
  if (seen.successorGone) {
    const gone = seen.goneBeforeSeen
      ? 'the successor had ended when it was looked for first'
      : `the successor ended within ${observed}`
    return { relieved: 'unknown', reasons: [gone, ...reasons] }
  }
  if (isCutShort)
    return {
      relieved: 'unknown',
      reasons: [`followed for ${observed} of ${wordedDuration(windowMs)} only`, ...reasons],
    }
  const quiet = `no breach for ${observed}`
  // A rule over a window can need longer than ours to fire again: memory that did not come back makes that likely.
  if (seen.isAboutMemory && memory.isBack !== true)
    return { relieved: 'unknown', reasons: [quiet, ...reasons] }
  return { relieved: true, reasons: [quiet, ...reasons] }
}

function memoryReason({ rssBeforeBytes: before, rssAfterBytes: after }: Seen): {
  isBack: boolean | undefined
  reason: string | undefined
} {
  if (before === undefined || after === undefined)
    return { isBack: undefined, reason: 'its memory could not be read' }
  const isBack = after <= before * (1 - GIVEN_BACK)
  return {
    isBack,
    reason: `memory ${isBack ? 'came back' : 'did not come back'}: ${wordedBytes(before)} before, ${wordedBytes(after)} now`,
  }
}
