interface Key {
  readonly text: string
  slots: number
  /** When the last process that had it was gone. */
  idleSinceMs: number
}

/** A group whose last member is gone may still be spoken of, and may come back. */
const KEPT_MS = 3_600_000
const SWEPT_FROM = 1024

/** Texts as numbers, because workers know groups by number. An id never stands for two texts. */
export class KeyTable {
  readonly #ids = new Map<string, number>()
  readonly #keys = new Map<number, Key>()
  readonly #idOfSlot = new Map<number, number>()
  /** Of whom the slot's text is known, also that there is none. */
  readonly #generationOf = new Map<number, number>()
  #nextId = 1
  #sweepAt = SWEPT_FROM

  get size(): number {
    return this.#ids.size
  }

  /** The text of an id; undefined once nobody has had it for an hour. */
  keyOf(id: number): string | undefined {
    return this.#keys.get(id)?.text
  }

  /** The text of the process in the slot, null for none; undefined: not told yet. */
  textOf(slot: number, generation: number): string | null | undefined {
    if (this.#generationOf.get(slot) !== generation) return undefined
    return this.#keys.get(this.#idOfSlot.get(slot) ?? 0)?.text ?? null
  }

  /** The process in the slot has this text now, or none. */
  assign(slot: number, generation: number, text: string | undefined, nowMs: number): number {
    this.#generationOf.set(slot, generation)
    const before = this.#keys.get(this.#idOfSlot.get(slot) ?? 0)
    if (before !== undefined && --before.slots === 0) before.idleSinceMs = nowMs
    if (text === undefined) {
      this.#idOfSlot.delete(slot)
      return Number.NaN
    }
    const id = this.#idOf(text, nowMs)
    this.#idOfSlot.set(slot, id)
    this.#keys.get(id)!.slots++
    return id
  }

  #idOf(text: string, nowMs: number): number {
    const known = this.#ids.get(text)
    if (known !== undefined) return known
    if (this.#ids.size >= this.#sweepAt) this.#sweep(nowMs)
    const id = this.#nextId++
    this.#ids.set(text, id)
    this.#keys.set(id, { text, slots: 0, idleSinceMs: nowMs })
    return id
  }

  #sweep(nowMs: number): void {
    for (const [id, { text, slots, idleSinceMs }] of this.#keys) {
      if (slots > 0 || nowMs - idleSinceMs < KEPT_MS) continue
      this.#keys.delete(id)
      this.#ids.delete(text)
    }
    this.#sweepAt = Math.max(SWEPT_FROM, this.#ids.size * 2)
  }
}
