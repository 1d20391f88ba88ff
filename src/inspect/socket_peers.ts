import { checkIdentity, checkOptions } from '../arguments.js'
import type { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import { type Connection, joinSockets } from './connections.js'
import { type DescriptorOwner, findSocketOwners } from './descriptor_owners.js'
import { readOpenFiles } from './open_files.js'
import { readUnchecked } from './proc_files.js'
import { type Found, SEARCH_CHECKS, type SearchOptions } from './scan.js'
import { readSockets, type Socket } from './sockets.js'

/** A connected socket of a process, with who has its other end. */
export interface SocketPeers {
  readonly socket: Connection
  /** Number of the socket at the other end; undefined where that is on another host or in another network namespace. */
  readonly peerInode: number | undefined
  /** Empty also when nobody who may be looked into has it. */
  readonly peers: readonly DescriptorOwner[]
  /** Why the other end is not known. */
  readonly error?: ProcmusterError
}

/**
 * The connected unix and TCP sockets of a process, and who has the other end of each, within its network namespace: of unix sockets
 * by sock_diag(7), which takes CAP_SYS_ADMIN where it is not our own namespace, of TCP by the addresses of both ends.
 * @throws ProcmusterError `PROCESS_GONE`, `ACCESS_DENIED`, `TIMEOUT`
 */
export async function findSocketPeers(
  target: ProcessIdentity,
  options: SearchOptions = {},
): Promise<Found<SocketPeers>> {
  checkIdentity(target)
  checkOptions(options, SEARCH_CHECKS)
  const [files, sockets] = await Promise.all([readOpenFiles(target, options), readSockets(target, options)])
  const own = joinSockets(files, sockets).filter(isConnected)
  const unix: UnixPeers = own.some(({ protocol }) => protocol === 'unix')
    ? await readUnixPeers(target, options)
    : { peers: new Map() }
  const tcp = new Map(
    sockets.filter(({ protocol }) => protocol.startsWith('tcp')).map((each) => [endpoints(each), each.inode]),
  )
  const ends = own.map((socket) =>
    socket.protocol === 'unix'
      ? { socket, peerInode: unix.peers.get(socket.inode), ...(unix.error && { error: unix.error }) }
      : { socket, peerInode: tcp.get(reversedEndpoints(socket)) || undefined },
  )
  const owners = new Map<number, DescriptorOwner[]>()
  for (const { peerInode } of ends) if (peerInode !== undefined) owners.set(peerInode, [])
  const { found, unreadable } = await findSocketOwners(owners.keys(), options)
  for (const owner of found) owners.get(owner.inode)!.push(owner)
  return { found: ends.map((end) => ({ ...end, peers: owners.get(end.peerInode!) ?? [] })), unreadable }
}

const isConnected = ({ protocol, state }: Socket): boolean =>
  protocol === 'unix' ? state === 'CONNECTED' : protocol.startsWith('tcp') && state !== 'LISTEN'

// An IPv6 socket can be connected with an IPv4 one.
const plain = (address: string | undefined) => address?.replace(/^::ffff:/, '')
const endpoints = ({ localAddress, localPort, remoteAddress, remotePort }: Socket): string =>
  `${plain(localAddress)} ${localPort} ${plain(remoteAddress)} ${remotePort}`
const reversedEndpoints = ({ localAddress, localPort, remoteAddress, remotePort }: Socket): string =>
  `${plain(remoteAddress)} ${remotePort} ${plain(localAddress)} ${localPort}`

interface UnixPeers {
  readonly peers: ReadonlyMap<number, number>
  readonly error?: ProcmusterError
}

async function readUnixPeers(target: ProcessIdentity, options: SearchOptions): Promise<UnixPeers> {
  const [file] = await readUnchecked(target, { ...options, files: ['net:unix_peers'] })
  const lines = file!.data.toString('latin1').matchAll(/^(\d+) (\d+)$/gm)
  const peers = new Map(Array.from(lines, ([, inode, peer]) => [Number(inode), Number(peer)]))
  return { peers, ...(file!.error && { error: file!.error }) }
}
