import { ProcmusterError } from '../../errors.js'

const space = /\s*/y

/** Takes a text apart from left to right and knows where it is; blanks are passed over. */
export class Reader {
  /** Where the next piece begins. */
  at = 0

  constructor(readonly text: string) {
    this.#skipSpace()
  }

  get atEnd(): boolean {
    return this.at === this.text.length
  }

  /** The piece that a sticky pattern finds here, or undefined. */
  take(pattern: RegExp): string | undefined {
    const piece = this.peek(pattern)
    if (piece !== undefined) this.moveTo(this.at + piece.length)
    return piece
  }

  peek(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at
    return pattern.exec(this.text)?.[0]
  }

  moveTo(position: number): void {
    this.at = position
    this.#skipSpace()
  }

  /** An error about what begins at a position; here unless given. */
  error(reason: string, position = this.at): ProcmusterError {
    const where = position >= this.text.length ? 'at the end' : `at character ${position + 1}`
    return new ProcmusterError('INVALID_ARGUMENT', {
      message: `condition ${JSON.stringify(this.text)}, ${where}: ${reason}`,
    })
  }

  #skipSpace(): void {
    space.lastIndex = this.at
    space.exec(this.text)
    this.at = space.lastIndex
  }
}
