import { checkIdentity, checkOptions, FLAG, listOf, MILLISECONDS, oneOf, PATH } from '../arguments.js'
import { parseMemberships } from '../cgroups/hierarchies.js'
import { parseLimits } from '../control/rlimit.js'
import type { Scheduling } from '../control/scheduling_reading.js'
import { ProcmusterError } from '../errors.js'
import { readLocalUsers } from '../system/local_users.js'
import type { ProcessIdentity } from '../table/identity.js'
import { terminalName } from '../table/terminal_name.js'
import { parseCgroup } from './cgroup_path.js'
import { joinSockets } from './connections.js'
import { readLibraries } from './libraries.js'
import { readMemoryMap } from './memory_map.js'
import { readNamespaces } from './namespaces.js'
import { readOpenFiles } from './open_files.js'
import { parseFields, parseIo, parseMemory } from './proc_fields.js'
import { readProcFiles } from './proc_files.js'
import type { InspectSection, MissingField, ProcessInfo } from './process_info.js'
import { parseStatus } from './process_status.js'
import { readSockets } from './sockets.js'
import { parseStat } from './stat.js'
import { parseStuck } from './stuck.js'
import { readThreads } from './threads.js'

/** Options of `inspectProcess`. */
export interface InspectOptions {
  readonly procRoot?: string
  /** Default: all. */
  readonly sections?: readonly InspectSection[]
  /** The environment too, which holds secrets; default false. */
  readonly environment?: boolean
  /** For each part; default 5000. */
  readonly timeoutMs?: number
}

const SECTIONS: readonly InspectSection[] = [
  'memoryMap',
  'files',
  'connections',
  'threads',
  'namespaces',
  'libraries',
  'scheduling',
  'cgroups',
]
// Those that may wait for a lock of the process come last.
const FILES = [
  'status',
  'cgroup',
  'io',
  'limits',
  'oom_score',
  'oom_score_adj',
  'wchan',
  'syscall',
  'stack',
  'exe',
  'cwd',
  'root',
  'cmdline',
] as const
// A zombie's first thread has no memory and no directories any more, and a kernel thread never had.
const OF_THE_LIVING: ReadonlySet<string> = new Set(['exe', 'cwd', 'root', 'cmdline', 'environ', 'io'])
const MAX_BYTES = 8 * 1024 * 1024 // an exec takes at most 6 MiB of arguments and environment
const PF_KTHREAD = 0x00200000

/**
 * Everything about one process, as far as it may be read: what may not is left out and listed in `missing`.
 * @throws ProcmusterError `PROCESS_GONE` when there is no such process any more, `INVALID_ARGUMENT`
 */
