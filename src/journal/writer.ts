import type { BigIntStats } from 'node:fs'
import { constants, type FileHandle, lstat, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOfErrno, errnoOf, ProcmusterError } from '../errors.js'
import { lockFile } from '../file_lock.js'
import { safeJson } from '../printable.js'
import { syncDirectory } from './private_files.js'
import { type JournalReader, type LinePlace, readJournal } from './reader.js'
import { JOURNAL_VERSION, type JournalBody, type JournalRecord, type RecordHead } from './records.js'

/** Plain records waiting for a stalled disk; past this they are dropped, never the memory of the host. */
const MAX_QUEUED = 10_000
/** A child held before its exec shares the lock of an engine that was just killed, until it notices. */
const LOCK_WAIT_MS = 1_000
/** How often it is looked whether the file is still there, where nothing has to be on disk. */
const LOOK_MS = 1_000

interface JournalOptions {
  /** Sees every record: those that are there already, oldest first, then each new one. */
  onRecord?: (record: JournalRecord) => void
  /** Of the records that are there already, those of these types are left out. */
  without?: ReadonlySet<JournalRecord['type']>
  /**
   * A write failed: records before this one may be missing on disk; told once until one succeeds. Or lines that are there cannot be
   * read, and are left out.
   */
  onError?: (error: ProcmusterError) => void
  now?: () => number
}

interface Entry {
  readonly line: string
  readonly resolve?: () => void
  readonly reject?: (error: ProcmusterError) => void
}

/**
 * The append-only journal: JSON Lines, one writer. `append` is for what may be lost in a crash, `commit` for what must
 * be on disk before the next thing is done; commits that wait at the same time share one fdatasync.
 */
export class Journal {
  readonly path: string
  /** Lines found at opening that are no records: torn by a crash, or not ours. */
  readonly badLines: number
  #file: FileHandle
  #lookedAtMs = performance.now()
  /** The record of this run's start, which a new file begins with. */
  #startLine = ''
  readonly #now: () => number
  readonly #onError: JournalOptions['onError']
  readonly #onRecord: JournalOptions['onRecord']
  #seq: number
  #queue: Entry[] = []
  #draining: Promise<void> | undefined
  #tornLine: boolean
  #dropped = 0
  #isFailing = false
  #closing: Promise<void> | undefined

  private constructor(path: string, file: FileHandle, found: Found, options: JournalOptions) {
    this.path = path
    this.#file = file
    this.#now = options.now ?? Date.now
    this.#onError = options.onError
    this.#onRecord = options.onRecord
    this.#seq = found.lastSeq
    this.badLines = found.badLines
    this.#tornLine = found.tornTail
  }

  /**
   * Opens or creates the journal and becomes its only writer; the lock ends with the process, however it ends.
   * @throws ProcmusterError `BUSY` when another engine writes it, `INVALID_ARGUMENT` when the path is a link or no
   * regular file, `ACCESS_DENIED` when it belongs to somebody else, `IO_ERROR`.
   */
  static async open(path: string, options: JournalOptions = {}): Promise<Journal> {
    let file: FileHandle | undefined
    try {
      file = await openLocked(path)
      const found = await readExisting(path, options)
      if (found.firstBad !== undefined) options.onError?.(damaged(path, found, found.firstBad))
      return new Journal(path, file, found, options)
    } catch (error) {
      await file?.close()
      throw journalError(error, path, 'open')
    }
  }

  /** Writes soon, in the order of the calls. A failure goes to `onError`. */
  append(body: JournalBody): void {
    if (this.#closing !== undefined) return
    if (this.#queue.length >= MAX_QUEUED) {
      if (this.#dropped++ === 0) {
        this.#onError?.(this.#error(`The journal ${this.path} cannot keep up: records are being dropped`))
      }
      return
    }
    this.#queue.push({ line: this.#line(body) })
    this.#drain()
  }

  /**
   * Resolves when the record, and everything appended before it, is on disk.
   * @throws ProcmusterError `IO_ERROR` (for example no space left) or `CLOSED`; the record is then not to be relied on.
   */
  commit(body: JournalBody): Promise<void> {
    if (this.#closing !== undefined) {
      return Promise.reject(
        new ProcmusterError('CLOSED', { message: `The journal ${this.path} is closed`, path: this.path }),
      )
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ line: this.#line(body), resolve, reject })
      this.#drain()
    })
  }

