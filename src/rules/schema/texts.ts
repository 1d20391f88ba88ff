import { z } from 'zod'
import { ProcmusterError } from '../../errors.js'
import { parseDuration } from '../language/durations.js'
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

/** A text such as `30s`. A number alone is refused: some would take it for seconds, others for milliseconds. */
export const durationSchema = z
  .union([z.literal(0), z.string().max(100)], {
    error: ({ input }) =>
      typeof input === 'number'
        ? `give a unit: ${input}s, ${input}ms or ${input}min`
        : 'give a time such as 30s',
  })
  .transform((given, context) => (given === 0 ? 0 : readBy(parseDuration)(given, context)))

export const whenSchema = z.string().min(1).max(1000).transform(readBy(parseWhen))