export async function inspectProcess(
  target: ProcessIdentity,
  given: InspectOptions = {},
): Promise<ProcessInfo> {
  checkIdentity(target)
  checkOptions(given, {
    procRoot: PATH,
    timeoutMs: MILLISECONDS,
    sections: listOf(oneOf(SECTIONS)),
    environment: FLAG,
  })
  const { procRoot = '/proc', sections = SECTIONS, environment = false, timeoutMs = 5000 } = given
  const missing: MissingField[] = []
  const options = { procRoot, timeoutMs }
  const [statFile, taskFile] = await readProcFiles(target, { ...options, files: ['stat', 'task'] })
  if (statFile!.error !== undefined) throw statFile!.error
  const line = statFile!.data.toString('utf8')
  const stat = parseStat(line)
  if (stat === undefined) {
    const message = `${procRoot}/${target.pid}/stat cannot be understood`
    throw new ProcmusterError('UNSUPPORTED', { message, pid: target.pid })
  }
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const field = (number: number) => Number(fields[number - 3])
  const isKernelThread = (field(9) & PF_KTHREAD) !== 0
  const isDead = stat.state === 'Z' || stat.state === 'X'
  const living = isDead ? livingThread(taskFile!.data, target.pid) : undefined
  const hasMemory = !isKernelThread && (!isDead || living !== undefined)

  const wanted: string[] = FILES.filter((name) => {
    // The kernel shows zeros of a thread of its own, which are no system call.
    if (name === 'syscall') return !isKernelThread
    return hasMemory || !OF_THE_LIVING.has(name) || (name === 'io' && !isDead)
  })
  if (environment && hasMemory) wanted.push('environ')
  const files = await readProcFiles(target, {
    ...options,
    maxBytesPerFile: MAX_BYTES,
    files: wanted.map((name) =>
      living !== undefined && OF_THE_LIVING.has(name) ? `task/${living}/${name}` : name,
    ),
  })
  const note = (error: ProcmusterError, path: string) => {
    missing.push({ path: error.path ?? path, code: error.code, reason: error.message })
  }
  const text = (name: string): string | undefined => {
    const file = files[wanted.indexOf(name)]
    if (file?.error !== undefined) note(file.error, `${procRoot}/${target.pid}/${name}`)
    return file === undefined || file.error !== undefined ? undefined : file.data.toString('utf8')
  }
  const part = async <T>(name: InspectSection, read: () => Promise<T>): Promise<T | undefined> => {
    if (!sections.includes(name)) return undefined
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof ProcmusterError)) throw error
      note(error, `${procRoot}/${target.pid}`)
      return undefined
    }
  }

  const status = text('status')
  const statusFields = status === undefined ? undefined : parseFields(status)
  const credentials = status === undefined ? undefined : parseStatus(status)
  const uid = credentials?.uids[1]
  const io = text('io')
  const limits = text('limits')
  const cgroup = text('cgroup')
  const number = (value: string | undefined) => (value === undefined ? undefined : Number(value))
  const openFiles =
    sections.includes('files') || sections.includes('connections')
      ? await part(sections.includes('files') ? 'files' : 'connections', () => readOpenFiles(target, options))
      : undefined
  return {
    identity: target,
    name: stat.name,
    state: stat.state,
    isKernelThread,
    isHeadless: living !== undefined,
    ppid: stat.ppid,
    processGroup: field(5),
    session: field(6),
    terminal: terminalName(field(7)),
    nice: field(19),
    threadCount: stat.threads,
    namespacePids: statusFields?.get('NSpid')?.split(/\s+/).map(Number),
    credentials,
    user: uid === undefined ? undefined : ((await readLocalUsers()).nameOf.get(uid) ?? String(uid)),
    args: splitZeros(text('cmdline')),
    environment: environmentOf(splitZeros(text('environ'))),
    exe: text('exe'),
    cwd: text('cwd'),
    root: text('root'),
    usage: {
      userMs: stat.userMs,
      systemMs: stat.systemMs,
      minorFaults: stat.minorFaults,
      majorFaults: stat.majorFaults,
      voluntarySwitches: number(statusFields?.get('voluntary_ctxt_switches')),
      involuntarySwitches: number(statusFields?.get('nonvoluntary_ctxt_switches')),
      memory: statusFields && parseMemory(statusFields),
      io: io === undefined ? undefined : parseIo(io),
    },
    limits: limits === undefined ? undefined : parseLimits(limits),
    cgroup: cgroup === undefined ? undefined : parseCgroup(cgroup),
    oomScore: number(text('oom_score')),
    oomScoreAdjustment: number(text('oom_score_adj')),
    wait: parseStuck({
      wchan: text('wchan')?.trim() ?? '',
      syscall: text('syscall')?.trim() ?? '',
      stack: text('stack')?.trim() ?? '',
    }),
    memoryMap: await part('memoryMap', () => readMemoryMap(target, options)),
    files: sections.includes('files') ? openFiles : undefined,
    connections:
      openFiles &&
      (await part('connections', async () => joinSockets(openFiles, await readSockets(target, options)))),
    threads: await part('threads', () => readThreads(target, { ...options, stacks: true })),
    namespaces: await part('namespaces', () => readNamespaces(target, options)),
    libraries: await part('libraries', () => readLibraries(target, options)),
    scheduling: await part('scheduling', () => readScheduling(target, procRoot)),
    cgroups:
      cgroup === undefined
        ? undefined
        : await part('cgroups', async () => {
            // Most who ask for a part alone ask for another; these two take long to load.
            const { readProcessCgroups } = await import('./process_cgroups.js')
            return readProcessCgroups(parseMemberships(cgroup))
          }),
    missing,
  }
}

async function readScheduling(target: ProcessIdentity, procRoot: string): Promise<Scheduling> {
  if (procRoot !== '/proc') {
    const message = `how process ${target.pid} is scheduled is asked of this kernel, and not read from ${procRoot}`
    throw new ProcmusterError('UNSUPPORTED', { message, pid: target.pid })
  }
  const { getScheduling } = await import('../control/scheduling_reading.js')
  const [result] = await getScheduling([target])
  if (!result!.ok) throw result!.error
  return result!.threads[0]!
}

function livingThread(taskList: Buffer, pid: number): number | undefined {
  return taskList
    .toString('latin1')
    .split('\n')
    .filter(Boolean)
    .map(Number)
    .find((tid) => tid !== pid)
}

function splitZeros(text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined
  return text === '' ? [] : text.replace(/\0$/, '').split('\0')
}

function environmentOf(entries: readonly string[] | undefined): Record<string, string> | undefined {
  if (entries === undefined) return undefined
  const pairs = entries.flatMap((entry): [string, string][] => {
    const at = entry.indexOf('=')
    return at < 0 ? [] : [[entry.slice(0, at), entry.slice(at + 1)]]
  })
  return Object.fromEntries(pairs)
}
