import { checkIdentity, checkOptions, TEXT } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import { readProcFiles } from './proc_files.js'
import {
  type Found,
  findUsers,
  ScanKind,
  SEARCH_CHECKS,
  type SearchOptions,
  scanProcesses,
  type UnreadableProcess,
} from './scan.js'

/** A namespace that a process is in, namespaces(7). */
export interface Namespace {
  /** `net`, `mnt`, `pid`, `pid_for_children`, ... */
  readonly name: string
  /** The same for all that share it, such as `net:[4026531840]`; undefined when it may not be read. */
  readonly id: string | undefined
}

/**
 * The namespaces of a process, by name.
 * @throws ProcmusterError `PROCESS_GONE`, `ACCESS_DENIED`, `TIMEOUT`
 */
export async function readNamespaces(
  target: Pick<ProcessIdentity, 'pid' | 'startTicks'>,
  options: SearchOptions = {},
): Promise<Namespace[]> {
  checkIdentity(target)
  checkOptions(options, SEARCH_CHECKS)
  const [file] = await readProcFiles(target, { ...options, files: ['ns'] })
  if (file!.error !== undefined) throw file!.error
  return file!.data
    .toString('utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [name, id] = line.split(' ')
      return { name: name!, id: id === '?' ? undefined : id! }
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

const KINDS: readonly string[] = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts']

/** A process that is in a namespace, or has made its children be in it. */
export interface NamespaceMember {
  readonly identity: ProcessIdentity
  /** Through which: `pid`, `pid_for_children`. */
  readonly names: readonly string[]
}

/**
 * Which processes are in a namespace.
 * @param id such as `net:[4026531840]`, as `readNamespaces` and `ls -l /proc/self/ns` have it
 * @throws ProcmusterError `INVALID_ARGUMENT` for what is no such id, `NOT_FOUND` where proc is not mounted
 */
export async function findByNamespace(
  id: string,
  options: SearchOptions = {},
): Promise<Found<NamespaceMember>> {
  TEXT('the namespace', id)
  checkOptions(options, SEARCH_CHECKS)
  const [, kind = ''] = /^([a-z]+):\[\d+\]$/.exec(id) ?? []
  if (!KINDS.includes(kind)) {
    const message = `${JSON.stringify(id)} is no namespace; give one such as net:[4026531840], of ${KINDS.join(', ')}`
    throw new ProcmusterError('INVALID_ARGUMENT', { message })
  }
  return findUsers(ScanKind.namespaces, [id], options, (identity, lines) => ({
    identity,
    names: lines.map((line) => line.slice(0, line.indexOf(' '))),
  }))
}

/** A namespace with the processes that are in it. */
export interface NamespaceGroup {
  /** `net`, `mnt`, ... */
  readonly name: string
  readonly id: string
  /** In ascending order. */
  readonly pids: readonly number[]
}

/** All namespaces that a visible process is in: by kind, those with most processes first. */
export async function listNamespaces(options: SearchOptions = {}): Promise<Found<NamespaceGroup>> {
  checkOptions(options, SEARCH_CHECKS)
  const groups: NamespaceGroup[] = []
  const unreadable = new Map<number, UnreadableProcess>()
  for (const name of KINDS) {
    const pids = new Map<string, number[]>()
    const scan = await scanProcesses(ScanKind.namespaces, [`${name}:`], options)
    for (const { pid, lines } of scan.found) {
      const id = lines[0]!.slice(name.length + 1)
      const members = pids.get(id) ?? []
      members.push(pid)
      pids.set(id, members)
    }
    for (const each of scan.unreadable) unreadable.set(each.pid, each)
    const ofKind = [...pids].map(([id, members]) => ({ name, id, pids: members }))
    groups.push(...ofKind.sort((a, b) => b.pids.length - a.pids.length))
  }
  return { found: groups, unreadable: [...unreadable.values()].sort((a, b) => a.pid - b.pid) }
}
