/**
 * Epoch milliseconds as they were when this process began, and those that have passed since: the clock of the ticks, and of all that
 * lasts (`for`, cooldowns, steps, put-offs, suspensions). A step of the wall clock does not move it, and it stands still while the
 * host is suspended (CLOCK_MONOTONIC of clock_gettime(2)).
 */
export const now = (): number => performance.timeOrigin + performance.now()

/** What the wall clock will show at a time of that clock, unless it is set or the host suspended meanwhile: for people and records. */
export const wallTimeOf = (ms: number, nowMs = now(), wallNowMs = Date.now()): number =>
  Math.round(ms - nowMs + wallNowMs)
