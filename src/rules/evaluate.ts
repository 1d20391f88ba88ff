import { columnId, isMissing, type TableMemory } from '../table/layout.js'
import { cause, edge, type Findings, kind } from './findings.js'
import type { Changes } from './match/changes.js'
import type { Program } from './program.js'
import type { ShardState } from './state.js'

type Cells = Float64Array | Int32Array | Uint32Array | Uint8Array

/**
 * Fires that a shard reports in one tick. When a rule fires for all of a large host, the others wait for the next ticks: a million
 * decisions at once would be a gigabyte of objects.
 */
export const FIRES_AT_ONCE = 5_000

/** All that judging a shard's rules reads; nothing of it is written but the findings. */
export interface Evaluation {
  readonly table: TableMemory
  /** By column id. */
  readonly cells: readonly Cells[]
  readonly program: Program
  readonly state: ShardState
  readonly changes: Changes
  /** Index in the program of the shard's first rule. */
  readonly first: number
  readonly nowMs: number
  /** Time since the last tick; negative when the clock was set back. */
  readonly gapMs: number
  readonly sampledTicks: number
  readonly findings: Findings
}

/**
 * Judges one rule of a shard. Three-valued: a clause whose cell is missing is unknown. What is unknown never fires and never
 * clears, and the time during which a condition was unknown does not count for its `for`.
 * @returns when the rule has to be looked at again though no cell changes
 */
export function evaluateRule(evaluation: Evaluation, local: number): number {
  const { program, state, changes, first, nowMs, gapMs } = evaluation
  const rule = first + local
  const base = local * state.words
  const start = program.clauseStart[rule]!
  const end = program.clauseStart[rule + 1]!
  const cools = program.cooldownMs[rule]! >= 0
  const mustCheckWaiting = program.missingNeverHits[rule] === 0
  const due = state.dueMs[local]!
  // Before its due time no row that waits (for its `for`, a cooldown, a settled identity) needs a look.
  const isDue = nowMs >= due || gapMs < 0
  let nextDue = isDue ? Number.POSITIVE_INFINITY : due

  for (let word = 0; word < changes.wordLimit; word++) {
    let matched = state.matched[base + word]!
    let active = state.active[base + word]!
    let firing = state.firing[base + word]!
    const touched = changes.touched[word]!
    if (touched !== 0) {
      matched = (matched & ~touched) | (changes.matched[base + word]! & touched)
      const lost = active & (changes.changed[word]! | ~matched)
      if (lost !== 0) dropLost(evaluation, local, word, lost, firing)
      active &= ~lost
      firing &= ~lost
    }
    if (matched === 0) continue
    let hits = matched
    for (let clause = start; clause < end && hits !== 0; clause++) {
      hits = narrow(evaluation, clause, word << 5, hits)
    }
    const edges = hits ^ active
    const waiting = isDue || mustCheckWaiting ? hits & active & ~firing : 0
    const held = isDue && cools ? hits & firing : 0
    if ((edges | waiting | held) === 0) continue
    nextDue = Math.min(
      nextDue,
      settleWord(evaluation, local, word, edges | waiting | held, hits, active, firing),
    )
  }
  return nextDue
}

/** The bits of `bits` for which the clause's cell is in (or outside of) its interval. */
function narrow({ cells, program }: Evaluation, clause: number, slot: number, bits: number): number {
  const column = cells[program.column[clause]!]!
  const low = program.low[clause]!
  const high = program.high[clause]!
  let inside: number
  if (program.isFloat[clause] === 1) {
    inside =
      isCrowded(bits) && slot + 32 <= column.length
        ? insideOfWord(column as Float64Array, slot, low, high)
        : insideOfFloats(column as Float64Array, slot, bits, low, high)
  } else {
    inside = insideOfIntegers(column as Int32Array, slot, bits, low, high)
  }
  return program.outside[clause] === 1 ? bits & ~inside : bits & inside
}

function insideOfWord(column: Float64Array, slot: number, low: number, high: number): number {
  let inside = 0
  for (let bit = 0; bit < 32; bit++) {
    const cell = column[slot + bit]!
    if (cell >= low && cell <= high) inside |= 1 << bit
  }
  return inside
}

function insideOfFloats(column: Float64Array, slot: number, bits: number, low: number, high: number): number {
  let inside = 0
  for (let rest = bits; rest !== 0; ) {
    const bit = 31 - Math.clz32(rest)
    rest ^= 1 << bit
    const cell = column[slot + bit]!
    if (cell >= low && cell <= high) inside |= 1 << bit
  }
  return inside
}

// Apart from the one for floats, so that neither loop sees more kinds of arrays than it must.
function insideOfIntegers(column: Cells, slot: number, bits: number, low: number, high: number): number {
  let inside = 0
  for (let rest = bits; rest !== 0; ) {
    const bit = 31 - Math.clz32(rest)
    rest ^= 1 << bit
    const cell = column[slot + bit]!
    if (cell >= low && cell <= high) inside |= 1 << bit
  }
  return inside
}

