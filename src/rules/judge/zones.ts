import type { ColumnInterval } from '../compile/plan.js'
import type { Changes } from '../match/changes.js'
import type { Masks } from './evaluation.js'
import type { Cells } from './signals.js'

/** Least and greatest cell of a column among the live processes; of none, or where all are NaN: infinities the wrong way round. */
interface Zone {
  /** By word of slots. */
  readonly lows: Float64Array
  readonly highs: Float64Array
  low: number
  high: number
  isRead: boolean
}

/**
 * What the cells of each column lie between, read once per tick: most rules hold for nobody, and of these no cell has to be
 * compared. What is in a missing cell is no matter: it can only make a zone wider.
 */
export class Zones {
  readonly #changes: Changes
  readonly #masks: Masks
  /** By column id. */
  readonly #zones: (Zone | undefined)[] = []
  #cells: readonly Cells[] = []

  constructor(changes: Changes, masks: Masks) {
    this.#changes = changes
    this.#masks = masks
  }

  /** For another table. */
  begin(cells: readonly Cells[]): void {
    this.#cells = cells
    for (const zone of this.#zones) if (zone !== undefined) zone.isRead = false
  }

  /** Whether all clauses may hold for one process, by what their columns lie between. */
  mayHold(clauses: readonly ColumnInterval[]): boolean {
    for (const clause of clauses) {
      const { low, high } = this.#of(clause)
      if (!clause.outside && !(high >= clause.low && low <= clause.high)) return false
    }
    return true
  }

  /** As `mayHold`, of the processes in a word of slots; after it. */
  mayHoldIn(word: number, clauses: readonly ColumnInterval[]): boolean {
    for (let at = 0; at < clauses.length; at++) {
      const { column, low, high, outside } = clauses[at]!
      const { lows, highs } = this.#zones[column]!
      if (!outside && !(highs[word]! >= low && lows[word]! <= high)) return false
    }
    return true
  }

  #of({ column, isFloat }: ColumnInterval): Zone {
    let zone = this.#zones[column]
    if (zone === undefined) {
      const { words } = this.#changes
      zone = { lows: new Float64Array(words), highs: new Float64Array(words), low: 0, high: 0, isRead: false }
      this.#zones[column] = zone
    }
    if (!zone.isRead) {
      if (isFloat) readFloats(this.#cells[column] as Float64Array, this.#changes, zone)
      else readIntegers(this.#cells[column] as Int32Array, this.#changes, zone)
      zone.isRead = true
      this.#masks.rows += this.#changes.wordLimit * 32
    }
    return zone
  }
}

function readFloats(column: Float64Array, { live, wordLimit }: Changes, zone: Zone): void {
  zone.low = Number.POSITIVE_INFINITY
  zone.high = Number.NEGATIVE_INFINITY
  for (let word = 0; word < wordLimit; word++) {
    let low = Number.POSITIVE_INFINITY
    let high = Number.NEGATIVE_INFINITY
    for (let rest = live[word]!; rest !== 0; rest &= rest - 1) {
      const cell = column[(word << 5) + 31 - Math.clz32(rest & -rest)]!
      // Not Math.min: that of a NaN is NaN.
      if (cell < low) low = cell
      if (cell > high) high = cell
    }
    enter(zone, word, low, high)
  }
}

// Apart from the one for floats, so that neither loop sees more kinds of arrays than it must.
function readIntegers(column: Int32Array, { live, wordLimit }: Changes, zone: Zone): void {
  zone.low = Number.POSITIVE_INFINITY
  zone.high = Number.NEGATIVE_INFINITY
  for (let word = 0; word < wordLimit; word++) {
    let low = Number.POSITIVE_INFINITY
    let high = Number.NEGATIVE_INFINITY
    for (let rest = live[word]!; rest !== 0; rest &= rest - 1) {
      const cell = column[(word << 5) + 31 - Math.clz32(rest & -rest)]!
      if (cell < low) low = cell
      if (cell > high) high = cell
    }
    enter(zone, word, low, high)
  }
}

function enter(zone: Zone, word: number, low: number, high: number): void {
  zone.lows[word] = low
  zone.highs[word] = high
  if (low < zone.low) zone.low = low
  if (high > zone.high) zone.high = high
}
