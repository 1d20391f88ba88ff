import { createReadStream } from 'node:fs'
import { codeOfErrno, errnoOf, ProcmusterError } from '../errors.js'
import { JOURNAL_VERSION, type JournalRecord } from './records.js'

/** A longer line is no record of ours; it is skipped without being held in memory. */
const MAX_LINE_BYTES = 4 * 1024 * 1024

/** Reads a journal from its beginning, oldest record first; may be used while an engine writes it. */
export interface JournalReader extends AsyncIterable<JournalRecord> {
  /** Lines so far that are no records: torn by a crash, of another version, or not ours. They are skipped. */
  readonly badLines: number
  /** After the end: the last line has no end; a crash tore it, or it is being written at this moment. */
  readonly tornTail: boolean
}

export interface ReadJournalOptions {
  /** Where a line begins, for example the size that the file had before: what comes earlier is left out. Default 0. */
  readonly fromByte?: number
}

/** @throws ProcmusterError `NOT_FOUND`, `ACCESS_DENIED` or `IO_ERROR` while iterating. */
export function readJournal(path: string, { fromByte = 0 }: ReadJournalOptions = {}): JournalReader {
  let badLines = 0
  let tornTail = false

  async function* records(): AsyncGenerator<JournalRecord> {
    badLines = 0
    tornTail = false
    let parts: Buffer[] = []
    let length = 0
    try {
      for await (const data of createReadStream(path, { highWaterMark: 256 * 1024, start: fromByte })) {
        const chunk = data as Buffer
        let from = 0
        for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
          if (length + end - from > MAX_LINE_BYTES) {
            badLines++
          } else if (length + end - from > 0) {
            parts.push(chunk.subarray(from, end))
            const record = parseRecord(Buffer.concat(parts).toString('utf8'))
            if (record === undefined) badLines++
            else yield record
          }
          parts = []
          length = 0
          from = end + 1
        }
        length += chunk.length - from
        if (length > MAX_LINE_BYTES) parts = []
        else if (from < chunk.length) parts.push(chunk.subarray(from))
      }
    } catch (error) {
      throw readError(error, path)
    }
    tornTail = length > 0
  }

  return {
    [Symbol.asyncIterator]: records,
    get badLines() {
      return badLines
    },
    get tornTail() {
      return tornTail
    },
  }
}

function parseRecord(line: string): JournalRecord | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is JournalRecord {
  if (typeof value !== 'object' || value === null) return false
  const head = value as Partial<Record<keyof JournalRecord, unknown>>
  return (
    head.v === JOURNAL_VERSION &&
    Number.isSafeInteger(head.seq) &&
    typeof head.type === 'string' &&
    typeof head.atMs === 'number'
  )
}

function readError(error: unknown, path: string): unknown {
  const errno = errnoOf(error)
  if (errno === undefined) return error
  return new ProcmusterError(codeOfErrno(errno), {
    message: `Cannot read the journal ${path}: ${(error as Error).message}`,
    path,
    errno,
    cause: error,
  })
}
