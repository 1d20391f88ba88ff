import type { Alert, EngineStartBody, JournalRecord, Place } from '../journal/records.js'
import { alertKey } from './alert_key.js'
import type { Silence } from './silences.js'

/** What a journal says of alerts. */
export interface FoldedAlerts {
  /** Alerts of the last run that no record resolves, and those of earlier runs that have not fired again since. */
  readonly firing: readonly Alert[]
  /** Those that nobody has ended; their time can be over. */
  readonly silences: readonly Silence[]
}

/** So many subjects can be left behind by runs that were stopped; older ones are forgotten. */
const MOST_LEFT = 10_000

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
        this.#firing.set(alertKey(record.alert), record.alert)
        break
      case 'alert-resolved':
        this.#firing.delete(alertKey(record.alert))
        break
      case 'silence':
        this.#silences.set(record.silence.id, record.silence)
        break
      case 'unsilence':
        this.#silences.delete(record.silenceId)
        break
    }
  }

  get state(): FoldedAlerts {
    return { firing: [...this.#firing.values()], silences: [...this.#silences.values()] }
  }

  #started({ place, atMs }: EngineStartBody & { readonly atMs: number }): void {
    const before = this.#place
    this.#place = place
    for (const [id, { untilMs }] of this.#silences) if (untilMs <= atMs) this.#silences.delete(id)
    const isElsewhere =
      before !== undefined && (before.bootId !== place.bootId || before.pidNamespace !== place.pidNamespace)
    let surplus = this.#firing.size - MOST_LEFT
    for (const [key, { identity }] of this.#firing) {
      // Another boot or namespace: the same pid and start would be a stranger's.
      if (surplus-- > 0 || (isElsewhere && identity !== undefined)) this.#firing.delete(key)
    }
  }
}
