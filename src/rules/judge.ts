import { COLUMNS } from '../table/columns.js'
import { headerCell, type TableMemory } from '../table/layout.js'
import { type Evaluation, evaluateRule, report } from './evaluate.js'
import { cause, edge, type Findings, kind } from './findings.js'
import { type Changes, findChanges, matchChanges } from './match/changes.js'
import { commitChanges } from './match/commit.js'
import type { Learned } from './match/learned.js'
import type { Matcher } from './match/matcher.js'
import type { Program } from './program.js'
import { type ShardState, stateCell } from './state.js'

/** One shard's part of a tick. */
export interface Judgement {
  readonly table: TableMemory
  /** The table's sequence; when its memory holds another one, nothing is decided. */
  readonly sequence: number
  readonly program: Program
  readonly matcher: Matcher
  readonly state: ShardState
  readonly first: number
  readonly nowMs: number
  /** Number of the tick; the same when a tick is repeated after a crash. */
  readonly tick: number
  readonly learned: Learned | undefined
  /** Pids whose processes have to be matched again, because a rule was bound to another. */
  readonly rebound?: readonly number[] | undefined
  readonly changes: Changes
  readonly findings: Findings
  /** Called after each rule with the rows that it looked at, so that a thread can pause. */
  readonly looked?: (rows: number) => void
}

/**
 * Judges a shard's rules over a table: reads the table and writes findings, then makes sure that the table was whole all that
 * time, and only then enters them into the state.
 * @returns false when the table was being written meanwhile; then nothing has changed
 */
export function judge(judgement: Judgement): boolean {
  const { table, sequence, program, matcher, state, first, nowMs, tick, changes, findings } = judgement
  const { learned, rebound, looked } = judgement
  findings.reset()
  if (!isWhole(table, sequence)) return false
  const isRepeated = state.header[stateCell.tick] === tick
  findChanges(table, state, matcher, changes, learned, rebound, isRepeated)
  matchChanges(table, state, matcher, changes, learned)
  const evaluation: Evaluation = {
    table,
    cells: COLUMNS.map(({ name }) => table.columns[name] ?? table.columns.rssBytes),
    program,
    state,
    changes,
    first,
    nowMs,
    gapMs: nowMs - state.header[stateCell.previousMs]!,
    sampledTicks: table.header[headerCell.sampledTicks]!,
    findings,
  }
  if (isRepeated) reportFresh(evaluation)
  const dues = new Float64Array(state.ruleCount)
  const size = table.header[headerCell.size]!
  for (let local = 0; local < state.ruleCount; local++) {
    dues[local] = evaluateRule(evaluation, local)
    looked?.(size)
  }
  if (!isWhole(table, sequence)) {
    findings.reset()
    return false
  }

  state.header[stateCell.tick] = tick
  if (!isRepeated) forgetFresh(state)
  commitChanges(table, state, matcher, changes, learned)
  commitEdges(state, findings, nowMs, evaluation.gapMs)
  state.dueMs.set(dues)
  state.header[stateCell.previousMs] = nowMs
  return true
}

function isWhole(table: TableMemory, sequence: number): boolean {
  return Atomics.load(table.control, 0) === sequence && Atomics.load(table.control, 1) === sequence
}

function commitEdges(state: ShardState, findings: Findings, nowMs: number, gapMs: number): void {
  for (let at = 0; at < findings.edgeLength; at += 2) {
    const slot = findings.edges[at]!
    const rule = findings.edges[at + 1]! >>> 3
    const cell = rule * state.words + (slot >>> 5)
    const bit = 1 << (slot & 31)
    const sinceMs = state.sinceMs[rule]!
    const firedMs = state.firedMs[rule]
    switch (findings.edges[at + 1]! & 7) {
      case edge.activate:
        state.active[cell]! |= bit
        sinceMs[slot] = nowMs
        break
      case edge.clear:
        state.fresh[cell]! |= bit
        state.hasFresh[rule] = 1
        state.firing[cell]! &= ~bit
        state.active[cell]! &= ~bit
        break
      case edge.drop:
        state.active[cell]! &= ~bit
        break
      case edge.fire:
        state.fresh[cell]! |= bit
        state.hasFresh[rule] = 1
        state.firing[cell]! |= bit
        state.fired[cell]! |= bit
        if (firedMs) firedMs[slot] = nowMs
        break
      case edge.pause:
        sinceMs[slot]! += gapMs
        break
      case edge.restamp:
        if (firedMs) firedMs[slot] = nowMs
        break
    }
  }
}

/**
 * A worker that died after its commit never told what it had decided: a repeated tick tells it. (In the microseconds of the commit
 * itself a death can at worst report a clear twice.)
 */
function reportFresh(evaluation: Evaluation): void {
  const { state, findings } = evaluation
  for (let rule = 0; rule < state.ruleCount; rule++) {
    if (state.hasFresh[rule] === 0) continue
    for (let word = 0; word < state.words; word++) {
      for (let rest = state.fresh[rule * state.words + word]!; rest !== 0; ) {
        const bit = 31 - Math.clz32(rest)
        rest ^= 1 << bit
        const slot = (word << 5) + bit
        const isFiring = ((state.firing[rule * state.words + word]! >>> bit) & 1) === 1
        const isLive = ((state.live[word]! >>> bit) & 1) === 1
        const sinceMs = isFiring ? state.sinceMs[rule]![slot]! : Number.NaN
        report(
          evaluation,
          rule,
          slot,
          isFiring ? kind.fire : kind.clear,
          isLive ? cause.condition : cause.gone,
          sinceMs,
        )
      }
    }
  }
  // `report` alone: the state knows these steps already.
  findings.edgeLength = 0
}

function forgetFresh(state: ShardState): void {
  for (let rule = 0; rule < state.ruleCount; rule++) {
    if (state.hasFresh[rule] === 0) continue
    state.fresh.fill(0, rule * state.words, (rule + 1) * state.words)
    state.hasFresh[rule] = 0
  }
}
