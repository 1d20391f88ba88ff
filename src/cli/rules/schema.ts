import { z } from 'zod'
import { ruleSchema } from '../../public/schema.js'
import { configSchemaOf } from '../watch/config.js'

/** Prints the JSON Schema of a configuration file. */
export function printSchema(): void {
  const schema = z.toJSONSchema(configSchemaOf(ruleSchema), { io: 'input' })
  process.stdout.write(`${JSON.stringify(schema, undefined, 2)}\n`)
}
