import { type ColumnName, columnId, isMissing, type TableMemory } from '../table/layout.js'

/** Columns that a tree adds up; those of the groups `status` and `io` only where the table has them. */
export const TREE_METRICS = [
  'threads',
  'cpuPercent',
  'cpuTimeNs',
  'rssBytes',
  'rssAnonBytes',
  'vszBytes',
  'readBytesPerSecond',
  'writeBytesPerSecond',
] as const
/** Columns of the table that are summed over a subtree. */
export type TreeMetric = (typeof TREE_METRICS)[number]

/** What a process uses; undefined where the cell is missing or the table has no such column. */
export type ProcessUse = Readonly<Record<TreeMetric, number | undefined>>

/** What a process and all its descendants use together; a sum is undefined where none of its cells could be read. */
export interface SubtreeUse extends ProcessUse {
  readonly processes: number
  /** How many cells are missing from each sum; in a table without the column: all. */
  readonly missing: Readonly<Record<TreeMetric, number>>
}

/** One metric of all nodes, by their places. */
export interface MetricSums {
  /** NaN where the cell is missing. */
  readonly own: Float64Array
  readonly sums: Float64Array
  readonly missing: Uint32Array
}

/** NaN where a cell is missing. */
export function cellsOf(memory: TableMemory, slots: Uint32Array, name: ColumnName): Float64Array {
  const column = memory.columns[name]!
  const id = columnId[name]
  const count = slots.length
  const cells = new Float64Array(count)
  for (let place = 0; place < count; place++) cells[place] = column[slots[place]!]!
  for (let place = 0; place < count; place++) {
    if (isMissing(memory, slots[place]!, id)) cells[place] = Number.NaN
  }
  return cells
}

/** From each node to its parent; children come after their parents. */
export function addUp(own: Float64Array, parents: Int32Array): MetricSums {
  const sums = new Float64Array(own.length)
  const missing = new Uint32Array(own.length)
  for (let place = own.length - 1; place >= 0; place--) {
    const value = own[place]!
    if (Number.isNaN(value)) missing[place]! += 1
    else sums[place]! += value
    const parent = parents[place]!
    if (parent < 0) continue
    sums[parent]! += sums[place]!
    missing[parent]! += missing[place]!
  }
  return { own, sums, missing }
}
