import { NAME_BYTES } from '../../table/columns.js'
import type { RulePlan } from '../compile/plan.js'
import type { MatchPlan } from '../match/plan.js'
import { carryMatchState, type MatchState, mapMatchState, matchStateBytes } from '../match/state.js'
import type { GroupMemory } from './groups.js'
import type { ShardRules } from './program.js'

/** What one shard of rules remembers from tick to tick, over shared memory: a Piscina worker is no home for state. */
export interface ShardState {
  readonly buffer: SharedArrayBuffer
  readonly capacity: number
  readonly ruleCount: number
  /** 32-bit words of a bitset over slots. */
  readonly words: number
  readonly header: Float64Array
  /** Per rule: nothing that waits for time alone can happen before. */
  readonly dueMs: Float64Array
  /** Per rule: whether any bit of `fresh` is set. */
  readonly hasFresh: Uint8Array
  /** Per rule: a number that changes with `matched`. */
  readonly matchedVersion: Int32Array
  /** Per rule: 0 when no bit of `active` is set, for certain. */
  readonly hasActive: Uint8Array
  /** Bitsets, rule after rule: the rule is about the process of the slot. */
  readonly matched: Int32Array
  /** By process or group slot, as all that follow: it waits for its `for`, or the rule fires for it. */
  readonly active: Int32Array
  /** It held for long enough, and the rule fired; not cleared yet. */
  readonly firing: Int32Array
  /** The rule fired for it once; a time says when. */
  readonly fired: Int32Array
  /** It fires, and what clears it holds; a time says since when. */
  readonly clearing: Int32Array
  /** The rule fired or cleared in the tick that was committed last. */
  readonly fresh: Int32Array
  /** Bitset of the slots that were live at the last tick. */
  readonly live: Int32Array
  /** Who lived there. */
  readonly generation: Uint32Array
  readonly pid: Int32Array
  readonly startTicks: Float64Array
  readonly pidfsInode: Float64Array
  readonly names: Uint8Array
  readonly nameWords: Int32Array
  /** By rule; undefined for a rule about processes. */
  readonly groups: readonly (GroupMemory | undefined)[]
  readonly match: MatchState
}

export const stateCell = {
  tick: 0,
  previousMs: 1,
  /** Where the analysis of growth goes on. */
  analysis: 2,
  /** The tick for which series were told whom to follow. */
  followed: 3,
  count: 8,
} as const

const BITSETS = ['matched', 'active', 'firing', 'fired', 'clearing'] as const

/** Makes the views of a shard's state; without a buffer, over fresh memory. */
export function mapState(
  { plans, match }: { readonly plans: readonly Pick<RulePlan, 'per'>[]; readonly match: MatchPlan },
  capacity: number,
  shared?: SharedArrayBuffer,
): ShardState {
  const ruleCount = plans.length
  const words = (capacity + 31) >>> 5
  let end = 0
  const place = (bytes: number): number => {
    const start = end
    end = Math.ceil((start + bytes) / 64) * 64
    return start
  }
  const placeBits = (rows: number) => place(rows * words * 4)
  const at = {
    header: place(stateCell.count * 8),
    dueMs: place(ruleCount * 8),
    hasFresh: place(ruleCount),
    matchedVersion: place(ruleCount * 4),
    hasActive: place(ruleCount),
    matched: placeBits(ruleCount),
    active: placeBits(ruleCount),
    firing: placeBits(ruleCount),
    fired: placeBits(ruleCount),
    clearing: placeBits(ruleCount),
    fresh: placeBits(ruleCount),
    live: placeBits(1),
    generation: place(capacity * 4),
    pid: place(capacity * 4),
    startTicks: place(capacity * 8),
    pidfsInode: place(capacity * 8),
    names: place(capacity * NAME_BYTES),
    groups: plans.map(({ per }) =>
      per === undefined
        ? undefined
        : {
            keys: place(capacity * 16),
            used: placeBits(1),
            members: placeBits(1),
            groupOf: place(capacity * 4),
          },
    ),
    match: place(matchStateBytes(match, capacity)),
  }
  const buffer = shared ?? new SharedArrayBuffer(end)
  const bits = (start: number, rows: number) => new Int32Array(buffer, start, rows * words)
  return {
    buffer,
    capacity,
    ruleCount,
    words,
    header: new Float64Array(buffer, at.header, stateCell.count),
    dueMs: new Float64Array(buffer, at.dueMs, ruleCount),
    hasFresh: new Uint8Array(buffer, at.hasFresh, ruleCount),
    matchedVersion: new Int32Array(buffer, at.matchedVersion, ruleCount),
    hasActive: new Uint8Array(buffer, at.hasActive, ruleCount),
    matched: bits(at.matched, ruleCount),
    active: bits(at.active, ruleCount),
    firing: bits(at.firing, ruleCount),
    fired: bits(at.fired, ruleCount),
    clearing: bits(at.clearing, ruleCount),
    fresh: bits(at.fresh, ruleCount),
    live: bits(at.live, 1),
    generation: new Uint32Array(buffer, at.generation, capacity),
    pid: new Int32Array(buffer, at.pid, capacity),
    startTicks: new Float64Array(buffer, at.startTicks, capacity),
    pidfsInode: new Float64Array(buffer, at.pidfsInode, capacity),
    names: new Uint8Array(buffer, at.names, capacity * NAME_BYTES),
    nameWords: new Int32Array(buffer, at.names, (capacity * NAME_BYTES) / 4),
    groups: at.groups.map(
      (places) =>
        places && {
          keys: new Float64Array(buffer, places.keys, capacity * 2),
          used: bits(places.used, 1),
          members: bits(places.members, 1),
          groupOf: new Int32Array(buffer, places.groupOf, capacity),
        },
    ),
    match: mapMatchState(match, capacity, buffer, at.match),
  }
}

/**
 * Copies what is remembered into another state, larger or of other rules.
 * @param before by rule of the new state, its place in the old one; -1 for a new rule
 * @param keepsAsked whether facts that are on their way will arrive, and no others are needed
 */
export function carryState(
  from: ShardState,
  fromRules: Pick<ShardRules, 'match'>,
  to: ShardState,
  toRules: Pick<ShardRules, 'match'>,
  before: Int32Array,
  keepsAsked: boolean,
): void {
  to.header.set(from.header)
  for (const [rule, old] of before.entries()) {
    if (old < 0) continue
    to.hasActive[rule] = from.hasActive[old]!
    for (const name of BITSETS) {
      copyBits(from[name], old * from.words, to[name], rule * to.words, from.words)
    }
    const groups = from.groups[old]
    const grown = to.groups[rule]
    if (groups === undefined || grown === undefined) continue
    for (const name of ['keys', 'used', 'members', 'groupOf'] as const) grown[name].set(groups[name])
  }
  to.live.set(from.live)
  for (const name of ['generation', 'pid', 'startTicks', 'pidfsInode', 'names'] as const)
    to[name].set(from[name])
  carryMatchState(from.match, fromRules.match, to.match, toRules.match, keepsAsked)
}

/** Most of it is empty, and stays memory that was never touched. */
function copyBits(from: Int32Array, start: number, to: Int32Array, toStart: number, words: number): void {
  for (let word = 0; word < words; word++) {
    const bits = from[start + word]!
    if (bits !== 0) to[toStart + word] = bits
  }
}
