import type { Writable } from 'node:stream'
import type { ProcessRow } from '../../public/table.js'
import { ChunkedWriter } from '../output.js'
import { safeJson } from '../terminal.js'
import type { Field, FieldContext } from './fields.js'

/**
 * One JSON array, an object per line or all in one; a missing cell is null. Written while it is made.
 * @param newline between the objects
 */
export async function printJson(
  rows: readonly ProcessRow[],
  fields: readonly Field[],
  context: FieldContext,
  stream: Writable,
  newline: '\n' | '',
): Promise<void> {
  const writer = new ChunkedWriter(stream)
  const keys = fields.map(({ name }, index) => `${index === 0 ? '{' : ','}${safeJson(name)}:`)
  let separator = `[${newline}`
  for (const row of rows) {
    // Not as an object for safeJson, which takes several times as long: of 10,000 rows as long as all else together.
    let text = separator
    for (let index = 0; index < fields.length; index++) {
      const value = fields[index]!.value(row, context)
      text +=
        keys[index]! + (typeof value === 'string' ? safeJson(value) : Number.isFinite(value) ? value : 'null')
    }
    const full = writer.write(`${text}}`)
    if (full !== undefined) await full
    separator = `,${newline}`
  }
  await writer.write(rows.length === 0 ? '[]\n' : `${newline}]\n`)
  await writer.flush()
}
