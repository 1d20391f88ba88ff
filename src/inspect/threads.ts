import { checkIdentity, checkOptions, FLAG, MILLISECONDS, PATH } from '../arguments.js'
import type { ProcessIdentity } from '../table/identity.js'
import { mapParts } from './map_parts.js'
import { readUnchecked } from './proc_files.js'
import { parseStuck } from './stuck.js'

/** One thread of a process; proc_pid_stat(5) of the thread, proc_pid_schedstat(5), proc_pid_wchan(5). */
export interface Thread {
  readonly tid: number
  /** Hostile: escape it before it is shown. */
  readonly name: string
  /** Letter, field 3. */
  readonly state: string
  /** In clock ticks since boot, field 22. */
  readonly startTicks: number
  /** Fields 14 and 15, of 10 ms each. */
  readonly userMs: number
  readonly systemMs: number
  /** To the nanosecond; undefined on a kernel without schedstat. */
  readonly cpuTimeNs: number | undefined
  /** Time that it was ready to run and had to wait. */
  readonly runQueueWaitNs: number | undefined
  /** Processor that it ran on last, field 39. */
  readonly lastCpu: number
  readonly minorFaults: number
  readonly majorFaults: number
  /** Function of the kernel that it sleeps in; undefined when it runs or may not be looked into. */
  readonly waitChannel: string | undefined
  /** Number of the system call that it is in; only with `stacks`. */
  readonly systemCall?: number | undefined
  /** Functions of the kernel, the innermost first; empty without root. Only with `stacks`. */
  readonly stack?: readonly string[]
}

/** Options of `readThreads`. */
export interface ThreadsOptions {
  readonly procRoot?: string
  /** Default 5000. */
  readonly timeoutMs?: number
  /** System call and kernel stack too; default false. */
  readonly stacks?: boolean
}

const MS_PER_TICK = 10
const TEXTS_PER_THREAD = 5

/**
 * The threads of a process in the order of their ids; one that ends meanwhile is left out.
 * @throws ProcmusterError `PROCESS_GONE`, `TIMEOUT`
 */
export async function readThreads(
  target: Pick<ProcessIdentity, 'pid' | 'startTicks'>,
  options: ThreadsOptions = {},
): Promise<Thread[]> {
  checkIdentity(target)
  checkOptions(options, { procRoot: PATH, timeoutMs: MILLISECONDS, stacks: FLAG })
  const { procRoot = '/proc', timeoutMs = 5000, stacks = false } = options
  const name = stacks ? 'task:stacks' : 'task:details'
  const [file] = await readUnchecked(target, { procRoot, timeoutMs, files: [name] })
  if (file!.error !== undefined) throw file!.error
  const texts: string[] = []
  return mapParts(file!.data, '\0', (text) => {
    texts.push(text)
    return texts.length < TEXTS_PER_THREAD ? undefined : parseThread(texts.splice(0), stacks)
  })
}

/** The texts of native/inspect/threads.h. */
function parseThread(texts: readonly string[], stacks: boolean): Thread | undefined {
  const [stat, schedstat, wchan, syscall, stack] = texts as [string, string, string, string, string]
  const close = stat.lastIndexOf(')')
  const fields = stat.slice(close + 2).split(' ')
  if (close < 0 || fields.length < 37) return undefined
  const field = (number: number) => Number(fields[number - 3])
  const [cpuTimeNs, runQueueWaitNs] = schedstat === '' ? [] : schedstat.split(' ').map(Number)
  const stuck = parseStuck({ wchan: wchan.trim(), syscall, stack: stack.trim() })
  return {
    tid: Number.parseInt(stat, 10),
    name: stat.slice(stat.indexOf('(') + 1, close),
    state: fields[0]!,
    startTicks: field(22),
    userMs: field(14) * MS_PER_TICK,
    systemMs: field(15) * MS_PER_TICK,
    cpuTimeNs,
    runQueueWaitNs,
    lastCpu: field(39),
    minorFaults: field(10),
    majorFaults: field(12),
    waitChannel: stuck.waitChannel,
    ...(stacks ? { systemCall: stuck.systemCall, stack: stuck.stack } : {}),
  }
}
