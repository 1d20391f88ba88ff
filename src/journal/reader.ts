import { createReadStream } from 'node:fs'
import { BYTES, checkOptions, ITERABLE, PATH } from '../arguments.js'
import { codeOfErrno, errnoOf, ProcmusterError } from '../errors.js'
import { isRecord } from './record_schema.js'
import { JOURNAL_VERSION, type JournalRecord } from './records.js'

/** A longer line is no record of ours; it is skipped without being held in memory. */
const MAX_LINE_BYTES = 4 * 1024 * 1024

/** Reads a journal from its beginning, oldest record first; may be used while an engine writes it. */
export interface JournalReader extends AsyncIterable<JournalRecord> {
  /** Lines so far that are no records: torn by a crash, damaged, of another version, or not ours. They are skipped. */
  readonly badLines: number
  /** Where the first of them is, or the last line, where that is the only one and has no end. */
  readonly firstBad: LinePlace | undefined
  /** After the end: the last line has no end; a crash tore it, or it is being written at this moment. */
  readonly tornTail: boolean
  /** The greatest number of a record so far, also of one that was left out. */
  readonly lastSeq: number
}

/** Where a line of a journal begins. */
export interface LinePlace {
  /** From 1 on, where it was read from the beginning; else counted from there. */
  readonly line: number
  /** Its first byte in the file, from 0 on. */
  readonly byte: number
}

export interface ReadJournalOptions {
  /** Where a line begins, for example the size that the file had before: what comes earlier is left out. Default 0. */
  readonly fromByte?: number
  /** Records of these types, a list or a set, are left out; what is in them is not read, which takes a fraction of the time. */
  readonly without?: Iterable<JournalRecord['type']>
}

/** @throws ProcmusterError `NOT_FOUND`, `ACCESS_DENIED` or `IO_ERROR` while iterating. */
export function readJournal(path: string, options: ReadJournalOptions = {}): JournalReader {
  PATH('the journal', path)
  checkOptions(options, { fromByte: BYTES, without: ITERABLE })
  const { fromByte = 0 } = options
  const without = options.without && new Set(options.without)
  let lastSeq = 0
  let badLines = 0
  let firstBad: LinePlace | undefined
  let tornTail = false

  async function* records(): AsyncGenerator<JournalRecord> {
    lastSeq = 0
    badLines = 0
    firstBad = undefined
    tornTail = false
    let parts: Buffer[] = []
    let length = 0
    let line = 1
    let byte = fromByte
    const isBad = () => {
      badLines++
      firstBad ??= { line, byte }
    }
    try {
      for await (const data of createReadStream(path, { highWaterMark: 256 * 1024, start: fromByte })) {
        const chunk = data as Buffer
        let from = 0
        for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
          if (length + end - from > MAX_LINE_BYTES) {
            isBad()
          } else if (length + end - from > 0) {
            const rest = chunk.subarray(from, end)
            const text = parts.length === 0 ? rest : Buffer.concat([...parts, rest])
            const leftOut = without && seqOf(text, without)
            const record = leftOut === undefined ? parseRecord(text.toString('utf8')) : undefined
            lastSeq = Math.max(lastSeq, leftOut ?? record?.seq ?? 0)
            if (record !== undefined) yield record
            else if (leftOut === undefined) isBad()
          }
          line++
          byte += length + end + 1 - from
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
    if (tornTail) firstBad ??= { line, byte }
  }

  return {
    [Symbol.asyncIterator]: records,
    get badLines() {
      return badLines
    },
    get firstBad() {
      return firstBad
    },
    get tornTail() {
      return tornTail
    },
    get lastSeq() {
      return lastSeq
    },
  }
}

/** How the writer begins a line. */
const HEAD = new RegExp(
  String.raw`^\{"v":${JOURNAL_VERSION},"seq":(\d{1,15}),"atMs":\d+,"time":"[^"]*","type":"([a-z-]+)",`,
)
const HEAD_BYTES = 160

/** The number of a record of one of these types, by its head; undefined for others, and for a line that has no end of ours. */
function seqOf(line: Buffer, types: ReadonlySet<string>): number | undefined {
  if (line.at(-1) !== 0x7d) return undefined // '}'
  const head = HEAD.exec(line.toString('latin1', 0, HEAD_BYTES))
  return head !== null && types.has(head[2]!) ? Number(head[1]) : undefined
}

function parseRecord(line: string): JournalRecord | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
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
