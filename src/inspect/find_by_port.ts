import { checkOptions, FLAG, listOf, oneOf } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import { type DescriptorOwner, descriptorsOf, findDescriptorOwners } from './descriptor_owners.js'
import {
  type Found,
  identifyHits,
  readOwnLink,
  type ScanHit,
  ScanKind,
  SEARCH_CHECKS,
  type SearchOptions,
  scanProcesses,
  uniteUnreadable,
} from './scan.js'
import { readSocketsOf, type Socket, type SocketProtocol, type SocketsOptions } from './sockets.js'

/** A socket that has the port, and the processes that have it open. */
export interface PortUse {
  readonly socket: Socket
  /** Network namespace that it is in, such as `net:[4026531840]`. */
  readonly namespace: string
  /** Empty when it is nobody's, as in TIME_WAIT, or of a process that may not be looked into. */
  readonly owners: readonly DescriptorOwner[]
}

/** Options of `findByPort`. */
export interface PortSearchOptions extends SearchOptions {
  /** Default: tcp, tcp6, udp and udp6. */
  readonly protocols?: readonly Exclude<SocketProtocol, 'unix'>[]
  /** Also sockets whose other end has the port; default false. */
  readonly remote?: boolean
}

/**
 * Who has a port, in every network namespace that a visible process is in: a container's server is found as well.
 * @throws ProcmusterError `INVALID_ARGUMENT`, `ACCESS_DENIED`, `TIMEOUT`, `NOT_FOUND` where proc is not mounted
 */
export async function findByPort(port: number, options: PortSearchOptions = {}): Promise<Found<PortUse>> {
  checkOptions(options, {
    ...SEARCH_CHECKS,
    protocols: listOf(oneOf(['tcp', 'tcp6', 'udp', 'udp6'])),
    remote: FLAG,
  })
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new ProcmusterError('INVALID_ARGUMENT', { message: `${port} is no port; ports are 1 to 65535` })
  }
  const { protocols = ['tcp', 'tcp6', 'udp', 'udp6'], remote = false } = options
  const byInode = new Map<number | symbol, { socket: Socket; namespace: string }>()
  const search = async (namespace: string, pids: readonly number[]) => {
    const sockets = await socketsOfAny(pids, port, { ...options, protocols })
    for (const socket of sockets) {
      const has = socket.localPort === port || (remote && socket.remotePort === port)
      // The kernel's list may tell of one twice when others come and go while it is read; the later is newer.
      if (has) byInode.set(socket.inode === 0 ? Symbol() : socket.inode, { socket, namespace })
    }
  }
  const { procRoot = '/proc' } = options
  const own = await readOwnLink(procRoot, 'self/ns/net')
  const pid = Number(await readOwnLink(procRoot, 'self')) // there it may be another than ours here
  const [scan] = await Promise.all([
    scanProcesses(ScanKind.sockets, ['net:', own], options),
    search(own, [pid]),
  ])
  for (const [namespace, pids] of namespacesOf(scan.found)) await search(namespace, pids)
  const uses = [...byInode.values()]
  const inodes = new Set(uses.map(({ socket }) => socket.inode).filter((inode) => inode !== 0))
  const owners = await ownersOf(inodes, scan.found, procRoot)
  const owned = new Set(owners.found.flat().map(({ inode }) => inode))
  const missed = [...inodes].filter((inode) => !owned.has(inode))
  // The kernel's own, those of whom cannot be looked into, or made since their process was read.
  const late = await findDescriptorOwners('socket', missed, options)
  const ownersByInode = new Map<number, DescriptorOwner[]>()
  for (const owner of [...owners.found.flat(), ...late.found]) {
    const all = ownersByInode.get(owner.inode) ?? []
    all.push(owner)
    ownersByInode.set(owner.inode, all)
  }
  return {
    found: uses.map((use) => ({ ...use, owners: ownersByInode.get(use.socket.inode) ?? [] })),
    // Whose namespace may not be told can be in one where the port is in use.
    unreadable: uniteUnreadable(scan.unreadable, owners.unreadable, late.unreadable),
  }
}

/** Pids by the network namespace that they are in, but for our own. */
function namespacesOf(hits: readonly ScanHit[]): Map<string, number[]> {
  const namespaces = new Map<string, number[]>()
  for (const { pid, lines } of hits) {
    if (!lines[0]!.startsWith('net ')) continue
    const namespace = lines[0]!.slice('net '.length)
    const pids = namespaces.get(namespace) ?? []
    pids.push(pid)
    namespaces.set(namespace, pids)
  }
  return namespaces
}

async function ownersOf(
  inodes: ReadonlySet<number>,
  hits: readonly ScanHit[],
  procRoot: string,
): Promise<Found<DescriptorOwner[]>> {
  const targets = new Set([...inodes].map((inode) => `socket:[${inode}]`))
  const owning = hits.flatMap((hit) => {
    const lines = hit.lines.filter((line) => targets.has(line.slice(line.indexOf(' ') + 1)))
    return lines.length === 0 ? [] : [{ ...hit, lines }]
  })
  return identifyHits(owning, procRoot, descriptorsOf)
}

/** Each of them sees the same sockets; the first may have ended. */
async function socketsOfAny(
  pids: readonly number[],
  port: number,
  options: SocketsOptions,
): Promise<Socket[]> {
  // As the kernel writes either end of a socket, before a blank.
  const text = `:${port.toString(16).toUpperCase().padStart(4, '0')} `
  for (const pid of pids) {
    try {
      return await readSocketsOf({ pid }, options, (line) => line.includes(text))
    } catch (error) {
      if (!(error instanceof ProcmusterError) || error.code !== 'PROCESS_GONE') throw error
    }
  }
  return []
}
