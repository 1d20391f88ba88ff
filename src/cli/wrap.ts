import { stripVTControlCharacters } from 'node:util'
import { cellWidth } from './terminal.js'

/** Cells of escaped text, which our own colours take none of. */
const shownWidth = (text: string): number => cellWidth(stripVTControlCharacters(text))

/** A label and its escaped text in lines of at most `width` cells, set in below the text; a word that is longer stays whole. */
export function hanging(label: string, text: string, width: number | undefined): string[] {
  const whole = label + text
  if (width === undefined || shownWidth(whole) <= width) return [whole]
  const indent = ' '.repeat(shownWidth(label))
  const lines: string[] = []
  let line = label
  let isEmpty = true
  for (const word of text.split(' ')) {
    if (!isEmpty && shownWidth(line) + 1 + shownWidth(word) > width) {
      lines.push(line)
      line = indent
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return [...lines, line]
}

/** Escaped text in lines of at most `width` cells, set in from the second one on: what follows is told from it. */
export function setIn(text: string, indent: number, width: number | undefined): string[] {
  if (width === undefined || shownWidth(text) <= width) return [text]
  const own = indentOf(text)
  const lines = hanging(own, text.slice(own.length), width - indent)
  return lines.map((line, at) => (at === 0 ? line : ' '.repeat(indent) + line))
}

/** Begins what is set in from its second line on. */
const EXIT_CODES = 'Exit codes: '

const indentOf = (line: string): string => /^ */.exec(line)![0]

/** Help for that many columns; examples and files stay as they are, to be copied, and are written for 80. */
export function wrapHelp(text: string, width: number): string {
  const done: string[] = []
  let paragraph: string[] = []
  const endParagraph = () => {
    if (paragraph[0]?.startsWith(EXIT_CODES)) {
      done.push(...setIn(paragraph.map((line) => line.trim()).join(' '), 2, width))
      paragraph = []
      return
    }
    const isFitting = paragraph.every((line) => line.length <= width)
    const joined = paragraph.map((line) => line.trim()).join(' ')
    done.push(...(isFitting ? paragraph : hanging(indentOf(paragraph[0]!), joined, width)))
    paragraph = []
  }
  let isExample = false
  for (const line of text.split('\n')) {
    isExample = /^(Examples?|Configuration file\b.*):$/.test(line) || (isExample && line !== '')
    const [, label, rest] = /^( *\S.*? {2,})(\S.*)$/.exec(line) ?? []
    const isProse = !isExample && line !== '' && label === undefined
    const isOn = paragraph[0]?.startsWith(EXIT_CODES) || indentOf(line) === indentOf(paragraph[0] ?? line)
    if (!isProse || !isOn) endParagraph()
    if (isProse) paragraph.push(line)
    else if (isExample || label === undefined) done.push(line)
    else done.push(...hanging(label, rest!, width))
  }
  endParagraph()
  return done.join('\n')
}
