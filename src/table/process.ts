import { COLUMNS, NAME_BYTES } from './columns.js'
import { markReadHere, type ProcessIdentity } from './identity.js'
import { type ColumnName, columnId, headerCell, isKernelThread, isMissing } from './layout.js'
import type { Table } from './table.js'

type CertainColumn = 'pid' | 'startTicks' | 'generation' | 'state'

/** What is read once per life of a process, and again after an exec. Undefined: not read yet, or not readable. */
export interface ProcessDetails {
  /** Arguments joined by spaces; empty for a kernel thread or a zombie. proc_pid_cmdline(5). */
  readonly commandLine: string | undefined
  readonly args: readonly string[] | undefined
  /** Path of the program; " (deleted)" is appended by the kernel if it is gone. proc_pid_exe(5). */
  readonly exe: string | undefined
  /** Control group paths, a line each. proc_pid_cgroup(5). */
  readonly cgroup: string | undefined
}

/** One process as a view of its row in a table; every column is a property, undefined when the cell is missing. */
export interface ProcessRow extends Readonly<Record<Exclude<ColumnName, CertainColumn>, number | undefined>> {
  readonly pid: number
  readonly startTicks: number
  readonly generation: number
}

const utf8 = new TextDecoder()

/** The name kept at a slot. Bytes that are no UTF-8 become U+FFFD. */
export function decodeName(names: Uint8Array, slot: number): string {
  const start = slot * NAME_BYTES
  let end = start
  while (end < start + NAME_BYTES && names[end] !== 0) end++
  return utf8.decode(names.slice(start, end)) // a copy: the decoder takes no shared memory
}

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the columns' getters are defined below, from the layout
export class ProcessRow implements ProcessDetails {
  readonly table: Table
  /** Index of the row in the columns; the process keeps it for life. */
  readonly slot: number

  constructor(table: Table, slot: number) {
    this.table = table
    this.slot = slot
  }

  /** State letter: R running, S sleeping, D uninterruptible, T stopped, t traced, Z zombie, X dead, I idle. */
  get state(): string {
    return String.fromCharCode(this.table.columns.state[this.slot]!)
  }

  /** Name as the kernel keeps it (comm), at most 15 bytes for programs. Bytes that are no UTF-8 become U+FFFD. */
  get name(): string {
    return decodeName(this.table.memory.names, this.slot)
  }

  /** Name of the effective user, the number as text if /etc/passwd has none. */
  get user(): string | undefined {
    const uid = this.uid
    return uid === undefined ? undefined : this.table.userName(uid)
  }

  get isKernelThread(): boolean {
    return isKernelThread(this.table.memory, this.slot)
  }

  get identity(): ProcessIdentity {
    const identity = {
      pid: this.pid,
      startTicks: this.startTicks,
      pidfsInode: this.pidfsInode,
      settled: this.startTicks < this.table.memory.header[headerCell.sampledTicks]!,
    }
    return this.isKernelThread ? identity : markReadHere(identity)
  }

  get commandLine(): string | undefined {
    return this.table.detailsAt(this.slot)?.commandLine
  }

  get args(): readonly string[] | undefined {
    return this.table.detailsAt(this.slot)?.args
  }

  get exe(): string | undefined {
    return this.table.detailsAt(this.slot)?.exe
  }

  get cgroup(): string | undefined {
    return this.table.detailsAt(this.slot)?.cgroup
  }

  /** Every column of the table, by name; missing cells are null. */
  toJSON(): Record<string, string | number | null> {
    const json: Record<string, string | number | null> = {
      pid: this.pid,
      name: this.name,
      user: this.user ?? null,
      state: this.state,
    }
    for (const column of this.table.columnNames) {
      if (column !== 'state') json[column] = this[column] ?? null
    }
    return json
  }
}

for (const { name } of COLUMNS) {
  if (name === 'state') continue
  const id = columnId[name]
  Object.defineProperty(ProcessRow.prototype, name, {
    configurable: true,
    get(this: ProcessRow): number | undefined {
      const cells = this.table.columns[name]
      return cells === undefined || isMissing(this.table.memory, this.slot, id) ? undefined : cells[this.slot]
    },
  })
}
