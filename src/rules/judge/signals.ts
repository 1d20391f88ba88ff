import { COLUMNS } from '../../table/columns.js'
import { columnId, isMissing, type TableMemory } from '../../table/layout.js'
import { reckon } from '../compile/compile.js'
import type { SeriesRead, Signal } from '../compile/plan.js'
import type { NumberFact } from '../match/compile.js'
import type { GroupTick } from './groups.js'
import type { Series } from './series.js'
import { TREND } from './trends.js'

export type Cells = Float64Array | Int32Array | Uint32Array | Uint8Array

/** Clock ticks of proc_pid_stat(5) field 22 in a second, on every Linux. */
const TICKS_PER_SECOND = 100

/** NaN for a missing start. */
export function ageSeconds(startTicks: number, sampledTicks: number): number {
  return Math.max(0, (sampledTicks - startTicks) / TICKS_PER_SECOND)
}

/** What a tick's numbers are read from. */
export interface SignalSource {
  readonly table: TableMemory
  /** By column id; a column that is not sampled is missing everywhere. At `AGE_COLUMN`, ages where a conjunction asks for them. */
  readonly cells: readonly Cells[]
  readonly sampledTicks: number
  readonly nowMs: number
  /** By index in HOST_METRICS. */
  readonly host: Float64Array | undefined
  readonly numberOf: (fact: NumberFact, slot: number) => number
  readonly series: ReadonlyMap<string, Series>
}

/** Reads numbers of many processes or groups at once: lists of slots in, lists of numbers out. NaN is unknown. */
export class Signals {
  source!: SignalSource
  /** What is read is about these groups; undefined: about processes. */
  groups: GroupTick | undefined
  /** The slots in question are these: known by their places in the series' own list, they need no search. */
  inOrderOf: { readonly series: Series; readonly slots: Int32Array; readonly places: Int32Array } | undefined
  readonly #vectors: Float64Array[] = []
  #depth = 0
  /** All NaN between reads. */
  readonly #bySlot: Float64Array
  readonly #counts: Float64Array

  constructor(capacity: number) {
    this.#bySlot = new Float64Array(capacity).fill(Number.NaN)
    this.#counts = new Float64Array(capacity)
  }

  read(signal: Signal, slots: Int32Array, count: number, into: Float64Array): void {
    switch (signal.kind) {
      case 'constant':
        into.fill(signal.value, 0, count)
        break
      case 'host':
        into.fill(this.source.host?.[signal.metric] ?? Number.NaN, 0, count)
        break
      case 'column':
        this.#readColumn(signal.column, slots, count, into)
        break
      case 'age':
        this.#readAge(slots, count, into)
        break
      case 'fact':
        this.#readFact(signal.fact, slots, count, into)
        break
      case 'arithmetic':
        this.#readArithmetic(signal, slots, count, into)
        break
      case 'series':
        this.#readSeries(signal.series, signal.read, slots, count, into)
        break
      case 'timeTo':
        this.#readTimeTo(signal, slots, count, into)
        break
      case 'aggregate':
        this.#readAggregate(signal, slots, count, into)
        break
      case 'count':
        for (let at = 0; at < count; at++) into[at] = this.groups?.countOf(slots[at]!) ?? Number.NaN
        break
      case 'exits':
        for (let at = 0; at < count; at++) into[at] = this.groups?.exitsOf(slots[at]!) ?? Number.NaN
    }
  }

  /** A column of what the analysis of growth keeps, or where a series keeps what it knows (LANE). */
  readKept(key: string, column: number, slots: Int32Array, count: number, into: Float64Array): void {
    this.#readSeries(key, column, slots, count, into)
  }

  /** A list to work in, until `release`. */
  take(count: number): Float64Array {
    const known = this.#vectors[this.#depth]
    if (known !== undefined && known.length >= count) {
      this.#depth++
      return known
    }
    const vector = new Float64Array(Math.max(64, 2 ** Math.ceil(Math.log2(count + 1))))
    this.#vectors[this.#depth++] = vector
    return vector
  }

  release(vectors = 1): void {
    this.#depth -= vectors
  }

  /** After a read was broken off. */
  reset(): void {
    this.#depth = 0
    this.groups = undefined
    this.inOrderOf = undefined
  }

