import type { SystemStats } from '../../public/system.js'
import type { Table } from '../../public/table.js'
import type { FieldContext } from '../ps/fields.js'
import { shortBytes } from '../quantities.js'
import { cellWidth, escapeForTerminal, truncate } from '../terminal.js'
import { quoted } from '../values.js'
import { extent, sparkline } from './bars.js'
import { fitTo, headingLine, rowLine, type Style } from './columns.js'
import type { Parts } from './frame.js'
import { headerLines } from './header.js'
import type { Course } from './history.js'
import type { Order } from './order.js'
import { type Action, type Dialog, nameOf, type State } from './state.js'

interface Size {
  readonly columns: number
  readonly rows: number
}

const SMALLEST: Size = { columns: 60, rows: 10 }
const FOOTER_ROWS = 3
const LIST_WIDTH = 26

/** What one sample has to show. */
interface Scene {
  readonly table: Table
  readonly stats: SystemStats
  readonly order: Order
  readonly context: FieldContext
  /** Of the process that the cursor is on. */
  readonly course: Course | undefined
}

/** What is said instead where there is no room for more. */
export function tooSmall({ columns, rows }: Size): string | undefined {
  if (columns >= SMALLEST.columns && rows >= SMALLEST.rows) return undefined
  return `muster top needs ${SMALLEST.columns}x${SMALLEST.rows}, this is ${columns}x${rows}`.slice(0, columns)
}

/** Lines of the host above the rows. */
const headerRows = ({ rows }: Size): number => Math.min(3 + 8, Math.max(4, Math.floor(rows / 4)))

/** How many rows are seen at once, given the lines that the host takes. */
export const pageOf = (size: Size, header: number): number =>
  Math.max(1, size.rows - header - 1 - FOOTER_ROWS)

export const headerOf = (stats: SystemStats, size: Size, style: Style): string[] =>
  headerLines(stats, headerRows(size), style)

export function partsOf(
  state: State,
  scene: Scene,
  header: readonly string[],
  size: Size,
  style: Style,
): Parts {
  const { dialog } = state
  const page = pageOf(size, header.length)
  const height = page + 1
  const footer = [...courseLines(state, scene, style), ...bottomLines(state, scene, style)].slice(
    -FOOTER_ROWS,
  )
  if (dialog?.kind === 'pane')
    return { header, list: [], rows: paneLines(dialog, page, style), height, footer }
  const list = dialog?.kind === 'list' ? listLines(dialog, page, { ...style, width: LIST_WIDTH }) : []
  const rowStyle = list.length > 0 ? { ...style, width: style.width - LIST_WIDTH - 1 } : style
  return { header, list, rows: rowLines(state, scene, page, rowStyle), height, footer }
}

function rowLines(state: State, { table, order, context }: Scene, page: number, style: Style): string[] {
  const { view, fields, top, at } = state
  const lines = [headingLine(fields, view.sort, view.descending, style)]
  for (let index = top; index < Math.min(order.slots.length, top + page); index++) {
    const strokes = order.strokesAt?.(index) ?? ''
    const isSelected = index === at
    lines.push(rowLine(table.at(order.slots[index]!), fields, context, { isSelected, strokes, style }))
  }
  return lines
}

function listLines(dialog: Extract<Dialog, { kind: 'list' }>, page: number, style: Style): string[] {
  const { title, items, at, typed } = dialog
  const top = Math.max(0, Math.min(at - Math.floor(page / 2), items.length - page))
  const lines = items.slice(top, top + page).map(({ label, isNow }, index) => {
    const line = fitTo(`${isNow ? '*' : ' '}${label}`, style.width, style)
    return top + index === at ? style.inverse(line) : line
  })
  return [
    style.colors.bold(fitTo(typed === '' ? `${title}:` : `${title}: ${typed}`, style.width, style)),
    ...lines,
    ...Array<string>(page - lines.length).fill(' '.repeat(style.width)),
  ]
}

function paneLines(
  { title, lines, top }: Extract<Dialog, { kind: 'pane' }>,
  page: number,
  style: Style,
): string[] {
  const more = lines.length > page ? ` (line ${top + 1} of ${lines.length})` : ''
  return [
    style.inverse(fitTo(title + more, style.width, style)),
    ...lines.slice(top, top + page).map((line) => fitTo(line, style.width, style)),
  ]
}

