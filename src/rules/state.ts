import { NAME_BYTES } from '../table/columns.js'
import type { MatchPlan } from './match/plan.js'
import { carryMatchState, type MatchState, mapMatchState, matchStateBytes } from './match/state.js'
import type { Program } from './program.js'

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
  /** Bitsets, rule after rule: the rule is about the process of the slot. */
  readonly matched: Int32Array
  /** The condition holds. */
  readonly active: Int32Array
  /** It held for long enough, and the rule fired; not cleared yet. */
  readonly firing: Int32Array
  /** The rule fired for this process once; `firedMs` says when. */
  readonly fired: Int32Array
  /** The rule fired or cleared in the tick that was committed last. */
  readonly fresh: Int32Array
  readonly match: MatchState
  /** Bitset of the slots that were live at the last tick. */
  readonly live: Int32Array
  /** Who lived there. */
  readonly generation: Uint32Array
  readonly pid: Int32Array
  readonly startTicks: Float64Array
  readonly pidfsInode: Float64Array
  readonly names: Uint8Array
  readonly nameWords: Int32Array
  /** Per rule, by slot. Pages are only touched for active slots: memory that is never used is never resident. */
  readonly sinceMs: readonly Float64Array[]
  /** As `sinceMs`; null for a rule without a cooldown. */
  readonly firedMs: readonly (Float64Array | null)[]
}

export const stateCell = { tick: 0, previousMs: 1, count: 8 } as const

export interface StateShape {
  readonly capacity: number
  readonly ruleCount: number
  readonly plan: MatchPlan
  /** Rules with a cooldown. */
  readonly cooled: readonly boolean[]
}

/** The shape of a shard that judges `ruleCount` rules from `first` on. */
export function shapeOf(
  { cooldownMs }: Pick<Program, 'cooldownMs'>,
  first: number,
  ruleCount: number,
  capacity: number,
  plan: MatchPlan,
): StateShape {
  const cooled = [...cooldownMs.subarray(first, first + ruleCount)].map((ms) => ms >= 0)
  return { capacity, ruleCount, plan, cooled }
}

/** Makes the views of a shard's state; without a buffer, over fresh memory. */
export function mapState(shape: StateShape, shared?: SharedArrayBuffer): ShardState {
  const { capacity, ruleCount, plan } = shape
  const words = (capacity + 31) >>> 5
  let end = 0
  const place = (bytes: number): number => {
    const start = end
    end = Math.ceil((start + bytes) / 64) * 64
    return start
  }
  const at = {
    header: place(stateCell.count * 8),
    dueMs: place(ruleCount * 8),
    hasFresh: place(ruleCount),
    matched: place(ruleCount * words * 4),
    active: place(ruleCount * words * 4),
    firing: place(ruleCount * words * 4),
    fired: place(ruleCount * words * 4),
    fresh: place(ruleCount * words * 4),
    match: place(matchStateBytes(plan, capacity)),
    live: place(words * 4),
    generation: place(capacity * 4),
    pid: place(capacity * 4),
    startTicks: place(capacity * 8),
    pidfsInode: place(capacity * 8),
    names: place(capacity * NAME_BYTES),
    sinceMs: shape.cooled.map(() => place(capacity * 8)),
    firedMs: shape.cooled.map((cooled) => (cooled ? place(capacity * 8) : -1)),
  }
  const buffer = shared ?? new SharedArrayBuffer(end)
  const bits = (start: number, rules: number) => new Int32Array(buffer, start, rules * words)
  const times = (start: number) => (start < 0 ? null : new Float64Array(buffer, start, capacity))
  return {
    buffer,
    capacity,
    ruleCount,
    words,
    header: new Float64Array(buffer, at.header, stateCell.count),
    dueMs: new Float64Array(buffer, at.dueMs, ruleCount),
    hasFresh: new Uint8Array(buffer, at.hasFresh, ruleCount),
    matched: bits(at.matched, ruleCount),
    active: bits(at.active, ruleCount),
    firing: bits(at.firing, ruleCount),
    fired: bits(at.fired, ruleCount),
    fresh: bits(at.fresh, ruleCount),
    match: mapMatchState(plan, capacity, buffer, at.match),
    live: bits(at.live, 1),
    generation: new Uint32Array(buffer, at.generation, capacity),
    pid: new Int32Array(buffer, at.pid, capacity),
    startTicks: new Float64Array(buffer, at.startTicks, capacity),
    pidfsInode: new Float64Array(buffer, at.pidfsInode, capacity),
    names: new Uint8Array(buffer, at.names, capacity * NAME_BYTES),
    nameWords: new Int32Array(buffer, at.names, (capacity * NAME_BYTES) / 4),
    sinceMs: at.sinceMs.map((start) => new Float64Array(buffer, start, capacity)),
    firedMs: at.firedMs.map(times),
  }
}

/** Copies a state into a larger one; times only where a bit says that they mean something. */
export function growState(from: ShardState, to: ShardState, plan: MatchPlan): void {
  carryMatchState(from.match, plan, to.match, plan, true)
  to.header.set(from.header)
  to.dueMs.set(from.dueMs)
  to.hasFresh.set(from.hasFresh)
  for (const name of ['matched', 'active', 'firing', 'fired', 'fresh', 'live'] as const) {
    for (let rule = 0; rule * from.words < from[name].length; rule++) {
      to[name].set(from[name].subarray(rule * from.words, (rule + 1) * from.words), rule * to.words)
    }
  }
  for (const name of ['generation', 'pid', 'startTicks', 'pidfsInode', 'names'] as const)
    to[name].set(from[name])
  for (let rule = 0; rule < from.ruleCount; rule++) {
    copyTimes(from.sinceMs[rule]!, to.sinceMs[rule]!, from.active, rule * from.words, from.words)
    copyTimes(from.firedMs[rule]!, to.firedMs[rule]!, from.fired, rule * from.words, from.words)
  }
}

function copyTimes(
  from: Float64Array | null,
  to: Float64Array | null,
  bitset: Int32Array,
  start: number,
  words: number,
): void {
  if (from === null || to === null) return
  for (let word = 0; word < words; word++) {
    for (let bits = bitset[start + word]!; bits !== 0; bits &= bits - 1) {
      const slot = word * 32 + 31 - Math.clz32(bits & -bits)
      to[slot] = from[slot]!
    }
  }
}

/** The state that a tick works on: the given one, or a larger one that takes over from it. */
export function openState(
  shape: StateShape,
  buffer: SharedArrayBuffer,
  grownFrom: { buffer: SharedArrayBuffer; capacity: number } | undefined,
  tick: number,
): ShardState {
  const state = mapState(shape, buffer)
  // A tick that is repeated may have committed into the larger state already.
  if (grownFrom !== undefined && state.header[stateCell.tick] !== tick) {
    growState(mapState({ ...shape, capacity: grownFrom.capacity }, grownFrom.buffer), state, shape.plan)
  }
  return state
}
