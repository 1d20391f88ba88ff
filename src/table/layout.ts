import { COLUMNS, HEADER, MISSING_WORDS, NAME_BYTES } from './columns.js'

/** Name, type, unit, group and description of a column: an element of `COLUMNS`. */
export type ColumnInfo = (typeof COLUMNS)[number]
/** Name of a column of the process table; its unit is part of it. */
export type ColumnName = ColumnInfo['name']
/**
 * Columns come in groups; `table` is always there, the others are chosen at `Sampler.open`. `exactRss` has no columns of
 * its own: it makes `rssBytes` and the like exact in the bpf source, as they always are in procfs.
 */
export type ColumnGroup = ColumnInfo['group'] | 'exactRss'
/** Groups that are sampled only when asked for. */
export type OptionalGroup = Exclude<ColumnGroup, 'table'>

type ArrayOf<T extends ColumnInfo['type']> = T extends 'Int32'
  ? Int32Array
  : T extends 'Uint32'
    ? Uint32Array
    : T extends 'Uint8'
      ? Uint8Array
      : Float64Array
type ArrayByName = { readonly [C in ColumnInfo as C['name']]: ArrayOf<C['type']> }
type NameOfGroup<G extends ColumnGroup> = Extract<ColumnInfo, { group: G }>['name']

/** The table's columns as typed arrays, indexed by slot; those of a group not chosen are undefined. */
export type Columns = Pick<ArrayByName, NameOfGroup<'table'>> &
  Partial<Pick<ArrayByName, NameOfGroup<OptionalGroup>>>

type ArrayClass = {
  BYTES_PER_ELEMENT: number
  new (buffer: SharedArrayBuffer, offset: number, length: number): unknown
}
const arrays: Record<ColumnInfo['type'], ArrayClass> = {
  Int32: Int32Array,
  Uint32: Uint32Array,
  Uint8: Uint8Array,
  Float64: Float64Array,
}

/** Id of each column: its bit among the missing marks, its place in `TableLayout.columnOffsets`. */
export const columnId = Object.fromEntries(COLUMNS.map((column, id) => [column.name, id])) as Readonly<
  Record<ColumnName, number>
>
export const headerCell = Object.fromEntries(HEADER.map((name, cell) => [name, cell])) as Readonly<
  Record<(typeof HEADER)[number], number>
>

/** Where everything lies in a table buffer, in bytes. Plain data: it can be posted to a worker. */
export interface TableLayout {
  readonly capacity: number
  readonly groups: readonly ColumnGroup[]
  readonly byteLength: number
  readonly control: number
  readonly slots: number
  readonly born: number
  readonly gone: number
  readonly execed: number
  readonly missing: number
  readonly names: number
  /** By column id; -1 for a column that is not in this table. */
  readonly columnOffsets: readonly number[]
}

const ALIGNMENT = 64 // a cache line, so that no two regions share one
// Between regions. With a power of two for a capacity, a row's cells would otherwise have the same address modulo 4096 in
// all columns: they would fight for one set of the processor's cache, and a sample takes twice as long to join.
const SKEW = 5 * ALIGNMENT

export function layoutTable(groups: readonly OptionalGroup[], capacity: number): TableLayout {
  const chosen = new Set<ColumnGroup>(['table', ...groups])
  let end = HEADER.length * Float64Array.BYTES_PER_ELEMENT
  const place = (bytes: number): number => {
    const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT
    end = offset + bytes + SKEW
    return offset
  }
  return {
    capacity,
    groups: [...chosen],
    control: place(2 * 4),
    slots: place(capacity * 4),
    born: place(capacity * 4),
    gone: place(capacity * 4),
    execed: place(capacity * 4),
    missing: place(capacity * 4 * MISSING_WORDS),
    names: place(capacity * NAME_BYTES),
    columnOffsets: COLUMNS.map((column) =>
      chosen.has(column.group) ? place(capacity * arrays[column.type].BYTES_PER_ELEMENT) : -1,
    ),
    byteLength: Math.ceil(end / ALIGNMENT) * ALIGNMENT,
  }
}

/** Typed views over one table buffer. */
export interface TableMemory {
  readonly layout: TableLayout
  readonly buffer: SharedArrayBuffer
  readonly header: Float64Array
  /** [sequence whose filling began, sequence whose filling ended], for `Atomics`. */
  readonly control: Int32Array
  /** The first `size` entries are the live slots, in ascending pid order. */
  readonly slots: Uint32Array
  readonly born: Uint32Array
  /** Slots whose process is gone; their last values stay in this buffer. */
  readonly gone: Uint32Array
  /** Slots whose process has run another program since the sample before. */
  readonly execed: Uint32Array
  readonly missing: Uint32Array
  readonly names: Uint8Array
  readonly columns: Columns
}

export function mapTable(layout: TableLayout, buffer: SharedArrayBuffer): TableMemory {
  const { capacity } = layout
  const columns: Record<string, unknown> = {}
  for (const [id, column] of COLUMNS.entries()) {
    const offset = layout.columnOffsets[id]!
    if (offset >= 0) columns[column.name] = new arrays[column.type](buffer, offset, capacity)
  }
  return {
    layout,
    buffer,
    header: new Float64Array(buffer, 0, HEADER.length),
    control: new Int32Array(buffer, layout.control, 2),
    slots: new Uint32Array(buffer, layout.slots, capacity),
    born: new Uint32Array(buffer, layout.born, capacity),
    gone: new Uint32Array(buffer, layout.gone, capacity),
    execed: new Uint32Array(buffer, layout.execed, capacity),
    missing: new Uint32Array(buffer, layout.missing, capacity * MISSING_WORDS),
    names: new Uint8Array(buffer, layout.names, capacity * NAME_BYTES),
    columns: columns as unknown as Columns,
  }
}

/** Slot of a live process, by binary search: nothing is allocated. */
export function slotOf({ header, slots, columns }: TableMemory, pid: number): number | undefined {
  for (let low = 0, high = header[headerCell.size]! - 1; low <= high; ) {
    const middle = (low + high) >>> 1
    const found = columns.pid[slots[middle]!]!
    if (found === pid) return slots[middle]
    if (found < pid) low = middle + 1
    else high = middle - 1
  }
  return undefined
}

/** Whether a cell could not be read; its number means nothing then. */
export function isMissing(memory: TableMemory, slot: number, id: number): boolean {
  return ((memory.missing[slot * MISSING_WORDS + (id >>> 5)]! >>> (id & 31)) & 1) === 1
}

/** Marks the cells of all columns that a table of the layout `before` did not have as missing. */
export function markUnread({ layout, missing, columns }: TableMemory, before: TableLayout): void {
  const marks = new Uint32Array(MISSING_WORDS)
  for (const [id, { name, type }] of COLUMNS.entries()) {
    if (layout.columnOffsets[id]! < 0 || before.columnOffsets[id]! >= 0) continue
    marks[id >>> 5]! |= 1 << (id & 31)
    if (type === 'Float64') columns[name]!.fill(Number.NaN)
  }
  for (let at = 0; at < missing.length; at++) missing[at]! |= marks[at % MISSING_WORDS]!
}

const KERNEL_THREAD = 0x0020_0000 // PF_KTHREAD of linux/sched.h

export function isKernelThread({ columns }: TableMemory, slot: number): boolean {
  return (columns.flags[slot]! & KERNEL_THREAD) !== 0
}

const EXITING = 0x4 // PF_EXITING

/** Its main thread ends, or has ended: of what it had its memory is given back first. */
export function isExiting({ columns }: TableMemory, slot: number): boolean {
  return (columns.flags[slot]! & EXITING) !== 0
}
