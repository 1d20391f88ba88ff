import { readFile } from 'node:fs/promises'
import type { ProcessRow, Table } from '../../index.js'
import { EXIT } from '../exit_codes.js'
import type { FaultList } from '../fault.js'
import { escapeForTerminal } from '../terminal.js'

/** The process of -p, if it can be watched; else a fault that says why not. */
export async function findTarget(
  table: Table,
  pid: number,
  faults: FaultList,
): Promise<ProcessRow | undefined> {
  const row = table.get(pid)
  if (row === undefined) {
    const owner = await processOfThread(pid)
    const way =
      owner === undefined
        ? '`muster ps` lists those there are'
        : `it is a thread of process ${owner}; give -p ${owner}`
    return faults.add(EXIT.noSuchProcess, `-p/--pid "${pid}": no such process; ${way}`)
  }
  const name = escapeForTerminal(row.name)
  if (row.isKernelThread) {
    return faults.add(
      EXIT.outOfRange,
      `-p/--pid "${pid}" is the kernel thread [${name}], which has no memory of its own; give a process`,
    )
  }
  if (row.state === 'Z' || row.state === 'X') {
    const parent = row.ppid ? `; its parent ${row.ppid} has yet to collect it` : ''
    return faults.add(
      EXIT.noSuchProcess,
      `-p/--pid "${pid}" (${name}) has already ended${parent}; give a running one`,
    )
  }
  if (pid === process.pid) {
    return faults.add(EXIT.outOfRange, `-p/--pid "${pid}" is this watcher itself; give another process`)
  }
  return row
}

/** /proc/TID exists for every thread, though only processes are listed. */
async function processOfThread(tid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${tid}/status`, 'latin1').catch(() => '')
  const tgid = Number(/^Tgid:\t(\d+)$/m.exec(status)?.[1])
  return tgid > 0 && tgid !== tid ? tgid : undefined
}

/** Whether this user may signal the process at all; said before the watch starts, not at the breach. */
export function requireSignalPermission(row: ProcessRow, faults: FaultList): boolean {
  try {
    process.kill(row.pid, 0)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return true
    const owner = row.user ?? `uid ${row.uid}`
    faults.add(
      EXIT.permission,
      `-r/--restart: no permission to signal process ${row.pid} of ${escapeForTerminal(owner)}; run as that user or as root, or leave out -r`,
    )
    return false
  }
}
