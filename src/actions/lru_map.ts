import { forgetOldest } from '../forget_oldest.js'

/** A map that forgets what was used longest ago once it holds a fifth more than its limit. */
export class LruMap<V> {
  readonly #limit: number
  /** In order of use. */
  readonly #entries = new Map<string, V>()

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): V | undefined {
    const value = this.#entries.get(key)
    if (value !== undefined) {
      this.#entries.delete(key)
      this.#entries.set(key, value)
    }
    return value
  }

  set(key: string, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    forgetOldest(this.#entries, this.#limit)
  }

  /** The value of the key, made when there is none. */
  ensure(key: string, make: () => V): V {
    const found = this.get(key)
    if (found !== undefined) return found
    const made = make()
    this.set(key, made)
    return made
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }

  values(): IterableIterator<V> {
    return this.#entries.values()
  }
}
