import { TEXT } from '../../arguments.js'
import { ProcmusterError } from '../../errors.js'

/** Longer ones are a slip of the pen; it also keeps every sum of times exact. */
export const MAX_DURATION_MS = 366 * 86_400_000

// In milliseconds from the start: a way over nanoseconds would round.
const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  min: 60_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const durationPart = /(\d+(?:\.\d+)?(?:e[-+]?\d+)?)(ms|s|min|m|h|d)/y

/**
 * Reads a duration such as `30s`, `5m` or `1h30m` at a position of a text.
 * @returns its milliseconds, of how many parts it is, and where it ends; or undefined when there is none
 */
export function readDuration(
  text: string,
  start: number,
): { ms: number; parts: number; end: number } | undefined {
  let ms = 0
  let parts = 0
  let end = start
  for (;;) {
    durationPart.lastIndex = end
    const part = durationPart.exec(text)
    if (part === null) break
    ms += Number(part[1]) * durationUnits[part[2]!]!
    parts++
    end = durationPart.lastIndex
  }
  return parts === 0 || /[\w.]/.test(text.charAt(end)) || !Number.isFinite(ms)
    ? undefined
    : { ms, parts, end }
}

/**
 * Reads a duration such as `30s`, `5m` or `1h30m`.
 * @throws ProcmusterError INVALID_ARGUMENT
 */
export function parseDuration(text: string): number {
  TEXT('the duration', text)
  const trimmed = text.trim()
  const duration = readDuration(trimmed, 0)
  if (duration === undefined || duration.end !== trimmed.length) {
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message: `${JSON.stringify(text)} is no duration; write '30s', '5m' or '1h30m'`,
    })
  }
  if (duration.ms > MAX_DURATION_MS) {
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message: `${JSON.stringify(text)} is too long a duration; give at most 366 days`,
    })
  }
  return duration.ms
}
