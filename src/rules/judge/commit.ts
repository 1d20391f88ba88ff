import type { Evaluation } from './evaluation.js'
import { edge } from './findings.js'
import type { ShardState } from './state.js'
import { TIME, type Times } from './times.js'

/**
 * Enters the steps that were found.
 * @returns the times, another table when they had to grow
 */
export function commitEdges({ rules, state, changes, findings, groups, ...evaluation }: Evaluation): Times {
  const { nowMs, gapMs, seenMs } = evaluation
  // A successor in the slot has not fired yet.
  for (let at = 0; at < changes.touchedCount; at++) {
    const word = changes.touchedWords[at]!
    const same = ~changes.changed[word]!
    if (same === -1) continue
    for (let rule = 0; rule < state.ruleCount; rule++) {
      if (groups[rule] === undefined) state.fired[rule * state.words + word]! &= same
    }
  }
  // Nor has another group with the slot of one that is gone.
  for (const [rule, group] of groups.entries()) {
    if (group === undefined) continue
    for (let word = 0; word < state.words; word++)
      state.fired[rule * state.words + word]! &= group.live[word]!
  }
  let { times } = evaluation
  if (!times.hasRoom(findings.activations)) {
    times = times.renewed(findings.activations, (rule, subject) => {
      const cell = rule * state.words + (subject >>> 5)
      return (((state.active[cell]! | state.fired[cell]!) >>> (subject & 31)) & 1) === 1 ? rule : -1
    })
  }
  findings.eachEdge((slot, rule, step) => {
    const cell = rule * state.words + (slot >>> 5)
    const bit = 1 << (slot & 31)
    const { cooldownMs } = rules.plans[rule]!
    switch (step) {
      case edge.activate:
        state.hasActive[rule] = 1
        state.active[cell]! |= bit
        times.set(rule, slot, TIME.since, nowMs)
        break
      case edge.clear:
        freshen(state, rule, cell, bit)
        state.firing[cell]! &= ~bit
        state.active[cell]! &= ~bit
        state.clearing[cell]! &= ~bit
        break
      case edge.drop:
        state.active[cell]! &= ~bit
        break
      case edge.fire:
        freshen(state, rule, cell, bit)
        state.firing[cell]! |= bit
        if (cooldownMs >= 0) {
          state.fired[cell]! |= bit
          times.set(rule, slot, TIME.fired, nowMs)
        }
        break
      case edge.pause:
        move(times, rule, slot, TIME.since, gapMs, nowMs)
        break
      case edge.skip:
        move(times, rule, slot, TIME.since, gapMs - seenMs, nowMs)
        break
      case edge.restamp:
        times.set(rule, slot, TIME.fired, nowMs)
        break
      case edge.beginClear:
        state.clearing[cell]! |= bit
        times.set(rule, slot, TIME.clear, nowMs)
        break
      case edge.endClear:
        state.clearing[cell]! &= ~bit
        break
      case edge.pauseClear:
        move(times, rule, slot, TIME.clear, gapMs, nowMs)
        break
      case edge.skipClear:
        move(times, rule, slot, TIME.clear, gapMs - seenMs, nowMs)
        break
    }
  })
  return times
}

function move(times: Times, rule: number, slot: number, which: number, byMs: number, nowMs: number): void {
  const before = times.get(rule, slot, which)
  times.set(rule, slot, which, Number.isNaN(before) ? nowMs : before + byMs)
}

function freshen(state: ShardState, rule: number, cell: number, bit: number): void {
  state.fresh[cell]! |= bit
  state.hasFresh[rule] = 1
}

export function forgetFresh(state: ShardState): void {
  for (let rule = 0; rule < state.ruleCount; rule++) {
    if (state.hasFresh[rule] === 0) continue
    state.fresh.fill(0, rule * state.words, (rule + 1) * state.words)
    state.hasFresh[rule] = 0
  }
}
