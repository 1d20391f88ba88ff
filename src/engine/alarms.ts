import { randomBytes } from 'node:crypto'
import type { Alert, JournalBody } from '../journal/records.js'
import type { ProcessIdentity } from '../table/identity.js'
import { AlertBook, type AlertQuery } from './alert_book.js'

export type RaisedAlert = Pick<
  Alert,
  'rule' | 'severity' | 'kind' | 'identity' | 'name' | 'values' | 'message' | 'exit' | 'advice'
>

/** Raises and resolves alerts: into the book, the journal and the events. */
export class Alarms {
  readonly #book: AlertBook
  readonly #note: (body: JournalBody) => void
  readonly #tell: (alert: Alert) => void
  readonly #run = randomBytes(4).toString('hex')
  #count = 0

  constructor(capacity: number, note: (body: JournalBody) => void, tell: (alert: Alert) => void) {
    this.#book = new AlertBook(capacity)
    this.#note = note
    this.#tell = tell
  }

  /** One that fires already for this rule, kind and process is raised again, under the same id. */
  raise(raised: RaisedAlert): void {
    const lastAtMs = Date.now()
    const before = this.#book.firing(raised.rule, raised.kind, raised.identity)
    const alert: Alert =
      before === undefined
        ? {
            id: `${this.#run}-${++this.#count}`,
            ...raised,
            state: 'firing',
            atMs: lastAtMs,
            repeats: 0,
            lastAtMs,
          }
        : { ...before, ...raised, repeats: before.repeats + 1, lastAtMs }
    this.#book.add(alert)
    this.#note({ type: 'alert', alert })
    this.#tell(alert)
  }

  resolve(rule: string, kind: Alert['kind'], identity: ProcessIdentity): void {
    this.#resolved(this.#book.resolve(rule, kind, identity, Date.now()))
  }

  /** Nothing is left of the process that could clear a breach. */
  resolveGone(pid: number, startTicks: number): void {
    if (!this.#book.anyFiring) return
    for (const alert of this.#book.resolveGone(pid, startTicks, Date.now())) this.#resolved(alert)
  }

  isFiring(rule: string, kind: Alert['kind'], identity: ProcessIdentity): boolean {
    return this.#book.firing(rule, kind, identity) !== undefined
  }

  list(query?: AlertQuery): Alert[] {
    return this.#book.list(query)
  }

  #resolved(alert: Alert | undefined): void {
    if (alert === undefined) return
    this.#note({ type: 'alert-resolved', alert })
    this.#tell(alert)
  }
}
