import { columnId, isMissing, type TableMemory } from '../../table/layout.js'
import type { ShardState } from '../judge/state.js'
import { type Changes, NAME_WORDS } from './changes.js'
import { type Learned, learnedTruth } from './learned.js'
import type { Matcher } from './matcher.js'
import type { MatchPlan } from './plan.js'
import { cast, shadowsIn } from './shadows.js'
import { bitAt, type MatchState, wordsFor } from './state.js'
import { unknown } from './truth.js'

/** Enters the found changes into the state. */
export function commitChanges(
  table: TableMemory,
  state: ShardState,
  matcher: Matcher,
  changes: Changes,
  learned: Learned | undefined,
): void {
  for (let rule = 0; rule < state.ruleCount; rule++) {
    for (let at = 0; at < changes.touchedCount; at++) {
      const word = changes.touchedWords[at]!
      const touched = changes.touched[word]!
      const cell = rule * state.words + word
      const matched = (state.matched[cell]! & ~touched) | (changes.matched[cell]! & touched)
      if (matched === state.matched[cell]) continue
      // First, so that no thread takes the new bits for those of the version before.
      state.matchedVersion[rule]!++
      state.matched[cell] = matched
    }
  }
  commitMatch(table, state.match, matcher.plan, changes, learned)
  for (let at = 0; at < changes.arrivedCount; at++) {
    const slot = changes.arrived[at]!
    state.generation[slot] = table.columns.generation[slot]!
    state.pid[slot] = table.columns.pid[slot]!
    state.startTicks[slot] = table.columns.startTicks[slot]!
    state.pidfsInode[slot] = isMissing(table, slot, columnId.pidfsInode)
      ? Number.NaN
      : table.columns.pidfsInode[slot]!
    copyName(table, state, slot)
  }
  for (let at = 0; at < changes.rematchedCount; at++) copyName(table, state, changes.rematched[at]!)
  state.live.set(changes.live)
}

function commitMatch(
  table: TableMemory,
  state: MatchState,
  plan: MatchPlan,
  changes: Changes,
  learned: Learned | undefined,
): void {
  const texts = plan.texts.length
  for (let at = 0; at < changes.touchedCount; at++) {
    const word = changes.touchedWords[at]!
    const same = ~changes.changed[word]!
    state.asked[word]! &= same & ~changes.refreshed[word]!
    for (let row = 0; row < texts; row++) {
      state.yes[row * state.words + word]! &= same
      state.known[row * state.words + word]! &= same
    }
  }
  for (const slot of changes.wanted) state.asked[slot >>> 5]! |= 1 << (slot & 31)
  for (let at = 0; at < changes.arrivedCount; at++) {
    for (const numbers of state.numbers) numbers[changes.arrived[at]!] = Number.NaN
  }
  for (const [slot, place] of changes.learned) {
    const bit = 1 << (slot & 31)
    state.asked[slot >>> 5]! |= bit
    for (let row = 0; row < texts; row++) {
      const cell = row * state.words + (slot >>> 5)
      const truth = learnedTruth(learned!, place, plan, row)
      state.yes[cell] = truth === 1 ? state.yes[cell]! | bit : state.yes[cell]! & ~bit
      state.known[cell] = truth === unknown ? state.known[cell]! & ~bit : state.known[cell]! | bit
    }
    for (const [fact, numbers] of state.numbers.entries()) {
      numbers[slot] = learned!.numbers[place * state.numbers.length + fact]!
    }
  }
  const shadows = shadowsIn(table, plan)
  const words = wordsFor(plan.subtrees.length)
  const keep = (slot: number): void => {
    cast(table, state, shadows, slot)
    for (let word = slot * words; word < (slot + 1) * words; word++) {
      state.subtreeYes[word] = changes.subtreeYes[word]!
      state.subtreeKnown[word] = changes.subtreeKnown[word]!
    }
  }
  for (let at = 0; at < changes.arrivedCount; at++) keep(changes.arrived[at]!)
  for (let at = 0; at < changes.rematchedCount; at++) keep(changes.rematched[at]!)
}

/**
 * A number of a process as it is known at this tick, be it in the state already or not; NaN: unknown.
 * @param fact its place in `FactSpec.numbers`
 */
export function numberOf(
  state: MatchState,
  changes: Changes,
  learned: Learned | undefined,
  fact: number,
  slot: number,
): number {
  const place = changes.learned.get(slot)
  if (place !== undefined) return learned!.numbers[place * state.numbers.length + fact]!
  return bitAt(changes.changed, 0, slot) === 1 ? Number.NaN : state.numbers[fact]![slot]!
}

function copyName(table: TableMemory, state: ShardState, slot: number): void {
  const start = slot * NAME_WORDS * 4
  for (let byte = 0; byte < NAME_WORDS * 4; byte++) state.names[start + byte] = table.names[start + byte]!
}
