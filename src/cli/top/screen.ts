import { emitKeypressEvents, type Interface, type Key } from 'node:readline'
import type { ReadStream, WriteStream } from 'node:tty'

// The other screen, no cursor, lines cut at the edge, pastes told from typing.
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[?2004h\u001b[H\u001b[2J'
const LEAVE = '\u001b[0m\u001b[?2004l\u001b[?7h\u001b[?25h\u001b[?1049l'
/** What follows an ESC within this time belongs to it: the keys of a terminal that is far away come in pieces. */
const ESCAPE_MS = 25

/** The whole terminal: keys from it, lines onto it. It is left as it was found, also when the process ends by an exception. */
export class Screen implements Disposable {
  readonly #input: ReadStream
  readonly #output: WriteStream
  readonly #onKey: (text: string | undefined, key: Key) => void
  readonly #onResize: () => void
  readonly #leave = (): void => this.leave()
  #painted: readonly string[] = []
  #isEntered = false
  #isPasting = false

  constructor(
    { input, output }: { readonly input: ReadStream; readonly output: WriteStream },
    { onKey, onResize }: { onKey(key: string, isPasted: boolean): void; onResize(): void },
  ) {
    this.#input = input
    this.#output = output
    this.#onKey = (text, key) => {
      if (key.name === 'paste-start' || key.name === 'paste-end') this.#isPasting = key.name === 'paste-start'
      else onKey(keyName(text, key), this.#isPasting)
    }
    this.#onResize = () => {
      // The terminal has moved what it showed, each its own way.
      this.repaint()
      onResize()
    }
    emitKeypressEvents(input, { escapeCodeTimeout: ESCAPE_MS } as unknown as Interface)
    process.on('exit', this.#leave)
    // Before the message of the failure is printed, which would be lost with this screen.
    process.prependListener('uncaughtException', this.#leave)
    process.prependListener('unhandledRejection', this.#leave)
  }

  get size(): { readonly columns: number; readonly rows: number } {
    return { columns: this.#output.columns || 80, rows: this.#output.rows || 24 }
  }

  enter(): void {
    this.#isEntered = true
    this.#painted = []
    // First: in the background the kernel stops us here, before anything is written.
    this.#input.setRawMode(true).resume()
    this.#output.write(ENTER)
    this.#output.on('resize', this.#onResize)
    this.#input.on('keypress', this.#onKey)
  }

  leave(): void {
    if (!this.#isEntered) return
    this.#isEntered = false
    this.#output.off('resize', this.#onResize)
    this.#input.off('keypress', this.#onKey)
    this.#input.setRawMode(false).pause()
    this.#output.write(LEAVE)
  }

  /** Forgets what is on the screen. */
  repaint(): void {
    this.#painted = []
    if (this.#isEntered) this.#output.write('\u001b[2J')
  }

  /** Writes the lines that are others than before. */
  paint(lines: readonly string[]): void {
    if (!this.#isEntered) return
    let text = ''
    for (let row = 0; row < Math.max(lines.length, this.#painted.length); row++) {
      const line = lines[row] ?? ''
      // Cleared before: after a line of full width the cursor stands on its last cell.
      if (line !== this.#painted[row]) text += `\u001b[${row + 1};1H\u001b[K${line}\u001b[0m`
    }
    this.#painted = lines
    if (text !== '') this.#output.write(text)
  }

  [Symbol.dispose](): void {
    this.leave()
    process.off('exit', this.#leave)
    process.off('uncaughtException', this.#leave)
    process.off('unhandledRejection', this.#leave)
  }
}

/** A character as it is; else the name, `ctrl-c` with what was held. */
function keyName(text: string | undefined, { name, ctrl, meta }: Key): string {
  if (ctrl && name !== undefined) return `ctrl-${name}`
  if (meta && name !== 'escape') return `alt-${name ?? text}`
  if (name === 'enter') return 'return'
  const isCharacter = text !== undefined && /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]$/u.test(text) && text !== ' '
  return isCharacter ? text : (name ?? '')
}
