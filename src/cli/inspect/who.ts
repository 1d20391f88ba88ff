import { readlink } from 'node:fs/promises'
import { ProcmusterError } from '../../public/errors.js'
import {
  type Found,
  findByFile,
  findByLibrary,
  findByNamespace,
  findByPort,
  type Library,
} from '../../public/find.js'
import type { ProcessIdentity } from '../../public/table.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, fail } from '../fault.js'
import { printTable, type TextColumn } from '../print_table.js'
import { escapeForTerminal } from '../terminal.js'
import { quoted, readNumber, readText } from '../values.js'
import { briefsOf, prepareBriefs } from './brief.js'
import { printJson } from './json.js'
import { warnOfUnreadable } from './unreadable.js'

/** As commander hands them over. */
export interface RawWhoOptions {
  remote?: boolean
  json?: boolean
}

/** A process, and how it has what was asked for. */
interface Having {
  readonly identity: ProcessIdentity
  readonly as: readonly string[]
}

interface Holder {
  readonly pid: number
  readonly startTicks: number
  readonly user: string | undefined
  readonly name: string | undefined
  /** `tcp LISTEN 0.0.0.0:80 fd 3`, `fd 7`, `mapped`, `program`, a library's path. */
  readonly as: readonly string[]
}

/** `muster who` with what the user gave. */
export async function tellWho(what: string | undefined, raw: RawWhoOptions): Promise<void> {
  const faults = new FaultList()
  const search = searchFor(what, raw, faults)
  faults.throwIfAny()
  prepareBriefs()
  const { found, unreadable, ownerless = [] } = await search!()
  const owners = await briefsOf(
    found.map(({ identity }) => identity),
    { commandLines: false },
  )
  const holders = found.map(({ identity: { pid, startTicks }, as }, index): Holder => {
    return { pid, startTicks, user: owners[index]?.user, name: owners[index]?.name, as }
  })
  const blind = unreadable.map(({ pid, error }) => ({ pid, code: error.code, reason: error.message }))
  if (raw.json === true) printJson({ found: holders, unreadable: blind })
  else if (holders.length > 0) await printTable(holders, COLUMNS)
  warnOfUnreadable(unreadable)
  if (holders.length === 0 && ownerless.length > 0) {
    const [first, ...others] = ownerless
    const more = others.length === 0 ? '' : ` and ${others.length} more`
    fail(
      EXIT.noSuchProcess,
      `${quoted(what!)} is in use (${escapeForTerminal(first!)}${more}), by no process that could be looked into`,
    )
  }
  if (holders.length === 0) {
    fail(
      EXIT.noSuchProcess,
      `nobody has ${quoted(what!)}${blind.length > 0 ? ' among those that could be looked into' : ''}`,
    )
  }
}

interface Holders extends Found<Having> {
  /** Sockets that nobody who could be looked into has. */
  readonly ownerless?: readonly string[]
}

type Search = () => Promise<Holders>

const NAMESPACE = /^(cgroup|ipc|mnt|net|pid|time|user|uts)(_for_children)?$/

