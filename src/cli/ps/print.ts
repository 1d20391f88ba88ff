import type { Writable } from 'node:stream'
import type { ProcessRow } from '../../public/table.js'
import { ChunkedWriter } from '../output.js'
import { type Colors, cellWidth, safeJson, truncate } from '../terminal.js'
import type { Field, FieldContext } from './fields.js'

/** An aligned table; on a terminal the last column is cut to its width, elsewhere nothing is. */
export async function printTable(
  rows: readonly ProcessRow[],
  fields: readonly Field[],
  context: FieldContext,
  out: { stream: Writable; width: number | undefined; colors: Colors },
): Promise<void> {
  const cells = rows.map((row) => fields.map((field) => field.text(row, context)))
  const widths = fields.map((field, index) =>
    cells.reduce((widest, line) => Math.max(widest, cellWidth(line[index]!)), field.heading.length),
  )
  const writer = new ChunkedWriter(out.stream)
  const line = (texts: readonly string[]): string => {
    let result = ''
    let used = 0
    for (const [index, text] of texts.entries()) {
      const isLast = index === texts.length - 1
      const room = isLast && out.width !== undefined ? Math.max(8, out.width - used) : undefined
      const shown = room === undefined ? text : truncate(text, room)
      const padding = ' '.repeat(Math.max(0, widths[index]! - cellWidth(shown)))
      const padded = fields[index]!.align === 'right' ? padding + shown : isLast ? shown : shown + padding
      result += isLast ? padded : `${padded} `
      used += widths[index]! + 1
    }
    return result
  }
  await writer.write(`${out.colors.bold(line(fields.map((field) => field.heading)))}\n`)
  for (const texts of cells) {
    const full = writer.write(`${line(texts)}\n`)
    if (full !== undefined) await full
  }
  await writer.flush()
}

/** One JSON array, an object per line; a missing cell is null. Written while it is made. */
export async function printJson(
  rows: readonly ProcessRow[],
  fields: readonly Field[],
  context: FieldContext,
  stream: Writable,
): Promise<void> {
  const writer = new ChunkedWriter(stream)
  const keys = fields.map(({ name }, index) => `${index === 0 ? '{' : ','}${safeJson(name)}:`)
  let separator = '[\n'
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
    separator = ',\n'
  }
  await writer.write(rows.length === 0 ? '[]\n' : '\n]\n')
  await writer.flush()
}
