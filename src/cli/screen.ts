import type { WriteStream } from 'node:tty'
import { ChunkedWriter } from './output.js'
import { colorsFor, truncate, widthOf } from './terminal.js'

const LINES_OF_A_TERMINAL = 24 // of one that does not tell

/** Where a view is shown again and again: in place on a terminal, elsewhere one below the other. */
export class Screen {
  readonly #stream: WriteStream
  readonly #inPlace: boolean
  #isFirst = true

  constructor(stream: WriteStream = process.stdout) {
    this.#stream = stream
    this.#inPlace = stream.isTTY === true && process.env.TERM !== 'dumb'
  }

  /** Lines that there is room for. */
  get height(): number {
    // The last one stays empty: a line feed on it would scroll.
    return this.#inPlace ? Math.max(1, (this.#stream.rows || LINES_OF_A_TERMINAL) - 1) : Infinity
  }

  /** @param lines the first is a heading; escaped already */
  async show(lines: Iterable<string>): Promise<void> {
    const width = widthOf(this.#stream) ?? Infinity
    const { bold } = colorsFor(this.#stream)
    const writer = new ChunkedWriter(this.#stream)
    if (!this.#inPlace && !this.#isFirst) writer.write('\n')
    if (this.#inPlace) writer.write('\u001b[H')
    let shown = 0
    for (const line of lines) {
      if (shown === this.height) break
      // One that is wider would take two lines, and push the top off the screen.
      const text = this.#inPlace ? truncate(line, width) : line
      const full = writer.write(`${shown === 0 ? bold(text) : text}${this.#inPlace ? '\u001b[K' : ''}\n`)
      if (full !== undefined) await full
      shown++
    }
    if (this.#inPlace) writer.write('\u001b[J')
    await writer.flush()
    this.#isFirst = false
  }
}
