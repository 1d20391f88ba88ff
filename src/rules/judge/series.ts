import type { SeriesPlan, SeriesRead } from '../compile/plan.js'
import { clearSeconds, countSeconds, SECONDS } from './seconds.js'
import { type LaneList, listLanes, NOBODY } from './series_list.js'
import {
  type ChunkShape,
  chunkCell,
  chunkNumber,
  chunkShapeOf,
  LANES,
  type SeriesMemory,
} from './series_memory.js'
import type { Trends } from './trends.js'
import { readBuckets, readWindows } from './window_reads.js'
import { addSamples, advance, bucketOf, clearLane, holeMsOf } from './windows.js'

/** What a tick is for the series. */
export interface SeriesTick {
  readonly tick: number
  readonly nowMs: number
  /** Time since the last tick, and what of it was seen. */
  readonly gapMs: number
  readonly seenMs: number
  /** A longer gap was not seen; Infinity when nobody said how long is usual. */
  readonly gapLimitMs: number
  /** Bytes that may be in use. */
  readonly maxBytes: number
}

/** Beside the numbers of columns: the lane itself, where the samples are. */
export const LANE = -1
const LARGE = 1024

/** Numbers of a tick. */
interface Reckoned {
  values: Float64Array
  /** Something that each tick has of its own. */
  tick: object | undefined
}

/** One series of a shard: who is followed, and by what. */
export class Series {
  readonly plan: SeriesPlan
  readonly place: number
  readonly #memory: SeriesMemory
  readonly #trends: Trends
  readonly #shape: ChunkShape
  /** As they were at that version of the memory, which another thread may have changed since. */
  #listedAt = -1
  #list = NOBODY
  readonly #values = new Map<SeriesRead | number, Reckoned>()
  readonly #columnsBySlot = new Map<SeriesRead | number, Reckoned>()

  constructor(plan: SeriesPlan, place: number, memory: SeriesMemory, trends: Trends) {
    this.plan = plan
    this.place = place
    this.#memory = memory
    this.#trends = trends
    this.#shape = chunkShapeOf(plan)
  }

  /**
   * Follows who should be followed and nobody else.
   * @param wanted by word of slots; those of `begun` start anew
   */
  follow(
    words: Iterable<number>,
    wanted: (word: number) => number,
    begun: Int32Array,
    tick: SeriesTick,
  ): void {
    const memory = this.#memory
    const base = this.place * memory.shape.words
    let leaves = false
    for (const word of words) {
      const have = memory.members[base + word]!
      const want = wanted(word)
      if ((have & (~want | begun[word]!)) !== 0) leaves = true
    }
    if (leaves) this.#drop(wanted, begun)
    for (const word of words) {
      for (let rest = wanted(word) & ~memory.members[base + word]!; rest !== 0; ) {
        const bit = 31 - Math.clz32(rest)
        rest ^= 1 << bit
        if (this.#add((word << 5) + bit, tick)) memory.members[base + word]! |= 1 << bit
        else memory.refused++
      }
    }
  }

  #drop(wanted: (word: number) => number, begun: Int32Array): void {
    const memory = this.#memory
    const { integers, members } = memory
    const base = this.place * memory.shape.words
    memory.revise(this.place)
    let isEmpty = false
    for (let chunk = memory.firstChunk(this.place); chunk !== 0; chunk = memory.nextChunk(chunk)) {
      let used = integers[chunk * 2 + chunkCell.used]!
      for (let lane = 0; lane < LANES; lane++) {
        if (((used >>> lane) & 1) === 0) continue
        const slot = integers[chunk * 2 + chunkCell.slots + lane]!
        const bit = 1 << (slot & 31)
        if ((wanted(slot >>> 5) & ~begun[slot >>> 5]! & bit) !== 0) continue
        used &= ~(1 << lane)
        memory.lanes--
        members[base + (slot >>> 5)]! &= ~bit
      }
      integers[chunk * 2 + chunkCell.used] = used
      isEmpty ||= used === 0
    }
    if (isEmpty) memory.sweep(this.place)
  }

