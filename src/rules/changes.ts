import { columnId, headerCell, isKernelThread, isMissing, slotOf, type TableMemory } from '../table/layout.js'
import type { Program } from './program.js'
import { commandWords, isNamedProcess, type Selectors } from './selector.js'
import type { ShardState } from './state.js'

const NAME_WORDS = 16

/** Verdicts of command-line patterns that the main thread brings along. */
export interface Learned {
  readonly slots: Uint32Array
  /** The process that the command line was read from; another in the slot since has nothing to do with it. */
  readonly generations: Uint32Array
  /** Words of bits per slot, by command-line rule of all shards. */
  readonly bits: Int32Array
}

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
  /** Words beyond have neither a live nor a touched slot. */
  wordLimit: number
  /** By rule; only the bits of touched slots mean something. */
  readonly matched: Int32Array
  /** Place in `Learned` by slot. */
  readonly learned: Map<number, number>
  /** Slots whose command line should be read. */
  readonly wanted: number[]
}

export function makeChanges(ruleCount: number, capacity: number): Changes {
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
    wordLimit: 0,
    matched: new Int32Array(ruleCount * words),
    learned: new Map(),
    wanted: [],
  }
}

/** Finds who came, who left, and who has to be matched again. */
export function findChanges(
  table: TableMemory,
  state: ShardState,
  selectors: Selectors,
  changes: Changes,
  learned: Learned | undefined,
  rebound: readonly number[] | undefined,
  isRepeated: boolean,
): void {
  reset(changes)
  const { live, changed, touched } = changes
  const nameWords = new Int32Array(table.names.buffer, table.names.byteOffset, table.names.byteLength / 4)
  const { generation } = table.columns
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
      (selectors.watchNames && otherName(nameWords, state.nameWords, slot * NAME_WORDS))
    ) {
      rematch(changes, slot)
    }
  }
  for (let word = 0; word < changes.words; word++) {
    changed[word]! |= state.live[word]! & ~live[word]!
    touched[word]! |= changed[word]!
  }
  const execedCount = table.header[headerCell.execedCount]!
  for (let index = 0; index < execedCount; index++) {
    const slot = table.execed[index]!
    if (isSameProcess(changes, slot)) rematch(changes, slot)
  }
  for (const pid of rebound ?? []) {
    const slot = slotOf(table, pid)
    if (slot !== undefined && isSameProcess(changes, slot)) rematch(changes, slot)
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

/** Decides which rules are about the processes of the touched slots. */
export function matchChanges(
  table: TableMemory,
  state: ShardState,
  selectors: Selectors,
  changes: Changes,
  learned: Learned | undefined,
  commands: { first: number; total: number },
  program: Program,
  first: number,
): void {
  for (let rule = 0; rule < state.ruleCount; rule++) {
    for (let at = 0; at < changes.touchedCount; at++) {
      changes.matched[rule * changes.words + changes.touchedWords[at]!] = 0
    }
  }
  const commandOf = new Int32Array(state.ruleCount).fill(-1)
  for (const [command, rule] of selectors.commandRules.entries()) commandOf[rule] = command
  const names = Buffer.from(
    table.names.buffer as SharedArrayBuffer,
    table.names.byteOffset,
    table.names.byteLength,
  )
  const words = commandWords(commands.total)

  const fits = (command: number, slot: number, fresh: boolean): boolean => {
    const place = changes.learned.get(slot)
    if (place !== undefined) {
      const pattern = commands.first + command
      return ((learned!.bits[place * words + (pattern >>> 5)]! >>> (pattern & 31)) & 1) === 1
    }
    // Until the new command line of a process has been read, the verdict on the old one holds.
    return !fresh && ((state.command[command * state.words + (slot >>> 5)]! >>> (slot & 31)) & 1) === 1
  }
  const match = (slot: number, fresh: boolean): void => {
    let wanted = false
    const pid = table.columns.pid[slot]!
    const startTicks = table.columns.startTicks[slot]!
    for (const rule of selectors.passing(names, slot, isKernelThread(table, slot))) {
      if (!isNamedProcess(program, first + rule, pid, startTicks)) continue
      const command = commandOf[rule]!
      if (command >= 0) {
        wanted = true
        if (!fits(command, slot, fresh)) continue
      }
      changes.matched[rule * changes.words + (slot >>> 5)]! |= 1 << (slot & 31)
    }
    if (wanted && !changes.learned.has(slot)) changes.wanted.push(slot)
  }
  for (let at = 0; at < changes.arrivedCount; at++) match(changes.arrived[at]!, true)
  for (let at = 0; at < changes.rematchedCount; at++) match(changes.rematched[at]!, false)
}

/** Enters the found changes into the state. */
export function commitChanges(
  table: TableMemory,
  state: ShardState,
  selectors: Selectors,
  changes: Changes,
  learned: Learned | undefined,
  commands: { first: number; total: number },
): void {
  for (let at = 0; at < changes.touchedCount; at++) {
    const word = changes.touchedWords[at]!
    const touched = changes.touched[word]!
    const same = ~changes.changed[word]!
    for (let rule = 0; rule < state.ruleCount; rule++) {
      const cell = rule * state.words + word
      state.matched[cell] = (state.matched[cell]! & ~touched) | (changes.matched[cell]! & touched)
      state.active[cell]! &= same
      state.firing[cell]! &= same
      state.fired[cell]! &= same
    }
    for (let command = 0; command < selectors.commandRules.length; command++) {
      state.command[command * state.words + word]! &= same
    }
  }
  for (const [slot, place] of changes.learned) {
    for (let command = 0; command < selectors.commandRules.length; command++) {
      const pattern = commands.first + command
      const bits = learned!.bits[place * commandWords(commands.total) + (pattern >>> 5)]!
      const cell = command * state.words + (slot >>> 5)
      const bit = 1 << (slot & 31)
      state.command[cell] =
        (bits >>> (pattern & 31)) & 1 ? state.command[cell]! | bit : state.command[cell]! & ~bit
    }
  }
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

function reset(changes: Changes): void {
  changes.live.fill(0)
  changes.changed.fill(0)
  changes.touched.fill(0)
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

/** Whether the slot is live with the process of the last tick. */
function isSameProcess(changes: Changes, slot: number): boolean {
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

function copyName(table: TableMemory, state: ShardState, slot: number): void {
  const start = slot * NAME_WORDS * 4
  for (let byte = 0; byte < NAME_WORDS * 4; byte++) state.names[start + byte] = table.names[start + byte]!
}
