import type { Writable } from 'node:stream'
import { ChunkedWriter } from './output.js'
import { type Colors, cellWidth, colorsFor, truncate, widthOf } from './terminal.js'

/** One column of a table for people. */
export interface TextColumn<T> {
  readonly heading: string
  readonly align: 'left' | 'right'
  /** Left out, the last one first, where the terminal is too narrow for all. */
  readonly isExtra?: boolean
  /** Control characters are escaped already. */
  text(row: T): string
}

/** An aligned table; on a terminal the last column is cut to its width, elsewhere nothing is. */
export async function printTable<T>(
  rows: readonly T[],
  columns: readonly TextColumn<T>[],
  out: { stream: Writable; width: number | undefined; colors: Colors } = toStdout(),
): Promise<void> {
  const writer = new ChunkedWriter(out.stream)
  let isHeading = true
  for (const line of tableLines(rows, columns, out.width)) {
    const full = writer.write(`${isHeading ? out.colors.bold(line) : line}\n`)
    if (full !== undefined) await full
    isHeading = false
  }
  await writer.flush()
}

/** Cells that the last column has at least, where the others leave fewer. */
const LAST_LEAST = 8

/**
 * The lines of an aligned table, its headings first. Where there is a width the last column is cut to it, and the line where
 * the others take more than that already.
 */
export function* tableLines<T>(
  rows: readonly T[],
  all: readonly TextColumn<T>[],
  width: number | undefined,
): Generator<string, void> {
  const columns = fittingColumns(rows, all, width)
  const cells = rows.map((row) => columns.map((column) => column.text(row)))
  const widths = columns.map((column, index) =>
    cells.reduce((widest, line) => Math.max(widest, cellWidth(line[index]!)), column.heading.length),
  )
  const line = (texts: readonly string[]): string => {
    let result = ''
    let used = 0
    for (const [index, text] of texts.entries()) {
      const isLast = index === texts.length - 1
      const room = isLast && width !== undefined ? Math.max(LAST_LEAST, width - used) : undefined
      const shown = room === undefined ? text : truncate(text, room)
      const padding = ' '.repeat(Math.max(0, widths[index]! - cellWidth(shown)))
      const padded = columns[index]!.align === 'right' ? padding + shown : isLast ? shown : shown + padding
      result += isLast ? padded : `${padded} `
      used += widths[index]! + 1
    }
    return width === undefined ? result : truncate(result, width)
  }
  yield line(columns.map((column) => column.heading))
  for (const texts of cells) yield line(texts)
}

function fittingColumns<T>(
  rows: readonly T[],
  columns: readonly TextColumn<T>[],
  width: number | undefined,
): readonly TextColumn<T>[] {
  if (width === undefined || !columns.some(({ isExtra }) => isExtra)) return columns
  const widthOfColumn = (column: TextColumn<T>): number =>
    rows.reduce((widest, row) => Math.max(widest, cellWidth(column.text(row))), column.heading.length) + 1
  const last = columns.at(-1)!
  const needOfLast =
    last.align === 'left' ? Math.min(widthOfColumn(last), LAST_LEAST + 1) : widthOfColumn(last)
  let needed = columns.slice(0, -1).reduce((sum, column) => sum + widthOfColumn(column), needOfLast - 1)
  const isKept = (column: TextColumn<T>): boolean => {
    if (!column.isExtra || needed <= width) return true
    needed -= widthOfColumn(column)
    return false
  }
  return columns.toReversed().filter(isKept).toReversed()
}

const toStdout = () => ({
  stream: process.stdout,
  width: widthOf(process.stdout),
  colors: colorsFor(process.stdout),
})
