import { LIMIT_BOUNDS } from '../rules/schema/limits.js'
import { identityKey, type ProcessIdentity } from '../table/identity.js'
import type { Suspension } from './governor_types.js'
import { LruMap } from './lru_map.js'

/** A process, as those are told who read of it. */
export interface Who {
  readonly identity: ProcessIdentity
  readonly name: string
}

/** Tries of one rule in a row that brought no relief. */
interface Unrelieved {
  count: number
  /** When the first of them was judged. */
  sinceMs: number
}

/** A process and those that took its place, as one: what was done to them, and what came of it. */
export interface Lineage {
  who: Who
  /** When it was restarted, or is being, oldest first, at most `KEPT_RESTARTS`. */
  restarts: number[]
  /** Attempts since it last kept quiet for the success period, also those that were refused. */
  attempts: number
  lastEndedMs: number
  gaveUp: Suspension | undefined
  readonly unrelieved: Map<string, Unrelieved>
}

/** The most that `flapMax` may be. */
const KEPT_RESTARTS = LIMIT_BOUNDS.flap[1]

/** Lineages by their living member; what is not heard of is forgotten, longest ago first. */
export class Lineages {
  readonly #byMember: LruMap<Lineage>

  constructor(limit: number) {
    this.#byMember = new LruMap(limit)
  }

  get size(): number {
    return this.#byMember.size
  }

  get all(): Iterable<Lineage> {
    return this.#byMember.values()
  }

  get(identity: ProcessIdentity): Lineage | undefined {
    return this.#byMember.get(identityKey(identity))
  }

  began(who: Who, atMs: number): Lineage {
    const lineage = this.#byMember.ensure(identityKey(who.identity), () => ({
      ...{ who, restarts: [], attempts: 0, gaveUp: undefined },
      ...{ lastEndedMs: Number.NEGATIVE_INFINITY, unrelieved: new Map() },
    }))
    lineage.restarts.push(atMs)
    if (lineage.restarts.length > KEPT_RESTARTS) lineage.restarts.shift()
    return lineage
  }

  /** The successor inherits all of it. */
  succeeded(old: ProcessIdentity, successor: ProcessIdentity): void {
    const lineage = this.#byMember.get(identityKey(old))
    if (lineage === undefined) return
    this.#byMember.delete(identityKey(old))
    lineage.who = { identity: successor, name: lineage.who.name }
    this.#byMember.set(identityKey(successor), lineage)
  }

  /** As of `RestartLog`. */
  shift(ms: number): void {
    for (const lineage of this.#byMember.values()) {
      lineage.restarts = lineage.restarts.map((atMs) => atMs + ms)
      lineage.lastEndedMs += ms
      for (const unrelieved of lineage.unrelieved.values()) unrelieved.sinceMs += ms
    }
  }

  clear(): void {
    this.#byMember.clear()
  }
}

/** Restarts of a lineage that lie within the window, seen from now. */
export function flapsWithin({ restarts }: Lineage, windowMs: number, nowMs: number): number {
  return restarts.reduce((count, atMs) => count + (atMs > nowMs - windowMs ? 1 : 0), 0)
}

/** It begins anew: nothing of its past holds it up. */
export function pardon(lineage: Lineage): void {
  lineage.restarts = []
  lineage.attempts = 0
  lineage.gaveUp = undefined
  lineage.unrelieved.clear()
}
