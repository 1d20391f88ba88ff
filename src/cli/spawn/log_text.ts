import { escapeForTerminal } from '../terminal.js'

// Colours and line ends stay; what else a program writes could rule the terminal, or hide what it wrote before.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const KEPT = /\x1b\[[0-9;:]*m|\r?\n|\t/
const BETWEEN = new RegExp(`(${KEPT.source})`)
/** The beginning of such a sequence, whose rest is still to come. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const UNFINISHED = /(?:\x1b(?:\[[0-9;:]{0,64})?|\r)$/

const RESET = '\x1b[0m'

/** A log as a terminal may see it, piece by piece. */
export class LogText {
  readonly #decoder = new TextDecoder()
  #held = ''
  #hasColours = false

  /** What of it can be shown by now. */
  next(bytes: Uint8Array): string {
    const text = this.#held + this.#decoder.decode(bytes, { stream: true })
    this.#held = UNFINISHED.exec(text)?.[0] ?? ''
    return this.#shown(text.slice(0, text.length - this.#held.length))
  }

  /** What was held back, when no more comes. */
  rest(): string {
    return this.#shown(this.#held + this.#decoder.decode()) + (this.#hasColours ? RESET : '')
  }

  #shown(text: string): string {
    return text
      .split(BETWEEN)
      .map((part, index) => {
        if (index % 2 === 0 || isHiding(part)) return escapeForTerminal(part)
        this.#hasColours ||= part.startsWith('\x1b')
        return part
      })
      .join('')
  }
}

/** Whether a sequence of colours conceals what follows: 8, but for that of a colour, as in `38;5;8`. */
function isHiding(sequence: string): boolean {
  if (!sequence.startsWith('\x1b[')) return false
  const numbers = sequence.slice(2, -1).split(/[;:]/).map(Number)
  for (let at = 0; at < numbers.length; at++) {
    const isColour = [38, 48, 58].includes(numbers[at]!)
    if (isColour) at += numbers[at + 1] === 5 ? 2 : 4
    else if (numbers[at] === 8) return true
  }
  return false
}