/** Whether more than eight bits are set: then all 32 cells are compared faster than those picked one by one. */
function isCrowded(bits: number): boolean {
  if (bits === -1) return true
  let pairs = bits - ((bits >>> 1) & 0x55555555)
  pairs = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((pairs + (pairs >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24 > 8
}

/** Rows whose process is gone, or is none of the rule's any more. */
function dropLost(evaluation: Evaluation, local: number, word: number, lost: number, firing: number): void {
  const { changes, findings } = evaluation
  for (let rest = lost; rest !== 0; ) {
    const bit = 31 - Math.clz32(rest)
    rest ^= 1 << bit
    const slot = (word << 5) + bit
    const wasFiring = ((firing >>> bit) & 1) === 1
    findings.edge(slot, local, wasFiring ? edge.clear : edge.drop)
    if (!wasFiring) continue
    const isGone = ((changes.changed[word]! >>> bit) & 1) === 1
    report(evaluation, local, slot, kind.clear, isGone ? cause.gone : cause.unmatched, Number.NaN)
  }
}

/** Moves the picked rows of a word along: idle, active, firing. */
function settleWord(
  evaluation: Evaluation,
  local: number,
  word: number,
  picked: number,
  hits: number,
  active: number,
  firing: number,
): number {
  const { nowMs, gapMs, findings, state } = evaluation
  let nextDue = Number.POSITIVE_INFINITY
  for (let rest = picked; rest !== 0; ) {
    const bit = 31 - Math.clz32(rest)
    rest ^= 1 << bit
    const slot = (word << 5) + bit
    const wasActive = ((active >>> bit) & 1) === 1
    const wasFiring = ((firing >>> bit) & 1) === 1
    const isHit = ((hits >>> bit) & 1) === 1
    const truth = truthOf(evaluation, local, slot, isHit)
    if (truth === no) {
      findings.edge(slot, local, wasFiring ? edge.clear : edge.drop)
      if (wasFiring) report(evaluation, local, slot, kind.clear, cause.condition, Number.NaN)
      continue
    }
    if (!wasActive) {
      if (truth === unknown) continue
      findings.edge(slot, local, edge.activate)
    }
    let sinceMs = wasActive ? state.sinceMs[local]![slot]! : nowMs
    if (wasActive && !wasFiring && (truth === unknown || gapMs < 0)) {
      findings.edge(slot, local, edge.pause)
      sinceMs += gapMs
    }
    nextDue = Math.min(nextDue, fireWhenDue(evaluation, local, slot, sinceMs, wasFiring, truth))
  }
  return nextDue
}

/** Fires if it is time to, and says when to look again. */
function fireWhenDue(
  evaluation: Evaluation,
  local: number,
  slot: number,
  sinceMs: number,
  wasFiring: boolean,
  truth: Truth,
): number {
  const { program, state, changes, first, table, nowMs, sampledTicks, findings } = evaluation
  const cooldownMs = program.cooldownMs[first + local]!
  let dueMs = wasFiring ? Number.NEGATIVE_INFINITY : sinceMs + program.forMs[first + local]!
  if (cooldownMs >= 0) {
    const fired = state.fired[local * state.words + (slot >>> 5)]! & ~changes.changed[slot >>> 5]!
    if (((fired >>> (slot & 31)) & 1) === 1) {
      let firedMs = state.firedMs[local]![slot]!
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
  // Until the row is settled its identity could be that of a successor: look again at the next tick.
  const isSettled =
    table.columns.startTicks[slot]! < sampledTicks && !isMissing(table, slot, columnId.startTicks)
  if (truth === unknown || !isSettled || findings.fires === FIRES_AT_ONCE) return nowMs
  findings.fires++
  findings.edge(slot, local, edge.fire)
  report(evaluation, local, slot, kind.fire, cause.condition, sinceMs)
  return cooldownMs >= 0 ? nowMs + cooldownMs : Number.POSITIVE_INFINITY
}

type Truth = 0 | 1 | 2
const no = 0
const yes = 1
const unknown = 2

function truthOf(evaluation: Evaluation, local: number, slot: number, isHit: boolean): Truth {
  const { program, first, table, cells } = evaluation
  const end = program.clauseStart[first + local + 1]!
  let truth: Truth = yes
  for (let clause = program.clauseStart[first + local]!; clause < end; clause++) {
    const column = program.column[clause]!
    if (isMissing(table, slot, column)) {
      truth = unknown
    } else if (!isHit) {
      const cell = cells[column]![slot]!
      const inside = cell >= program.low[clause]! && cell <= program.high[clause]!
      if (inside === (program.outside[clause] === 1)) return no
    }
  }
  return truth
}

/** Writes one decision for the main thread. */
export function report(
  { program, state, table, first, cells, findings }: Evaluation,
  local: number,
  slot: number,
  what: number,
  why: number,
  sinceMs: number,
): void {
  const rule = first + local
  const clauses = program.clauseStart[rule + 1]! - program.clauseStart[rule]!
  const isGone = why === cause.gone
  const { columns } = table
  findings.begin(rule, slot, what, why, sinceMs)
  findings.number(isGone ? state.pid[slot]! : columns.pid[slot]!)
  findings.number(isGone ? state.startTicks[slot]! : columns.startTicks[slot]!)
  const inode = isMissing(table, slot, columnId.pidfsInode) ? Number.NaN : columns.pidfsInode[slot]!
  findings.number(isGone ? state.pidfsInode[slot]! : inode)
  for (let index = 0; index < clauses; index++) {
    const column = program.column[program.clauseStart[rule]! + index]!
    const isUnknown = isGone || isMissing(table, slot, column)
    findings.number(isUnknown ? Number.NaN : cells[column]![slot]!)
  }
  findings.name(isGone ? state.names : table.names, slot)
}
