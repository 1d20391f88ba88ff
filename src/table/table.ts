import { type Checks, checkOptions, LIMIT, NUMBER, TEXT } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import { COLUMNS } from './columns.js'
import {
  type ColumnName,
  type Columns,
  columnId,
  headerCell,
  isMissing,
  mapTable,
  slotOf,
  type TableMemory,
} from './layout.js'
import { type ProcessDetails, ProcessRow } from './process.js'

/** Where a table's rows came from. */
export type Source = 'bpf' | 'procfs'

/** What `table.filter` lets through: rows that pass every test given. */
export interface ProcessFilter {
  /** Name, of /etc/passwd, or number of the effective user; `findUser` knows the numbers of other names. */
  user?: string | undefined
  /** Part of the name. */
  name?: string | undefined
  /** State letters, for example `'RD'`. */
  state?: string | undefined
  /** 100 = one core. Rows in their first sample have no CPU percentage and do not match. */
  minCpuPercent?: number | undefined
  minMemoryPercent?: number | undefined
}

/** What a table needs from the sampler that made it. */
interface TableOwner {
  readonly source: Source
  /** Whether the memory still holds the sample with that sequence. */
  holds(sequence: number): boolean
  userName(uid: number): string
  details(slot: number, generation: number): ProcessDetails | undefined
}

const FILTER_CHECKS: Checks<ProcessFilter> = {
  user: TEXT,
  name: TEXT,
  state: TEXT,
  minCpuPercent: NUMBER,
  minMemoryPercent: NUMBER,
}

/**
 * One sample of every process: a view of shared memory, good until the sample after the next begins. After that
 * everything but `copy`'s result throws `STALE_TABLE`.
 */
export class Table implements Iterable<ProcessRow> {
  /** Counts samples, from 1. */
  readonly sequence: number
  /** Number of processes. */
  readonly size: number
  /** Epoch milliseconds. */
  readonly sampledAtMs: number
  /** Milliseconds since the sample before; NaN for the first. */
  readonly elapsedMs: number
  readonly #memory: TableMemory
  readonly #owner: TableOwner
  #columnNames: readonly ColumnName[] | undefined

  constructor(memory: TableMemory, owner: TableOwner) {
    const { header } = memory
    this.#memory = memory
    this.#owner = owner
    this.sequence = header[headerCell.sequence]!
    this.size = header[headerCell.size]!
    this.sampledAtMs = header[headerCell.sampledAtMs]!
    this.elapsedMs = header[headerCell.elapsedMs]!
  }

  /** Where these rows came from; the sampler may have gone on with another source since. */
  get source(): Source {
    return this.#owner.source
  }

  /** The shared memory itself, for workers. */
  get memory(): TableMemory {
    if (!this.#owner.holds(this.sequence)) {
      throw new ProcmusterError('STALE_TABLE', {
        message: `table ${this.sequence} has been overwritten by a newer sample; keep one with table.copy()`,
      })
    }
    return this.#memory
  }

  /** Typed arrays by slot, units in the names. Only the cells at `slots` mean something. */
  get columns(): Columns {
    return this.memory.columns
  }

