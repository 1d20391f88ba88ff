import { NUMBER, refuse, TEXT } from './arguments.js'
import { ProcmusterError } from './errors.js'

// Controls (C0, DEL, C1), line separators, lone surrogates, and the marks that reorder or hide text: a process
// chooses its own name, and must not be able to move the cursor, forge a line, or swap what is read.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\u001b': '\\e' }

/** Writes control characters as `\n`, `\e`, `\x07`, `\u{202e}`; everything else stays as it is. */
export function escapeForTerminal(text: string): string {
  TEXT('the text', text)
  return text.replace(UNSAFE, (character) => {
    const short = SHORT[character]
    if (short) return short
    const code = character.codePointAt(0)!
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}

/**
 * JSON on one line that a terminal can show: what `escapeForTerminal` escapes is written as `\\uXXXX`.
 * @throws ProcmusterError `INVALID_ARGUMENT` for what JSON has nothing for: undefined, a function, a bigint, a circle of objects
 */
export function safeJson(value: unknown): string {
  return jsonOf(value).replace(UNSAFE, (mark) =>
    mark.replace(/./gs, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  )
}

function jsonOf(value: unknown): string {
  try {
    const json: string | undefined = JSON.stringify(value)
    if (json !== undefined) return json
  } catch (error) {
    // A row's, of a sample that is over.
    if (error instanceof ProcmusterError) throw error
  }
  return refuse('the value', value, 'one that JSON has: no undefined, function, bigint or circle of objects')
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
  TEXT('the text', text)
  if (ONE_CELL_EACH.test(text)) return text.length
  let cells = 0
  for (const character of text) cells += cellsOf(character)
  return cells
}

/** Cuts escaped text to at most `cells`, with `mark` (of one cell) where something was left out. */
export function truncate(text: string, cells: number, mark = '…'): string {
  NUMBER('the width', cells)
  TEXT('the mark', mark)
  TEXT('the text', text)
  if (text.length <= cells && cellWidth(text) <= cells) return text
  if (cells <= 0) return ''
  let kept = ''
  let used = 0
  for (const character of text) {
    const width = cellsOf(character)
    if (used + width > cells - 1) return kept + mark
    kept += character
    used += width
  }
  return kept
}
