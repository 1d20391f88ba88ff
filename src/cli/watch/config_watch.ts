import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/** Editors write a file in several steps, and put a new one in the place of the old. */
const SETTLE_MS = 200
/** Where the kernel tells of no changes: network file systems, a host that has no watches left. */
const POLL_MS = 3000

/** Notices that a file has changed, by a watch on its directory and by a look now and then. */
export class ConfigWatch implements Disposable {
  readonly #file: string
  readonly #onChange: () => void
  readonly #poll: NodeJS.Timeout
  #watcher: FSWatcher | undefined
  #settling: NodeJS.Timeout | undefined
  #seen: string | undefined
  #closed = false

  private constructor(file: string, seen: string | undefined, onChange: () => void) {
    this.#file = resolve(file)
    this.#onChange = onChange
    this.#seen = seen
    this.#poll = setInterval(() => void this.#look(), POLL_MS)
    try {
      // The directory: the file itself may be another tomorrow.
      this.#watcher = watch(dirname(this.#file), { persistent: false }, () => this.#soon())
      this.#watcher.on('error', () => this.#watcher?.close())
    } catch {
      // The look now and then remains.
    }
  }

  /** From the state on that the file has now. */
  static async open(file: string, onChange: () => void): Promise<ConfigWatch> {
    return new ConfigWatch(file, await versionOf(file), onChange)
  }

  [Symbol.dispose](): void {
    this.#closed = true
    this.#watcher?.close()
    clearInterval(this.#poll)
    clearTimeout(this.#settling)
  }

  /** Whatever happens in a directory where much is written, one look follows. */
  #soon(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined
      void this.#look()
    }, SETTLE_MS)
  }

  async #look(): Promise<void> {
    const version = await versionOf(this.#file)
    if (this.#closed || version === this.#seen) return
    this.#seen = version
    this.#onChange()
  }
}

/** Undefined while there is no such file. */
async function versionOf(file: string): Promise<string | undefined> {
  const found = await stat(file, { bigint: true }).catch(() => undefined)
  return found && `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`
}