  /** Columns that this table has. */
  get columnNames(): readonly ColumnName[] {
    this.#columnNames ??= COLUMNS.filter(({ group }) => this.#memory.layout.groups.includes(group)).map(
      ({ name }) => name,
    )
    return this.#columnNames
  }

  /** Slots of the live processes, in ascending order of pid. */
  get slots(): Uint32Array {
    return this.memory.slots.subarray(0, this.size)
  }

  /** Slots of processes that were not in the sample before; in the first sample all. */
  get bornSlots(): Uint32Array {
    return this.#list(this.memory.born, headerCell.bornCount)
  }

  /** Slots of processes that are gone since the sample before; their last values can still be read here. */
  get goneSlots(): Uint32Array {
    return this.#list(this.memory.gone, headerCell.goneCount)
  }

  /** Slots of processes that run another program than in the sample before. */
  get execedSlots(): Uint32Array {
    return this.#list(this.memory.execed, headerCell.execedCount)
  }

  /** Rows of `bornSlots`. */
  get born(): Iterable<ProcessRow> {
    return this.#rows(this.bornSlots)
  }

  /** Rows of `goneSlots`. */
  get gone(): Iterable<ProcessRow> {
    return this.#rows(this.goneSlots)
  }

  [Symbol.iterator](): Iterator<ProcessRow> {
    return this.#rows(this.slots)
  }

  /** The process with that pid, undefined if the sample has none. */
  get(pid: number): ProcessRow | undefined {
    const slot = this.slotOf(pid)
    return slot === undefined ? undefined : new ProcessRow(this, slot)
  }

  /** Index of a process in the columns, undefined if the sample has none with that pid. */
  slotOf(pid: number): number | undefined {
    return slotOf(this.memory, pid)
  }

  /** The process in a slot of one of these lists; cells of any other slot mean nothing. */
  at(slot: number): ProcessRow {
    return new ProcessRow(this, slot)
  }

  /** The `count` processes with the largest values; those whose cell is missing are left out. */
  top(column: ColumnName, count: number): ProcessRow[] {
    LIMIT('count', count)
    const cells = this.#cells(column)
    const id = columnId[column]
    const known = this.slots.filter((slot) => !isMissing(this.#memory, slot, id))
    // Numbers alone sort an order of magnitude faster than rows by a comparison: so only the top's rows are compared.
    const values = Float64Array.from(known, (slot) => cells[slot]!).sort()
    const lowest = values[Math.max(0, values.length - count)]!
    return Array.from(known.filter((slot) => cells[slot]! >= lowest))
      .sort((a, b) => cells[b]! - cells[a]!)
      .slice(0, Math.max(0, count))
      .map((slot) => new ProcessRow(this, slot))
  }

  /** The processes for which all of the filter holds, in ascending order of pid. */
  filter(filter: ProcessFilter): ProcessRow[] {
    checkOptions(filter, FILTER_CHECKS, 'the filter')
    const { user, name, state, minCpuPercent, minMemoryPercent } = filter
    const { columns } = this
    const found: ProcessRow[] = []
    // What needs no row and no string comes first; NaN, a missing cell, is below nothing and above nothing.
    for (const slot of this.slots) {
      if (state !== undefined && !state.includes(String.fromCharCode(columns.state[slot]!))) continue
      if (minCpuPercent !== undefined && !(columns.cpuPercent[slot]! >= minCpuPercent)) continue
      if (minMemoryPercent !== undefined && !(columns.memoryPercent[slot]! >= minMemoryPercent)) continue
      const row = new ProcessRow(this, slot)
      if (user !== undefined && row.user !== user && String(row.uid) !== user) continue
      if (name !== undefined && !row.name.includes(name)) continue
      found.push(row)
    }
    return found
  }

  /** A table of its own memory, which later samples do not touch. Details read so far come with it. */
  copy(): Table {
    const { layout, buffer } = this.memory
    const copied = new SharedArrayBuffer(buffer.byteLength)
    new Uint8Array(copied).set(new Uint8Array(buffer))
    const owner = this.#owner
    const generations = this.columns.generation
    const details = new Map<number, ProcessDetails>()
    for (const slot of this.slots) {
      const found = owner.details(slot, generations[slot]!)
      if (found !== undefined) details.set(slot, found)
    }
    return new Table(mapTable(layout, copied), {
      source: owner.source,
      holds: () => true,
      userName: (uid) => owner.userName(uid),
      details: (slot) => details.get(slot),
    })
  }

  /** @internal */
  userName(uid: number): string {
    return this.#owner.userName(uid)
  }

  /** @internal */
  detailsAt(slot: number): ProcessDetails | undefined {
    return this.#owner.details(slot, this.columns.generation[slot]!)
  }

  #cells(column: ColumnName): Float64Array | Int32Array | Uint32Array | Uint8Array {
    const cells = this.columns[column]
    if (cells === undefined) {
      const known = COLUMNS.find(({ name }) => name === column)
      throw new ProcmusterError('INVALID_ARGUMENT', {
        message:
          known === undefined
            ? `no column '${column}'; the table has ${this.columnNames.join(', ')}`
            : `column '${column}' needs the group '${known.group}': Sampler.open({ groups: ['${known.group}'] })`,
      })
    }
    return cells
  }

  #list(slots: Uint32Array, count: number): Uint32Array {
    return slots.subarray(0, this.#memory.header[count]!)
  }

  *#rows(slots: Uint32Array): Generator<ProcessRow> {
    for (const slot of slots) yield new ProcessRow(this, slot)
  }
}
