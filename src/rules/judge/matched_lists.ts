import type { Changes } from '../match/changes.js'
import type { Series } from './series.js'
import type { ShardState } from './state.js'

interface List {
  /** As it was at that version of what is matched; -1: at none. */
  version: number
  slots: Int32Array | undefined
  /** The version at the last look. */
  seen: number
  order: Order | undefined
}

/** The same slots as a series lists them, and their places in its list. */
interface Order {
  readonly series: Series
  readonly version: number
  readonly slots: Int32Array
  readonly places: Int32Array
}

/**
 * Slots that rules are about, for rules about few of them: reading those costs less than looking through all words. A thread makes
 * the lists again when the state has another version than its own, be it by this thread or another.
 */
export class MatchedLists {
  readonly #state: ShardState
  readonly #lists: (List | undefined)[]

  constructor(state: ShardState) {
    this.#state = state
    this.#lists = new Array(state.ruleCount)
  }

  /** Ascending; undefined when the rule is about many, or about others than at the last tick. */
  slots(changes: Changes, local: number): Int32Array | undefined {
    const version = this.#state.matchedVersion[local]!
    let list = this.#lists[local]
    if (list === undefined) {
      list = { version: -1, slots: undefined, seen: -1, order: undefined }
      this.#lists[local] = list
    }
    if (this.#isTouched(changes, local)) return undefined
    if (list.version === version) return list.slots
    // What changes with every tick is not worth a list.
    if (list.seen === version) {
      list.slots = this.#list(local)
      list.version = version
      list.order = undefined
    }
    list.seen = version
    return list.version === version ? list.slots : undefined
  }

  /** Slots that are listed and all followed by the series, in the order in which their samples lie. */
  inOrder(local: number, series: Series): Order {
    const list = this.#lists[local]!
    const { order } = list
    const { version } = series
    if (order?.series === series && order.version === version) return order
    const { matched, words } = this.#state
    const places: number[] = []
    const all = series.slots()
    for (let place = 0; place < all.length; place++) {
      const slot = all[place]!
      if (((matched[local * words + (slot >>> 5)]! >>> (slot & 31)) & 1) === 1) places.push(place)
    }
    list.order = {
      series,
      version,
      slots: Int32Array.from(places, (place) => all[place]!),
      places: Int32Array.from(places),
    }
    return list.order
  }

  #isTouched({ touched, touchedWords, touchedCount, matched }: Changes, local: number): boolean {
    const base = local * this.#state.words
    for (let at = 0; at < touchedCount; at++) {
      const word = touchedWords[at]!
      if (((this.#state.matched[base + word]! | matched[base + word]!) & touched[word]!) !== 0) return true
    }
    return false
  }

  #list(local: number): Int32Array | undefined {
    const { matched, words } = this.#state
    const slots = new Int32Array(words)
    let count = 0
    for (let word = 0; word < words; word++) {
      for (let rest = matched[local * words + word]!; rest !== 0; rest &= rest - 1) {
        // No more than the words themselves.
        if (count === words) return undefined
        slots[count++] = (word << 5) + 31 - Math.clz32(rest & -rest)
      }
    }
    return slots.slice(0, count)
  }
}
