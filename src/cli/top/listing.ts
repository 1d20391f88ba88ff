import type { ProcessIdentity, Table } from '../../public/table.js'
import { escapeForTerminal } from '../terminal.js'
import type { Order } from './order.js'
import type { Chosen, Listing } from './state.js'

/** The rows of a sample as keys need them. */
export class TableListing implements Listing {
  readonly page: number
  readonly #table: Table
  readonly #order: Order

  constructor(table: Table, order: Order, page: number) {
    this.#table = table
    this.#order = order
    this.page = page
  }

  get size(): number {
    return this.#order.slots.length
  }

  identityAt(index: number): ProcessIdentity {
    return this.#rowAt(index).identity
  }

  chosenAt(index: number): Chosen {
    const { identity, name, user, nice } = this.#rowAt(index)
    return { identity, name: escapeForTerminal(name), user: escapeForTerminal(user ?? '-'), nice }
  }

  indexOf(identity: ProcessIdentity): number {
    const slot = this.#slotOf(identity)
    return slot === undefined ? -1 : Array.prototype.indexOf.call(this.#order.slots, slot)
  }

  isAlive(identity: ProcessIdentity): boolean {
    return this.#slotOf(identity) !== undefined
  }

  users(): readonly string[] {
    const { slots, columns } = this.#table
    const byUid = new Map<number, number>()
    for (const slot of slots) byUid.set(columns.uid[slot]!, slot)
    const names = new Set([...byUid.values()].flatMap((slot) => this.#table.at(slot).user ?? []))
    return [...names].sort()
  }

  #rowAt(index: number) {
    return this.#table.at(this.#order.slots[index]!)
  }

  /** Of that very process: its pid may be another's by now. */
  #slotOf({ pid, startTicks }: ProcessIdentity): number | undefined {
    const slot = this.#table.slotOf(pid)
    return slot !== undefined && this.#table.columns.startTicks[slot] === startTicks ? slot : undefined
  }
}
