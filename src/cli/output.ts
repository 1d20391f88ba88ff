import type { Writable } from 'node:stream'
import { getSystemErrorMap } from 'node:util'

/**
 * Ends the process quietly when the reader of stdout goes away (`muster ps | head`), as every pipe-minded
 * program does. 141 is what a shell shows for SIGPIPE. What else cannot be written, as to a full disk, is told.
 */
export function endQuietlyOnBrokenPipe(
  streams: readonly Writable[],
  end: () => void,
  fail: (why: string) => void,
): void {
  for (const stream of streams) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      const { code, errno } = error
      if (code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED') end()
      else if (errno === undefined) throw error
      else fail(`${getSystemErrorMap().get(errno)?.[1] ?? 'error'} (${code})`)
    })
  }
}

const CHUNK_CHARACTERS = 1 << 16

/** Joins many short texts into writes of some 64 KiB and waits for a slow reader. */
export class ChunkedWriter {
  readonly #stream: Writable
  #pending: string[] = []
  #length = 0
  #draining: Promise<void> | undefined

  constructor(stream: Writable) {
    this.#stream = stream
  }

  /** Resolves at once unless a chunk is full and the reader is behind. */
  write(text: string): Promise<void> | undefined {
    this.#pending.push(text)
    this.#length += text.length
    return this.#length >= CHUNK_CHARACTERS ? this.flush() : undefined
  }

  /** While the reader is behind nothing more is handed over, so that what waits here stays a chunk or two. */
  flush(): Promise<void> | undefined {
    if (this.#draining !== undefined) return this.#draining.then(() => this.flush())
    if (this.#length === 0) return undefined
    const chunk = this.#pending.join('')
    this.#pending = []
    this.#length = 0
    if (this.#stream.write(chunk)) return undefined
    this.#draining = new Promise((resolve) => {
      // 'close' too: after EPIPE no 'drain' ever comes.
      const done = (): void => {
        this.#stream.off('drain', done)
        this.#stream.off('close', done)
        this.#draining = undefined
        resolve()
      }
      this.#stream.once('drain', done)
      this.#stream.once('close', done)
    })
    return this.#draining
  }
}
