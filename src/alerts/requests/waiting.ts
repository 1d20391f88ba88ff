import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { PATH, TEXT } from '../../arguments.js'
import { codeOfErrno, errnoOf, ProcmusterError } from '../../errors.js'
import { readAlerts } from '../history.js'
import { idOf, readRequest, requestNames } from './files.js'
import { type CheckedRequest, REQUEST_ID, requestsDirectory } from './request.js'

/** A request that no engine has taken yet. */
export interface WaitingRequest {
  /** That of the silence which it will make, too. */
  readonly id: string
  readonly request: CheckedRequest
}

/**
 * Requests that wait for the next start of an engine on this journal, or for the next second of one that runs; oldest first. What an
 * engine would refuse to read is left out.
 * @throws ProcmusterError `ACCESS_DENIED`, `IO_ERROR`
 */
export async function readRequests(journal: string): Promise<WaitingRequest[]> {
  PATH('the journal', journal)
  const directory = requestsDirectory(journal)
  const waiting: WaitingRequest[] = []
  for (const name of await requestNames(directory)) {
    const request = await readRequest(join(directory, name)).catch(() => undefined)
    if (request !== undefined) waiting.push({ id: idOf(name), request })
  }
  return waiting
}

/**
 * Takes a request back that no engine has taken. False when there is none with this id, any more: what came of it is in the journal.
 * @throws ProcmusterError `NOT_FOUND` (no such journal), `ACCESS_DENIED`, `IO_ERROR`
 */
export async function withdrawRequest(journal: string, id: string): Promise<boolean> {
  PATH('the journal', journal)
  TEXT('the id of the request', id)
  if (!REQUEST_ID.test(id)) return false
  // An engine that was killed right after its answer has left the file behind.
  if ((await readAlerts(journal)).silences.some((silence) => silence.id === id)) return false
  const path = join(requestsDirectory(journal), `${id}.json`)
  try {
    await unlink(path)
    return true
  } catch (error) {
    const errno = errnoOf(error)
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    const message = `Cannot remove ${path}: ${(error as Error).message}`
    throw new ProcmusterError(codeOfErrno(errno ?? 0), { message, path, errno, cause: error })
  }
}
