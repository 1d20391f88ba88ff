import { realpath } from 'node:fs/promises'
import { checkIdentity, checkOptions, TEXT } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import { type MemoryMapOptions, readMemoryMap } from './memory_map.js'
import { type Found, findUsers, ScanKind, SEARCH_CHECKS, type SearchOptions } from './scan.js'

/** A shared object in a process's memory. */
export interface Library {
  /** Path in the process's own root, without ` (deleted)`. Hostile: escape it before it is shown. */
  readonly path: string
  /** The file was replaced or removed since: the process still runs the old code. */
  readonly isDeleted: boolean
}

/**
 * The shared objects that a process has loaded, in the order of their addresses.
 * @throws ProcmusterError `PROCESS_GONE`, `ACCESS_DENIED`, `TIMEOUT`
 */
export async function readLibraries(
  target: Pick<ProcessIdentity, 'pid' | 'startTicks'>,
  options: Omit<MemoryMapOptions, 'usage'> = {},
): Promise<Library[]> {
  checkIdentity(target)
  checkOptions(options, SEARCH_CHECKS)
  const map = await readMemoryMap(target, { ...options, usage: false })
  return map.paths('sharedObject').map(parseLibrary)
}

/** A process that has a library loaded. */
export interface LibraryUser {
  readonly identity: ProcessIdentity
  /** Those that the search named. */
  readonly libraries: readonly Library[]
}

/**
 * Which processes have a library loaded, also in a version that was replaced since.
 * @param library a whole path, links are followed, or a file name, whole or up to a dot or dash: `libssl` finds `libssl.so.3` and `libssl-1.1.so`
 * @throws ProcmusterError `INVALID_ARGUMENT` for an empty one, `NOT_FOUND` where proc is not mounted
 */
export async function findByLibrary(
  library: string,
  options: SearchOptions = {},
): Promise<Found<LibraryUser>> {
  TEXT('the library', library)
  checkOptions(options, SEARCH_CHECKS)
  if (library === '' || library.includes('\0')) {
    const message = `${JSON.stringify(library)} is no library; give a path, or a name such as libssl.so.3`
    throw new ProcmusterError('INVALID_ARGUMENT', { message })
  }
  // The kernel names the file that links lead to. That may be another one in a container, or gone.
  const real = library.includes('/') ? await realpath(library).catch(() => library) : library
  return findUsers(ScanKind.library, [...new Set([library, real])], options, (identity, lines) => ({
    identity,
    libraries: lines.map(parseLibrary),
  }))
}

function parseLibrary(name: string): Library {
  const path = name.replace(/ \(deleted\)$/, '')
  return { path, isDeleted: path !== name }
}
