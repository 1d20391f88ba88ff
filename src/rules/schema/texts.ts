import { z } from 'zod'
import { ProcmusterError } from '../../errors.js'
import { MAX_DURATION_MS, parseDuration } from '../language/durations.js'
import { parseWhen } from '../language/parse.js'

/** Reads a text by a function that throws `ProcmusterError`; its message becomes the fault of the value. */
export function readBy<T>(read: (text: string) => T) {
  return (text: string, context: z.RefinementCtx): T => {
    try {
      return read(text)
    } catch (cause) {
      if (!(cause instanceof ProcmusterError)) throw cause
      context.addIssue({ code: 'custom', message: cause.message })
      return z.NEVER
    }
  }
}

/** A refinement that holds when a function takes the text, with the reason when it throws. */
export function takenBy(check: (text: string) => unknown) {
  const reasonOf = (text: string): string | undefined => {
    try {
      check(text)
      return undefined
    } catch (cause) {
      return cause instanceof Error ? cause.message : String(cause)
    }
  }
  return [
    (text: string) => reasonOf(text) === undefined,
    { error: (issue: { input?: unknown }) => reasonOf(String(issue.input)) ?? 'invalid' },
  ] as const
}

export function invalid(message: string): ProcmusterError {
  return new ProcmusterError('INVALID_ARGUMENT', { message })
}

/** Milliseconds, or a text such as `30s`. */
export const durationSchema = z.union([
  z.number().min(0).max(MAX_DURATION_MS),
  z.string().max(100).transform(readBy(parseDuration)),
])

export const whenSchema = z.string().min(1).max(1000).transform(readBy(parseWhen))
