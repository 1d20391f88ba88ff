import type { OptionalGroup, ProcessRow } from '../../public/table.js'
import { type Field, type FieldContext, fieldNamed } from '../ps/fields.js'
import { type Colors, cellWidth, escapeForTerminal, truncate } from '../terminal.js'

export const DEFAULT_FIELDS: readonly Field[] = [
  'pid',
  'user',
  'nice',
  'state',
  'threads',
  'rss',
  'cpu',
  'mem',
  'time',
  'command',
].map((word) => fieldNamed(word)!)

// As top and htop head them: full words take the room of the command line.
const HEADINGS: Readonly<Record<string, string>> = {
  nice: 'NI',
  state: 'S',
  threads: 'THR',
  priority: 'PRI',
  processor: 'CPU',
}
// Widths stay as they are while values change. A pid can have seven digits, and what is wider than usual is cut.
const WIDTHS: Readonly<Record<string, number>> = {
  pid: 7,
  ppid: 7,
  user: 8,
  nice: 3,
  state: 2,
  threads: 4,
  rssBytes: 5,
  vszBytes: 5,
  cpuPercent: 6,
  memoryPercent: 5,
  cpuTimeNs: 6,
  ageSeconds: 6,
  startedAtMs: 10,
  name: 15,
  exe: 24,
  cgroup: 24,
}
const USUAL_WIDTH = 7

const headingOf = ({ name, heading }: Field): string => HEADINGS[name] ?? heading
const columnWidth = (field: Field): number =>
  Math.max(headingOf(field).length, WIDTHS[field.name] ?? USUAL_WIDTH)

/** Whether people look for the largest values of a column first. */
export const isBestDescending = ({ name, align }: Field): boolean =>
  align === 'right' && !['pid', 'ppid', 'pgid', 'sid', 'nice', 'priority'].includes(name)

export const groupsOf = (fields: readonly Field[]): readonly OptionalGroup[] => [
  ...new Set(fields.flatMap(({ groups }) => groups)),
]

/** How rows are drawn. */
export interface Style {
  readonly width: number
  readonly colors: Colors
  /** Seen without colours too. */
  readonly inverse: (text: string) => string
  readonly ascii: boolean
}

const mark = ({ ascii }: Style): string => (ascii ? '~' : '…')

/** Cut or filled to exactly so many cells. */
export function fitTo(text: string, width: number, style: Style, align: 'left' | 'right' = 'left'): string {
  const shown = truncate(text, width, mark(style))
  const padding = ' '.repeat(Math.max(0, width - cellWidth(shown)))
  return align === 'right' ? padding + shown : shown + padding
}

/** The line above the rows; the column that they are sorted by stands out. */
export function headingLine(
  fields: readonly Field[],
  sort: Field,
  descending: boolean,
  style: Style,
): string {
  const arrow = style.ascii ? (descending ? 'v' : '^') : descending ? '▼' : '▲'
  const cells = fields.map((field, at) => {
    const text = field === sort ? headingOf(field) + arrow : headingOf(field)
    return at === fields.length - 1 ? text : fitTo(text, columnWidth(field), style, field.align)
  })
  return style.inverse(fitTo(cells.join(' '), style.width, style))
}

/** One process. `strokes` stand before its name in a tree. */
export function rowLine(
  row: ProcessRow,
  fields: readonly Field[],
  context: FieldContext,
  { isSelected, strokes, style }: { isSelected: boolean; strokes: string; style: Style },
): string {
  let line = ''
  let used = 0
  for (const [at, field] of fields.entries()) {
    const room = style.width - used
    if (room <= 0) break
    const isLast = at === fields.length - 1
    const width = isLast ? room : Math.min(room, columnWidth(field))
    const drawn = field.name === 'command' || field.name === 'name' ? strokes : ''
    const cell = fitTo(
      drawn + textOf(field, row, context, width),
      width,
      style,
      isLast ? 'left' : field.align,
    )
    line += isSelected ? cell : paint(field, row, cell, style.colors)
    used += width
    if (isLast || used >= style.width) continue
    line += ' '
    used += 1
  }
  return isSelected ? style.inverse(line) : line
}

function textOf(field: Field, row: ProcessRow, context: FieldContext, width: number): string {
  const { commandLine = '' } = field.name === 'command' ? row : {}
  if (commandLine.length <= width) return field.text(row, context)
  // It can be 128 KiB long, and is drawn again with every key.
  return escapeForTerminal(commandLine.slice(0, width + 1))
}

const BUSY_PERCENT = 50

function paint(field: Field, row: ProcessRow, cell: string, colors: Colors): string {
  switch (field.name) {
    case 'state':
      if (row.state === 'R') return colors.green(cell)
      return 'DZ'.includes(row.state) ? colors.red(cell) : cell
    case 'cpuPercent':
      return (row.cpuPercent ?? 0) >= BUSY_PERCENT ? colors.bold(cell) : cell
    case 'nice':
      return (row.nice ?? 0) < 0 ? colors.red(cell) : cell
    case 'command':
    case 'name':
      return row.isKernelThread ? colors.dim(cell) : cell
    default:
      return cell
  }
}
