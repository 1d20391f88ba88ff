import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { checkOptions, PATH } from '../arguments.js'
import { codeOfErrno, errnoName, errnoOf, ProcmusterError } from '../errors.js'
import { identityKey, type ProcessIdentity } from '../table/identity.js'
import { findSocketOwners } from './descriptor_owners.js'
import { type Found, findUsers, readOwnLink, ScanKind, SEARCH_CHECKS, type SearchOptions } from './scan.js'
import { readSocketsOf } from './sockets.js'

/** A process that uses a file, and as what. */
export interface FileUser {
  readonly identity: ProcessIdentity
  /** Descriptors of it, in ascending order. */
  readonly fds: readonly number[]
  /** Whether it is mapped into memory, the program, the working directory, the root directory. */
  readonly isMapped: boolean
  readonly isExe: boolean
  readonly isCwd: boolean
  readonly isRoot: boolean
}

/**
 * Which processes have a file open, mapped, as program or as directory, by device and inode: under whatever name. Links are
 * followed. Of a socket's file, those that have a socket which was bound to it by that path.
 * @throws ProcmusterError `NOT_FOUND`, `ACCESS_DENIED`
 */
export async function findByFile(path: string, options: SearchOptions = {}): Promise<Found<FileUser>> {
  PATH('the file', path)
  checkOptions(options, SEARCH_CHECKS)
  const facts = await stat(path, { bigint: true }).catch((error: unknown) => {
    const errno = errnoOf(error)
    throw new ProcmusterError(errno === undefined ? 'INVALID_ARGUMENT' : codeOfErrno(errno), {
      message: `${path}: ${errno === undefined ? 'is no path' : errnoName(errno)}`,
      path,
      errno,
      cause: error,
    })
  })
  if (facts.isSocket()) return findSocketUsers(resolve(path), options)
  const key = `${major(facts.dev)}:${minor(facts.dev)}:${facts.ino}`
  return findUsers(ScanKind.file, [resolve(path), key], options, (identity, lines) => ({
    identity,
    fds: lines
      .flatMap((line) => (line.startsWith('fd ') ? [Number(line.slice(3))] : []))
      .sort((a, b) => a - b),
    isMapped: lines.includes('map'),
    isExe: lines.includes('exe'),
    isCwd: lines.includes('cwd'),
    isRoot: lines.includes('root'),
  }))
}

/** Only the path that it was bound by is known of a socket, proc_net(5). */
async function findSocketUsers(path: string, options: SearchOptions): Promise<Found<FileUser>> {
  const { procRoot = '/proc' } = options
  const pid = Number(await readOwnLink(procRoot, 'self'))
  const bound = await readSocketsOf({ pid }, { ...options, protocols: ['unix'] }, (line) =>
    line.endsWith(path),
  )
  const inodes = bound.flatMap(({ localAddress, inode }) => (localAddress === path ? [inode] : []))
  const { found, unreadable } = await findSocketOwners(inodes, options)
  const users = new Map<string, FileUser & { readonly fds: number[] }>()
  const none = { isMapped: false, isExe: false, isCwd: false, isRoot: false }
  for (const { identity, fd } of found) {
    const user = users.get(identityKey(identity)) ?? { identity, fds: [], ...none }
    user.fds.push(fd)
    users.set(identityKey(identity), user)
  }
  return { found: [...users.values()], unreadable }
}

// makedev(3) of glibc.
const major = (device: bigint) => ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)
const minor = (device: bigint) => (device & 0xffn) | ((device >> 12n) & 0xffffff00n)
