import { randomBytes } from 'node:crypto'
import { ProcmusterError } from '../errors.js'
import type { JournalBody } from '../journal/records.js'
import { insteadOf } from '../spelling.js'
import type { Acknowledgement, Alert } from './alert.js'
import { AlertBook, type AlertQuery } from './alert_book.js'
import { type AlertSubject, alertKey } from './alert_key.js'
import { Silences } from './silences.js'

export type RaisedAlert = Pick<
  Alert,
  'rule' | 'severity' | 'kind' | 'identity' | 'group' | 'name' | 'values' | 'message' | 'exit' | 'advice'
>

interface AlarmOptions {
  readonly silences?: Silences
  /** Told of an alert that a silence has kept from the notifiers, and which outlasts it. */
  readonly onSilenceOver?: (alert: Alert) => void
  readonly now?: () => number
}

/**
 * An acknowledgement of an earlier run holds for so long after the start: what fires later is another breach. So does an alert, from
 * when it was raised last: others may have forgotten it by then.
 */
const EARLIER_HOLD_MS = 3_600_000

/** Raises and resolves alerts: into the book, the journal and the events. */
export class Alarms {
  /** Of this run, in the ids of what it makes. */
  readonly run = randomBytes(4).toString('hex')
  readonly #book: AlertBook
  readonly #note: (body: JournalBody) => void
  readonly #tell: (alert: Alert) => void
  readonly #silences: Silences
  readonly #onSilenceOver: (alert: Alert) => void
  readonly #now: () => number
  /** Alerts that an earlier run left firing, by what they are about. */
  readonly #earlier = new Map<string, Alert>()
  #earlierUntilMs = 0
  #count = 0

  constructor(
    capacity: number,
    note: (body: JournalBody) => void,
    tell: (alert: Alert) => void,
    options: AlarmOptions = {},
  ) {
    this.#book = new AlertBook(capacity)
    this.#note = note
    this.#tell = tell
    this.#silences = options.silences ?? new Silences()
    this.#onSilenceOver = options.onSilenceOver ?? (() => {})
    this.#now = options.now ?? Date.now
  }

  /** What an earlier run left firing; where it fires again it is the same, and its acknowledgement holds. */
  continueFrom(earlier: Iterable<Alert>): void {
    for (const alert of earlier) this.#earlier.set(alertKey(alert), alert)
    this.#earlierUntilMs = this.#now() + EARLIER_HOLD_MS
  }

  /** One that fires already for this rule, kind and subject is raised again, under the same id. */
  raise(raised: RaisedAlert): void {
    const lastAtMs = this.#now()
    const before = this.#book.firing(raised.rule, raised.kind, raised)
    const earlier = before === undefined ? this.#takeEarlier(raised, lastAtMs) : undefined
    const isSame = earlier !== undefined && lastAtMs - earlier.lastAtMs < EARLIER_HOLD_MS
    const unsilenced: Alert =
      before === undefined
        ? {
            // Property by property: V8 takes ten times as long for what is spread together.
            id: isSame ? earlier.id : `${this.run}-${++this.#count}`,
            rule: raised.rule,
            severity: raised.severity,
            kind: raised.kind,
            identity: raised.identity,
            group: raised.group,
            name: raised.name,
            values: raised.values,
            message: raised.message,
            exit: raised.exit,
            advice: raised.advice,
            state: 'firing',
            atMs: isSame ? earlier.atMs : lastAtMs,
            // As many as notifiers have heard of: those that know them need not be told twice.
            repeats: isSame ? earlier.repeats : 0,
            lastAtMs,
            acknowledged: earlier?.acknowledged,
          }
        : { ...before, ...raised, repeats: before.repeats + 1, lastAtMs }
    const alert = this.#withSilence(unsilenced, lastAtMs)
    this.#book.add(alert)
    this.#note({ type: 'alert', alert })
    this.#tell(alert)
  }

  resolve(rule: string, kind: Alert['kind'], subject: AlertSubject): void {
    const nowMs = this.#now()
    this.#resolved(this.#book.resolve(rule, kind, subject, nowMs), nowMs)
  }

  /** All that fires for a rule, of these kinds. */
  resolveOf(rule: string, kinds: readonly Alert['kind'][]): void {
    for (const alert of this.#book.allFiring) {
      if (alert.rule === rule && kinds.includes(alert.kind)) this.resolve(rule, alert.kind, alert)
    }
  }

  /** Nothing is left of the process that could clear a breach. */
  resolveGone(pid: number, startTicks: number): void {
    if (!this.#book.anyFiring) return
    const nowMs = this.#now()
    for (const alert of this.#book.resolveGone(pid, startTicks, nowMs)) this.#resolved(alert, nowMs)
  }

  isFiring(rule: string, kind: Alert['kind'], subject: AlertSubject): boolean {
    return this.#book.firing(rule, kind, subject) !== undefined
  }

  list(query?: AlertQuery): Alert[] {
    return this.#book.list(query)
  }

  /** @throws ProcmusterError `NOT_FOUND` when no alert with this id fires. */
  acknowledge(id: string, acknowledged: Acknowledgement): Alert {
    const firing = this.#book.firingById(id)
    if (firing !== undefined) {
      const alert: Alert = { ...firing, acknowledged }
      this.#book.add(alert)
      return alert
    }
    for (const [key, earlier] of this.#earlier) {
      if (earlier.id !== id) continue
      const alert: Alert = { ...earlier, acknowledged }
      this.#earlier.set(key, alert)
      return alert
    }
    const ids = this.#book.allFiring.map((alert) => alert.id)
    throw new ProcmusterError('NOT_FOUND', {
      message: `no alert ${JSON.stringify(id)} fires${insteadOf(id, ids)}`,
    })
  }

  /** Looks at all that fires anew: a silence has begun or ended. */
  silencesChanged(): void {
    const nowMs = this.#now()
    for (const before of this.#book.allFiring) {
      const alert = this.#withSilence(before, nowMs)
      if (alert.silencedBy === before.silencedBy) continue
      this.#book.add(alert)
      if (alert.silencedBy === undefined) this.#onSilenceOver(alert)
    }
  }

  #withSilence(alert: Alert, nowMs: number): Alert {
    const silencedBy = this.#silences.silencing(alert, nowMs)
    return silencedBy === alert.silencedBy ? alert : { ...alert, silencedBy }
  }

  #takeEarlier(raised: RaisedAlert, nowMs: number): Alert | undefined {
    if (this.#earlier.size === 0) return undefined
    const key = alertKey(raised)
    const earlier = this.#earlier.get(key)
    this.#earlier.delete(key)
    return nowMs > this.#earlierUntilMs ? undefined : earlier
  }

  #resolved(resolved: Alert | undefined, nowMs: number): void {
    if (resolved === undefined) return
    const alert = this.#withSilence(resolved, nowMs)
    this.#note({ type: 'alert-resolved', alert })
    this.#tell(alert)
  }
}
