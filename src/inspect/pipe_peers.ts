import { checkIdentity, checkOptions } from '../arguments.js'
import type { ProcessIdentity } from '../table/identity.js'
import { findDescriptorOwners } from './descriptor_owners.js'
import { readOpenFiles } from './open_files.js'
import { accessOf } from './open_flags.js'
import { readProcFiles } from './proc_files.js'
import { type Found, SEARCH_CHECKS, type SearchOptions } from './scan.js'

/** A descriptor of a pipe. */
export interface PipeEnd {
  readonly identity: ProcessIdentity
  readonly fd: number
  /** Which end it is; undefined when that may not be read. */
  readonly access: 'read' | 'write' | 'both' | undefined
}

/** A pipe of a process, with everybody else who has one of its ends. */
export interface PipePeers {
  /** As in `pipe:[42]`. */
  readonly inode: number
  /** The process's own descriptors of it. */
  readonly own: readonly Omit<PipeEnd, 'identity'>[]
  /** Empty when nobody is at the other end, or nobody who may be looked into. */
  readonly peers: readonly PipeEnd[]
}

/**
 * The pipes of a process, and who else has them open.
 * @throws ProcmusterError `PROCESS_GONE`, `ACCESS_DENIED`, `TIMEOUT`
 */
export async function findPipePeers(
  target: ProcessIdentity,
  options: SearchOptions = {},
): Promise<Found<PipePeers>> {
  checkIdentity(target)
  checkOptions(options, SEARCH_CHECKS)
  const files = (await readOpenFiles(target, options)).filter(({ kind }) => kind === 'pipe')
  const inodes = new Set(files.map(({ inode }) => inode!))
  const { found, unreadable } = await findDescriptorOwners('pipe', inodes, options)
  const others = found.filter(({ identity }) => identity.pid !== target.pid)
  const ends = await Promise.all(
    others.map(async ({ identity, fd, inode }) => ({
      inode,
      end: { identity, fd, access: await accessTo(identity, fd, options) },
    })),
  )
  const pipes = [...inodes].map((inode) => ({
    inode,
    own: files
      .filter((file) => file.inode === inode)
      .map(({ fd, access }) => ({ fd, access: access as PipeEnd['access'] })),
    peers: ends.filter((each) => each.inode === inode).map(({ end }) => end),
  }))
  return { found: pipes, unreadable }
}

async function accessTo(
  identity: ProcessIdentity,
  fd: number,
  options: SearchOptions,
): Promise<PipeEnd['access']> {
  const [info] = await readProcFiles(identity, { ...options, files: [`fdinfo/${fd}`] })
  const flags = /^flags:\s*([0-7]+)$/m.exec(info!.data.toString('latin1'))?.[1]
  if (flags === undefined) return undefined
  return accessOf(Number.parseInt(flags, 8)) as PipeEnd['access']
}
