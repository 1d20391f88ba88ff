import { type Checks, LIMIT, NUMBER, oneOf, TEXT } from '../arguments.js'
import type { Severity } from '../rules/schema/rule.js'
import { identityKey, type ProcessIdentity } from '../table/identity.js'
import type { Alert, AlertState } from './alert.js'
import { type AlertSubject, subjectOf } from './alert_key.js'

/** Which alerts `engine.alerts()` gives; all that are kept unless told otherwise. */
export interface AlertQuery {
  readonly severity?: Severity | undefined
  /** Those that are pending are given only when they are asked for. */
  readonly state?: AlertState | undefined
  readonly rule?: string | undefined
  /** Also of groups with this process among the members that are named. */
  readonly pid?: number | undefined
  /** Of one life of that pid, as an identity has it. */
  readonly startTicks?: number | undefined
  /** At most so many, the newest. */
  readonly limit?: number | undefined
}

export function isWanted(alert: Alert, { severity, state, rule, pid, startTicks }: AlertQuery): boolean {
  return (
    (severity === undefined || alert.severity === severity) &&
    (state === undefined || alert.state === state) &&
    (rule === undefined || alert.rule === rule) &&
    (pid === undefined || isAbout(alert, pid, startTicks))
  )
}

function isAbout({ identity, group }: Alert, pid: number, startTicks: number | undefined): boolean {
  const isIt = (other: ProcessIdentity | undefined) =>
    other?.pid === pid && (startTicks === undefined || other.startTicks === startTicks)
  return isIt(identity) || group?.members.some((member) => isIt(member.identity)) === true
}

interface Firing {
  readonly alert: Alert
  /** Count of the alerts before it: where it lies in the ring, as long as it does. */
  readonly place: number
}

/** Nothing has to come that resolves these: a process that is gone, and not started again, is no more to be heard of. */
const LASTING: ReadonlySet<Alert['kind']> = new Set(['died', 'restart-failed'])
/** Of those so many are known to fire; past that the oldest are forgotten. */
const MOST_LASTING = 10_000

export const ALERT_CHECKS: Checks<AlertQuery> = {
  severity: oneOf(['info', 'warning', 'critical']),
  state: oneOf(['pending', 'firing', 'resolved']),
  rule: TEXT,
  pid: NUMBER,
  startTicks: NUMBER,
  limit: LIMIT,
}

/** The last alerts in a ring, and those that fire now by subject and cause, and by id. */
export class AlertBook {
  readonly #ring: Alert[] = []
  readonly #capacity: number
  #added = 0
  readonly #firing = new Map<string, Map<string, Firing>>()
  readonly #firingById = new Map<string, Firing>()
  /** Ids, oldest first. */
  readonly #lasting = new Set<string>()

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
    if (!LASTING.has(alert.kind)) return
    this.#lasting.add(alert.id)
    if (this.#lasting.size > MOST_LASTING) this.#forgetOldest()
  }

  firing(rule: string, kind: Alert['kind'], subject: AlertSubject): Alert | undefined {
    return this.#firing.get(subjectOf(subject))?.get(causeOf(rule, kind))?.alert
  }

  firingById(id: string): Alert | undefined {
    return this.#firingById.get(id)?.alert
  }

  /** Marks it resolved; undefined when it does not fire. */
  resolve(rule: string, kind: Alert['kind'], subject: AlertSubject, atMs: number): Alert | undefined {
    const found = this.#firing.get(subjectOf(subject))?.get(causeOf(rule, kind))
    if (found === undefined) return undefined
    this.#forget(found.alert)
    return this.#replace(found.alert, found.place, atMs)
  }

  /**
   * Resolves the breaches of a process that is gone, since nothing is left that could clear, and that it was not to be restarted:
   * only a restart that has ended it, and started nothing, is still to be told of.
   */
  resolveGone(pid: number, startTicks: number, atMs: number): Alert[] {
    const ofSubject = this.#firing.get(identityKey({ pid, startTicks }))
    if (ofSubject === undefined) return []
    const resolved: Alert[] = []
    for (const { alert } of [...ofSubject.values()]) {
      const isRefusal = alert.kind === 'restart-failed' && alert.severity !== 'critical'
      if (alert.kind !== 'breach' && !isRefusal) continue
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

  #forgetOldest(): void {
    const [id] = this.#lasting
    this.#forget(this.#firingById.get(id!)!.alert)
  }

  #forget(alert: Alert): void {
    const subject = subjectOf(alert)
    const ofSubject = this.#firing.get(subject)
    ofSubject?.delete(causeOf(alert.rule, alert.kind))
    if (ofSubject?.size === 0) this.#firing.delete(subject)
    this.#firingById.delete(alert.id)
    this.#lasting.delete(alert.id)
  }

  #replace(alert: Alert, place: number, resolvedAtMs: number): Alert {
    const resolved: Alert = { ...alert, state: 'resolved', resolvedAtMs }
    if (this.#added - place <= this.#capacity) this.#ring[place % this.#capacity] = resolved
    return resolved
  }
}

const causeOf = (rule: string, kind: Alert['kind']): string => `${kind}:${rule}`
