import type { TableMemory } from '../../table/layout.js'
import type { Changes } from '../match/changes.js'
import type { Findings } from './findings.js'
import type { GroupTick } from './groups.js'
import type { MatchedLists } from './matched_lists.js'
import type { ShardRules } from './program.js'
import type { Cells, Signals } from './signals.js'
import type { ShardState } from './state.js'
import type { Times } from './times.js'
import type { Truths } from './truths.js'
import type { Zones } from './zones.js'

/** All that judging a shard's rules reads; nothing of it is written but the findings. */
export interface Evaluation {
  readonly table: TableMemory
  /** By column id. */
  readonly cells: readonly Cells[]
  readonly rules: ShardRules
  readonly state: ShardState
  readonly times: Times
  readonly changes: Changes
  /** By rule; undefined for a rule about processes. */
  readonly groups: readonly (GroupTick | undefined)[]
  readonly signals: Signals
  readonly truths: Truths
  readonly masks: Masks
  readonly lists: MatchedLists
  readonly zones: Zones
  readonly nowMs: number
  /** Time since the last tick; negative when the clock was set back. */
  readonly gapMs: number
  /** What of it was seen: all of it, unless it was longer than a tick may be late. */
  readonly seenMs: number
  readonly sampledTicks: number
  /** Every series had room for all whom it should follow. */
  readonly isAllFollowed: boolean
  /** More subjects than this cannot begin to wait or fire: the memory for their times is used up. */
  readonly roomForTimes: number
  readonly findings: Findings
}

/** Lists and bitsets to work in, one rule at a time. */
export class Masks {
  readonly yes: Int32Array
  readonly no: Int32Array
  /** What clears a firing subject holds, or does not. */
  readonly clearYes: Int32Array
  readonly clearNo: Int32Array
  /** Whom the rule is about. */
  readonly alive: Int32Array
  readonly slots: Int32Array
  /** Rows looked at for the rule; one that needs lists costs some ten times as much for each. */
  rows = 0

  constructor(capacity: number) {
    const words = (capacity + 31) >>> 5
    this.yes = new Int32Array(words)
    this.no = new Int32Array(words)
    this.clearYes = new Int32Array(words)
    this.clearNo = new Int32Array(words)
    this.alive = new Int32Array(words)
    this.slots = new Int32Array(words * 32)
  }
}

/** Slots that a rule is about in a word: as it was, but where processes came, left or changed. */
export function matchedWord(
  { state, changes }: Pick<Evaluation, 'state' | 'changes'>,
  local: number,
  word: number,
): number {
  const touched = changes.touched[word]!
  const before = state.matched[local * state.words + word]!
  if (touched === 0) return before
  return (before & ~touched) | (changes.matched[local * changes.words + word]! & touched)
}

/** As `matchedWord`, of all words. */
export function copyMatched({ state, changes }: Evaluation, local: number, into: Int32Array): void {
  into.set(state.matched.subarray(local * state.words, (local + 1) * state.words))
  for (let at = 0; at < changes.touchedCount; at++) {
    const word = changes.touchedWords[at]!
    into[word] = matchedWord({ state, changes }, local, word)
  }
}

/** The slots of the set bits, ascending. */
export function listBits(bits: Int32Array, words: number, into: Int32Array): number {
  let count = 0
  for (let word = 0; word < words; word++) {
    for (let rest = bits[word]!; rest !== 0; rest &= rest - 1) {
      into[count++] = (word << 5) + 31 - Math.clz32(rest & -rest)
    }
  }
  return count
}

/** As `listBits`, of words that are told one by one. */
export function listSlots(wordAt: (word: number) => number, words: number, into: Int32Array): number {
  let count = 0
  for (let word = 0; word < words; word++) {
    for (let rest = wordAt(word); rest !== 0; rest &= rest - 1) {
      into[count++] = (word << 5) + 31 - Math.clz32(rest & -rest)
    }
  }
  return count
}
