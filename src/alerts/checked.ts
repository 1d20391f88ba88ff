import { z } from 'zod'
import { ProcmusterError } from '../errors.js'
import { firstFault } from '../rules/schema/faults.js'

/** Who did something, for others to read. */
export const personSchema = z.string().min(1).max(256)
export const noteSchema = z.string().max(1000).optional()

/** @throws ProcmusterError `INVALID_ARGUMENT` that names the key and the reason */
export function checked<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) return result.data
  const { path, reason } = firstFault(result.error, schema)
  const where = path.length === 0 ? what : `${what}, ${z.core.toDotPath(path)}`
  throw new ProcmusterError('INVALID_ARGUMENT', { message: `${where}: ${reason}` })
}
