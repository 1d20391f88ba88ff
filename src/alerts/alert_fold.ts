import { forgetOldest } from '../forget_oldest.js'
import { type Place, samePlace } from '../journal/place.js'
import type { EngineStartBody, JournalRecord } from '../journal/records.js'
import type { Alert } from './alert.js'
import { alertKey } from './alert_key.js'
import type { Silence } from './silences.js'

/** What a journal says of alerts. */
export interface FoldedAlerts {
  /** Alerts of the last run that no record resolves, and those of earlier runs that have not fired again since. */
  readonly firing: readonly Alert[]
  /**
   * By `alertKey` of these: for how long the runs before this one saw it last since it was raised last, where they ended just before it
   * began, and in the same place.
   */
  readonly seenMs: ReadonlyMap<string, number>
  /** Those that nobody has ended; their time can be over. */
  readonly silences: readonly Silence[]
}

/** Runs that were stopped, and kinds that are never resolved, leave alerts behind; the oldest are forgotten. */
const MOST_FIRING = 10_000
/** Between two records of a run that watches: it writes down its own use once a minute. */
const MOST_BETWEEN_MS = 90_000
/** What lasted goes on for whoever was away for no longer: he has crashed, or was started anew. */
const MOST_AWAY_MS = 300_000
/** More than an engine lets be in force at the same time. */
const SWEPT_FROM = 2000

/** Folds the records of alerts, silences and acknowledgements, oldest first. */
export class AlertFold {
  readonly #firing = new Map<string, Alert>()
  readonly #silences = new Map<string, Silence>()
  /** By runs before this one. */
  #seenMs = new Map<string, number>()
  /** By key of what this run has raised, when it did last, as `#watchedMs` has it. */
  readonly #raisedMs = new Map<string, number>()
  /** For how long this run has watched. */
  #watchedMs = 0
  #lastAtMs: number | undefined
  #place: Place | undefined

  add(record: JournalRecord): void {
    if (record.type !== 'engine-start') this.#watches(record.atMs)
    switch (record.type) {
      case 'engine-start':
        this.#started(record)
        break
      case 'alert':
        this.#raises(record.alert)
        break
      case 'acknowledged':
        this.#fires(alertKey(record.alert), record.alert)
        break
      case 'alert-resolved': {
        const key = alertKey(record.alert)
        this.#firing.delete(key)
        this.#raisedMs.delete(key)
        break
      }
      case 'silence':
        this.#silences.set(record.silence.id, record.silence)
        if (this.#silences.size > SWEPT_FROM) this.#dropOver(record.atMs)
        break
      case 'unsilence':
        this.#silences.delete(record.silenceId)
        break
    }
  }

  #watches(atMs: number): void {
    // A step of the clock, and a time in which the host was suspended, are none in which anything was seen.
    this.#watchedMs += Math.min(Math.max(0, atMs - (this.#lastAtMs ?? atMs)), MOST_BETWEEN_MS)
    this.#lastAtMs = atMs
  }

  get state(): FoldedAlerts {
    return {
      firing: [...this.#firing.values()],
      silences: [...this.#silences.values()],
      seenMs: new Map(this.#seenMs),
    }
  }

  #raises(alert: Alert): void {
    const key = alertKey(alert)
    const before = this.#firing.get(key)
    // Raised once more by this run, it begins anew.
    if (before?.id !== alert.id || before.repeats !== alert.repeats) this.#seenMs.delete(key)
    this.#raisedMs.set(key, this.#watchedMs)
    this.#fires(key, alert)
  }

  /** With what the run that comes to its end here has seen; what it has not raised it has seen the end of. */
  #seenByNow(): Map<string, number> {
    return new Map(
      Array.from(this.#raisedMs, ([key, raisedMs]) => [
        key,
        (this.#seenMs.get(key) ?? 0) + this.#watchedMs - raisedMs,
      ]),
    )
  }

  #fires(key: string, alert: Alert): void {
    this.#firing.set(key, alert)
    for (const forgotten of forgetOldest(this.#firing, MOST_FIRING)) {
      this.#seenMs.delete(forgotten)
      this.#raisedMs.delete(forgotten)
    }
  }

  #started({ place, atMs }: EngineStartBody & { readonly atMs: number }): void {
    const before = this.#place
    this.#place = place
    this.#dropOver(atMs)
    const isElsewhere = before !== undefined && !samePlace(before, place)
    const goesOn = !isElsewhere && atMs - (this.#lastAtMs ?? 0) <= MOST_AWAY_MS
    this.#seenMs = goesOn ? this.#seenByNow() : new Map()
    this.#raisedMs.clear()
    this.#watchedMs = 0
    this.#lastAtMs = atMs
    for (const [key, { identity }] of this.#firing) {
      // Another boot or namespace: the same pid and start would be a stranger's.
      if (isElsewhere && identity !== undefined) this.#firing.delete(key)
    }
  }

  #dropOver(atMs: number): void {
    for (const [id, { untilMs }] of this.#silences) if (untilMs <= atMs) this.#silences.delete(id)
  }
}
