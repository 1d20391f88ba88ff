/**
 * What of a gap between two ticks was seen. A longer one than a tick can be late means that nobody looked: the engine was stopped, or
 * the host suspended. Then one interval counts, and no more.
 */
export function seenOf(gapMs: number, intervalMs: number | undefined): number {
  if (gapMs < 0) return 0
  return intervalMs !== undefined && gapMs > gapLimitOf(intervalMs) ? intervalMs : gapMs
}

export function gapLimitOf(intervalMs: number | undefined): number {
  return intervalMs === undefined ? Number.POSITIVE_INFINITY : 2.5 * intervalMs + 1000
}
