import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { checkOptions, PATH } from '../arguments.js'
import { codeOfErrno, errnoName, errnoOf, ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import { type Found, findUsers, ScanKind, SEARCH_CHECKS, type SearchOptions } from './scan.js'

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
 * followed.
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

// makedev(3) of glibc.
const major = (device: bigint) => ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)
const minor = (device: bigint) => (device & 0xffn) | ((device >> 12n) & 0xffffff00n)
