import { type Checks, checkOptions, FLAG, NUMBER, PATH, TABLE, TEXT } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import { identityKey, type ProcessIdentity } from '../table/identity.js'
import type { Table } from '../table/table.js'
import { parseCgroup } from './cgroup_path.js'
import { findByFile } from './find_by_file.js'
import { findByPort } from './find_by_port.js'
import { findDeleted } from './find_deleted.js'
import { findByLibrary } from './libraries.js'
import { findByNamespace } from './namespaces.js'
import { readProcFiles } from './proc_files.js'
import { readProcessFacts } from './process_facts.js'
import { type Found, SEARCH_CHECKS, type SearchOptions, type UnreadableProcess } from './scan.js'

/** What processes to find: those for which all of it holds. */
export interface ProcessQuery {
  /** Part of the name. */
  readonly name?: string
  /** RE2 pattern, which may fit anywhere in the arguments joined by spaces. */
  readonly commandLine?: string
  /** Name, of /etc/passwd, or number of the effective user; `findUser` knows the numbers of other names. */
  readonly user?: string
  /** State letters, for example `RD`. */
  readonly state?: string
  /** Id of a session, and of a process group: the pid of who leads it; 0 of kernel threads. */
  readonly session?: number
  readonly processGroup?: number
  /** Local port of a socket, see `findByPort`. */
  readonly port?: number
  /** Path, see `findByFile`. */
  readonly file?: string
  /** See `findByLibrary`. */
  readonly library?: string
  /** Only those that hold deleted files open, `findDeleted`; false is as if it were left out. */
  readonly deleted?: boolean
  /** Such as `net:[4026531840]`. */
  readonly namespace?: string
  /** Glob, or an RE2 pattern between slashes, on the path of the control group. */
  readonly cgroup?: string
  /** The same on the name of the unit of the service manager. */
  readonly unit?: string
}

const QUERY_CHECKS: Checks<ProcessQuery> = {
  name: TEXT,
  commandLine: TEXT,
  user: TEXT,
  state: TEXT,
  session: NUMBER,
  processGroup: NUMBER,
  port: NUMBER,
  file: PATH,
  library: TEXT,
  namespace: TEXT,
  cgroup: TEXT,
  unit: TEXT,
  deleted: FLAG,
}

/**
 * The processes of a sample that a query names, in ascending order of pid. Who cannot be looked into, and is not ruled out by the rest
 * of the query, is in `unreadable`.
 * @param table may be undefined where nothing but a port, file, deleted files, a library or namespace is asked for: that needs no sample
 * @throws ProcmusterError `INVALID_ARGUMENT` for a pattern, port, ... that is none, or a query that needs a table;
 *   `NOT_FOUND` for a file that is not there
 */
export async function findProcesses(
  table: Table | undefined,
  query: ProcessQuery,
  options: SearchOptions = {},
): Promise<Found<ProcessIdentity>> {
  if (table !== undefined) TABLE('the table', table)
  checkOptions(query, QUERY_CHECKS, 'the query')
  checkOptions(options, SEARCH_CHECKS)
  if (table === undefined && needsTable(query)) {
    const message =
      'a query by more than port, file, deleted, library and namespace, or by nothing, needs a table'
    throw new ProcmusterError('INVALID_ARGUMENT', { message })
  }
  const texts = await compileTexts(query)
  const { user, name, state, session, processGroup, port, file, deleted, library, namespace } = query
  // Taken at once: the table is overwritten while files are read. Undefined means all.
  let found = table
    ?.filter({ user, name, state })
    .filter(({ sid, pgid }) => (session ?? sid) === sid && (processGroup ?? pgid) === pgid)
    .map(({ identity }) => identity)
  const candidates = new Map(found?.map((identity) => [identity.pid, identity]))
  /** Who could be one of them, as far as could be seen. */
  let unreadable = new Map<number, UnreadableProcess>()
  const searches: (() => Promise<Found<{ readonly identity: ProcessIdentity }>>)[] = []
  if (port !== undefined) {
    searches.push(async () => {
      const uses = await findByPort(port, options)
      return { found: uses.found.flatMap(({ owners }) => owners), unreadable: uses.unreadable }
    })
  }
  if (file !== undefined) searches.push(() => findByFile(file, options))
  if (deleted === true) searches.push(() => findDeleted(options))
  if (library !== undefined) searches.push(() => findByLibrary(library, options))
  if (namespace !== undefined) searches.push(() => findByNamespace(namespace, options))
  for (const search of searches) {
    const result = await search()
    const users = new Map(result.found.map(({ identity }) => [identityKey(identity), identity]))
    const closed = new Map(result.unreadable.map((each) => [each.pid, each]))
    if (found === undefined) {
      found = [...users.values()]
      unreadable = closed
      continue
    }
    const open = new Set(result.found.map(({ identity }) => identity.pid))
    const asBefore = [...unreadable].filter(([pid]) => open.has(pid) || closed.has(pid))
    const fromNow = found.flatMap(({ pid }) => closed.get(pid) ?? [])
    unreadable = new Map([...asBefore, ...fromNow.map((each) => [each.pid, each] as const)])
    found = found.filter((identity) => users.has(identityKey(identity)))
  }
  found = (found ?? []).toSorted((a, b) => a.pid - b.pid)
  for (const { pid } of found) unreadable.delete(pid)
  if (texts.length > 0) {
    // Which needed a table, so that all of them are candidates.
    const closed = [...unreadable.keys()].flatMap((pid) => candidates.get(pid) ?? [])
    const asked = [...found, ...closed]
    const verdicts = await judge(asked, texts, options)
    found = found.filter((_, index) => verdicts[index] === true)
    for (const [index, identity] of asked.entries()) {
      const { pid } = identity
      if (verdicts[index] === false) unreadable.delete(pid)
      if (verdicts[index] !== undefined) continue
      if (!(await isThere(identity, options))) unreadable.delete(pid)
      else if (!unreadable.has(pid)) unreadable.set(pid, unreadableFacts(identity))
    }
  }
  return { found, unreadable: [...unreadable.values()].sort((a, b) => a.pid - b.pid) }
}

