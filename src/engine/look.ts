import { freemem } from 'node:os'
import type { ProcessIdentity } from '../table/identity.js'
import type { Table } from '../table/table.js'
import type { Look } from './outcomes.js'

const ZOMBIE = 0x5a // 'Z', proc_pid_stat(5) field 3

/** A process as a table has it. */
export function look(table: Table, { pid, startTicks }: ProcessIdentity): ReturnType<Look> {
  const slot = table.slotOf(pid)
  if (slot === undefined || table.columns.startTicks[slot] !== startTicks) return undefined
  return { rssBytes: table.at(slot).rssBytes, isZombie: table.columns.state[slot] === ZOMBIE }
}

/** Whose process it is, where the table has it. */
export function userOf(
  table: Table,
  identity: ProcessIdentity | undefined,
): { uid: number; user: string } | undefined {
  const row = identity && table.get(identity.pid)
  if (row === undefined || row.startTicks !== identity?.startTicks) return undefined
  const { uid, user } = row
  return uid === undefined || user === undefined ? undefined : { uid, user }
}

/** What Node calls free on Linux is MemAvailable of proc_meminfo(5). */
export const hostAvailableBytes = (): number => freemem()
