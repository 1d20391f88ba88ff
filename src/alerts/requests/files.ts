import { constants, lstat, open, readdir } from 'node:fs/promises'
import { errnoOf, ProcmusterError } from '../../errors.js'
import { isPrivate } from '../../journal/private_files.js'
import { checked } from '../checked.js'
import { type CheckedRequest, REQUEST_BYTES, REQUEST_ID, requestSchema } from './request.js'

export const idOf = (name: string): string => name.slice(0, -'.json'.length)

/**
 * Files in which requests wait, in the order of their ids, which begin with the time; none where there is no directory.
 * @throws ProcmusterError `ACCESS_DENIED` when somebody else could have left some, `IO_ERROR`
 */
export async function requestNames(directory: string): Promise<string[]> {
  try {
    const stat = await lstat(directory)
    if (!stat.isDirectory() || !isPrivate(stat)) {
      throw new ProcmusterError('ACCESS_DENIED', {
        message: `${directory} must be a directory of the engine's user with mode 0700; no request is taken from it`,
        path: directory,
      })
    }
    const names = await readdir(directory)
    return names.filter((name) => name.endsWith('.json') && REQUEST_ID.test(idOf(name))).sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw ioError(error, directory)
  }
}

/** @throws Error of what is no request, or could be from somebody else; with the code `ENOENT` when it was taken back. */
export async function readRequest(path: string): Promise<CheckedRequest> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    const stat = await file.stat()
    if (!stat.isFile() || !isPrivate(stat) || stat.size > REQUEST_BYTES) {
      throw new Error(
        `not a file of the engine's user with mode 0600 and at most ${REQUEST_BYTES} bytes: it is not used`,
      )
    }
    return checked(requestSchema, JSON.parse(await file.readFile('utf8')), 'request')
  } finally {
    await file.close()
  }
}

function ioError(error: unknown, path: string): unknown {
  if (error instanceof ProcmusterError) return error
  const message = `Cannot read ${path}: ${(error as Error).message}`
  return new ProcmusterError('IO_ERROR', { message, path, errno: errnoOf(error), cause: error })
}
