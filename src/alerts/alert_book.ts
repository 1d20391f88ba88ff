import type { Alert, AlertState } from '../journal/records.js'
import type { Severity } from '../rules/schema/rule.js'
import { type AlertSubject, subjectOf } from './alert_key.js'

/** Which alerts `engine.alerts()` gives; all that are kept unless told otherwise. */
export interface AlertQuery {
  readonly severity?: Severity | undefined
  /** Those that are pending are given only when they are asked for. */
  readonly state?: AlertState | undefined
  readonly rule?: string | undefined
  /** Also of groups with this process among the members that are named. */
  readonly pid?: number | undefined
  /** At most so many, the newest. */
  readonly limit?: number | undefined
}

export function isWanted(alert: Alert, { severity, state, rule, pid }: AlertQuery): boolean {
  return (
    (severity === undefined || alert.severity === severity) &&
    (state === undefined || alert.state === state) &&
    (rule === undefined || alert.rule === rule) &&
    (pid === undefined || isAbout(alert, pid))
  )
}

function isAbout({ identity, group }: Alert, pid: number): boolean {
  return identity?.pid === pid || group?.members.some((member) => member.identity.pid === pid) === true
}

interface Firing {
  readonly alert: Alert
  /** Count of the alerts before it: where it lies in the ring, as long as it does. */
  readonly place: number
}

/** The last alerts in a ring, and those that fire now by subject and cause, and by id. */
export class AlertBook {
  readonly #ring: Alert[] = []
  readonly #capacity: number
  #added = 0
  readonly #firing = new Map<string, Map<string, Firing>>()
  readonly #firingById = new Map<string, Firing>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** Whether any alert fires; lets a tick skip the search when none does. */
  get anyFiring(): boolean {
    return this.#firing.size > 0
  }

  get allFiring(): Alert[] {
    return Array.from(this.#firingById.values(), ({ alert }) => alert)
  }

  /** An alert that fires already is brought up to date in its place. */
  add(alert: Alert): void {
    const subject = subjectOf(alert)
    const ofSubject = this.#firing.get(subject) ?? new Map<string, Firing>()
    const cause = causeOf(alert.rule, alert.kind)
    const before = ofSubject.get(cause)
    const stays = before !== undefined && this.#added - before.place <= this.#capacity
    const place = stays ? before.place : this.#added++
    this.#ring[place % this.#capacity] = alert
    if (alert.state !== 'firing') return
    ofSubject.set(cause, { alert, place })
    this.#firing.set(subject, ofSubject)
    this.#firingById.set(alert.id, { alert, place })
  }

  firing(rule: string, kind: Alert['kind'], subject: AlertSubject): Alert | undefined {
    return this.#firing.get(subjectOf(subject))?.get(causeOf(rule, kind))?.alert
  }

  firingById(id: string): Alert | undefined {
    return this.#firingById.get(id)?.alert
  }

  /** Marks it resolved; undefined when it does not fire. */
  resolve(rule: string, kind: Alert['kind'], subject: AlertSubject, atMs: number): Alert | undefined {
    const key = subjectOf(subject)
    const ofSubject = this.#firing.get(key)
    const cause = causeOf(rule, kind)
    const found = ofSubject?.get(cause)
    if (ofSubject === undefined || found === undefined) return undefined
    ofSubject.delete(cause)
    this.#firingById.delete(found.alert.id)
    if (ofSubject.size === 0) this.#firing.delete(key)
    return this.#replace(found.alert, found.place, atMs)
  }

  /** Resolves the breaches of a process that is gone: nothing is left that could clear. */
  resolveGone(pid: number, startTicks: number, atMs: number): Alert[] {
    const ofSubject = this.#firing.get(`${pid}:${startTicks}`)
    if (ofSubject === undefined) return []
    const resolved: Alert[] = []
    for (const { alert } of [...ofSubject.values()]) {
      if (alert.kind !== 'breach') continue
      const done = this.resolve(alert.rule, alert.kind, alert, atMs)
      if (done !== undefined) resolved.push(done)
    }
    return resolved
  }

  /** Newest first. */
  list(query: AlertQuery = {}): Alert[] {
    const { limit = this.#capacity } = query
    const found: Alert[] = []
    const oldest = Math.max(0, this.#added - this.#capacity)
    for (let place = this.#added - 1; place >= oldest && found.length < limit; place--) {
      const alert = this.#ring[place % this.#capacity]!
      if (isWanted(alert, query)) found.push(alert)
    }
    return found
  }

  #replace(alert: Alert, place: number, resolvedAtMs: number): Alert {
    const resolved: Alert = { ...alert, state: 'resolved', resolvedAtMs }
    if (this.#added - place <= this.#capacity) this.#ring[place % this.#capacity] = resolved
    return resolved
  }
}

const causeOf = (rule: string, kind: Alert['kind']): string => `${kind}:${rule}`
