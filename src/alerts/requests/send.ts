import { randomBytes } from 'node:crypto'
import { constants, type FileHandle, open, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ABORT_SIGNAL, checkOptions, MILLISECONDS, PATH } from '../../arguments.js'
import { codeOfErrno, errnoOf, ProcmusterError } from '../../errors.js'
import { preparePrivateDirectory, syncDirectory, writePrivateFile } from '../../journal/private_files.js'
import { readJournal } from '../../journal/reader.js'
import type {
  AcknowledgedBody,
  RecordHead,
  RequestRefusedBody,
  ResumeBody,
  SilenceBody,
  UnsilenceBody,
} from '../../journal/records.js'
import { native } from '../../native.js'
import { checked } from '../checked.js'
import { type EngineRequest, requestSchema, requestsDirectory } from './request.js'

const LOOK_EVERY_MS = 100
const WAIT_MS = 5000

/** The record by which an engine answers a request. */
export type RequestAnswer = RecordHead &
  (AcknowledgedBody | SilenceBody | UnsilenceBody | ResumeBody | RequestRefusedBody)

export interface SentRequest {
  /** Of the request; a silence that it makes has the same. */
  readonly id: string
  /** Undefined when no engine has answered in time. The request stays, and is taken by the next that can. */
  readonly answer: RequestAnswer | undefined
  /** Whether an engine writes the journal. */
  readonly isRunning: boolean
}

export interface SendOptions {
  /** How long to wait for an engine that runs, milliseconds. Default 5000. */
  readonly waitMs?: number
  readonly signal?: AbortSignal
}

/**
 * Asks the engine that writes this journal to acknowledge, silence, unsilence or resume: the request is left in the
 * directory `JOURNAL.requests`, and answered in the journal.
 * @throws ProcmusterError `INVALID_ARGUMENT`, `NOT_FOUND` (no such journal), `ACCESS_DENIED`, `IO_ERROR`
 */
export async function sendRequest(
  journal: string,
  request: EngineRequest,
  options: SendOptions = {},
): Promise<SentRequest> {
  PATH('the journal', journal)
  checkOptions(options, { waitMs: MILLISECONDS, signal: ABORT_SIGNAL })
  const { waitMs = WAIT_MS, signal } = options
  const body = checked(requestSchema, request, 'request')
  const { isRunning, sizeBytes } = await lookAtJournal(journal)
  // Begins with the time, so that requests are taken in the order in which they were made.
  const id = `${Date.now().toString(36)}-${randomBytes(4).toString('hex')}`
  await leave(requestsDirectory(journal), id, body)
  if (!isRunning) return { id, isRunning, answer: undefined }
  const deadline = performance.now() + waitMs
  let answer: RequestAnswer | undefined
  while (answer === undefined && performance.now() < deadline && !signal?.aborted) {
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => {})
    answer = await answerTo(journal, id, sizeBytes)
  }
  return { id, isRunning, answer }
}

/** Whether an engine writes the journal now: it holds the lock. */
export async function isJournalInUse(journal: string): Promise<boolean> {
  PATH('the journal', journal)
  return (await lookAtJournal(journal)).isRunning
}

async function lookAtJournal(path: string): Promise<{ isRunning: boolean; sizeBytes: number }> {
  let file: FileHandle | undefined
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const stat = await file.stat()
    if (!stat.isFile()) {
      throw new ProcmusterError('INVALID_ARGUMENT', { message: `${path} is no regular file`, path })
    }
    // Where we get the lock nobody had it, and it goes with the descriptor.
    return { isRunning: native.tryLockFile(file.fd) !== 0, sizeBytes: stat.size }
  } catch (error) {
    throw sendError(error, path, 'read the journal')
  } finally {
    await file?.close()
  }
}

async function answerTo(journal: string, id: string, fromByte: number): Promise<RequestAnswer | undefined> {
  for await (const record of readJournal(journal, { fromByte })) {
    if ('request' in record && record.request === id) return record
  }
  return undefined
}

/** Under a name of its own only once it is complete and on disk. */
async function leave(directory: string, id: string, body: unknown): Promise<void> {
  const path = join(directory, `${id}.json`)
  const temporary = join(directory, `.${id}.new`)
  try {
    await preparePrivateDirectory(directory, ': the engine takes no request from it otherwise')
    await writePrivateFile(temporary, JSON.stringify(body))
    await rename(temporary, path)
    await syncDirectory(directory)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw sendError(error, path, 'write')
  }
}

function sendError(error: unknown, path: string, verb: string): unknown {
  const errno = errnoOf(error)
  if (error instanceof ProcmusterError || errno === undefined) return error
  const message = `Cannot ${verb} ${path}: ${(error as Error).message}`
  return new ProcmusterError(codeOfErrno(errno), { message, path, errno, cause: error })
}
