import { rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type ErrorCode, ProcmusterError } from '../../errors.js'
import { idOf, readRequest, requestNames } from './files.js'
import { type CheckedRequest, requestsDirectory } from './request.js'

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
      const names = await requestNames(this.directory)
      for (const name of names.filter((each) => !this.#answered.has(each)).slice(0, MOST_PER_LOOK)) {
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

  async #take(name: string): Promise<void> {
    const path = join(this.directory, name)
    const id = idOf(name)
    try {
      await this.#parts.carryOut(await readRequest(path), id)
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
