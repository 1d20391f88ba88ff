import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { codeOfErrno, errnoName, errnoOf, ProcmusterError } from '../errors.js'

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants
const GROUP_OR_OTHERS_WRITE = 0o022
const STICKY = 0o1000

/** What a set's directory is called: `2026-11-20T14-54-34.123Z-4242-name`, so that names sort by time. */
const SET_NAME = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z-\d+-/

/** Below an open directory: no later exchange of a path component can lead elsewhere. */
export function below(directory: FileHandle, name: string): string {
  return `/proc/self/fd/${directory.fd}/${name}`
}

/**
 * Opens the directory that holds the sets of evidence, made with mode 0700 (as its parents) when it is missing.
 * @throws ProcmusterError `INVALID_ARGUMENT` for a link, for what is no directory, and for one that others could
 * tamper with; `ACCESS_DENIED` or `IO_ERROR` from the system
 */
export async function openEvidenceDirectory(path: string): Promise<FileHandle> {
  // Without the slash at the end, which would follow a link.
  const absolute = resolve(path)
  let directory: FileHandle | undefined
  try {
    const found = await lstat(absolute).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (found?.isSymbolicLink()) throw refusal(absolute, 'is a symbolic link; give the path that it leads to')
    if (found !== undefined && !found.isDirectory()) throw refusal(absolute, 'is no directory')
    if (found === undefined) await mkdir(absolute, { recursive: true, mode: 0o700 })
    directory = await open(absolute, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    const { mode, uid } = await directory.stat()
    const self = process.geteuid!()
    if (uid !== self && uid !== 0) {
      throw refusal(
        absolute,
        `belongs to user ${uid}, who could replace what is kept there; use one of your own`,
      )
    }
    if ((mode & GROUP_OR_OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) {
      throw refusal(absolute, 'can be written to by others; take that away with chmod go-w')
    }
    return directory
  } catch (error) {
    await directory?.close()
    throw error instanceof ProcmusterError ? error : evidenceError(absolute, error)
  }
}

/** Makes a set's directory, 0700, under a name that is not taken. */
export async function makeSet(
  directory: FileHandle,
  path: string,
  name: string,
): Promise<{ handle: FileHandle; name: string }> {
  for (let attempt = 0; ; attempt++) {
    const candidate = attempt === 0 ? name : `${name}-${attempt}`
    try {
      await mkdir(below(directory, candidate), { mode: 0o700 })
      const handle = await open(below(directory, candidate), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      return { handle, name: candidate }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST' && attempt < 1000) continue
      throw evidenceError(`${resolve(path)}/${candidate}`, error)
    }
  }
}

/**
 * How many bytes a new set may take so that all sets stay within `budgetBytes`.
 * @param options.prune removes the oldest sets for it
 * @throws ProcmusterError `IO_ERROR` when there is no room and nothing may be removed
 */
export async function reserveBudget(
  directory: FileHandle,
  path: string,
  options: { readonly budgetBytes: number; readonly setBytes: number; readonly prune: boolean },
): Promise<number> {
  const sets = await listSets(directory)
  let free = options.budgetBytes - sets.reduce((sum, set) => sum + set.bytes, 0)
  // Less than that would hold hardly more than the small files.
  const wanted = Math.min(options.setBytes, options.budgetBytes)
  const least = Math.min(wanted, 1024 * 1024)
  while (options.prune && free < wanted && sets.length > 0) {
    const oldest = sets.shift()!
    await rm(below(directory, oldest.name), { recursive: true, force: true })
    free += oldest.bytes
  }
  if (free >= least) return Math.min(free, wanted)
  throw new ProcmusterError('IO_ERROR', {
    message:
      `evidence budget: ${resolve(path)} holds ${options.budgetBytes - free} of ${options.budgetBytes} bytes; ` +
      'remove old sets, raise the budget, or let them be pruned',
    path: resolve(path),
  })
}

// Of others' directories none is counted or removed: in a sticky directory anybody can make some that look like sets, and
// exchange what lies in them for links while it is being removed.
async function listSets(directory: FileHandle): Promise<{ name: string; bytes: number }[]> {
  const names = (await readdir(below(directory, '.'))).filter((name) => SET_NAME.test(name)).sort()
  const self = process.geteuid!()
  const ours = await Promise.all(
    names.map((name) =>
      lstat(below(directory, name)).then(
        (found) => found.isDirectory() && found.uid === self,
        () => false,
      ),
    ),
  )
  return Promise.all(
    names
      .filter((_, index) => ours[index])
      .map(async (name) => {
        const files = await readdir(below(directory, name)).catch(() => [])
        const sizes = await Promise.all(
          files.map((file) =>
            lstat(below(directory, `${name}/${file}`)).then(
              (stat) => stat.size,
              () => 0,
            ),
          ),
        )
        return { name, bytes: sizes.reduce((sum, size) => sum + size, 0) }
      }),
  )
}

export function evidenceError(path: string, cause: unknown): ProcmusterError {
  const errno = errnoOf(cause) ?? 0
  const denied = codeOfErrno(errno) === 'ACCESS_DENIED'
  return new ProcmusterError(denied ? 'ACCESS_DENIED' : 'IO_ERROR', {
    message: `evidence cannot be kept in ${path} (${errnoName(errno)})`,
    path,
    errno,
    cause,
  })
}

function refusal(path: string, why: string): ProcmusterError {
  return new ProcmusterError('INVALID_ARGUMENT', { message: `evidence directory ${path} ${why}`, path })
}
