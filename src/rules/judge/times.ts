/** What a rule remembers of a subject that it is waiting for, or that it has fired for. */
export const TIME = { since: 0, fired: 1, clear: 2 } as const
const TIMES = 3

const ENTRY_BYTES = 8 + TIMES * 8
const HEAD_BYTES = 64
const LEAST_ENTRIES = 1024
/** Fuller tables make long ways. */
const MOST_LOAD = 0.6

/**
 * Times by rule and subject, for those alone that have any: a hash table with open addressing in shared memory. Nothing is taken
 * out; what is over is left behind when the table is renewed.
 */
export class Times {
  readonly buffer: SharedArrayBuffer
  readonly #used: Int32Array
  readonly #keys: Int32Array
  readonly #times: Float64Array
  readonly #entries: number

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(HEAD_BYTES + LEAST_ENTRIES * ENTRY_BYTES)) {
    this.buffer = buffer
    this.#entries = (buffer.byteLength - HEAD_BYTES) / ENTRY_BYTES
    this.#used = new Int32Array(buffer, 0, 1)
    this.#times = new Float64Array(buffer, HEAD_BYTES, this.#entries * TIMES)
    this.#keys = new Int32Array(buffer, HEAD_BYTES + this.#entries * TIMES * 8, this.#entries * 2)
  }

  get bytes(): number {
    return this.buffer.byteLength
  }

  /** Whether so many more fit in. */
  hasRoom(more: number): boolean {
    return this.#used[0]! + more <= this.#entries * MOST_LOAD
  }

  /**
   * A table with room for so many more.
   * @param placeOf a rule's place in it; -1 for what is over
   */
  renewed(more: number, placeOf: (rule: number, subject: number) => number): Times {
    let lasting = 0
    for (let entry = 0; entry < this.#entries; entry++) {
      const rule = this.#keys[entry * 2]! - 1
      if (rule >= 0 && placeOf(rule, this.#keys[entry * 2 + 1]!) >= 0) lasting++
    }
    let entries = LEAST_ENTRIES
    while (lasting + more > (entries * MOST_LOAD) / 2) entries *= 2
    const times = new Times(new SharedArrayBuffer(HEAD_BYTES + entries * ENTRY_BYTES))
    for (let entry = 0; entry < this.#entries; entry++) {
      const rule = this.#keys[entry * 2]! - 1
      const subject = this.#keys[entry * 2 + 1]!
      const place = rule < 0 ? -1 : placeOf(rule, subject)
      if (place < 0) continue
      const at = times.#place(place, subject)
      times.#times.set(this.#times.subarray(entry * TIMES, (entry + 1) * TIMES), at)
    }
    return times
  }

  /** NaN when there is none. */
  get(rule: number, subject: number, which: number): number {
    const entry = this.#find(rule, subject)
    return this.#keys[entry * 2] === 0 ? Number.NaN : this.#times[entry * TIMES + which]!
  }

  set(rule: number, subject: number, which: number, timeMs: number): void {
    this.#times[this.#place(rule, subject) + which] = timeMs
  }

  /** Where the times of a subject are, which has an entry afterwards. */
  #place(rule: number, subject: number): number {
    const entry = this.#find(rule, subject)
    if (this.#keys[entry * 2] === 0) {
      this.#times.fill(Number.NaN, entry * TIMES, (entry + 1) * TIMES)
      this.#keys[entry * 2 + 1] = subject
      this.#keys[entry * 2] = rule + 1
      this.#used[0]!++
    }
    return entry * TIMES
  }

  #find(rule: number, subject: number): number {
    const mask = this.#entries - 1
    const hash = Math.imul(Math.imul(rule + 1, 0x9e37_79b1) ^ subject, 0x85eb_ca6b)
    let entry = (hash ^ (hash >>> 15)) & mask
    for (;;) {
      const key = this.#keys[entry * 2]!
      if (key === 0 || (key === rule + 1 && this.#keys[entry * 2 + 1] === subject)) return entry
      entry = (entry + 1) & mask
    }
  }
}
