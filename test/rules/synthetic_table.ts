import { COLUMNS, MISSING_WORDS, NAME_BYTES } from '../../dist/table/columns.js'
import {
  type ColumnName,
  columnId,
  headerCell,
  layoutTable,
  mapTable,
  type OptionalGroup,
  type TableMemory,
} from '../../dist/table/layout.js'

export interface SyntheticProcess {
  slot: number
  pid: number
  name?: string
  generation?: number
  startTicks?: number
  flags?: number
  cells?: Partial<Record<ColumnName, number>>
  missing?: readonly ColumnName[]
}

/** A table made by hand, as the sampler would have left it. */
export class SyntheticTable {
  readonly memory: TableMemory
  sequence = 0

  constructor(capacity: number, groups: OptionalGroup[] = []) {
    const layout = layoutTable(groups, capacity)
    this.memory = mapTable(layout, new SharedArrayBuffer(layout.byteLength))
  }

  /** Replaces the whole content; every column that is not given is missing. */
  fill(
    processes: readonly SyntheticProcess[],
    sampledTicks = 1_000_000,
    execed: readonly number[] = [],
  ): this {
    const { memory } = this
    const { columns, header } = memory
    this.sequence++
    Atomics.store(memory.control, 0, this.sequence)
    memory.missing.fill(0xffff_ffff)
    for (const [index, process] of [...processes].sort((a, b) => a.pid - b.pid).entries()) {
      const { slot, pid, name = 'worker', generation = 1, startTicks = 100, flags = 0 } = process
      memory.slots[index] = slot
      memory.names.fill(0, slot * NAME_BYTES, (slot + 1) * NAME_BYTES)
      memory.names.set(Buffer.from(name).subarray(0, NAME_BYTES), slot * NAME_BYTES)
      for (const column of COLUMNS) {
        const cells = columns[column.name]
        if (cells !== undefined) cells[slot] = column.type === 'Float64' ? Number.NaN : 0
      }
      const given = { pid, generation, startTicks, flags, uid: 0, ...process.cells }
      for (const [column, value] of Object.entries(given) as [ColumnName, number][]) {
        if (process.missing?.includes(column)) continue
        columns[column]![slot] = value
        const id = columnId[column]
        memory.missing[slot * MISSING_WORDS + (id >>> 5)]! &= ~(1 << (id & 31))
      }
    }
    memory.execed.set(execed)
    header[headerCell.sequence] = this.sequence
    header[headerCell.size] = processes.length
    header[headerCell.execedCount] = execed.length
    header[headerCell.sampledTicks] = sampledTicks
    Atomics.store(memory.control, 1, this.sequence)
    return this
  }
}
