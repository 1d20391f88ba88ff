import { ProcmusterError } from '../errors.js'
import { native } from '../native.js'

/** One item of what a reader thread was asked for. */
export interface Content {
  readonly errno: number
  readonly truncated: boolean
  readonly data: Buffer
}

/** What came of a request within its time; items that are not there have the errno of ETIMEDOUT. */
interface Contents {
  /** False when no reader had begun with it. */
  readonly started: boolean
  readonly timedOut: boolean
  readonly contents: readonly Content[]
}

const FIELDS_BEFORE_ITEMS = 2
const FIELDS_PER_ITEM = 3

interface Pending {
  readonly items: number
  settle(fields: readonly (number | Buffer)[], at: number): void
}

const pending = new Map<number, Pending>()

/**
 * Waits for the reader threads of the addon, for as long as told.
 * @param start asks the addon for that many items, and gives the request's id
 * @throws ProcmusterError `IO_ERROR` when no thread could be started
 */
export function awaitContents(
  items: number,
  timeoutMs: number,
  start: (listener: () => void) => number,
): Promise<Contents> {
  return new Promise((resolve, reject) => {
    const id = start(drain)
    if (id === 0) {
      reject(new ProcmusterError('IO_ERROR', { message: 'no thread could be started to read with' }))
      return
    }
    const timer = setTimeout(() => {
      const fields: (number | Buffer)[] = []
      native.inspect.abandon(id, fields)
      // Empty: it was done just now, and drain() is on its way.
      if (fields.length === 0) return
      pending.delete(id)
      resolve(unpack(fields, 0, items, true))
    }, timeoutMs)
    pending.set(id, {
      items,
      settle(fields, at) {
        clearTimeout(timer)
        resolve(unpack(fields, at, items, false))
      },
    })
  })
}

function drain(): void {
  const fields: (number | Buffer)[] = []
  native.inspect.drain(fields)
  for (let at = 0; at < fields.length; ) {
    const id = fields[at] as number
    const waiting = pending.get(id)!
    pending.delete(id)
    waiting.settle(fields, at)
    at += FIELDS_BEFORE_ITEMS + waiting.items * FIELDS_PER_ITEM
  }
}

function unpack(
  fields: readonly (number | Buffer)[],
  at: number,
  items: number,
  timedOut: boolean,
): Contents {
  const contents: Content[] = []
  for (let item = 0; item < items; item++) {
    const field = at + FIELDS_BEFORE_ITEMS + item * FIELDS_PER_ITEM
    contents.push({
      errno: fields[field] as number,
      truncated: fields[field + 1] === 1,
      data: fields[field + 2] as Buffer,
    })
  }
  return { started: fields[at + 1] === 1, timedOut, contents }
}
