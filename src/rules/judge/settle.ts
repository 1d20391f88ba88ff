import { columnId, isMissing } from '../../table/layout.js'
import type { Evaluation } from './evaluation.js'
import { cause, edge, kind } from './findings.js'
import { clearCause, report } from './report.js'
import { TIME } from './times.js'

/**
 * Fires that a shard reports in one tick. When a rule fires for all of a large host, the others wait for the next ticks: a million
 * decisions at once would be a gigabyte of objects.
 */
export const FIRES_AT_ONCE = 5_000

/**
 * Moves the subjects of a word along: idle, active, firing, and back.
 * @param known bits for which `yes` and `no` say something; neither of them is unknown
 * @returns when one of them has to be looked at again though no cell changes
 */
export function settleWord(
  evaluation: Evaluation,
  local: number,
  word: number,
  active: number,
  firing: number,
  known: number,
  yes: number,
  no: number,
  isDue: boolean,
): number {
  const { rules, masks, state, gapMs, seenMs } = evaluation
  const { clear, cooldownMs } = rules.plans[local]!
  const waiting = active & ~firing & known
  const unknown = waiting & ~(yes | no)
  const begins = yes & ~active
  const holds = isDue ? waiting & yes : 0
  const refires = isDue && cooldownMs >= 0 ? firing & yes : 0
  const ends = clear === undefined ? firing & no : 0
  const clearing = clear === undefined ? 0 : state.clearing[local * state.words + word]! & firing
  const clears = clear === undefined ? 0 : firing & (masks.clearYes[word]! | clearing)
  let nextDue = Number.POSITIVE_INFINITY
  for (let rest = (waiting & no) | ends | unknown; rest !== 0; ) {
    const bit = 31 - Math.clz32(rest)
    rest ^= 1 << bit
    const slot = (word << 5) + bit
    if (((unknown >>> bit) & 1) === 1) evaluation.findings.edge(slot, local, edge.pause)
    else if (((firing >>> bit) & 1) === 1) endBreach(evaluation, local, slot)
    else evaluation.findings.edge(slot, local, edge.drop)
  }
  // When it is their turn is known when the condition is known, or holds again.
  const stalled = cooldownMs >= 0 ? firing & known & ~(yes | ends) : 0
  if ((unknown | stalled) !== 0) nextDue = evaluation.nowMs
  let over = 0
  for (let rest = clears; rest !== 0; ) {
    const bit = 31 - Math.clz32(rest)
    rest ^= 1 << bit
    if (clearWhenDue(evaluation, local, (word << 5) + bit, ((clearing >>> bit) & 1) === 1)) over |= 1 << bit
  }
  for (let rest = (begins | holds | refires) & ~over; rest !== 0; ) {
    const bit = 31 - Math.clz32(rest)
    rest ^= 1 << bit
    const slot = (word << 5) + bit
    const wasActive = ((active >>> bit) & 1) === 1
    const wasFiring = ((firing >>> bit) & 1) === 1
    const sinceMs = wasActive
      ? holdsSince(evaluation, local, slot, wasFiring, gapMs, seenMs)
      : begin(evaluation, local, slot)
    nextDue = Math.min(nextDue, fireWhenDue(evaluation, local, slot, sinceMs, wasFiring))
  }
  return nextDue
}

function endBreach(evaluation: Evaluation, local: number, slot: number): void {
  evaluation.findings.edge(slot, local, edge.clear)
  report(evaluation, slot, kind.clear, clearCause(evaluation, local, slot), Number.NaN)
}

/** NaN when there is no room to remember it: it begins at a later tick. */
function begin({ findings, roomForTimes, nowMs }: Evaluation, local: number, slot: number): number {
  if (findings.activations >= roomForTimes) return Number.NaN
  findings.activations++
  findings.edge(slot, local, edge.activate)
  return nowMs
}

function holdsSince(
  { times, findings, nowMs }: Evaluation,
  local: number,
  slot: number,
  wasFiring: boolean,
  gapMs: number,
  seenMs: number,
): number {
  const sinceMs = times.get(local, slot, TIME.since)
  if (Number.isNaN(sinceMs)) return nowMs
  if (wasFiring || gapMs === seenMs) return sinceMs
  findings.edge(slot, local, edge.skip)
  return sinceMs + gapMs - seenMs
}

/** Hysteresis: it is over when the rule's `clear` has held for long enough. */
function clearWhenDue(evaluation: Evaluation, local: number, slot: number, wasClearing: boolean): boolean {
  const { rules, masks, times, findings, nowMs, gapMs, seenMs } = evaluation
  const { forMs } = rules.plans[local]!.clear!
  const bit = 1 << (slot & 31)
  if ((masks.clearYes[slot >>> 5]! & bit) === 0) {
    const isNo = (masks.clearNo[slot >>> 5]! & bit) !== 0
    findings.edge(slot, local, isNo ? edge.endClear : edge.pauseClear)
    return false
  }
  let sinceMs = wasClearing ? times.get(local, slot, TIME.clear) : nowMs
  if (wasClearing && gapMs !== seenMs) {
    findings.edge(slot, local, edge.skipClear)
    sinceMs += gapMs - seenMs
  }
  if (nowMs - sinceMs >= forMs) {
    endBreach(evaluation, local, slot)
    return true
  }
  if (!wasClearing) findings.edge(slot, local, edge.beginClear)
  return false
}

/** Fires if it is time to, and says when to look again. */
function fireWhenDue(
  evaluation: Evaluation,
  local: number,
  slot: number,
  sinceMs: number,
  wasFiring: boolean,
): number {
  const { rules, state, times, changes, groups, nowMs, findings } = evaluation
  if (Number.isNaN(sinceMs)) return nowMs
  const { cooldownMs, forMs } = rules.plans[local]!
  let dueMs = wasFiring ? Number.NEGATIVE_INFINITY : sinceMs + forMs
  if (cooldownMs >= 0) {
    const same = groups[local] === undefined ? ~changes.changed[slot >>> 5]! : -1
    const fired = state.fired[local * state.words + (slot >>> 5)]! & same
    if (((fired >>> (slot & 31)) & 1) === 1) {
      let firedMs = times.get(local, slot, TIME.fired)
      if (firedMs > nowMs) {
        // The clock was set back: the cooldown begins anew, so that it ends in a bounded time.
        firedMs = nowMs
        findings.edge(slot, local, edge.restamp)
      }
      dueMs = Math.max(dueMs, firedMs + cooldownMs)
    }
  } else if (wasFiring) {
    return Number.POSITIVE_INFINITY
  }
  if (dueMs > nowMs) return dueMs
  if (!isSettled(evaluation, local, slot) || findings.fires === FIRES_AT_ONCE) return nowMs
  findings.fires++
  findings.edge(slot, local, edge.fire)
  report(evaluation, slot, kind.fire, cause.condition, sinceMs)
  return cooldownMs >= 0 ? nowMs + cooldownMs : Number.POSITIVE_INFINITY
}

/** A pid that is not settled may stand for a process and its successor: look again at the next tick. */
function isSettled({ table, groups, sampledTicks }: Evaluation, local: number, slot: number): boolean {
  if (groups[local] !== undefined) return true
  return table.columns.startTicks[slot]! < sampledTicks && !isMissing(table, slot, columnId.startTicks)
}
