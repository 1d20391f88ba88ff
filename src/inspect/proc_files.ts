import { constants } from 'node:os'
import {
  BYTES,
  checkOptions,
  checkProcess,
  ELSEWHERE,
  listOf,
  MAX_TIMER_MS,
  MILLISECONDS,
  PATH,
  range,
  refuse,
  TEXT,
} from '../arguments.js'
import { codeOfErrno, errnoName, ProcmusterError } from '../errors.js'
import { native } from '../native.js'
import type { ProcessIdentity } from '../table/identity.js'
import { awaitContents } from './read_requests.js'

/** Which files of a process to read, how much of each, and for how long to wait. */
export interface ProcFilesOptions {
  /** Another root than `/proc`. */
  readonly procRoot?: string
  /**
   * Names below `/proc/<pid>/`. `exe`, `cwd` and `root` are read as links; `fd` gives lines `number flags target`, `ns`
   * lines `name target`, `task` the thread ids, with control characters of targets as `\\xNN`.
   */
  readonly files: readonly string[]
  /** Of each file; default 1 MiB. */
  readonly maxBytesPerFile?: number
  /** For all files of the target together; default 1000. */
  readonly timeoutMs?: number
}

/** One file: its bytes, or why not. A file that was cut, or broke off, can have both. */
export interface ProcFile {
  readonly name: string
  readonly data: Buffer
  readonly truncated: boolean
  readonly error?: ProcmusterError | undefined
}

const QUARANTINE_MS = 60_000
/** Who waits for less finds nothing wrong with the process. */
const STALL_MS = 100
const MADE_OF: Readonly<Record<string, string>> = {
  'map:smaps': 'smaps',
  'map:maps': 'maps',
  'fd:details': 'fd',
  'task:details': 'task',
  'task:stacks': 'task',
  'net:unix_peers': 'ns/net',
}
const { ESRCH, ETIMEDOUT } = constants.errno
// Processes whose files once stalled a reader, until when.
const quarantine = new Map<string, number>()

/**
 * Reads files of a process, off the main thread and with a deadline: some of them wait for the process's memory lock
 * for as long as somebody else holds it. What is not there in time has the error `TIMEOUT`, and that process is set
 * aside for 60 s, in which every read of it answers `TIMEOUT` at once. A process that has ended, or is another by now,
 * has `PROCESS_GONE` for each file. Never rejects for what a single file does.
 * @throws ProcmusterError `INVALID_ARGUMENT` for a name that leads out of the process's directory
 */
export async function readProcFiles(
  target: Pick<ProcessIdentity, 'pid'> & { readonly startTicks?: number },
  options: ProcFilesOptions,
): Promise<ProcFile[]> {
  checkProcess(target)
  checkOptions(options, {
    procRoot: PATH,
    files: ELSEWHERE,
    maxBytesPerFile: BYTES,
    timeoutMs: MILLISECONDS,
  })
  listOf(TEXT)('files', options.files)
  for (const name of options.files) checkName(name)
  return readUnchecked(target, options)
}

/** The same; names may also be those with a colon of native/inspect/proc_reader.h, which are made of several files. */
export async function readUnchecked(
  target: Pick<ProcessIdentity, 'pid'> & { readonly startTicks?: number },
  options: ProcFilesOptions,
): Promise<ProcFile[]> {
  checkProcess(target)
  const procRoot = options.procRoot ?? '/proc'
  const timeoutMs = range('timeoutMs', options.timeoutMs ?? 1000, 0, MAX_TIMER_MS)
  const key = `${procRoot}:${target.pid}:${target.startTicks ?? '*'}`
  if (options.files.length === 0) return []
  if (isQuarantined(key)) {
    return options.files.map((name) =>
      failed(target, procRoot, name, ETIMEDOUT, 'it stalled a reader lately'),
    )
  }
  const { files, maxBytesPerFile = 1024 * 1024 } = options
  const { started, timedOut, contents } = await awaitContents(files.length, timeoutMs, (listener) =>
    native.inspect.read(listener, procRoot, target.pid, target.startTicks ?? -1, files, maxBytesPerFile),
  )
  if (timedOut && started && timeoutMs >= STALL_MS) quarantine.set(key, performance.now() + QUARANTINE_MS)
  return contents.map(({ errno, truncated, data }, index) => {
    const name = files[index]!
    const why = started ? `not there after ${timeoutMs} ms` : `all readers were busy for ${timeoutMs} ms`
    if (errno === 0) return { name, data, truncated }
    return { ...failed(target, procRoot, name, errno, why), data, truncated: data.length > 0 }
  })
}

function isQuarantined(key: string): boolean {
  const now = performance.now()
  for (const [other, until] of quarantine) if (until <= now) quarantine.delete(other)
  return quarantine.has(key)
}

function failed(
  target: { readonly pid: number; readonly startTicks?: number },
  procRoot: string,
  name: string,
  errno: number,
  why: string,
): ProcFile {
  const path = `${procRoot}/${target.pid}/${MADE_OF[name] ?? name}`
  const message =
    errno === ETIMEDOUT
      ? `${path}: ${why}`
      : errno === ESRCH
        ? `${path}: the process has ended`
        : `${path}: ${errnoName(errno)}`
  const { pid, startTicks } = target
  const error = new ProcmusterError(codeOfErrno(errno), { message, pid, startTicks, path, errno })
  return { name, data: Buffer.alloc(0), truncated: false, error }
}

function checkName(name: string): void {
  if (/^[A-Za-z0-9_]+(\/[A-Za-z0-9_]+)*$/.test(name)) return
  throw new ProcmusterError('INVALID_ARGUMENT', {
    message: `${JSON.stringify(name)} is no file of a process; give a name such as status or task/42/stat`,
  })
}

/** One open descriptor of a process, from the file `fd`. */
export interface OpenDescriptor {
  readonly fd: number
  /** open(2) flags from fdinfo; undefined when they could not be read. */
  readonly flags?: number | undefined
  /** Path, or `socket:[42]`, `pipe:[42]`, `anon_inode:...`, with control characters as `\\xNN`. */
  readonly target: string
}

/** Takes apart what `readProcFiles` gives for `fd`. */
export function parseDescriptors(data: Buffer): OpenDescriptor[] {
  if (!Buffer.isBuffer(data)) refuse('the data', data, 'a buffer')
  const lines = data.toString('utf8').split('\n').slice(0, -1)
  return lines.map((line) => {
    const [number, flags, ...target] = line.split(' ')
    return {
      fd: Number(number),
      flags: flags === '?' ? undefined : Number.parseInt(flags!, 8),
      target: target.join(' '),
    }
  })
}
