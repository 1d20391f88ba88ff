import type { ExitEvent } from '../events/event.js'
import type { Table } from '../table/table.js'

/** Processes that no sample has seen, counted for whoever started them. */
export interface ShortLivedCount {
  /**
   * The nearest ancestor that lived long enough to be sampled. Undefined for all that are not counted apart: the parent was
   * not known, or had fewer of them than those that are kept.
   */
  readonly parent:
    | { readonly pid: number; readonly startTicks: number | undefined; readonly name: string | undefined }
    | undefined
  readonly count: number
  /** All of their CPU time; undefined when the source of events does not know it. */
  readonly cpuTimeNs: number | undefined
  /** Name and end of the last one, epoch milliseconds. As the kernel has it: hostile input. */
  readonly lastName: string | undefined
  readonly lastAtMs: number
}

type Exit = Pick<ExitEvent, 'pid' | 'startTicks' | 'ppid' | 'name' | 'atMs' | 'cpuTimeNs'>

interface Parent {
  readonly pid: number
  startTicks: number | undefined
  name: string | undefined
  count: number
  cpuTimeNs: number | undefined
  lastName: string | undefined
  lastAtMs: number
  /** A sample was looked into since it was first counted for. */
  looked: boolean
}

/** Exits kept until the next sample tells whether it has seen the process. */
const PENDING_LIMIT = 8192
const PARENT_LIMIT = 512

/**
 * Counts processes that were born and gone between two samples. A sample can have caught one in its last moment, so exits
 * wait for the next. A parent that was as short-lived itself (a shell that runs one command) hands its counts on to its
 * own, since it ends after the children that it waits for.
 */
export class ShortLived {
  #pending: { readonly exit: Exit; readonly wasSampled: boolean }[] = []
  /** Parents that live, by pid. */
  readonly #living = new Map<number, Parent>()
  #ended: Parent[] = []
  readonly #others = parentOf(0)
  #count = 0
  #cpuTimeNs: number | undefined

  /** All of them, whoever started them. */
  get total(): { readonly count: number; readonly cpuTimeNs: number | undefined } {
    return { count: this.#count, cpuTimeNs: this.#cpuTimeNs }
  }

  /** @param last the last sample, if there is one */
  exited(exit: Exit, last: Table | undefined): void {
    this.#pending.push({ exit, wasSampled: last !== undefined && isIn(last, exit) })
    // At an interval of hours the memory has to stay bounded: then the next sample is not waited for.
    if (this.#pending.length >= PENDING_LIMIT) this.#settle(undefined, last)
  }

  /** After each sample. */
  sampled(table: Table): void {
    this.#settle(table, table)
    const { pid, startTicks } = table.columns
    for (const slot of table.goneSlots) {
      if (this.#living.get(pid[slot]!)?.startTicks === startTicks[slot]) this.#end(pid[slot]!)
    }
    for (const parent of this.#living.values()) {
      if (parent.startTicks !== undefined || this.#identify(parent, table)) continue
      // Its end may have been lost, and its pid is somebody else's soon.
      if (parent.looked) this.#end(parent.pid)
      parent.looked = true
    }
    this.#bound()
  }

  /** Most CPU time first, then most processes; what is not counted apart comes last. */
  list(limit = Number.POSITIVE_INFINITY): ShortLivedCount[] {
    const parents = [...this.#living.values(), ...this.#ended].filter(({ count }) => count > 0).sort(byWeight)
    const others = { ...this.#others }
    for (const parent of parents.slice(limit)) add(others, parent)
    const counted = parents.slice(0, limit).map(({ pid, startTicks, name, ...parent }) => ({
      parent: { pid, startTicks, name },
      ...countOf(parent),
    }))
    return others.count === 0 ? counted : [...counted, { parent: undefined, ...countOf(others) }]
  }

  #settle(next: Table | undefined, names: Table | undefined): void {
    const pending = this.#pending
    this.#pending = []
    for (const { exit, wasSampled } of pending) {
      const own = this.#living.get(exit.pid)
      if (wasSampled || (next !== undefined && isIn(next, exit))) {
        if (own !== undefined) this.#end(exit.pid)
        continue
      }
      this.#count++
      this.#cpuTimeNs = sum(this.#cpuTimeNs, exit.cpuTimeNs)
      const parent = this.#parent(exit.ppid, names)
      if (own !== undefined && own !== parent) {
        this.#living.delete(exit.pid)
        add(parent, own)
      }
      add(parent, { count: 1, cpuTimeNs: exit.cpuTimeNs, lastName: exit.name, lastAtMs: exit.atMs })
    }
  }

  #parent(pid: number | undefined, table: Table | undefined): Parent {
    if (pid === undefined || pid === 0) return this.#others
    const known = this.#living.get(pid)
    if (known !== undefined) return known
    const parent = parentOf(pid)
    if (table !== undefined) this.#identify(parent, table)
    this.#living.set(pid, parent)
    return parent
  }

  #identify(parent: Parent, table: Table): boolean {
    const row = table.get(parent.pid)
    if (row === undefined) return false
    parent.startTicks = row.startTicks
    parent.name = row.name
    return true
  }

  #end(pid: number): void {
    const parent = this.#living.get(pid)!
    this.#living.delete(pid)
    if (parent.startTicks === undefined) add(this.#others, parent)
    else this.#ended.push(parent)
  }

  #bound(): void {
    if (this.#living.size + this.#ended.length <= PARENT_LIMIT) return
    const kept = new Set(
      [...this.#living.values(), ...this.#ended].sort(byWeight).slice(0, PARENT_LIMIT >>> 1),
    )
    for (const parent of [...this.#living.values(), ...this.#ended]) {
      if (!kept.has(parent)) add(this.#others, parent)
    }
    for (const [pid, parent] of this.#living) if (!kept.has(parent)) this.#living.delete(pid)
    this.#ended = this.#ended.filter((parent) => kept.has(parent))
  }
}

type Counts = Pick<Parent, 'count' | 'cpuTimeNs' | 'lastName' | 'lastAtMs'>

function add(to: Counts, { count, cpuTimeNs, lastName, lastAtMs }: Counts): void {
  to.count += count
  to.cpuTimeNs = sum(to.cpuTimeNs, cpuTimeNs)
  if (count === 0 || lastAtMs < to.lastAtMs) return
  to.lastName = lastName
  to.lastAtMs = lastAtMs
}

function countOf({ count, cpuTimeNs, lastName, lastAtMs }: Counts): Counts {
  return { count, cpuTimeNs, lastName, lastAtMs }
}

/** What is not known adds nothing, and does not make the rest unknown. */
function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : a + (b ?? 0)
}

function byWeight(a: Parent, b: Parent): number {
  return (b.cpuTimeNs ?? 0) - (a.cpuTimeNs ?? 0) || b.count - a.count
}

function parentOf(pid: number): Parent {
  return {
    ...{ pid, startTicks: undefined, name: undefined, looked: false },
    ...{ count: 0, cpuTimeNs: undefined, lastName: undefined, lastAtMs: 0 },
  }
}

function isIn(table: Table, { pid, startTicks }: Exit): boolean {
  const slot = table.slotOf(pid)
  return slot !== undefined && (startTicks === undefined || table.columns.startTicks[slot] === startTicks)
}
