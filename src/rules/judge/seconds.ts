import type { SeriesPlan } from '../compile/plan.js'
import type { SeriesTick } from './series.js'
import { columnAt, type SeriesMemory } from './series_memory.js'

/** How long a process has been in one of the plan's states. Columns: since when (NaN: it is not), and for how many seconds. */
const SINCE_MS = 0
export const SECONDS = 1

/** Forgets since when a lane was in a state. */
export function clearSeconds({ numbers }: SeriesMemory, chunk: number, lane: number): void {
  numbers[columnAt(chunk, SINCE_MS) + lane] = Number.NaN
  numbers[columnAt(chunk, SECONDS) + lane] = Number.NaN
}

export function countSeconds(
  { numbers }: SeriesMemory,
  chunk: number,
  lane: number,
  { states }: Pick<SeriesPlan, 'states'>,
  state: number,
  { nowMs, gapMs, seenMs }: SeriesTick,
): void {
  const since = columnAt(chunk, SINCE_MS) + lane
  const seconds = columnAt(chunk, SECONDS) + lane
  if (!states.includes(state)) {
    numbers[since] = Number.NaN
    numbers[seconds] = Number.isNaN(state) ? Number.NaN : 0
    return
  }
  // Time that nobody saw does not count.
  if (Number.isNaN(numbers[since]!)) numbers[since] = nowMs
  else numbers[since]! += gapMs - seenMs
  numbers[seconds] = (nowMs - numbers[since]!) / 1000
}
