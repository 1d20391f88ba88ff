import { readFile } from 'node:fs/promises'

const REFRESH_MS = 10_000

/** User names by uid, from passwd(5). A uid that is not there is asked for again later: users come and go. */
export class UserNames {
  readonly #path: string
  #names = new Map<number, string>()
  #loadedAtMs = Number.NEGATIVE_INFINITY
  #missed = false

  constructor(path = '/etc/passwd') {
    this.#path = path
  }

  /** The name, or the number as text. */
  get(uid: number): string {
    const name = this.#names.get(uid)
    if (name === undefined) this.#missed = true
    return name ?? String(uid)
  }

  async load(): Promise<void> {
    this.#loadedAtMs = performance.now()
    this.#missed = false
    const text = await readFile(this.#path, 'utf8').catch(() => '') // none in a bare container: numbers then
    this.#names = new Map()
    for (const line of text.split('\n')) {
      const [name, , uid] = line.split(':')
      if (name && uid && !this.#names.has(Number(uid))) this.#names.set(Number(uid), name)
    }
  }

  /** Reads the file again if a name was missed, at most every ten seconds. */
  async refresh(): Promise<void> {
    if (this.#missed && performance.now() - this.#loadedAtMs > REFRESH_MS) await this.load()
  }
}
