import { type Checks, checkOptions, FLAG, MAP, NUMBER, refuse } from '../arguments.js'
import { cellWidth, truncate } from '../printable.js'
import { type Branch, itemsOf } from './fold.js'
import type { ThreadNames } from './threads.js'
import { ProcessTree } from './tree.js'

/** How `renderTree` draws. */
export interface RenderTreeOptions {
  /** Lines drawn with `|`, `` ` `` and `-` instead of box drawing characters. */
  readonly ascii?: boolean
  /** Shows pids and thread ids; nothing is folded then. */
  readonly pids?: boolean
  /** Shows these threads as `{name}`; see `readThreadNames`. */
  readonly threads?: ThreadNames
  /** Draws children that look the same, with all below them, once: `3*[name]`. On by default. */
  readonly fold?: boolean
  /** Cells of a line; what is longer is cut, with a `+` at the end. 132 by default, `Infinity` for all. */
  readonly width?: number
  /** Shows arguments, a line for each process: folds threads only. Takes a tree made with `commandLines`. */
  readonly commandLine?: boolean
}

interface Strokes {
  readonly single: string
  readonly first: string
  readonly branch: string
  readonly last: string
  readonly through: string
}

const ASCII: Strokes = { single: '---', first: '-+-', branch: '|-', last: '`-', through: '| ' }
const BOXES: Strokes = { single: '───', first: '─┬─', branch: '├─', last: '└─', through: '│ ' }

const DEFAULT_WIDTH = 132

interface Frame {
  readonly branches: readonly Branch[]
  next: number
  /** What stands before the stroke of every branch but the first. */
  readonly indent: string
  readonly indentCells: number
  /** Brackets to be closed behind whatever ends a line. */
  readonly brackets: number
}

const CHECKS: Checks<RenderTreeOptions> = {
  ascii: FLAG,
  pids: FLAG,
  threads: MAP,
  fold: FLAG,
  width: NUMBER,
  commandLine: FLAG,
}

/**
 * Draws a tree as pstree(1) does, names escaped for a terminal; a root begins at the left edge. Without a line break at the
 * end. Takes no stack, however deep the tree is.
 */
export function renderTree(tree: ProcessTree, options: RenderTreeOptions = {}): string {
  if (!(tree instanceof ProcessTree)) refuse('the tree', tree, 'one of processTree')
  checkOptions(options, CHECKS)
  const { ascii = false, pids = false, threads, fold = true, width = DEFAULT_WIDTH } = options
  const { commandLine = false } = options
  const strokes = ascii ? ASCII : BOXES
  const lines: string[] = []
  for (const item of itemsOf(tree, { pids, threads, fold, commandLine })) {
    drawRoot({ item, count: 1 }, strokes, { width, commandLine }, lines)
  }
  return lines.join('\n')
}

function drawRoot(
  root: Branch,
  strokes: Strokes,
  { width, commandLine }: { readonly width: number; readonly commandLine: boolean },
  lines: string[],
): void {
  const end = (line: string): void => {
    lines.push(width === Number.POSITIVE_INFINITY ? line : truncate(line, width, '+'))
  }
  let line = ''
  let cells = 0
  /** Ends the line after a label, unless its first child goes on with it; the frame of the children if they are drawn. */
  const label = (branch: Branch, indent: string, indentCells: number, outer: number): Frame | undefined => {
    const { item, count } = branch
    const text = count > 1 ? `${count}*[${item.label}` : item.label
    const brackets = count > 1 ? outer + 1 : outer
    const textCells = cellWidth(text)
    line += text
    cells += textCells
    if (commandLine || item.branches.length === 0) end(line + ']'.repeat(brackets))
    if (item.branches.length === 0) return undefined
    // No child would show: and what is deep below one is not worth its indentation.
    if (cells + strokes.first.length >= width) {
      if (!commandLine) end(`${line}${item.branches.length > 1 ? strokes.first : strokes.single}+`)
      return undefined
    }
    const pad = commandLine ? 2 : textCells + 1
    const frame = { branches: item.branches, next: 0, brackets }
    return { ...frame, indent: indent + ' '.repeat(pad), indentCells: indentCells + pad }
  }
  const top = label(root, '', 0, 0)
  const frames = top === undefined ? [] : [top]
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    if (frame.next === frame.branches.length) {
      frames.pop()
      continue
    }
    const isFirst = frame.next === 0
    const branch = frame.branches[frame.next++]!
    const isLast = frame.next === frame.branches.length
    if (isFirst && !commandLine) {
      line += isLast ? strokes.single : strokes.first
      cells += strokes.first.length
    } else {
      line = frame.indent + (isLast ? strokes.last : strokes.branch)
      cells = frame.indentCells + strokes.last.length
    }
    const below = label(
      branch,
      frame.indent + (isLast ? '  ' : strokes.through),
      frame.indentCells + strokes.through.length,
      frame.brackets,
    )
    if (below !== undefined) frames.push(below)
  }
}
