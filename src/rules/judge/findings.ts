import { NAME_BYTES } from '../../table/columns.js'

/** What a decision is; numbers, because decisions travel from the workers as such. */
export const kind = { fire: 0, clear: 1 } as const
/** Why a breach ended; the names are those of `Decision.cause`. */
export const cause = { condition: 0, gone: 1, unmatched: 2, removed: 3, ended: 4 } as const
/**
 * Steps of a subject's state, entered by `commitEdges`. `pause`: the time since the last tick does not count; `skip`: the part of it
 * that nobody saw.
 */
export const edge = {
  activate: 0,
  drop: 1,
  clear: 2,
  fire: 3,
  pause: 4,
  skip: 5,
  restamp: 6,
  beginClear: 7,
  endClear: 8,
  pauseClear: 9,
  skipClear: 10,
} as const
const EDGES = 16

const RETAINED = 1 << 16

/** What judging a shard found; grows as needed and is used again for the next tick. */
export class Findings {
  /** Pairs: slot, rule * 16 + edge. */
  edges = new Int32Array(1024)
  edgeLength = 0
  numbers = new Float64Array(1024)
  numberLength = 0
  /** NAME_BYTES of each process named, as the kernel has them. */
  names = new Uint8Array(1024 * NAME_BYTES)
  nameLength = 0
  fires = 0
  /** Decisions of the rule that is being judged, not written yet. */
  readonly pending: { slot: number; what: number; why: number; sinceMs: number }[] = []
  /** Steps that need a place for their times. */
  activations = 0

  reset(): void {
    this.edgeLength = 0
    this.numberLength = 0
    this.nameLength = 0
    this.fires = 0
    this.pending.length = 0
    this.activations = 0
    // A storm of alerts passes; its memory should not stay.
    if (this.edges.length > RETAINED) this.edges = new Int32Array(1024)
    if (this.numbers.length > RETAINED) this.numbers = new Float64Array(1024)
    if (this.names.length > RETAINED * NAME_BYTES) this.names = new Uint8Array(1024 * NAME_BYTES)
  }

  edge(slot: number, rule: number, step: number): void {
    if (this.edgeLength + 2 > this.edges.length) {
      const wider = new Int32Array(this.edges.length * 2)
      wider.set(this.edges)
      this.edges = wider
    }
    this.edges[this.edgeLength++] = slot
    this.edges[this.edgeLength++] = rule * EDGES + step
  }

  eachEdge(visit: (slot: number, rule: number, step: number) => void): void {
    for (let at = 0; at < this.edgeLength; at += 2) {
      const step = this.edges[at + 1]!
      visit(this.edges[at]!, Math.floor(step / EDGES), step % EDGES)
    }
  }

  number(value: number): void {
    if (this.numberLength === this.numbers.length) {
      const wider = new Float64Array(this.numbers.length * 2)
      wider.set(this.numbers)
      this.numbers = wider
    }
    this.numbers[this.numberLength++] = value
  }

  name(names: Uint8Array, slot: number): void {
    if (this.nameLength + NAME_BYTES > this.names.length) {
      const wider = new Uint8Array(this.names.length * 2)
      wider.set(this.names)
      this.names = wider
    }
    const start = slot * NAME_BYTES
    for (let byte = 0; byte < NAME_BYTES; byte++) this.names[this.nameLength + byte] = names[start + byte]!
    this.nameLength += NAME_BYTES
  }
}
