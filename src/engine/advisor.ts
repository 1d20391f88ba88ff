import type { Alarms, RaisedAlert } from '../alerts/alarms.js'
import { stuckFacts } from '../inspect/stuck.js'
import { stuckAdvice } from '../inspect/stuck_advice.js'
import { zombieAdvice } from '../inspect/zombie_advice.js'
import { findZombies, type ZombieGroup, zombieFacts } from '../inspect/zombies.js'
import type { ClauseValue } from '../journal/decision_records.js'
import { type Subject, subjectKey } from '../rules/subject.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { Table } from '../table/table.js'

/**
 * Raises alerts of breaches with advice where their rule is about a zombie or a process stuck in the kernel. What that takes is
 * read off the main thread, and such an alert waits for it, some milliseconds, or until its breach is over.
 */
export class Advisor {
  readonly #alarms: Pick<Alarms, 'raise'>
  readonly #held = new Map<string, RaisedAlert>()
  readonly #advising = new Set<Promise<void>>()
  #zombies: { readonly sequence: number; readonly groups: readonly ZombieGroup[] } | undefined

  constructor(alarms: Pick<Alarms, 'raise'>) {
    this.#alarms = alarms
  }

  raise(raised: RaisedAlert, table: Table): void {
    const state = stateAsked(raised.values)
    const { identity } = raised
    if (state === undefined || identity === undefined) {
      this.#alarms.raise(raised)
      return
    }
    const key = keyOf(raised.rule, { identity, group: undefined })
    this.#held.set(key, raised)
    const advice = state === 'Z' ? this.#aboutZombie(identity, table) : aboutStuck(identity)
    const advising = advice
      .catch(() => [])
      .then((lines) => {
        this.#advising.delete(advising)
        if (this.#held.get(key) !== raised) return
        this.#held.delete(key)
        this.#alarms.raise({ ...raised, advice: lines })
      })
    this.#advising.add(advising)
  }

  /** Resolves when all that was handed in so far has been raised. */
  get allRaised(): Promise<void> {
    return Promise.all(this.#advising).then(() => {})
  }

  /** Its breach is over: an alert that still waits is raised now, so that it can be resolved. */
  settle(rule: string, subject: Subject): void {
    if (this.#held.size > 0) this.#release(keyOf(rule, subject))
  }

  /** The process is gone. */
  settleGone(pid: number, startTicks: number): void {
    if (this.#held.size === 0) return
    for (const [key, { identity }] of this.#held)
      if (identity?.pid === pid && identity.startTicks === startTicks) this.#release(key)
  }

  close(): void {
    for (const key of [...this.#held.keys()]) this.#release(key)
  }

  #release(key: string): void {
    const raised = this.#held.get(key)
    if (raised === undefined) return
    this.#held.delete(key)
    this.#alarms.raise(raised)
  }

  async #aboutZombie(identity: ProcessIdentity, table: Table): Promise<string[]> {
    // Before the first await: later the table is another sample's.
    if (this.#zombies?.sequence !== table.sequence)
      this.#zombies = { sequence: table.sequence, groups: findZombies(table) }
    const isIts = (group: ZombieGroup) => group.zombies.some((zombie) => zombie.identity.pid === identity.pid)
    const group = this.#zombies.groups.find(isIts)
    return group === undefined ? [] : zombieAdvice(await zombieFacts(group))
  }
}

async function aboutStuck(identity: ProcessIdentity): Promise<string[]> {
  return stuckAdvice(await stuckFacts(identity))
}

/** The state that a condition found the process in, of those that there is advice about. */
export function stateAsked(clauses: readonly ClauseValue[]): 'Z' | 'D' | undefined {
  for (const { operand, truth, unit, op, value } of clauses) {
    if (truth !== true) continue
    const states =
      unit === 'state' && op === '==' && value !== undefined
        ? String.fromCharCode(value)
        : /^stateSeconds\(([A-Za-z]+)\)$/.exec(operand)?.[1]
    if (states === 'Z' || states === 'D') return states
  }
  return undefined
}

function keyOf(rule: string, subject: Subject): string {
  return `${subjectKey(subject)}:${rule}`
}
