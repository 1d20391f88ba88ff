import { constants, lstat, open, readdir, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type ErrorCode, errnoOf, ProcmusterError } from '../../errors.js'
import { checked } from '../checked.js'
import {
  type CheckedRequest,
  REQUEST_BYTES,
  REQUEST_ID,
  requestSchema,
  requestsDirectory,
} from './request.js'

const LOOK_EVERY_MS = 1000
/** The others wait for the next look. */
const MOST_PER_LOOK = 100
const MOST_REMEMBERED = 1000
/** What writing the journal fails with, of a full disk, or a file system that is away. */
const JOURNAL_FAULTS: ReadonlySet<string> = new Set<ErrorCode>(['IO_ERROR', 'BUSY', 'UNSUPPORTED'])

interface InboxParts {
  /** Resolves when the answer is on disk; a `ProcmusterError` that it throws is the reason of a refusal. */
  readonly carryOut: (request: CheckedRequest, id: string) => Promise<void>
  /** The same. */
  readonly refuse: (id: string, reason: string) => Promise<void>
  /** Something is wrong with the directory, or the journal; told once until it is right again. */
  readonly onError: (error: Error) => void
  readonly lookEveryMs?: number
}

/** Looks, off the tick's path, for requests that are left beside the journal, and answers them. */
export class RequestInbox {
  readonly directory: string
  readonly #parts: InboxParts
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #closed = false
  #trouble = ''
  /** Answered, and yet not to be got rid of. */
  readonly #answered = new Set<string>()

  constructor(journal: string, parts: InboxParts) {
    this.directory = requestsDirectory(journal)
    this.#parts = parts
  }

  /** Looks now, and from then on every second. */
  start(): void {
    this.#looking = this.look().then(() => {
      if (this.#closed) return
      this.#timer = setTimeout(() => this.start(), this.#parts.lookEveryMs ?? LOOK_EVERY_MS)
      this.#timer.unref()
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#looking
  }

  /** Never rejects. */
  async look(): Promise<void> {
    try {
      for (const name of await this.#names()) {
        if (this.#closed) return
        await this.#take(name)
      }
      this.#trouble = ''
    } catch (error) {
      const trouble = error instanceof Error ? error : new Error(String(error))
      if (trouble.message !== this.#trouble) this.#parts.onError(trouble)
      this.#trouble = trouble.message
    }
  }

  /** In the order of their ids, which begin with the time. */
  async #names(): Promise<string[]> {
    const path = this.directory
    try {
      const stat = await lstat(path)
      if (!stat.isDirectory() || !isOurs(stat)) {
        throw new ProcmusterError('ACCESS_DENIED', {
          message: `${path} must be a directory of the engine's user with mode 0700; no request is taken from it`,
          path,
        })
      }
      const names = (await readdir(path)).filter(
        (name) => name.endsWith('.json') && REQUEST_ID.test(idOf(name)) && !this.#answered.has(name),
      )
      return names.sort().slice(0, MOST_PER_LOOK)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw ioError(error, path)
    }
  }

  async #take(name: string): Promise<void> {
    const path = join(this.directory, name)
    const id = idOf(name)
    try {
      await this.#parts.carryOut(checked(requestSchema, await readRequest(path), 'request'), id)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return // taken back
      // The journal cannot be written: the request stays, and is taken when that is over.
      if (error instanceof ProcmusterError && JOURNAL_FAULTS.has(error.code)) throw error
      await this.#parts.refuse(id, (error as Error).message)
    }
    await this.#remove(path, name)
  }

  async #remove(path: string, name: string): Promise<void> {
    try {
      await unlink(path)
    } catch {
      // A directory, for example.
      await rename(path, `${path}.bad`).catch(() => {
        if (this.#answered.size >= MOST_REMEMBERED) this.#answered.clear()
        this.#answered.add(name)
      })
    }
  }
}

async function readRequest(path: string): Promise<unknown> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    const stat = await file.stat()
    if (!stat.isFile() || !isOurs(stat) || stat.size > REQUEST_BYTES) {
      throw new Error(
        `not a file of the engine's user with mode 0600 and at most ${REQUEST_BYTES} bytes: it is not used`,
      )
    }
    return JSON.parse(await file.readFile('utf8'))
  } finally {
    await file.close()
  }
}

const idOf = (name: string): string => name.slice(0, -'.json'.length)

function isOurs({ uid, mode }: { uid: number; mode: number }): boolean {
  return uid === process.geteuid?.() && (mode & 0o077) === 0
}

function ioError(error: unknown, path: string): unknown {
  if (error instanceof ProcmusterError) return error
  const message = `Cannot read ${path}: ${(error as Error).message}`
  return new ProcmusterError('IO_ERROR', { message, path, errno: errnoOf(error), cause: error })
}
