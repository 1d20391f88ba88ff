import { readLocalUsers } from '../system/local_users.js'

const REFRESH_MS = 10_000

/** User names by uid. A uid that has none is asked for again later: users come and go. */
export class UserNames {
  #names: ReadonlyMap<number, string> = new Map()
  #loadedAtMs = Number.NEGATIVE_INFINITY
  #missed = false

  /** The name, or the number as text. */
  get(uid: number): string {
    const name = this.#names.get(uid)
    if (name === undefined) this.#missed = true
    return name ?? String(uid)
  }

  async load(): Promise<void> {
    this.#loadedAtMs = performance.now()
    this.#missed = false
    this.#names = (await readLocalUsers()).nameOf
  }

  /** Reads the file again if a name was missed, at most every ten seconds. */
  async refresh(): Promise<void> {
    if (this.#missed && performance.now() - this.#loadedAtMs > REFRESH_MS) await this.load()
  }
}
