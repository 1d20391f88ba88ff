import { attemptEnd } from '../actions/attempt_end.js'
import type { Governor } from '../actions/governor.js'
import type { SuspendedBody } from './action_records.js'
import { type Place, samePlace } from './place.js'
import type { JournalRecord } from './records.js'

/**
 * Brings a governor to where the runs before this one had it: what they restarted and when, what came of it, what they
 * had suspended. Hand it the records oldest first, then `finish`.
 */
export class GovernorReplay {
  readonly #governor: Governor
  /** Of the wall clock, as all times of records. */
  #lastMs: number | undefined
  #place: Place | undefined
  /** Restarts that were begun and not ended: others were refused before, and count for nothing. */
  readonly #begun = new Set<string>()

  constructor(governor: Governor) {
    this.#governor = governor
  }

  add(record: JournalRecord): void {
    const governor = this.#governor
    const { atMs } = record
    // The clock was set back: of what was before, each keeps its distance from the others, and the last was just now.
    if (this.#lastMs !== undefined && atMs < this.#lastMs) governor.shift(atMs - this.#lastMs)
    this.#lastMs = atMs
    switch (record.type) {
      case 'engine-start':
        this.#at(record.place)
        break
      case 'action-begun':
        if (record.action !== 'restart') break
        this.#begun.add(record.actionId)
        governor.began(record, atMs)
        break
      case 'action-done':
        if (this.#begun.delete(record.actionId))
          governor.ended(record.identity, attemptEnd(record), record.successor, atMs)
        break
      case 'outcome': {
        const { rule, successor, relieved } = record
        if (successor !== undefined && relieved !== undefined)
          governor.judged(rule, successor, relieved, governor.settings.limits.rearmMs, atMs)
        break
      }
      case 'suspended':
        governor.restore(suspensionOf(record))
        break
      case 'resumed':
        governor.restoreResumed({ ...record, who: whoOf(record) })
        break
    }
  }

  /**
   * At the place where this run is; what waited long enough while no engine ran is resumed by the first tick.
   * @param nowMs of the clock that the governor goes by from now on
   */
  finish(place: Place, nowMs: number, wallNowMs: number): void {
    this.#at(place)
    if (this.#lastMs === undefined) return
    // A journal from the future must not hold restarts up: its last record was just now.
    const passedMs = Math.max(0, wallNowMs - this.#lastMs)
    this.#governor.shift(nowMs - passedMs - this.#lastMs)
  }

  #at(place: Place): void {
    const before = this.#place
    this.#place = place
    if (before !== undefined && !samePlace(before, place)) this.#governor.forgetProcesses()
  }
}

function suspensionOf(record: SuspendedBody) {
  const { scope, rule, reason, untilMs } = record
  return { kind: 'suspended', scope, rule, reason, untilMs, who: whoOf(record) } as const
}

function whoOf({ identity, name = '' }: Pick<SuspendedBody, 'identity' | 'name'>) {
  return identity === undefined ? undefined : { identity, name }
}
