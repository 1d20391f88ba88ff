import { readThreads, type Thread } from '../../public/inspect.js'
import { FaultList } from '../fault.js'
import { printTable, type TextColumn } from '../print_table.js'
import { shortTime } from '../quantities.js'
import { escapeForTerminal } from '../terminal.js'
import { printJson } from './json.js'
import { lookInto, readPid } from './target.js'

/** `muster threads` with what the user gave. */
export async function listThreads(
  word: string | undefined,
  raw: { stacks?: boolean; json?: boolean },
): Promise<void> {
  const faults = new FaultList()
  const pid = readPid(word, faults)
  faults.throwIfAny()
  const stacks = raw.stacks === true
  const threads = await lookInto(pid!, (target) => readThreads(target, { stacks }))
  if (stacks && process.getuid?.() !== 0) {
    process.stderr.write('muster: stacks in the kernel are for root to read, system calls for their user\n')
  }
  if (raw.json === true) return printJson(threads)
  return printTable(threads, stacks ? [...COLUMNS, NAME, ...STACK_COLUMNS] : [...COLUMNS, NAME])
}

const NAME: TextColumn<Thread> = {
  heading: 'NAME',
  align: 'left',
  text: ({ name }) => escapeForTerminal(name),
}

const COLUMNS: readonly TextColumn<Thread>[] = [
  { heading: 'TID', align: 'right', text: ({ tid }) => String(tid) },
  { heading: 'STATE', align: 'left', text: ({ state }) => state },
  {
    heading: 'TIME',
    align: 'right',
    text: ({ cpuTimeNs, userMs, systemMs }) => shortTime(cpuTimeNs ?? (userMs + systemMs) * 1e6),
  },
  {
    heading: 'WAITED',
    align: 'right',
    isExtra: true,
    text: ({ runQueueWaitNs }) => (runQueueWaitNs === undefined ? '-' : shortTime(runQueueWaitNs)),
  },
  { heading: 'CPU', align: 'right', text: ({ lastCpu }) => String(lastCpu) },
  {
    heading: 'WAITS-IN',
    align: 'left',
    isExtra: true,
    text: ({ waitChannel }) => escapeForTerminal(waitChannel ?? '-'),
  },
]

const STACK_COLUMNS: readonly TextColumn<Thread>[] = [
  { heading: 'SYSCALL', align: 'right', text: ({ systemCall }) => String(systemCall ?? '-') },
  { heading: 'STACK', align: 'left', text: ({ stack }) => escapeForTerminal(stack?.join(' < ') || '-') },
]
