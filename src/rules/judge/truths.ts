import type { Truth } from '../compile/plan.js'
import type { Signals } from './signals.js'
import { TREND } from './trends.js'

/** In this order `and` is the least, `or` the greatest of its parts, and `not` turns the order around (Kleene's logic). */
export const NO = 0
export const UNKNOWN = 1
export const YES = 2

/** Tells of many processes or groups at once whether something holds. */
export class Truths {
  readonly signals: Signals
  readonly #vectors: Uint8Array[] = []
  #depth = 0

  constructor(signals: Signals) {
    this.signals = signals
  }

  read(truth: Truth, slots: Int32Array, count: number, into: Uint8Array): void {
    switch (truth.kind) {
      case 'and':
      case 'or':
        this.#readParts(truth, slots, count, into)
        break
      case 'not':
        this.read(truth.part, slots, count, into)
        for (let at = 0; at < count; at++) into[at] = YES - into[at]!
        break
      case 'interval':
        this.#readInterval(truth, slots, count, into)
        break
      case 'compare':
        this.#readComparison(truth, slots, count, into)
        break
      case 'leak': {
        const values = this.signals.take(count)
        this.signals.readKept(truth.series, TREND.leak, slots, count, values)
        for (let at = 0; at < count; at++) into[at] = values[at] === 1 ? YES : values[at] === 0 ? NO : UNKNOWN
        this.signals.release()
      }
    }
  }

  /** After a read was broken off. */
  reset(): void {
    this.#depth = 0
    this.signals.reset()
  }

  take(count: number): Uint8Array {
    const known = this.#vectors[this.#depth]
    if (known !== undefined && known.length >= count) {
      this.#depth++
      return known
    }
    const vector = new Uint8Array(Math.max(64, 2 ** Math.ceil(Math.log2(count + 1))))
    this.#vectors[this.#depth++] = vector
    return vector
  }

  release(): void {
    this.#depth--
  }

  #readParts(
    { kind, parts }: Extract<Truth, { kind: 'and' | 'or' }>,
    slots: Int32Array,
    count: number,
    into: Uint8Array,
  ): void {
    this.read(parts[0]!, slots, count, into)
    const other = this.take(count)
    for (let part = 1; part < parts.length; part++) {
      this.read(parts[part]!, slots, count, other)
      if (kind === 'and') {
        for (let at = 0; at < count; at++) if (other[at]! < into[at]!) into[at] = other[at]!
      } else {
        for (let at = 0; at < count; at++) if (other[at]! > into[at]!) into[at] = other[at]!
      }
    }
    this.release()
  }

  #readInterval(
    { of, low, high, outside }: Extract<Truth, { kind: 'interval' }>,
    slots: Int32Array,
    count: number,
    into: Uint8Array,
  ): void {
    const values = this.signals.take(count)
    this.signals.read(of, slots, count, values)
    const inside = outside ? NO : YES
    for (let at = 0; at < count; at++) {
      const value = values[at]!
      into[at] = value >= low && value <= high ? inside : Number.isNaN(value) ? UNKNOWN : YES - inside
    }
    this.signals.release()
  }

  #readComparison(
    { op, left, right }: Extract<Truth, { kind: 'compare' }>,
    slots: Int32Array,
    count: number,
    into: Uint8Array,
  ): void {
    const a = this.signals.take(count)
    const b = this.signals.take(count)
    this.signals.read(left, slots, count, a)
    this.signals.read(right, slots, count, b)
    for (let at = 0; at < count; at++) {
      const x = a[at]!
      const y = b[at]!
      if (Number.isNaN(x) || Number.isNaN(y)) into[at] = UNKNOWN
      else into[at] = (op === '>' ? x > y : op === '>=' ? x >= y : op === '==' ? x === y : x !== y) ? YES : NO
    }
    this.signals.release(2)
  }
}
