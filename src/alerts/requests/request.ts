import { basename, dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { noteSchema, personSchema } from '../checked.js'
import { silenceMatchSchema } from '../silences.js'

const idSchema = z.string().min(1).max(200)

export const requestSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('acknowledge'), alertId: idSchema, by: personSchema, note: noteSchema }),
  z.strictObject({
    type: z.literal('silence'),
    match: silenceMatchSchema,
    /** Epoch milliseconds: a request can wait for an engine for long. */
    untilMs: z.number(),
    by: personSchema,
    note: noteSchema,
  }),
  z.strictObject({ type: z.literal('unsilence'), silenceId: idSchema, by: personSchema }),
  z.strictObject({ type: z.literal('resume'), rule: idSchema, by: personSchema }),
])

/** What can be asked of an engine from outside, by way of its journal. */
export type EngineRequest = z.input<typeof requestSchema>
export type CheckedRequest = z.output<typeof requestSchema>

/** A name that is none of these is nobody's request. */
export const REQUEST_ID = /^[A-Za-z0-9_-]{1,100}$/
export const REQUEST_BYTES = 16 * 1024

/** Where requests to the engine that writes this journal are left. */
export function requestsDirectory(journal: string): string {
  const path = resolve(journal)
  return join(dirname(path), `${basename(path)}.requests`)
}
