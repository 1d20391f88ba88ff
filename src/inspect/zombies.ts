import { listOf, RECORD, TABLE } from '../arguments.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { ProcessRow } from '../table/process.js'
import type { Table } from '../table/table.js'
import { readProcFiles } from './proc_files.js'
import type { SigchldHandling, ZombieFacts } from './zombie_advice.js'

/** The zombies that one process has not waited for. */
export interface ZombieGroup {
  /** Undefined: it is in another PID namespace, or ended as the sample was taken. */
  readonly parent: ZombieParent | undefined
  /** In ascending order of pid. */
  readonly zombies: readonly { readonly identity: ProcessIdentity; readonly name: string }[]
}
/** Who has not waited for them. */
export interface ZombieParent {
  readonly identity: ProcessIdentity
  readonly name: string
  /** Letter, proc_pid_stat(5) field 3. */
  readonly state: string
}

const CODE_OF_ZOMBIE = 0x5a // 'Z'
const SIGCHLD = 17n // of every architecture that is supported
const STATUS_TIMEOUT_MS = 200

/** The zombies of a host by the parent that has not waited for them: most zombies first. Kernel threads are left out. */
export function findZombies(table: Table): ZombieGroup[] {
  TABLE('the table', table)
  const groups = new Map<number, ProcessRow[]>()
  const { state, ppid } = table.columns
  for (const slot of table.slots) {
    if (state[slot] !== CODE_OF_ZOMBIE) continue
    const row = table.at(slot)
    if (row.isKernelThread) continue
    const rows = groups.get(ppid[slot]!) ?? []
    rows.push(row)
    groups.set(ppid[slot]!, rows)
  }
  return [...groups]
    .map(([pid, rows]) => ({ parent: parentOf(table, pid), zombies: rows.map(named) }))
    .sort((a, b) => b.zombies.length - a.zombies.length)
}

function parentOf(table: Table, pid: number): ZombieParent | undefined {
  const row = table.get(pid)
  return row && { ...named(row), state: row.state }
}

const named = ({ identity, name }: ProcessRow) => ({ identity, name })

/** What there is to know for advice about a group of zombies; reads `/proc/<parent>/status`. */
export async function zombieFacts(group: ZombieGroup): Promise<ZombieFacts> {
  RECORD('the group', group)
  const { parent, zombies } = group
  listOf(RECORD)('zombies', zombies)
  if (parent === undefined) return { parent: undefined, zombies: zombies.length }
  RECORD('parent', parent)
  const { identity, name, state } = parent
  const sigchld = await sigchldOf(identity)
  return { parent: { pid: identity.pid, name, state, sigchld }, zombies: zombies.length }
}

async function sigchldOf(identity: ProcessIdentity): Promise<SigchldHandling | undefined> {
  const [status] = await readProcFiles(identity, { files: ['status'], timeoutMs: STATUS_TIMEOUT_MS })
  return status === undefined || status.error !== undefined
    ? undefined
    : parseSigchld(status.data.toString('latin1'))
}

/** What a process does with SIGCHLD, by its `/proc/<pid>/status`; undefined when that does not say. */
export function parseSigchld(status: string): SigchldHandling | undefined {
  const has = (mask: string): boolean | undefined => {
    const hex = new RegExp(`^${mask}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1]
    return hex === undefined ? undefined : ((BigInt(`0x${hex}`) >> (SIGCHLD - 1n)) & 1n) === 1n
  }
  const caught = has('SigCgt')
  if (caught === undefined) return undefined
  if (has('SigBlk')) return 'blocked'
  return caught ? 'caught' : has('SigIgn') ? 'ignored' : 'default'
}