/** Whether a query tells by what only a table has, or tells of nobody. */
export function needsTable(query: ProcessQuery): boolean {
  checkOptions(query, QUERY_CHECKS, 'the query')
  const { deleted, ...others } = query
  const told = deleted === true ? { ...others, deleted } : others
  const asked = Object.entries(told).flatMap(([key, value]) => (value === undefined ? [] : [key]))
  return asked.length === 0 || asked.some((key) => !SEARCHED.has(key))
}

const SEARCHED: ReadonlySet<string> = new Set(['port', 'file', 'deleted', 'library', 'namespace'])

type Facts = Awaited<ReturnType<typeof readProcessFacts>>[number]
/** Undefined where it cannot be told. */
type TextTest = (facts: Facts) => boolean | undefined

/** Of each whether all texts fit; undefined where that cannot be told. */
async function judge(
  asked: readonly ProcessIdentity[],
  texts: readonly TextTest[],
  { procRoot = '/proc' }: SearchOptions,
): Promise<(boolean | undefined)[]> {
  const facts = await readProcessFacts(asked, { procRoot })
  return facts.map((each) => {
    const verdicts = texts.map((test) => test(each))
    if (verdicts.includes(false)) return false
    return verdicts.includes(undefined) ? undefined : true
  })
}

async function compileTexts({ commandLine, cgroup, unit }: ProcessQuery): Promise<TextTest[]> {
  if (commandLine === undefined && cgroup === undefined && unit === undefined) return []
  // RE2 takes longer to load than most searches take.
  const { textPattern } = await import('../rules/match/pattern.js')
  const tests: TextTest[] = []
  const add = (fact: 'commandLine' | 'cgroup' | 'unit', source: string | undefined, textOf: TextOf) => {
    if (source === undefined) return
    const pattern = compile(() => textPattern(fact, source), fact, source)
    tests.push((facts) => {
      const text = facts && textOf(facts)
      return text === undefined ? undefined : pattern.test(text)
    })
  }
  add('commandLine', commandLine, (facts) => facts.commandLine)
  add('cgroup', cgroup, ({ cgroup: text }) => text && parseCgroup(text)?.path)
  // Outside of any unit there is no name, which fits nothing but an empty pattern.
  add('unit', unit, ({ cgroup: text }) => text && (parseCgroup(text)?.unit ?? ''))
  return tests
}

type TextOf = (facts: NonNullable<Facts>) => string | undefined

function compile<T>(make: () => T, fact: string, source: string): T {
  try {
    return make()
  } catch (cause) {
    const message = `${JSON.stringify(source)} is no pattern of a ${fact}: ${(cause as Error).message}`
    throw new ProcmusterError('INVALID_ARGUMENT', { message, cause })
  }
}

/** Of a process that has ended there are no facts either, but nothing is left to be looked into. */
async function isThere(identity: ProcessIdentity, options: SearchOptions): Promise<boolean> {
  const [stat] = await readProcFiles(identity, { ...options, files: ['stat'] })
  return stat!.error?.code !== 'PROCESS_GONE'
}

function unreadableFacts({ pid, startTicks }: ProcessIdentity): UnreadableProcess {
  const message = `process ${pid}: its command line or control group cannot be read`
  return { pid, error: new ProcmusterError('ACCESS_DENIED', { message, pid, startTicks }) }
}
