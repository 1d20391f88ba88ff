import { readdir, readlink } from 'node:fs/promises'
import { constants } from 'node:os'
import { type Checks, MILLISECONDS, PATH } from '../arguments.js'
import { identify } from '../control/handle.js'
import { codeOfErrno, errnoName, errnoOf, ProcmusterError } from '../errors.js'
import { native } from '../native.js'
import type { ProcessIdentity } from '../table/identity.js'
import { awaitContents, type Content } from './read_requests.js'

/** What a search over all processes found, and whom it could not look into. */
export interface Found<T> {
  readonly found: readonly T[]
  /** Processes that may not be looked into, or stalled the reader; what they have is not in `found`. */
  readonly unreadable: readonly UnreadableProcess[]
}

/** Nobody found does not mean nobody there, where there are such. */
export interface UnreadableProcess {
  readonly pid: number
  readonly error: ProcmusterError
}

/** Options of every search. */
export interface SearchOptions {
  readonly procRoot?: string
  /** For some 128 processes; one that takes longer is left out as unreadable. Default 5000. */
  readonly timeoutMs?: number
}

export const SEARCH_CHECKS: Checks<SearchOptions> = { procRoot: PATH, timeoutMs: MILLISECONDS }

/** The order of `ScanKind` in native/inspect/process_scan.h. */
export enum ScanKind {
  descriptors = 0,
  namespaces = 1,
  file = 2,
  library = 3,
  sockets = 4,
}

/** One process that has something of what was looked for. */
export interface ScanHit {
  readonly pid: number
  readonly startTicks: number
  /** As native/inspect/process_scan.h has them. */
  readonly lines: readonly string[]
}

const BATCH = 128
const LANES = 2 // as many as the addon has reader threads
const { ENOENT, ENOTDIR, ESRCH, ETIMEDOUT } = constants.errno

/** Looks through all processes of a proc file system, off the main thread. Who ends meanwhile is left out. */
export async function scanProcesses(
  kind: ScanKind,
  keys: readonly string[],
  options: SearchOptions = {},
): Promise<Found<ScanHit>> {
  const { procRoot = '/proc', timeoutMs = 5000 } = options
  const left = await listPids(procRoot)
  const joined = keys.map((key) => `${key}\0`).join('')
  const found: ScanHit[] = []
  const unreadable: UnreadableProcess[] = []
  const refuse = (pid: number, errno: number) => {
    unreadable.push({ pid, error: unreadableError(procRoot, pid, errno, timeoutMs) })
  }
  const settle = (pid: number, { errno, data }: Content) => {
    if (data.length > 0) found.push(parseHit(pid, data))
    if (errno !== 0 && errno !== ESRCH) refuse(pid, errno)
  }
  const lane = async () => {
    while (left.length > 0) {
      const pids = left.splice(0, BATCH)
      const scan = await awaitContents(pids.length, timeoutMs, (listener) =>
        native.inspect.scan(listener, procRoot, Int32Array.from(pids), kind, joined),
      )
      const stalled = scan.timedOut ? scan.contents.findIndex(({ errno }) => errno === ETIMEDOUT) : -1
      scan.contents.forEach((content, index) => {
        if (stalled < 0 || index < stalled) settle(pids[index]!, content)
      })
      if (stalled < 0) continue
      // Where no reader had begun, they all wait for others' stalled processes.
      const lost = scan.started ? 1 : pids.length
      for (const pid of pids.slice(stalled, stalled + lost)) refuse(pid, ETIMEDOUT)
      left.push(...pids.slice(stalled + lost))
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return {
    found: found.sort((a, b) => a.pid - b.pid),
    unreadable: unreadable.sort((a, b) => a.pid - b.pid),
  }
}

/** @throws ProcmusterError `NOT_FOUND` where no process is listed: whoever reads it is one. */
export async function listPids(procRoot: string): Promise<number[]> {
  const names = await readdir(procRoot).catch((error: unknown) => refuseRoot(procRoot, error))
  const pids = names.flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []))
  return pids.length === 0 ? refuseRoot(procRoot, { errno: ENOENT }) : pids
}

/** What a link of whoever reads leads to, `self/...`. @throws ProcmusterError `NOT_FOUND` where there is none */
export async function readOwnLink(procRoot: string, name: string): Promise<string> {
  return readlink(`${procRoot}/${name}`).catch((error: unknown) => refuseRoot(procRoot, error))
}

function refuseRoot(procRoot: string, error: unknown): never {
  const errno = errnoOf(error)
  const isAbsent = errno === ENOENT || errno === ENOTDIR
  const why = isAbsent ? 'it lists no process; is proc mounted there?' : (error as Error).message
  const code = errno === undefined ? 'IO_ERROR' : codeOfErrno(errno)
  throw new ProcmusterError(code, {
    message: `cannot search '${procRoot}': ${why}`,
    path: procRoot,
    errno,
    ...(error instanceof Error && { cause: error }),
  })
}

function parseHit(pid: number, data: Buffer): ScanHit {
  const [startTicks, ...lines] = data.toString('utf8').split('\n')
  return { pid, startTicks: Number(startTicks), lines: lines.slice(0, -1) }
}

function unreadableError(procRoot: string, pid: number, errno: number, timeoutMs: number): ProcmusterError {
  const why = errno === ETIMEDOUT ? `did not let itself be read within ${timeoutMs} ms` : errnoName(errno)
  const message = `${procRoot}/${pid}: ${why}`
  return new ProcmusterError(codeOfErrno(errno), { message, pid, errno })
}

/** The same with an identity for each, and what `make` reads from its lines. */
export async function findUsers<T>(
  kind: ScanKind,
  keys: readonly string[],
  options: SearchOptions,
  make: (identity: ProcessIdentity, lines: readonly string[]) => T,
): Promise<Found<T>> {
  const scan = await scanProcesses(kind, keys, options)
  const { found, unreadable } = await identifyHits(scan.found, options.procRoot, make)
  return { found, unreadable: uniteUnreadable(scan.unreadable, unreadable) }
}

/** Who these are, for certain, and of whom that cannot be told; whose pid is another's by now is left out. */
export async function identifyHits<T>(
  hits: readonly ScanHit[],
  procRoot: string | undefined,
  make: (identity: ProcessIdentity, lines: readonly string[]) => T,
): Promise<Found<T>> {
  const unreadable: UnreadableProcess[] = []
  const made = await Promise.all(
    hits.map(async ({ pid, startTicks, lines }) => {
      try {
        const identity = await identify(pid, procRoot === undefined ? {} : { procRoot })
        return identity.startTicks === startTicks ? [make(identity, lines)] : []
      } catch (error) {
        if (!(error instanceof ProcmusterError)) throw error
        if (error.code !== 'PROCESS_GONE') unreadable.push({ pid, error })
        return []
      }
    }),
  )
  return { found: made.flat(), unreadable }
}

/** Each process once, in ascending order of pid. */
export function uniteUnreadable(...lists: readonly (readonly UnreadableProcess[])[]): UnreadableProcess[] {
  return [...new Map(lists.flat().map((each) => [each.pid, each])).values()].sort((a, b) => a.pid - b.pid)
}
