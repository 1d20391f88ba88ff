import { readFile } from 'node:fs/promises'

/** What of `/proc/<pid>/stat` tells who a process is and how it stands. */
export interface ProcessStat {
  readonly name: string
  /** Field 3. */
  readonly state: string
  /** Field 4; 0 when the parent is in another PID namespace. */
  readonly ppid: number
  /** Fields 10 and 12: page faults without and with I/O. */
  readonly minorFaults: number
  readonly majorFaults: number
  /** Fields 14 and 15: CPU time in user and in kernel mode, of all threads. */
  readonly userMs: number
  readonly systemMs: number
  /** Field 20; 1 of a whole zombie. */
  readonly threads: number
  /** Field 22. */
  readonly startTicks: number
}

const MS_PER_TICK = 10 // USER_HZ, part of the kernel's ABI on x64 and arm64

/** Reads proc_pid_stat(5), which takes no lock of the process; undefined when there is no such process. */
export async function readStat(pid: number, procRoot = '/proc'): Promise<ProcessStat | undefined> {
  const text = await readFile(`${procRoot}/${pid}/stat`, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : parseStat(text)
}

/** Undefined for what is no such line. */
export function parseStat(text: string): ProcessStat | undefined {
  // The name may hold anything, parentheses too; the fields begin behind the last one.
  const open = text.indexOf('(')
  const close = text.lastIndexOf(')')
  const fields = text.slice(close + 2).split(' ')
  const [state, ppid] = fields
  if (open < 0 || close < open || state === undefined || fields.length < 20) return undefined
  const field = (number: number) => Number(fields[number - 3])
  return {
    name: text.slice(open + 1, close),
    state,
    ppid: Number(ppid),
    minorFaults: field(10),
    majorFaults: field(12),
    userMs: field(14) * MS_PER_TICK,
    systemMs: field(15) * MS_PER_TICK,
    threads: field(20),
    startTicks: field(22),
  }
}
