import type { Alert } from '../journal/records.js'
import type { Severity } from '../rules/schema/rule.js'
import type { ProcessIdentity } from '../table/identity.js'

/** Which alerts `engine.alerts()` gives; all that are kept unless told otherwise. */
export interface AlertQuery {
  readonly severity?: Severity | undefined
  /** At most so many, the newest. */
  readonly limit?: number | undefined
}

interface Firing {
  readonly alert: Alert
  /** Count of the alerts before it: where it lies in the ring, as long as it does. */
  readonly place: number
}

/** The last alerts in a ring, and those that fire now by process and cause. */
export class AlertBook {
  readonly #ring: Alert[] = []
  readonly #capacity: number
  #added = 0
  /** By pid, since that is what the death of a process is first known by. */
  readonly #firing = new Map<number, Map<string, Firing>>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** Whether any alert fires; lets a tick skip the search when none does. */
  get anyFiring(): boolean {
    return this.#firing.size > 0
  }

  /** An alert that fires already is brought up to date in its place. */
  add(alert: Alert): void {
    const ofPid = this.#firing.get(alert.identity.pid) ?? new Map<string, Firing>()
    const key = firingKey(alert.rule, alert.kind, alert.identity)
    const before = ofPid.get(key)
    const stays = before !== undefined && this.#added - before.place <= this.#capacity
    const place = stays ? before.place : this.#added++
    this.#ring[place % this.#capacity] = alert
    if (alert.state !== 'firing') return
    ofPid.set(key, { alert, place })
    this.#firing.set(alert.identity.pid, ofPid)
  }

  firing(rule: string, kind: Alert['kind'], identity: ProcessIdentity): Alert | undefined {
    return this.#firing.get(identity.pid)?.get(firingKey(rule, kind, identity))?.alert
  }

  /** Marks it resolved; undefined when it does not fire. */
  resolve(rule: string, kind: Alert['kind'], identity: ProcessIdentity, atMs: number): Alert | undefined {
    const ofPid = this.#firing.get(identity.pid)
    const key = firingKey(rule, kind, identity)
    const found = ofPid?.get(key)
    if (ofPid === undefined || found === undefined) return undefined
    ofPid.delete(key)
    if (ofPid.size === 0) this.#firing.delete(identity.pid)
    return this.#replace(found.alert, found.place, atMs)
  }

  /** Resolves the breaches of a process that is gone: nothing is left that could clear. */
  resolveGone(pid: number, startTicks: number, atMs: number): Alert[] {
    const ofPid = this.#firing.get(pid)
    if (ofPid === undefined) return []
    const resolved: Alert[] = []
    for (const { alert } of [...ofPid.values()]) {
      if (alert.kind !== 'breach' || alert.identity.startTicks !== startTicks) continue
      const done = this.resolve(alert.rule, alert.kind, alert.identity, atMs)
      if (done !== undefined) resolved.push(done)
    }
    return resolved
  }

  /** Newest first. */
  list({ severity, limit = this.#capacity }: AlertQuery = {}): Alert[] {
    const found: Alert[] = []
    const oldest = Math.max(0, this.#added - this.#capacity)
    for (let place = this.#added - 1; place >= oldest && found.length < limit; place--) {
      const alert = this.#ring[place % this.#capacity]!
      if (severity === undefined || alert.severity === severity) found.push(alert)
    }
    return found
  }

  #replace(alert: Alert, place: number, resolvedAtMs: number): Alert {
    const resolved: Alert = { ...alert, state: 'resolved', resolvedAtMs }
    if (this.#added - place <= this.#capacity) this.#ring[place % this.#capacity] = resolved
    return resolved
  }
}

function firingKey(rule: string, kind: Alert['kind'], identity: ProcessIdentity): string {
  return `${kind}:${identity.startTicks}:${rule}`
}