  /** Writes what waits, syncs, and lets the lock go. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#draining
    try {
      await this.#file.datasync()
    } catch (error) {
      this.#onError?.(journalError(error, this.path, 'sync'))
    } finally {
      await this.#file.close()
    }
  }

  #line(body: JournalBody): string {
    const atMs = this.#now()
    const time = new Date(atMs).toISOString()
    const head: RecordHead = { v: JOURNAL_VERSION, seq: ++this.#seq, atMs, time }
    // Not two spreads: V8 takes twenty times as long to write down what they make.
    const record: JournalRecord = Object.assign(head, body)
    this.#onRecord?.(record)
    const line = `${safeJson(record)}\n`
    if (body.type === 'engine-start') this.#startLine = line
    return line
  }

  #drain(): void {
    this.#draining ??= this.#writeQueue().finally(() => {
      this.#draining = undefined
      if (this.#queue.length > 0) this.#drain()
    })
  }

  async #writeQueue(): Promise<void> {
    // What arrives in the same turn of the loop, or while the disk is busy, shares one write and one sync.
    await new Promise(setImmediate)
    while (this.#queue.length > 0) {
      const batch = this.#queue
      this.#queue = []
      try {
        const isCommit = batch.some((entry) => entry.resolve !== undefined)
        if (isCommit || performance.now() - this.#lookedAtMs >= LOOK_MS) await this.#followPath()
        await this.#write(batch.map((entry) => entry.line).join(''))
        if (isCommit) await this.#file.datasync()
        this.#dropped = 0
        this.#isFailing = false
        for (const entry of batch) entry.resolve?.()
      } catch (cause) {
        const error = journalError(cause, this.path, 'write')
        if (!this.#isFailing) this.#onError?.(error)
        this.#isFailing = true
        for (const entry of batch) entry.reject?.(error)
      }
    }
  }

  /**
   * Where the file was moved away or deleted, goes on in a new one: nobody would read what is written into the old one, and another
   * engine could become the writer of the path beside this one.
   */
  async #followPath(): Promise<void> {
    this.#lookedAtMs = performance.now()
    const [own, there] = await Promise.all([this.#file.stat({ bigint: true }), statOf(this.path)])
    if (there !== undefined && there.ino === own.ino && there.dev === own.dev) return
    const file = await openLocked(this.path)
    const before = this.#file
    this.#file = file
    // Whatever stands there: a record begins on a line of its own.
    const isNew = there === undefined || there.size === 0n
    this.#tornLine = !isNew
    await before.close()
    this.#onError?.(
      this.#error(
        `The journal ${this.path} was moved or deleted: its records go on in a new file of that name`,
      ),
    )
    // Whose records follow, and where: a process of theirs is a stranger after a reboot.
    if (isNew) await this.#write(this.#startLine)
  }

  async #write(lines: string): Promise<void> {
    const bytes = Buffer.from(this.#tornLine ? `\n${lines}` : lines)
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, written, bytes.length - written)
      written += bytesWritten
      // A full disk can take half a line; the next record then starts on a line of its own.
      this.#tornLine = bytes[written - 1] !== 10
    }
  }

  #error(message: string): ProcmusterError {
    return new ProcmusterError('IO_ERROR', { message, path: this.path })
  }
}

interface Found extends Pick<JournalReader, 'lastSeq' | 'firstBad' | 'tornTail'> {
  /** The torn tail among them. */
  readonly badLines: number
}

async function readExisting(path: string, { onRecord, without }: JournalOptions): Promise<Found> {
  const reader = readJournal(path, without && { without })
  for await (const record of reader) onRecord?.(record)
  const { lastSeq, badLines, firstBad, tornTail } = reader
  return { lastSeq, badLines: badLines + (tornTail ? 1 : 0), firstBad, tornTail }
}

function damaged(path: string, { badLines }: Found, { line, byte }: LinePlace): ProcmusterError {
  const where = `line ${line} (byte ${byte})`
  const what =
    badLines === 1
      ? `${where} cannot be read and is left out`
      : `${badLines} lines cannot be read and are left out, the first of them ${where}`
  return new ProcmusterError('IO_ERROR', { message: `The journal ${path} is damaged: ${what}`, path })
}

async function openLocked(path: string): Promise<FileHandle> {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
  // O_NONBLOCK: a FIFO put in the journal's place must not hold us up before fstat tells what it is.
  const file = await open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
  try {
    await checkFile(file, path)
    if (await lockFile(file, path, LOCK_WAIT_MS)) return file
    throw new ProcmusterError('BUSY', {
      message: `Another engine writes the journal ${path}: stop it, or give this engine a journal of its own`,
      path,
    })
  } catch (error) {
    await file.close()
    throw error
  }
}

async function statOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function checkFile(file: FileHandle, path: string): Promise<void> {
  const stat = await file.stat()
  if (!stat.isFile()) {
    throw new ProcmusterError('INVALID_ARGUMENT', { message: `The journal ${path} is no regular file`, path })
  }
  const uid = process.geteuid?.()
  if (stat.uid !== uid) {
    throw new ProcmusterError('ACCESS_DENIED', {
      message: `The journal ${path} belongs to user ${stat.uid}, not to user ${uid} who runs the engine`,
      path,
    })
  }
  if ((stat.mode & 0o077) !== 0) await file.chmod(0o600)
  if (stat.size === 0) await syncDirectory(dirname(path))
}

function journalError(error: unknown, path: string, verb: string): ProcmusterError {
  if (error instanceof ProcmusterError) return error
  const { code, message } = error as NodeJS.ErrnoException
  const errno = errnoOf(error)
  const hint = code === 'ELOOP' ? ' (it is a symbolic link, which is not followed)' : ''
  const isNoFile = code === 'ELOOP' || code === 'EISDIR' || code === 'ENXIO'
  const kind = isNoFile ? 'INVALID_ARGUMENT' : codeOfErrno(errno ?? 0)
  return new ProcmusterError(kind, {
    message: `Cannot ${verb} the journal ${path}: ${message}${hint}`,
    path,
    errno,
    cause: error,
  })
}
