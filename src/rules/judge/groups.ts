import { columnId, headerCell, isMissing, slotOf, type TableMemory } from '../../table/layout.js'
import type { GroupKind } from '../language/ast.js'

/** What is remembered of the groups of one rule, over shared memory. */
export interface GroupMemory {
  /** By group slot, two numbers each: the key, and for a subtree the root's start. */
  readonly keys: Float64Array
  /** Bitset of the group slots in use. */
  readonly used: Int32Array
  /** Bitset of the process slots that are members. */
  readonly members: Int32Array
  /** By process slot, for members: its group's slot. */
  readonly groupOf: Int32Array
}

/** The groups of one rule at a tick. */
export class GroupTick {
  /** Process slots, ascending, and the group slot of each. */
  members = new Int32Array(64)
  memberOf = new Int32Array(64)
  memberCount = 0
  /** Bitset of the group slots that there are now. */
  readonly live: Int32Array
  // Group slots are handed out from the lowest on: these lists stay as short as there are groups.
  #counts = new Int32Array(64)
  #exits = new Int32Array(64)
  /** No group comes up that was not there at the last tick. */
  #isClosed = false
  readonly #memory: GroupMemory
  readonly #slots = new Map<string | number, number>()

  constructor(memory: GroupMemory) {
    this.#memory = memory
    this.live = new Int32Array(memory.used.length)
  }

  countOf(group: number): number {
    return this.#counts[group] ?? 0
  }

  exitsOf(group: number): number {
    return this.#exits[group] ?? 0
  }

  /** Members as a bitset, once the groups are entered. */
  memberWord(word: number): number {
    return this.#memory.members[word]!
  }

  keyOf(group: number): readonly [number, number] {
    return [this.#memory.keys[group * 2]!, this.#memory.keys[group * 2 + 1]!]
  }

  /**
   * Before the members are told; counts who of the members of the last tick has ended.
   * @param isClosed members are only partly known yet: a group that is new would be taken for too small
   */
  begin(kind: GroupKind, changed: Int32Array, words: number, isClosed: boolean): void {
    const { keys, used, members, groupOf } = this.#memory
    this.#isClosed = isClosed
    this.memberCount = 0
    this.#counts.fill(0)
    this.#exits.fill(0)
    this.live.fill(0)
    this.#slots.clear()
    for (let word = 0; word < used.length; word++) {
      for (let rest = used[word]!; rest !== 0; ) {
        const bit = 31 - Math.clz32(rest)
        rest ^= 1 << bit
        const group = (word << 5) + bit
        this.#slots.set(nameOf(keys[group * 2]!, keys[group * 2 + 1]!), group)
      }
    }
    for (let word = 0; word < words; word++) {
      for (let rest = changed[word]! & members[word]!; rest !== 0; ) {
        const bit = 31 - Math.clz32(rest)
        rest ^= 1 << bit
        const group = groupOf[(word << 5) + bit]!
        this.#reach(group)
        this.#exits[group]!++
      }
    }
    const all = kind === 'all' ? this.#find(0, 0, () => true) : -1
    if (all >= 0) this.#live(all)
  }

  /** A process is a member of the group with that key. */
  add(slot: number, key: number, since: number, isFree: (group: number) => boolean): void {
    const group = this.#find(key, since, isFree)
    if (group < 0) return
    if (this.memberCount === this.members.length) {
      this.members = wider(this.members)
      this.memberOf = wider(this.memberOf)
    }
    this.members[this.memberCount] = slot
    this.memberOf[this.memberCount++] = group
    this.#reach(group)
    this.#counts[group]!++
    this.#live(group)
  }

  #reach(group: number): void {
    while (group >= this.#counts.length) {
      this.#counts = wider(this.#counts)
      this.#exits = wider(this.#exits)
    }
  }

  #live(group: number): void {
    this.live[group >>> 5]! |= 1 << (group & 31)
  }

  #find(key: number, since: number, isFree: (group: number) => boolean): number {
    const name = nameOf(key, since)
    const known = this.#slots.get(name)
    if (known !== undefined) return known
    if (this.#isClosed) return -1
    const { used, keys, groupOf } = this.#memory
    for (let word = 0; word < used.length; word++) {
      for (let free = ~(used[word]! | this.live[word]!); free !== 0; ) {
        const bit = 31 - Math.clz32(free & -free)
        free &= free - 1
        const group = (word << 5) + bit
        if (group >= groupOf.length) return -1
        if (!isFree(group)) continue
        this.#slots.set(name, group)
        keys[group * 2] = key
        keys[group * 2 + 1] = since
        return group
      }
    }
    return -1
  }

  /** Once the table is known to be whole: enters who is in which group. */
  commit(): void {
    const { used, members, groupOf } = this.#memory
    members.fill(0)
    for (let at = 0; at < this.memberCount; at++) {
      const slot = this.members[at]!
      members[slot >>> 5]! |= 1 << (slot & 31)
      groupOf[slot] = this.memberOf[at]!
    }
    used.set(this.live)
  }
}

/** Tells each process's group by kind; subtrees apart. */
export function groupKeys(
  kind: GroupKind,
  table: TableMemory,
  numberOf: (slot: number) => number,
): (slot: number) => number {
  switch (kind) {
    case 'all':
      return () => 0
    case 'user':
      return (slot) => (isMissing(table, slot, columnId.uid) ? Number.NaN : table.columns.uid[slot]!)
    default:
      return numberOf
  }
}

/**
 * For each live process the topmost ancestor (or itself) that the rule is about, as slot; -1 for none.
 * @param parents by slot, of `parentSlots`
 */
export function subtreeRoots(
  { header, slots }: TableMemory,
  parents: Int32Array,
  isMatched: (slot: number) => boolean,
): Int32Array {
  const UNDECIDED = -2
  const roots = new Int32Array(parents.length).fill(UNDECIDED)
  const way: number[] = []
  for (let index = 0; index < header[headerCell.size]!; index++) {
    let slot = slots[index]!
    way.length = 0
    while (slot >= 0 && roots[slot] === UNDECIDED) {
      // Decided for now, so that a ring of parents, seen while pids change hands, has an end.
      roots[slot] = -1
      way.push(slot)
      slot = parents[slot]!
    }
    let root = slot < 0 ? -1 : roots[slot]!
    for (let at = way.length - 1; at >= 0; at--) {
      const own = way[at]!
      if (root < 0 && isMatched(own)) root = own
      roots[own] = root
    }
  }
  return roots
}

/** By slot: the slot of the parent, -1 for none. */
export function parentSlots(table: TableMemory): Int32Array {
  const parents = new Int32Array(table.layout.capacity).fill(-1)
  for (let index = 0; index < table.header[headerCell.size]!; index++) {
    const slot = table.slots[index]!
    if (isMissing(table, slot, columnId.ppid)) continue
    const ppid = table.columns.ppid[slot]!
    if (ppid > 0) parents[slot] = slotOf(table, ppid) ?? -1
  }
  return parents
}

function nameOf(key: number, since: number): string | number {
  return since === 0 ? key : `${key}:${since}`
}

function wider(list: Int32Array): Int32Array<ArrayBuffer> {
  const next = new Int32Array(list.length * 2)
  next.set(list)
  return next
}
