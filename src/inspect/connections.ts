import { checkIdentity, checkOptions } from '../arguments.js'
import type { ProcessIdentity } from '../table/identity.js'
import { type OpenFile, readOpenFiles } from './open_files.js'
import { readSockets, SOCKETS_CHECKS, type Socket, type SocketsOptions } from './sockets.js'

/** A socket of a process, with the descriptors that stand for it. */
export interface Connection extends Socket {
  readonly fds: readonly number[]
}

/**
 * The sockets that a process has open, in whatever state they are.
 * @throws ProcmusterError `PROCESS_GONE`, `ACCESS_DENIED`, `TIMEOUT`, `UNSUPPORTED`, as `readOpenFiles` and `readSockets`
 */
export async function readConnections(
  target: Pick<ProcessIdentity, 'pid' | 'startTicks'>,
  options: SocketsOptions = {},
): Promise<Connection[]> {
  checkIdentity(target)
  checkOptions(options, SOCKETS_CHECKS)
  const { protocols, ...others } = options
  return joinSockets(await readOpenFiles(target, others), await readSockets(target, options))
}

/** The sockets that are among the files. */
export function joinSockets(files: readonly OpenFile[], sockets: readonly Socket[]): Connection[] {
  const fds = new Map<number, number[]>()
  for (const { kind, inode, fd } of files) {
    if (kind !== 'socket' || inode === undefined) continue
    const same = fds.get(inode) ?? []
    same.push(fd)
    fds.set(inode, same)
  }
  return sockets.flatMap((socket) => {
    const own = fds.get(socket.inode)
    return own === undefined ? [] : [{ ...socket, fds: own }]
  })
}
