import { constants, type FileHandle, open, readdir, readFile, unlink } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { errnoOf, ProcmusterError } from '../errors.js'
import { isPrivate, preparePrivateDirectory, syncDirectory, writePrivateFile } from './private_files.js'

/** No spec of ours is larger: argv and environment together are bounded by the kernel (ARG_MAX, 6 MiB at most). */
const MAX_BYTES = 64 * 1024 * 1024
const SAFE_ID = /^[A-Za-z0-9_-]+$/

/**
 * What a restart under way needs to be finished after a crash, one file per action, beside the journal. It is kept
 * apart because it carries the environment of the process, which has no place in a journal that people hand around.
 */
export class PendingStore {
  readonly directory: string

  constructor(journalPath: string) {
    const path = resolve(journalPath)
    this.directory = join(dirname(path), `${basename(path)}.pending`)
  }

  /** On disk, file and name, when it resolves. */
  async put(actionId: string, value: unknown): Promise<void> {
    const path = this.#path(actionId)
    try {
      await preparePrivateDirectory(this.directory, '; it will hold environments')
      await writePrivateFile(path, JSON.stringify(value))
      await syncDirectory(this.directory)
    } catch (error) {
      await this.remove(actionId).catch(() => {})
      throw pendingError(error, path, 'write')
    }
  }

  /** Undefined when there is none. */
  async get(actionId: string): Promise<unknown> {
    const path = this.#path(actionId)
    let file: FileHandle | undefined
    try {
      file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
      const stat = await file.stat()
      if (!isPrivate(stat) || stat.size > MAX_BYTES) {
        throw new ProcmusterError('ACCESS_DENIED', {
          message: `${path} is not as the engine left it (owner, mode or size): it is not used`,
          path,
        })
      }
      return JSON.parse(await readFile(file, 'utf8'))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw pendingError(error, path, 'read')
    } finally {
      await file?.close()
    }
  }

  async remove(actionId: string): Promise<void> {
    try {
      await unlink(this.#path(actionId))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw pendingError(error, this.#path(actionId), 'remove')
    }
  }

  /** Removes the files of actions that are over: the crash came between their last record and the removal. */
  async keepOnly(actionIds: ReadonlySet<string>): Promise<void> {
    const names = await readdir(this.directory).catch(() => [])
    for (const name of names) {
      const actionId = name.replace(/\.json$/, '')
      if (name.endsWith('.json') && SAFE_ID.test(actionId) && !actionIds.has(actionId))
        await this.remove(actionId)
    }
  }

  #path(actionId: string): string {
    if (!SAFE_ID.test(actionId)) {
      throw new ProcmusterError('INVALID_ARGUMENT', {
        message: `${JSON.stringify(actionId)} is no action id: letters, digits, - and _ only`,
      })
    }
    return join(this.directory, `${actionId}.json`)
  }
}

function pendingError(error: unknown, path: string, verb: string): ProcmusterError {
  if (error instanceof ProcmusterError) return error
  return new ProcmusterError('IO_ERROR', {
    message: `Cannot ${verb} ${path}: ${(error as Error).message}`,
    path,
    errno: errnoOf(error),
    cause: error,
  })
}
