import { escapeForTerminal } from '../terminal.js'

// Colours and line ends stay; what else a program writes could rule the terminal, or hide what it wrote before.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const KEPT = /\x1b\[[0-9;:]*m|\r?\n|\t/
const BETWEEN = new RegExp(`(${KEPT.source})`)
/** The beginning of such a sequence, whose rest is still to come. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const UNFINISHED = /(?:\x1b(?:\[[0-9;:]{0,64})?|\r)$/

/** A log as a terminal may see it, piece by piece. */
export class LogText {
  readonly #decoder = new TextDecoder()
  #held = ''

  /** What of it can be shown by now. */
  next(bytes: Uint8Array): string {
    const text = this.#held + this.#decoder.decode(bytes, { stream: true })
    this.#held = UNFINISHED.exec(text)?.[0] ?? ''
    return shown(text.slice(0, text.length - this.#held.length))
  }

  /** What was held back, when no more comes. */
  rest(): string {
    return shown(this.#held + this.#decoder.decode())
  }
}

function shown(text: string): string {
  return text
    .split(BETWEEN)
    .map((part, index) => (index % 2 === 1 ? part : escapeForTerminal(part)))
    .join('')
}
