import type { Evaluation } from './evaluation.js'
import { cause, kind } from './findings.js'
import { clearCause, report, writeReports } from './report.js'
import { TIME } from './times.js'

/**
 * A thread that died after its commit never told what it had decided: a repeated tick tells it. (In the microseconds of the commit
 * itself a death can at worst report a clear twice.)
 */
export function reportFresh(evaluation: Evaluation): void {
  const { state, times, findings, groups, signals } = evaluation
  for (let rule = 0; rule < state.ruleCount; rule++) {
    if (state.hasFresh[rule] === 0) continue
    const group = groups[rule]
    const live = group === undefined ? state.live : group.live
    for (let word = 0; word < state.words; word++) {
      for (let rest = state.fresh[rule * state.words + word]!; rest !== 0; ) {
        const bit = 31 - Math.clz32(rest)
        rest ^= 1 << bit
        const slot = (word << 5) + bit
        const isFiring = ((state.firing[rule * state.words + word]! >>> bit) & 1) === 1
        const isLive = ((live[word]! >>> bit) & 1) === 1
        const sinceMs = isFiring ? times.get(rule, slot, TIME.since) : Number.NaN
        const why = isFiring ? cause.condition : clearCause(evaluation, rule, slot)
        report(evaluation, slot, isFiring ? kind.fire : kind.clear, isLive ? why : cause.gone, sinceMs)
      }
    }
    signals.groups = group
    writeReports(evaluation, rule)
    signals.groups = undefined
  }
  // Told, and nothing more: the state knows these steps already.
  findings.edgeLength = 0
}