function searchFor(what: string | undefined, raw: RawWhoOptions, faults: FaultList): Search | undefined {
  const wanted = ':PORT, a path, a library such as libssl, or net:[INODE]'
  if (what === undefined) return faults.add(EXIT.usage, `it is not said who has what; give ${wanted}`)
  const text = readText(what, 'WHAT', wanted, faults)
  if (text === undefined) return undefined
  if (text.startsWith(':')) {
    const flag = {
      flag: 'port',
      wanted: 'a port from 1 to 65535, as :80',
      min: 1,
      max: 65_535,
      integer: true,
    }
    const port = readNumber(text.slice(1), flag, faults)
    return port === undefined ? undefined : () => havingPort(port, raw.remote === true)
  }
  if (raw.remote === true)
    return faults.add(EXIT.usage, `--remote is for a port, and ${quoted(text)} is none; give :PORT`)
  // No library has such a name.
  if (/^\d+$/.test(text)) {
    return faults.add(
      EXIT.malformed,
      `${quoted(text)} is neither a path nor a library; :${text} is the port, \`muster info ${text}\` tells of the process`,
    )
  }
  const [, address, port] = /^([^/]+):(\d+)$/.exec(text) ?? []
  if (port !== undefined && !NAMESPACE.test(address!))
    return faults.add(EXIT.malformed, `${quoted(text)} is no port alone; give :${port}, of whatever address`)
  const [, kind, id] = /^([a-z_]+):(?!\[\d+\]$)(.*)$/.exec(text) ?? []
  if (kind !== undefined && !text.includes('/')) {
    const hint = /^\d+$/.test(id!)
      ? `${kind}:[${id}] for its inode, \`muster find --namespace ${text}\` for that of a process`
      : `${kind}:[INODE], as \`muster ns PID\` shows it`
    return faults.add(EXIT.malformed, `${quoted(text)} is no namespace; give ${escapeForTerminal(hint)}`)
  }
  if (/^[a-z]+:\[\d+\]$/.test(text)) return () => inNamespace(text)
  return text.includes('/') || /^\.\.?$/.test(text) ? () => usingPath(text) : () => usingLibrary(text)
}

async function havingPort(port: number, remote: boolean): Promise<Holders> {
  const { found: uses, unreadable } = await findByPort(port, { remote })
  const own = await readlink('/proc/self/ns/net')
  const having = new Map<number, { identity: ProcessIdentity; as: string[] }>()
  const ownerless: string[] = []
  for (const { socket, namespace, owners } of uses) {
    const { protocol, state, localAddress, localPort, remoteAddress, remotePort } = socket
    const other = remotePort === 0 ? '' : ` from ${remoteAddress} port ${remotePort}`
    const where = namespace === own ? '' : ` in ${namespace}`
    const what = `${protocol} ${state} on ${localAddress} port ${localPort}${other}${where}`
    if (owners.length === 0) ownerless.push(what)
    for (const { identity, fd } of owners) {
      const one = having.get(identity.pid) ?? { identity, as: [] }
      one.as.push(`fd ${fd}: ${what}`)
      having.set(identity.pid, one)
    }
  }
  const found = [...having.values()].sort((a, b) => a.identity.pid - b.identity.pid)
  return { found, unreadable, ownerless }
}

async function inNamespace(id: string): Promise<Found<Having>> {
  const { found, unreadable } = await findByNamespace(id)
  return { found: found.map(({ identity, names }) => ({ identity, as: names })), unreadable }
}

async function usingLibrary(library: string): Promise<Found<Having>> {
  const { found, unreadable } = await findByLibrary(library)
  return {
    found: found.map(({ identity, libraries }) => ({ identity, as: libraries.map(libraryText) })),
    unreadable,
  }
}

const libraryText = ({ path, isDeleted }: Library): string => (isDeleted ? `${path} (replaced since)` : path)

async function usingPath(path: string): Promise<Found<Having>> {
  try {
    const { found, unreadable } = await findByFile(path)
    const having = found.map(({ identity, fds, isMapped, isExe, isCwd, isRoot }) => ({
      identity,
      as: [
        ...(isExe ? ['program'] : []),
        ...(isCwd ? ['directory'] : []),
        ...(isRoot ? ['root'] : []),
        ...(isMapped ? ['mapped'] : []),
        ...fds.map((fd) => `fd ${fd}`),
      ],
    }))
    return { found: having, unreadable }
  } catch (error) {
    if (!(error instanceof ProcmusterError) || error.code !== 'NOT_FOUND') throw error
    // What was removed may still be mapped, and is known by its path then.
    return usingLibrary(path)
  }
}

const COLUMNS: readonly TextColumn<Holder>[] = [
  { heading: 'PID', align: 'right', text: ({ pid }) => String(pid) },
  { heading: 'USER', align: 'left', text: ({ user }) => escapeForTerminal(user ?? '-') },
  { heading: 'NAME', align: 'left', text: ({ name }) => escapeForTerminal(name || '-') },
  { heading: 'AS', align: 'left', text: ({ as }) => escapeForTerminal(as.join(', ')) },
]