  #readSeries(
    key: string,
    what: SeriesRead | number,
    slots: Int32Array,
    count: number,
    into: Float64Array,
  ): void {
    const { nowMs, series: all } = this.source
    const series = all.get(key)
    const order = this.inOrderOf
    if (series === undefined) {
      into.fill(Number.NaN, 0, count)
    } else if (order?.series === series && order.slots === slots) {
      const values = series.values(what, nowMs, this.source)
      const { places } = order
      for (let at = 0; at < count; at++) into[at] = values[places[at]!]!
    } else if (series.isLarge) {
      const values = series.column(what, nowMs, this.source, this.#bySlot.length)
      for (let at = 0; at < count; at++) into[at] = values[slots[at]!]!
    } else {
      const bySlot = this.#bySlot
      series.scatter(what, nowMs, this.source, bySlot)
      for (let at = 0; at < count; at++) into[at] = bySlot[slots[at]!]!
      series.wipe(bySlot)
    }
  }

  #readColumn(column: number, slots: Int32Array, count: number, into: Float64Array): void {
    const { table, cells } = this.source
    if (this.groups !== undefined) {
      into.fill(Number.NaN, 0, count)
    } else if (COLUMNS[column]!.type === 'Float64') {
      // A missing cell of these is NaN.
      const floats = cells[column] as Float64Array
      for (let at = 0; at < count; at++) into[at] = floats[slots[at]!]!
    } else {
      const integers = cells[column]!
      for (let at = 0; at < count; at++) {
        const slot = slots[at]!
        into[at] = isMissing(table, slot, column) ? Number.NaN : integers[slot]!
      }
    }
  }

  #readAge(slots: Int32Array, count: number, into: Float64Array): void {
    const { sampledTicks } = this.source
    this.#readColumn(columnId.startTicks, slots, count, into)
    for (let at = 0; at < count; at++) into[at] = ageSeconds(into[at]!, sampledTicks)
  }

  #readFact(fact: NumberFact, slots: Int32Array, count: number, into: Float64Array): void {
    if (this.groups !== undefined) into.fill(Number.NaN, 0, count)
    else for (let at = 0; at < count; at++) into[at] = this.source.numberOf(fact, slots[at]!)
  }

  #readArithmetic(
    { op, left, right }: Extract<Signal, { kind: 'arithmetic' }>,
    slots: Int32Array,
    count: number,
    into: Float64Array,
  ): void {
    this.read(left, slots, count, into)
    const other = this.take(count)
    this.read(right, slots, count, other)
    for (let at = 0; at < count; at++) into[at] = reckon(op, into[at]!, other[at]!)
    this.release()
  }

  #readTimeTo(
    { series, limit }: Extract<Signal, { kind: 'timeTo' }>,
    slots: Int32Array,
    count: number,
    into: Float64Array,
  ): void {
    const value = this.take(count)
    const slope = this.take(count)
    const level = this.take(count)
    const analysedMs = this.take(count)
    this.readKept(series, TREND.value, slots, count, value)
    this.readKept(series, TREND.slopePerMs, slots, count, slope)
    this.readKept(series, TREND.level, slots, count, level)
    this.readKept(series, TREND.analysedMs, slots, count, analysedMs)
    this.read(limit, slots, count, into)
    for (let at = 0; at < count; at++) {
      const sinceMs = this.source.nowMs - analysedMs[at]!
      // The highest values count: below them is what is given back again and again.
      const now = Math.max(value[at]!, level[at]! + slope[at]! * sinceMs)
      const left = into[at]! - now
      into[at] = left <= 0 ? 0 : slope[at] === 0 ? Number.POSITIVE_INFINITY : left / slope[at]!
    }
    this.release(4)
  }

  #readAggregate(
    { fn, of }: Extract<Signal, { kind: 'aggregate' }>,
    slots: Int32Array,
    count: number,
    into: Float64Array,
  ): void {
    const { groups } = this
    if (groups === undefined) {
      into.fill(Number.NaN, 0, count)
      return
    }
    const values = this.take(groups.memberCount)
    this.groups = undefined
    this.read(of, groups.members, groups.memberCount, values)
    this.groups = groups
    const result = this.take(this.#counts.length)
    const counts = this.#counts
    const neutral = fn === 'min' ? Number.POSITIVE_INFINITY : fn === 'max' ? Number.NEGATIVE_INFINITY : 0
    for (let at = 0; at < count; at++) {
      result[slots[at]!] = neutral
      counts[slots[at]!] = 0
    }
    for (let at = 0; at < groups.memberCount; at++) {
      const value = values[at]!
      if (Number.isNaN(value)) continue
      const group = groups.memberOf[at]!
      counts[group]!++
      if (fn === 'min') result[group] = Math.min(result[group]!, value)
      else if (fn === 'max') result[group] = Math.max(result[group]!, value)
      else result[group]! += value
    }
    for (let at = 0; at < count; at++) {
      const known = counts[slots[at]!]!
      const value = result[slots[at]!]!
      into[at] = known === 0 ? Number.NaN : fn === 'avg' ? value / known : value
    }
    this.release(2)
  }
}
