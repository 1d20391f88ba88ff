import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ProcessRow, Sampler, type Table } from '../../index.js'
import { EXIT } from '../exit_codes.js'
import type { FaultList } from '../fault.js'
import { faultOfUnseen } from '../no_such_process.js'
import { escapeForTerminal } from '../terminal.js'
import { earlierRestart, isSame } from './earlier_run.js'
import type { WatchTarget } from './plan.js'

const TICK_MS = 10

/**
 * The process of -p, if it can be watched; else a fault that says why not. Where it is gone because an earlier run with
 * the same journal was restarting it, or has restarted it, what takes its place is meant.
 */
export async function findTarget(
  pid: number,
  journal: string | undefined,
  faults: FaultList,
): Promise<{ target: WatchTarget; row?: ProcessRow } | undefined> {
  const table = await settledTable(pid)
  const earlier = journal === undefined ? undefined : await earlierRestart(journal, pid)
  if (earlier !== undefined) {
    const { kind, identity, name } = earlier
    const row = table.get(identity.pid)
    const isThere = row !== undefined && isSame(row.identity, identity) && !hasEnded(row)
    if (kind === 'unfinished' && !isThere) return { target: { identity, name, unfinished: earlier.actionId } }
    const given = table.get(pid)
    if (kind === 'done' && isThere && (given === undefined || hasEnded(given))) {
      return { target: { identity: row.identity, name: row.name, successorOf: pid }, row }
    }
  }
  const row = await watchable(table, pid, faults)
  return row && { target: { identity: row.identity, name: row.name }, row }
}

/** Sampled late enough that the identity of that process is certain. */
async function settledTable(pid: number): Promise<Table> {
  await using sampler = await Sampler.open({ groups: [] })
  let table = await sampler.sample()
  if (table.get(pid)?.identity.settled === false) {
    await sleep(2 * TICK_MS)
    table = await sampler.sample()
  }
  return table.copy()
}

const hasEnded = ({ state }: ProcessRow): boolean => state === 'Z' || state === 'X'

async function watchable(table: Table, pid: number, faults: FaultList): Promise<ProcessRow | undefined> {
  const row = table.get(pid)
  if (row === undefined) {
    const owner = await processOfThread(pid)
    const way =
      owner === undefined
        ? '`muster ps` lists those there are'
        : `it is a thread of process ${owner}; give -p ${owner}`
    const { exitCode, message } = await faultOfUnseen(pid, `no such process; ${way}`)
    return faults.add(exitCode, `-p/--pid "${pid}": ${message}`)
  }
  const name = escapeForTerminal(row.name)
  if (row.isKernelThread) {
    return faults.add(
      EXIT.outOfRange,
      `-p/--pid "${pid}" is the kernel thread [${name}], which has no memory of its own; give a process`,
    )
  }
  if (hasEnded(row)) {
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