/** What the process under the cursor has used over the last ticks. */
function courseLines(state: State, { table, order, course }: Scene, style: Style): string[] {
  const slot = order.slots[state.at]
  if (slot === undefined || course === undefined) return ['', '']
  const row = table.at(slot)
  const percent = (value: number): string => `${value.toFixed(1)}%`
  const line = (
    what: string,
    values: Float32Array,
    now: number | undefined,
    write: typeof percent,
    zero: boolean,
  ) => {
    const bounds = extent(values)
    const [low, high] = bounds ?? [0, 0]
    const words =
      now === undefined || bounds === undefined
        ? `${what} -`
        : `${what} ${write(now).padStart(6)}  ${write(low)} to ${write(high)}`
    const label = fitTo(words, 36, style)
    const room = Math.max(0, style.width - 37)
    const seen = values.subarray(Math.max(0, values.length - room))
    return fitTo(`${label} ${sparkline(seen, zero ? 0 : low, high, style.ascii)}`, style.width, style)
  }
  const pid = String(row.pid)
  return [
    line(`${pid} CPU`, course.cpuPercent, row.cpuPercent, percent, true),
    line(`${' '.repeat(pid.length)} RSS`, course.rssBytes, row.rssBytes, shortBytes, false),
  ]
}

const HINTS = ['? help', '/ filter', 's sort', 't tree', 'k signal', 'r nice', 'l limit', 'i look', 'q quit']
const MORE_HINTS = HINTS.toSpliced(4, 0, 'u user', 'c columns')

const hintsFor = (width: number): string =>
  [MORE_HINTS, HINTS].map((hints) => hints.join('  ')).find((hints) => hints.length <= width) ??
  '? help  q quit'

function bottomLines(state: State, { order, table }: Scene, style: Style): string[] {
  const { dialog, told, view } = state
  const line = (text: string): string[] => [fitTo(text, style.width, style)]
  const whole = (text: string): string[] =>
    wrapped(text, style.width).map((each) => fitTo(each, style.width, style))
  if (told !== undefined) return whole(told).map(style.colors.bold)
  switch (dialog?.kind) {
    case 'filter':
      return line(
        `Filter: ${escapeForTerminal(view.filter)}_   ${order.slots.length} of ${table.size}  Enter keep, Esc all`,
      ).map(style.inverse)
    case 'list':
      return line(`${keysOf(dialog)}  Esc close`).map(style.inverse)
    case 'prompt':
      return whole(`${questionOf(dialog)} ${dialog.text}_`).map(style.inverse)
    case 'confirm':
      return whole(`${wordsOf(dialog.action)} ${nameOf(dialog.target)}? y/n`).map(style.inverse)
    case 'pane':
      return line('Up Down PgUp PgDn move  Esc close').map(style.inverse)
  }
  const holds = [
    ...(state.frozen ? ['HELD, H goes on'] : []),
    ...(view.filter === '' ? [] : [`filter ${quoted(view.filter)} (Esc: all)`]),
    ...(view.user === undefined ? [] : [`user ${escapeForTerminal(view.user)}`]),
    ...(view.filter === '' && view.user === undefined ? [] : [`${order.slots.length} of ${table.size}`]),
  ]
  return line([...holds, hintsFor(holds.length === 0 ? style.width : 0)].join('  '))
}

/** At blanks where there are some: what is told, and what is asked, has to be seen to its end. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  let rest = text
  while (cellWidth(rest) > width) {
    const head = truncate(rest, width, '')
    const blank = head.lastIndexOf(' ')
    const end = blank > 0 ? blank : head.length
    lines.push(rest.slice(0, end))
    rest = rest.slice(end).trimStart()
  }
  return [...lines, rest]
}

const keysOf = ({ purpose, target }: Extract<Dialog, { kind: 'list' }>): string =>
  purpose === 'columns'
    ? 'Enter shows a column, or takes it away; type to find'
    : target === undefined
      ? 'Enter takes it; type to find'
      : `to ${nameOf(target)}  Enter takes it; type to find`

const questionOf = ({ purpose, target }: Extract<Dialog, { kind: 'prompt' }>): string =>
  purpose === 'nice'
    ? `Nice value of ${nameOf(target)}, now ${target.nice ?? '-'}, -20 to 19:`
    : `Limit of ${nameOf(target)}, such as nofile=4096:8192:`

/** Ends with the preposition that the process follows. */
function wordsOf(action: Action): string {
  switch (action.kind) {
    case 'signal':
      return `Send ${action.signal} to`
    case 'nice':
      return `Set nice ${action.nice} of`
    case 'limit':
      return `Set limit ${action.text} of`
  }
}
