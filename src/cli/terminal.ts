import pc from 'picocolors'

export { escapeForTerminal, safeJson } from '../public/text.js'

export type Colors = ReturnType<typeof pc.createColors>

/** Colours for a terminal only; `NO_COLOR` (any value) and `TERM=dumb` turn them off. */
export function colorsFor(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): Colors {
  return pc.createColors(stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb')
}

/** Columns of the terminal; undefined where the output is not one, so that nothing is cut. */
export function widthOf(stream: { isTTY?: boolean; columns?: number }): number | undefined {
  return stream.isTTY === true && stream.columns ? stream.columns : undefined
}

// Blocks that terminals draw two cells wide (Unicode East Asian Width W and F, and emoji).
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u
const ONE_CELL_EACH = /^[\0-\u02ff]*$/
const ZERO_WIDTH = /\p{Mark}/u

function cellsOf(character: string): number {
  if (character < '\u0300') return 1
  if (ZERO_WIDTH.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

/** Cells that already escaped text takes on a terminal. */
export function cellWidth(text: string): number {
  if (ONE_CELL_EACH.test(text)) return text.length
  let cells = 0
  for (const character of text) cells += cellsOf(character)
  return cells
}

/** Cuts escaped text to at most `cells`, with `…` where something was left out. */
export function truncate(text: string, cells: number): string {
  if (text.length <= cells && cellWidth(text) <= cells) return text
  if (cells <= 0) return ''
  let kept = ''
  let used = 0
  for (const character of text) {
    const width = cellsOf(character)
    if (used + width > cells - 1) return `${kept}…`
    kept += character
    used += width
  }
  return kept
}