  #add(slot: number, { nowMs, maxBytes }: SeriesTick): boolean {
    const memory = this.#memory
    const { integers, numbers } = memory
    let chunk = memory.firstChunk(this.place)
    while (chunk !== 0 && integers[chunk * 2 + chunkCell.used] === (1 << LANES) - 1)
      chunk = memory.nextChunk(chunk)
    if (chunk === 0) {
      const isTrend = this.plan.family === 'trend'
      if (memory.usedBytes(this.#trends.bytesPerRow) >= maxBytes) return false
      chunk = memory.add(this.place, this.#shape, isTrend, this.#trends.capacity)
      if (chunk === 0) return false
      numbers[chunk + chunkNumber.bucket] = bucketOf(nowMs, this.plan)
      for (let lane = 0; lane < LANES; lane++) this.#clear(chunk, lane)
    }
    const lane = 31 - Math.clz32(~integers[chunk * 2 + chunkCell.used]! & ((1 << LANES) - 1))
    this.#clear(chunk, lane)
    integers[chunk * 2 + chunkCell.slots + lane] = slot
    integers[chunk * 2 + chunkCell.used]! |= 1 << lane
    memory.lanes++
    memory.revise(this.place)
    return true
  }

  #clear(chunk: number, lane: number): void {
    const { family } = this.plan
    if (family === 'trend') this.#trends.clear(chunk, lane, this.plan)
    else if (family === 'since') clearSeconds(this.#memory, chunk, lane)
    else clearLane(this.#memory, chunk, lane, this.plan)
  }

  /** A number that changes with who is followed. */
  get version(): number {
    return this.#memory.versionOf(this.place)
  }

  /** Slots that are followed, in the order in which their samples lie. */
  slots(): Int32Array {
    return this.#listed().slots
  }

  #listed(): LaneList {
    const { version } = this
    if (version !== this.#listedAt) {
      this.#list = listLanes(this.#memory, this.place, this.#shape.ringColumns > 0)
      this.#listedAt = version
    }
    return this.#list
  }

  /**
   * Takes in a tick's samples, in the order of `slots`. A chunk that has taken them already, before a thread died, does not again.
   * @param token something that each tick has of its own
   */
  update(samples: Float64Array, tick: SeriesTick, token: object): void {
    const memory = this.#memory
    const { integers, numbers } = memory
    const { family } = this.plan
    const isWindow = family !== 'since' && family !== 'trend'
    const bucket = isWindow ? bucketOf(tick.nowMs, this.plan) : 0
    const holeMs = holeMsOf(this.plan, tick.gapLimitMs)
    // What the last tick was asked will be asked again: it is reckoned while the samples are near the processor.
    const asked: [SeriesRead, Float64Array][] = []
    for (const what of isWindow ? this.#values.keys() : [])
      if (typeof what === 'string') asked.push([what, this.#vector(what, token).values])
    let at = 0
    for (let chunk = memory.firstChunk(this.place); chunk !== 0; chunk = memory.nextChunk(chunk)) {
      const used = integers[chunk * 2 + chunkCell.used]!
      const isDone = numbers[chunk + chunkNumber.tick] === tick.tick
      if (!isDone && isWindow) {
        if (tick.gapMs < 0) {
          // The clock was set back: what came before has no place beside what comes now.
          for (let lane = 0; lane < LANES; lane++) clearLane(memory, chunk, lane, this.plan)
          numbers[chunk + chunkNumber.bucket] = bucket
        } else {
          advance(memory, chunk, this.plan, bucket)
        }
      }
      if (isWindow) {
        const from = at
        if (isDone) for (let rest = used; rest !== 0; rest &= rest - 1) at++
        else at = addSamples(memory, chunk, used, this.plan, samples, at, tick.nowMs, holeMs)
        numbers[chunk + chunkNumber.tick] = tick.tick
        for (const [read, into] of asked) this.#read(read, tick.nowMs, into, from, at)
        continue
      }
      for (let lane = 0; lane < LANES; lane++) {
        if (((used >>> lane) & 1) === 0) continue
        const value = samples[at++]!
        if (isDone) continue
        if (family === 'trend') this.#trends.add(chunk, lane, this.plan, value, tick.nowMs)
        else countSeconds(memory, chunk, lane, this.plan, value, tick)
      }
      numbers[chunk + chunkNumber.tick] = tick.tick
    }
  }

  /**
   * A number of everybody who is followed, in the order of `slots`. Reckoned once a tick, however many rules ask.
   * @param what a function of the window, or a column that trends.ts keeps
   * @param tick something that each tick has of its own
   */
  values(what: SeriesRead | number, nowMs: number, tick: object): Float64Array {
    const { length } = this.slots()
    const before = this.#values.get(what)
    if (before?.tick === tick && before.values.length === length) return before.values
    const { values } = this.#vector(what, tick)
    const { numbers } = this.#memory
    if (what === LANE) {
      values.set(this.#list.lanes)
    } else if (typeof what === 'number' || what === 'seconds') {
      const column = what === 'seconds' ? SECONDS : what
      for (let at = 0; at < length; at++) values[at] = numbers[this.#list.cells[at]! + column * LANES]!
    } else {
      this.#read(what, nowMs, values, 0, length)
    }
    return values
  }

  #read(read: SeriesRead, nowMs: number, into: Float64Array, from: number, to: number): void {
    readWindows(this.#memory, this.#list.cells, this.#list.rings, this.plan, read, nowMs, into, from, to)
  }

  /** To be filled. */
  #vector(what: SeriesRead | number, tick: object): Reckoned {
    const { length } = this.slots()
    let known = this.#values.get(what)
    if (known?.values.length !== length) {
      known = { values: new Float64Array(length), tick }
      this.#values.set(what, known)
    }
    known.tick = tick
    return known
  }

  /** As `values`, by slot; NaN for all others. */
  column(what: SeriesRead | number, nowMs: number, tick: object, capacity: number): Float64Array {
    let column = this.#columnsBySlot.get(what)
    if (column === undefined) {
      column = { values: new Float64Array(capacity), tick: undefined }
      this.#columnsBySlot.set(what, column)
    }
    const { values } = column
    if (column.tick === tick) return values
    column.tick = tick
    values.fill(Number.NaN)
    this.scatter(what, nowMs, tick, values)
    return values
  }

  /** So many are followed that rules which are about some of them had better look theirs up. */
  get isLarge(): boolean {
    return this.slots().length > LARGE
  }

  /** Puts the number of each slot in its place. */
  scatter(what: SeriesRead | number, nowMs: number, tick: object, bySlot: Float64Array): void {
    const slots = this.slots()
    const values = this.values(what, nowMs, tick)
    for (let at = 0; at < slots.length; at++) bySlot[slots[at]!] = values[at]!
  }

  /** Makes all of that unknown again. */
  wipe(bySlot: Float64Array): void {
    for (const slot of this.slots()) bySlot[slot] = Number.NaN
  }

  /** What is behind a decision: at most `limit` samples of a lane, oldest first. */
  samples(at: number, nowMs: number, limit: number): { atMs: number; value: number }[] {
    const { family } = this.plan
    const chunk = Math.floor(at / LANES)
    const lane = at % LANES
    if (family === 'since') return []
    const found =
      family === 'trend'
        ? this.#trends.points(chunk, lane, this.plan)
        : readBuckets(this.#memory, chunk, lane, this.plan, nowMs)
    const step = Math.max(1, Math.ceil(found.length / limit))
    return found.filter((_, index) => (found.length - 1 - index) % step === 0)
  }

  /** Chunks of a series of trends, for the analysis. */
  chunks(into: { chunk: number; plan: SeriesPlan }[]): void {
    for (let chunk = this.#memory.firstChunk(this.place); chunk !== 0; chunk = this.#memory.nextChunk(chunk))
      into.push({ chunk, plan: this.plan })
  }
}
