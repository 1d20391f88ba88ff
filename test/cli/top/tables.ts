import { Table } from '../../../dist/table/table.js'
import { type SyntheticProcess, SyntheticTable } from '../../rules/synthetic_table.js'

export interface Shown extends SyntheticProcess {
  commandLine?: string
  cgroup?: string
}

const USERS: Readonly<Record<number, string>> = { 0: 'root', 33: 'www-data', 1000: 'ann' }

/** A table made by hand, with users and what is read once per life. */
export function tableOf(processes: readonly Shown[], capacity = 64): Table {
  const bySlot = new Map(processes.map((process) => [process.slot, process]))
  const { memory } = new SyntheticTable(capacity).fill(processes)
  return new Table(memory, {
    source: 'procfs',
    holds: () => true,
    userName: (uid) => USERS[uid] ?? String(uid),
    details: (slot) => {
      const found = bySlot.get(slot)
      if (found?.commandLine === undefined && found?.cgroup === undefined) return undefined
      const { commandLine, cgroup } = found
      return { commandLine, cgroup, args: commandLine?.split(' '), exe: undefined }
    },
  })
}
