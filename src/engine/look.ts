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

/**
 * Epoch milliseconds as they were when this process began, and those that have passed since: the clock of the ticks, and of all that
 * lasts (`for`, cooldowns, steps, put-offs, suspensions). A step of the wall clock does not move it, and it stands still while the
 * host is suspended (CLOCK_MONOTONIC of clock_gettime(2)).
 */
export const now = (): number => performance.timeOrigin + performance.now()

/** What the wall clock will show at a time of that clock, unless it is set or the host suspended meanwhile: for people and records. */
export const wallTimeOf = (ms: number, nowMs = now(), wallNowMs = Date.now()): number =>
  Math.round(ms - nowMs + wallNowMs)

/** What Node calls free on Linux is MemAvailable of proc_meminfo(5). */
export const hostAvailableBytes = (): number => freemem()
