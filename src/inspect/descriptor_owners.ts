import { checkOptions, ITERABLE } from '../arguments.js'
import type { ProcessIdentity } from '../table/identity.js'
import { type Found, findUsers, ScanKind, SEARCH_CHECKS, type SearchOptions } from './scan.js'

/** A descriptor of a process that stands for a socket or a pipe. */
export interface DescriptorOwner {
  readonly identity: ProcessIdentity
  readonly fd: number
  /** Number of the socket or pipe, as in `socket:[42]`. */
  readonly inode: number
}

/**
 * Which processes have these sockets open, by their inodes. A socket of the kernel's own, or in TIME_WAIT, has nobody.
 * @throws ProcmusterError `IO_ERROR` when no thread could be started
 */
export async function findSocketOwners(
  inodes: Iterable<number>,
  options: SearchOptions = {},
): Promise<Found<DescriptorOwner>> {
  ITERABLE('the inodes', inodes)
  checkOptions(options, SEARCH_CHECKS)
  return findDescriptorOwners('socket', inodes, options)
}

/** The same of any such link. */
export async function findDescriptorOwners(
  kind: 'socket' | 'pipe',
  inodes: Iterable<number>,
  options: SearchOptions,
): Promise<Found<DescriptorOwner>> {
  const keys = Array.from(inodes, (inode) => `${kind}:[${inode}]`)
  if (keys.length === 0) return { found: [], unreadable: [] }
  const { found, unreadable } = await findUsers(ScanKind.descriptors, keys, options, descriptorsOf)
  return { found: found.flat(), unreadable }
}

/** Lines of a scan such as `3 socket:[42]`. */
export const descriptorsOf = (identity: ProcessIdentity, lines: readonly string[]): DescriptorOwner[] =>
  lines.map((line) => {
    const [, fd, inode] = /^(\d+) [a-z]+:\[(\d+)\]$/.exec(line)!
    return { identity, fd: Number(fd), inode: Number(inode) }
  })
