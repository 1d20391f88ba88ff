import { type Checks, checkOptions, FLAG, LIMIT, NUMBER, oneOf, TEXT } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import { STATES } from '../rules/language/names.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { ProcessRow } from '../table/process.js'
import type { Table } from '../table/table.js'

/** One process of a list. What could not be read is undefined. Texts that the process chose are hostile: escape them. */
export interface ProcessSummary {
  /** What an action on it takes. */
  readonly identity: ProcessIdentity
  readonly pid: number
  readonly ppid: number | undefined
  /** Name as the kernel keeps it (comm), at most 15 bytes for programs. */
  readonly name: string
  /** Name of the effective user, the number as text if /etc/passwd has none. */
  readonly user: string | undefined
  /** State letter, proc_pid_stat(5) field 3: R running, S sleeping, D uninterruptible, T stopped, Z zombie, I idle. */
  readonly status: string
  /** -20 to 19. */
  readonly nice: number | undefined
  readonly threads: number | undefined
  /** 100 = one core; undefined for a process that was born since the sample before. */
  readonly cpuPercent: number | undefined
  /** CPU time of all threads, nanoseconds. */
  readonly cpuTimeNs: number | undefined
  /** `rssBytes` in percent of the host's memory. */
  readonly memoryPercent: number | undefined
  readonly rssBytes: number | undefined
  readonly vszBytes: number | undefined
  readonly isKernelThread: boolean
  /** Arguments joined by spaces; only with `commandLines`. */
  readonly commandLine: string | undefined
}

const SORT_KEYS = [
  ...(['pid', 'ppid', 'name', 'user', 'status', 'nice', 'threads'] as const),
  ...(['cpuPercent', 'cpuTimeNs', 'memoryPercent', 'rssBytes', 'vszBytes'] as const),
] as const
/** What a list of processes can be sorted by. */
export type SortKey = (typeof SORT_KEYS)[number]

/** Which processes to list: those that pass every test given. */
export interface ListOptions {
  /** Name, of /etc/passwd, or number of the effective user; `findUser` knows the numbers of other names. */
  readonly user?: string | undefined
  /** Part of the name. */
  readonly name?: string | undefined
  /** State letters, for example `'RD'`. */
  readonly status?: string | undefined
  /** 100 = one core. */
  readonly minCpuPercent?: number | undefined
  readonly minMemoryPercent?: number | undefined
  /** What one uses: most first; numbers, names and users: ascending. What is missing goes last. Default `pid`. */
  readonly sort?: SortKey | undefined
  /** At most so many; all by default. */
  readonly limit?: number | undefined
  /** Reads the command lines of those that are listed. Default false. */
  readonly commandLines?: boolean | undefined
}

const CHECKS: Checks<ListOptions> = {
  user: TEXT,
  name: TEXT,
  status: TEXT,
  minCpuPercent: NUMBER,
  minMemoryPercent: NUMBER,
  sort: oneOf(SORT_KEYS),
  limit: LIMIT,
  commandLines: FLAG,
}

/** @throws ProcmusterError `INVALID_ARGUMENT` for an unknown state letter or sort key, or a limit that is no count. */
export function checkListOptions(options: ListOptions): void {
  checkOptions(options, CHECKS)
  const { status } = options
  if (status !== undefined && !(status !== '' && [...status].every((letter) => STATES.includes(letter)))) {
    throw invalid(`status is ${JSON.stringify(status)}; give letters of ${[...STATES].join(' ')}`)
  }
}

/** The rows that pass, in order. */
export function selectRows(table: Table, options: ListOptions): ProcessRow[] {
  const { user, name, status, minCpuPercent, minMemoryPercent, sort = 'pid', limit } = options
  const rows = table.filter({ user, name, state: status, minCpuPercent, minMemoryPercent })
  const keyed = sort === 'pid' ? rows : sorted(rows, sort === 'status' ? 'state' : sort)
  return limit === undefined ? keyed : keyed.slice(0, limit)
}

export function summaryOf(row: ProcessRow, commandLines = false): ProcessSummary {
  return {
    identity: row.identity,
    pid: row.pid,
    ppid: row.ppid,
    name: row.name,
    user: row.user,
    status: row.state,
    nice: row.nice,
    threads: row.threads,
    cpuPercent: row.cpuPercent,
    cpuTimeNs: row.cpuTimeNs,
    memoryPercent: row.memoryPercent,
    rssBytes: row.rssBytes,
    vszBytes: row.vszBytes,
    isKernelThread: row.isKernelThread,
    commandLine: commandLines ? row.commandLine : undefined,
  }
}

const ASCENDING: ReadonlySet<string> = new Set(['ppid', 'name', 'user', 'state', 'nice'])

function sorted(rows: readonly ProcessRow[], sort: Exclude<SortKey, 'status'> | 'state'): ProcessRow[] {
  const sign = ASCENDING.has(sort) ? 1 : -1
  const keyed = rows.map((row) => ({ row, key: row[sort] }))
  keyed.sort((a, b) => {
    if (a.key === undefined || b.key === undefined) {
      return Number(a.key === undefined) - Number(b.key === undefined) || a.row.pid - b.row.pid
    }
    if (a.key === b.key) return a.row.pid - b.row.pid
    return a.key < b.key ? -sign : sign
  })
  return keyed.map(({ row }) => row)
}

function invalid(message: string): ProcmusterError {
  return new ProcmusterError('INVALID_ARGUMENT', { message })
}
