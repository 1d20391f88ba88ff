import { stuckProcesses } from '../../public/inspect.js'
import { Sampler } from '../../public/sampler.js'
import type { ProcessRow, Table } from '../../public/table.js'
import { FaultList } from '../fault.js'
import { printJson } from '../inspect/json.js'
import { STATES } from '../inspect/states.js'
import { printTable, type TextColumn } from '../print_table.js'
import { escapeForTerminal } from '../terminal.js'
import { readStates } from '../values.js'

interface StateCount {
  readonly state: string
  readonly processes: number
  readonly meaning: string | undefined
}

interface Listed {
  readonly pid: number
  readonly startTicks: number
  readonly ppid: number | undefined
  readonly user: string | undefined
  readonly state: string
  readonly name: string
  /** In state D, as far as it may be read. */
  readonly waitChannel?: string | undefined
  readonly systemCall?: number | undefined
  /** In state Z. */
  readonly parentName?: string | undefined
}

/** `muster states` with what the user gave. */
export async function tellStates(
  letters: string | undefined,
  raw: { list?: boolean; json?: boolean },
): Promise<void> {
  const faults = new FaultList()
  const wanted = letters === undefined ? undefined : readStates(letters, faults, 'LETTERS')
  faults.throwIfAny()
  // The bpf source would have to be started for one sample.
  await using sampler = await Sampler.open({ source: 'procfs' })
  const table = await sampler.sample()
  const states = countStates(table)
  const isListed = raw.list === true || wanted !== undefined
  const processes = isListed ? await listed(table, wanted) : undefined
  if (raw.json === true) return printJson({ total: table.size, states, ...(isListed && { processes }) })
  if (processes !== undefined) return printTable(processes, PROCESS_COLUMNS)
  return printTable(states, COUNT_COLUMNS)
}

/** Every state that has a meaning, and what else there is. */
function countStates(table: Table): StateCount[] {
  const counts = new Map(Object.keys(STATES).map((state) => [state, 0]))
  for (const { state } of table) counts.set(state, (counts.get(state) ?? 0) + 1)
  return [...counts].map(([state, processes]) => ({ state, processes, meaning: STATES[state] }))
}

async function listed(table: Table, wanted: string | undefined): Promise<Listed[]> {
  const rows = [...table].filter(({ state }) => wanted?.includes(state) ?? true)
  const isAsked = rows.some(({ state }) => state === 'D')
  const stuck = isAsked ? await stuckProcesses(table, { limit: Number.POSITIVE_INFINITY }) : []
  const waits = new Map(stuck.map((each) => [each.identity.pid, each]))
  return rows.map((row) => ({ ...recordOf(row), ...detailsOf(row, table, waits) }))
}

const recordOf = ({ pid, startTicks, ppid, user, state, name }: ProcessRow): Listed => ({
  pid,
  startTicks,
  ppid,
  user,
  state,
  name,
})

function detailsOf(
  { pid, ppid, state }: ProcessRow,
  table: Table,
  waits: ReadonlyMap<number, Pick<Listed, 'waitChannel' | 'systemCall'>>,
): Pick<Listed, 'waitChannel' | 'systemCall' | 'parentName'> {
  if (state === 'Z') return { parentName: ppid === undefined ? undefined : table.get(ppid)?.name }
  if (state !== 'D') return {}
  const wait = waits.get(pid)
  return { waitChannel: wait?.waitChannel, systemCall: wait?.systemCall }
}

const COUNT_COLUMNS: readonly TextColumn<StateCount>[] = [
  { heading: 'STATE', align: 'left', text: ({ state }) => escapeForTerminal(state) },
  { heading: 'PROCESSES', align: 'right', text: ({ processes }) => String(processes) },
  { heading: 'MEANING', align: 'left', text: ({ meaning }) => meaning ?? '-' },
]

const PROCESS_COLUMNS: readonly TextColumn<Listed>[] = [
  { heading: 'PID', align: 'right', text: ({ pid }) => String(pid) },
  { heading: 'PPID', align: 'right', text: ({ ppid }) => String(ppid ?? '-') },
  { heading: 'USER', align: 'left', text: ({ user }) => escapeForTerminal(user ?? '-') },
  { heading: 'STATE', align: 'left', text: ({ state }) => state },
  { heading: 'NAME', align: 'left', text: ({ name }) => escapeForTerminal(name) || '-' },
  { heading: 'WHY', align: 'left', text: (each) => escapeForTerminal(whyOf(each)) },
]

function whyOf({ state, waitChannel, systemCall, ppid, parentName }: Listed): string {
  if (state === 'Z') return `left by ${parentName ?? 'a parent that is not to be seen'} (pid ${ppid ?? '-'})`
  if (state !== 'D') return '-'
  const call = systemCall === undefined ? '' : ` in system call ${systemCall}`
  return waitChannel === undefined && call === ''
    ? '-'
    : `waits${waitChannel === undefined ? '' : ` at ${waitChannel}`}${call}`
}
