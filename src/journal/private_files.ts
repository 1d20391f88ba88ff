import { constants, lstat, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ProcmusterError } from '../errors.js'

/** Whether nobody but the user of this process, and root, can have made or read it. */
export function isPrivate({ uid, mode }: { uid: number; mode: number }): boolean {
  return uid === process.geteuid?.() && (mode & 0o077) === 0
}

/**
 * Makes a directory beside the journal where there is none.
 * @param why it has to be private, as the end of the error's message
 * @throws ProcmusterError `ACCESS_DENIED` when it is not private; what the file system says
 */
export async function preparePrivateDirectory(path: string, why: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
    await syncDirectory(dirname(path))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const stat = await lstat(path)
  if (!stat.isDirectory() || !isPrivate(stat)) {
    throw new ProcmusterError('ACCESS_DENIED', {
      message: `${path} must be a directory of this user with mode 0700${why}`,
      path,
    })
  }
}

/** On disk when it resolves, but for its name. @throws what the file system says, also where it is there already */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  const file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** A new name in a directory is only safe once the directory is on disk. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await directory.sync()
  } catch (error) {
    // File systems that cannot do it (some network and FUSE ones) say so in this way.
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
  } finally {
    await directory.close()
  }
}
