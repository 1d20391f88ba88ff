import { headerCell, slotOf, type TableMemory } from '../../table/layout.js'
import type { ShardState } from '../judge/state.js'
import type { Learned } from './learned.js'
import type { Matcher } from './matcher.js'
import type { MatchPlan } from './plan.js'
import { type CastShadow, seen, shadowsIn } from './shadows.js'
import { type MatchState, wordsFor } from './state.js'

/** 32-bit words of a name. */
export const NAME_WORDS = 16

/**
 * What a tick found, kept apart from the state until the table is known to have been whole. Kept by a worker from tick to tick, so
 * that a tick allocates nothing.
 */
export interface Changes {
  readonly capacity: number
  readonly words: number
  readonly live: Int32Array
  /** Slots with another process than at the last tick, or none any more. */
  readonly changed: Int32Array
  /** `changed`, and slots whose process has to be matched again. */
  readonly touched: Int32Array
  readonly touchedWords: Int32Array
  touchedCount: number
  readonly arrived: Uint32Array
  arrivedCount: number
  readonly rematched: Uint32Array
  rematchedCount: number
  /** Rematched slots whose facts may be others now. */
  readonly refreshed: Int32Array
  /** Words beyond have neither a live nor a touched slot. */
  wordLimit: number
  /** By rule; only the bits of touched slots mean something. */
  readonly matched: Int32Array
  /** As in the state; only those of touched live slots mean something. */
  readonly subtreeYes: Int32Array
  readonly subtreeKnown: Int32Array
  /** Place in `Learned` by slot. */
  readonly learned: Map<number, number>
  /** Slots whose facts should be learned. */
  readonly wanted: number[]
}

export function makeChanges({ rules, subtrees }: MatchPlan, capacity: number): Changes {
  const words = (capacity + 31) >>> 5
  return {
    capacity,
    words,
    live: new Int32Array(words),
    changed: new Int32Array(words),
    touched: new Int32Array(words),
    touchedWords: new Int32Array(words),
    touchedCount: 0,
    arrived: new Uint32Array(capacity),
    arrivedCount: 0,
    rematched: new Uint32Array(capacity),
    rematchedCount: 0,
    refreshed: new Int32Array(words),
    wordLimit: 0,
    matched: new Int32Array(rules.length * words),
    subtreeYes: new Int32Array(capacity * wordsFor(subtrees.length)),
    subtreeKnown: new Int32Array(capacity * wordsFor(subtrees.length)),
    learned: new Map(),
    wanted: [],
  }
}

/** Finds who came, who left, and who has to be matched again. */
export function findChanges(
  table: TableMemory,
  state: ShardState,
  matcher: Matcher,
  changes: Changes,
  learned: Learned | undefined,
  rebound: readonly number[] | undefined,
  isRepeated: boolean,
  isRevised: boolean,
): void {
  reset(changes)
  const { live, changed, touched } = changes
  const nameWords = new Int32Array(table.names.buffer, table.names.byteOffset, table.names.byteLength / 4)
  const { generation } = table.columns
  const shadows = shadowsIn(table, matcher.plan)
  const size = table.header[headerCell.size]!
  const { slots } = table
  for (let index = 0; index < size; index++) {
    const slot = slots[index]!
    const word = slot >>> 5
    const bit = 1 << (slot & 31)
    live[word]! |= bit
    if ((state.live[word]! & bit) === 0 || state.generation[slot] !== generation[slot]) {
      changed[word]! |= bit
      changes.arrived[changes.arrivedCount++] = slot
    } else if (
      // What a tick wanted to know got lost when its thread died.
      isRepeated ||
      (matcher.watchNames && otherName(nameWords, state.nameWords, slot * NAME_WORDS))
    ) {
      refresh(changes, slot)
    } else if (isRevised) {
      // There are rules that have not seen it.
      rematch(changes, slot)
    } else if (shadows.length > 0) {
      watch(table, state.match, shadows, changes, slot)
    }
  }
  for (let word = 0; word < changes.words; word++) {
    changed[word]! |= state.live[word]! & ~live[word]!
    touched[word]! |= changed[word]!
  }
  const execedCount = table.header[headerCell.execedCount]!
  for (let index = 0; index < execedCount; index++) {
    const slot = table.execed[index]!
    if (isSameProcess(changes, slot)) refresh(changes, slot)
  }
  for (const pid of rebound ?? []) {
    const slot = slotOf(table, pid)
    if (slot !== undefined && isSameProcess(changes, slot)) refresh(changes, slot)
  }
  if (learned !== undefined) {
    for (let place = 0; place < learned.slots.length; place++) {
      const slot = learned.slots[place]!
      if (slot >= changes.capacity || generation[slot] !== learned.generations[place]) continue
      changes.learned.set(slot, place)
      if (isSameProcess(changes, slot)) rematch(changes, slot)
    }
  }
  for (let word = 0; word < changes.words; word++) {
    if (touched[word] !== 0) changes.touchedWords[changes.touchedCount++] = word
    if (touched[word] !== 0 || live[word] !== 0) changes.wordLimit = word + 1
  }
}

function watch(
  table: TableMemory,
  state: MatchState,
  shadows: readonly CastShadow[],
  changes: Changes,
  slot: number,
): void {
  for (const cast of shadows) {
    if (Object.is(seen(table, cast, slot), state.shadows[cast.place]![slot])) continue
    if (cast.shadow.refreshes) refresh(changes, slot)
    else rematch(changes, slot)
  }
}

function reset(changes: Changes): void {
  changes.live.fill(0)
  changes.changed.fill(0)
  changes.touched.fill(0)
  changes.refreshed.fill(0)
  changes.touchedCount = 0
  changes.arrivedCount = 0
  changes.rematchedCount = 0
  changes.wordLimit = 0
  changes.learned.clear()
  changes.wanted.length = 0
}

function rematch(changes: Changes, slot: number): void {
  const bit = 1 << (slot & 31)
  if ((changes.touched[slot >>> 5]! & bit) !== 0) return
  changes.touched[slot >>> 5]! |= bit
  changes.rematched[changes.rematchedCount++] = slot
}

/** Matches it again, and learns its facts again. */
function refresh(changes: Changes, slot: number): void {
  changes.refreshed[slot >>> 5]! |= 1 << (slot & 31)
  rematch(changes, slot)
}

/** Whether the slot is live with the process of the last tick. */
export function isSameProcess(changes: Changes, slot: number): boolean {
  return (((changes.live[slot >>> 5]! & ~changes.changed[slot >>> 5]!) >>> (slot & 31)) & 1) === 1
}

function otherName(names: Int32Array, seen: Int32Array, start: number): boolean {
  // A user process's name has 15 bytes; a kernel worker's longer one says what it does at the moment.
  return (
    names[start] !== seen[start] ||
    names[start + 1] !== seen[start + 1] ||
    names[start + 2] !== seen[start + 2] ||
    names[start + 3] !== seen[start + 3]
  )
}
