import { LruMap } from '../actions/lru_map.js'
import { readProcessFacts } from '../inspect/process_facts.js'
import type { GroupKind } from '../rules/language/ast.js'
import { textsOf } from '../rules/match/process_texts.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { Table } from '../table/table.js'

/** More than live on any host that is watched. */
const KEPT_KEYS = 262_144

/** What processes have in common, as one text: read once per life. Those of whom it cannot be known are one group. */
export class GroupKeys {
  readonly #procRoot: string
  readonly #keys = new LruMap<string>(KEPT_KEYS)
  readonly #reading = new Map<string, Promise<void>>()

  constructor(procRoot: string) {
    this.#procRoot = procRoot
  }

  /** Undefined when the process is gone. */
  async of(kind: GroupKind, identity: ProcessIdentity, table: Table): Promise<string | undefined> {
    const slot = slotOf(identity, table)
    if (slot === undefined) return undefined
    const known = this.#known(kind, slot, table)
    if (known !== undefined) return known
    await this.#read(kind, [identity]).catch(() => {})
    return this.#keys.get(placeOf(kind, identity)) ?? `${kind}:`
  }

  /**
   * The processes in these slots by group, as `pid:startTicks`.
   * @returns undefined while the group of some has yet to be read, which this begins
   */
  members(slots: Uint32Array, kind: GroupKind, table: Table): Map<string, Set<string>> | undefined {
    const { pid, startTicks } = table.columns
    const unread: ProcessIdentity[] = []
    const found = new Map<string, Set<string>>()
    for (const slot of slots) {
      const key = this.#known(kind, slot, table)
      if (key === undefined) {
        unread.push({ pid: pid[slot]!, startTicks: startTicks[slot]!, settled: true })
        continue
      }
      const members = found.get(key) ?? new Set()
      found.set(key, members.add(`${pid[slot]}:${startTicks[slot]}`))
    }
    if (unread.length === 0) return found
    // What cannot be read now is asked for again with the next sample.
    this.#read(kind, unread).catch(() => {})
    return undefined
  }

  #known(kind: GroupKind, slot: number, table: Table): string | undefined {
    const { uid, pid, startTicks } = table.columns
    // The only one that can change in a life, and costs nothing.
    if (kind === 'user') return `user:${uid[slot]}`
    if (kind === 'all' || kind === 'subtree') return `${kind}:`
    return this.#keys.get(placeOf(kind, { pid: pid[slot]!, startTicks: startTicks[slot]! }))
  }

  /** Resolves when all of them have been read, whoever began it. */
  async #read(kind: GroupKind, identities: readonly ProcessIdentity[]): Promise<void> {
    const underWay = identities.flatMap((identity) => this.#reading.get(placeOf(kind, identity)) ?? [])
    const wanted = identities.filter((identity) => !this.#reading.has(placeOf(kind, identity)))
    if (wanted.length > 0) {
      const read = this.#readNow(kind, wanted).finally(() => {
        for (const identity of wanted) this.#reading.delete(placeOf(kind, identity))
      })
      for (const identity of wanted) this.#reading.set(placeOf(kind, identity), read)
      underWay.push(read)
    }
    await Promise.all(underWay)
  }

  async #readNow(kind: GroupKind, identities: readonly ProcessIdentity[]): Promise<void> {
    const fact = kind as 'unit' | 'cgroup' | 'container' | 'program'
    const read = await readProcessFacts(identities, { procRoot: this.#procRoot })
    for (const [at, facts] of read.entries()) {
      // It took too long: asked for again.
      if (facts === undefined) continue
      const text = textsOf(facts, new Set([fact]))[fact]
      this.#keys.set(placeOf(kind, identities[at]!), `${kind}:${text ?? ''}`)
    }
  }
}

function slotOf({ pid, startTicks }: ProcessIdentity, table: Table): number | undefined {
  const slot = table.slotOf(pid)
  return slot !== undefined && table.columns.startTicks[slot] === startTicks ? slot : undefined
}

const placeOf = (kind: GroupKind, { pid, startTicks }: Pick<ProcessIdentity, 'pid' | 'startTicks'>): string =>
  `${kind}\n${pid}:${startTicks}`
