import { type Place, samePlace } from '../journal/place.js'
import type { EngineStartBody, JournalRecord } from '../journal/records.js'
import type { Alert } from './alert.js'
import { alertKey } from './alert_key.js'
import type { Silence } from './silences.js'

/** What a journal says of alerts. */
export interface FoldedAlerts {
  /** Alerts of the last run that no record resolves, and those of earlier runs that have not fired again since. */
  readonly firing: readonly Alert[]
  /** Those that nobody has ended; their time can be over. */
  readonly silences: readonly Silence[]
}

/** Runs that were stopped, and kinds that are never resolved, leave alerts behind; the oldest are forgotten. */
const MOST_FIRING = 10_000
/** More than an engine lets be in force at the same time. */
const SWEPT_FROM = 2000

/** Folds the records of alerts, silences and acknowledgements, oldest first. */
export class AlertFold {
  readonly #firing = new Map<string, Alert>()
  readonly #silences = new Map<string, Silence>()
  #place: Place | undefined

  add(record: JournalRecord): void {
    switch (record.type) {
      case 'engine-start':
        this.#started(record)
        break
      case 'alert':
      case 'acknowledged':
        this.#fires(record.alert)
        break
      case 'alert-resolved':
        this.#firing.delete(alertKey(record.alert))
        break
      case 'silence':
        this.#silences.set(record.silence.id, record.silence)
        if (this.#silences.size > SWEPT_FROM) this.#dropOver(record.atMs)
        break
      case 'unsilence':
        this.#silences.delete(record.silenceId)
        break
    }
  }

  get state(): FoldedAlerts {
    return { firing: [...this.#firing.values()], silences: [...this.#silences.values()] }
  }

  #fires(alert: Alert): void {
    const key = alertKey(alert)
    if (!this.#firing.has(key) && this.#firing.size >= MOST_FIRING) {
      this.#firing.delete(this.#firing.keys().next().value!)
    }
    this.#firing.set(key, alert)
  }

  #started({ place, atMs }: EngineStartBody & { readonly atMs: number }): void {
    const before = this.#place
    this.#place = place
    this.#dropOver(atMs)
    const isElsewhere = before !== undefined && !samePlace(before, place)
    for (const [key, { identity }] of this.#firing) {
      // Another boot or namespace: the same pid and start would be a stranger's.
      if (isElsewhere && identity !== undefined) this.#firing.delete(key)
    }
  }

  #dropOver(atMs: number): void {
    for (const [id, { untilMs }] of this.#silences) if (untilMs <= atMs) this.#silences.delete(id)
  }
}
