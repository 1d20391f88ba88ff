import { checkIdentity, checkOptions, LIMIT, MILLISECONDS, TABLE } from '../arguments.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { Table } from '../table/table.js'
import { type ProcFile, readProcFiles } from './proc_files.js'
import type { StuckFacts } from './stuck_advice.js'

/** A process in an uninterruptible wait (state D), and where in the kernel it waits, as far as that may be read. */
export interface StuckProcess extends StuckFacts {
  readonly identity: ProcessIdentity
  readonly name: string
}

/** Options of `stuckProcesses` and `stuckFacts`. */
export interface StuckOptions {
  /** At most so many, by ascending pid; default 100. */
  readonly limit?: number
  /** For the files of one process; default 200. */
  readonly timeoutMs?: number
}

const CODE_OF_STUCK = 0x44 // 'D'
const STACK_FRAMES = 16

/**
 * The processes of a sample that are in state D now; kernel threads are left out, some of which always are. Many a process
 * is in it for a moment, while it reads from a disk: a rule with `stateSeconds(D)` tells who stays.
 */
export async function stuckProcesses(table: Table, options: StuckOptions = {}): Promise<StuckProcess[]> {
  TABLE('the table', table)
  checkOptions(options, { limit: LIMIT, timeoutMs: MILLISECONDS })
  const { limit = 100, timeoutMs = 200 } = options
  const found: { identity: ProcessIdentity; name: string }[] = []
  const { state } = table.columns
  for (const slot of table.slots) {
    if (found.length >= limit) break
    if (state[slot] !== CODE_OF_STUCK) continue
    const { identity, name, isKernelThread } = table.at(slot)
    if (!isKernelThread) found.push({ identity, name })
  }
  return Promise.all(
    found.map(async (each) => ({ ...each, ...(await stuckFacts(each.identity, { timeoutMs })) })),
  )
}

/**
 * Where a process waits: `/proc/<pid>/wchan`, `syscall` and `stack`, read off the main thread. What is not for this user is
 * undefined; the stack is root's.
 */
export async function stuckFacts(
  identity: ProcessIdentity,
  options: Pick<StuckOptions, 'timeoutMs'> = {},
): Promise<StuckFacts> {
  checkIdentity(identity)
  checkOptions(options, { timeoutMs: MILLISECONDS })
  const { timeoutMs = 200 } = options
  const files = await readProcFiles(identity, { files: ['wchan', 'syscall', 'stack'], timeoutMs })
  const text = (name: string): string => textOf(files.find((file) => file.name === name))
  return parseStuck({ wchan: text('wchan'), syscall: text('syscall'), stack: text('stack') })
}

const textOf = (file: ProcFile | undefined): string =>
  file === undefined || file.error !== undefined ? '' : file.data.toString('latin1').trim()

/** Takes apart the texts of proc_pid_wchan(5), proc_pid_syscall(5) and proc_pid_stack(5); empty: not readable. */
export function parseStuck(files: {
  readonly wchan: string
  readonly syscall: string
  readonly stack: string
}): StuckFacts {
  const stack = [...files.stack.matchAll(/^\[<[^>]*>\] (\S+?)(?:\+0x\S*)?(?: \[\S+\])?$/gm)]
    .map(([, name]) => name!)
    .slice(0, STACK_FRAMES)
  const { wchan } = files
  const number = /^(\d+) /.exec(files.syscall)?.[1]
  return {
    // `0` of a process that runs, or that the reader may not look into.
    waitChannel: wchan === '' || wchan === '0' ? stack[0] : wchan,
    systemCall: number === undefined ? undefined : Number(number),
    stack,
  }
}
