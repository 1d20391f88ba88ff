import { attemptEnd } from '../actions/attempt_end.js'
import type { Governor } from '../actions/governor.js'
import type { SuspendedBody } from './action_records.js'
import type { Place } from './place.js'
import type { JournalRecord } from './records.js'

/**
 * Brings a governor to where the runs before this one had it: what they restarted and when, what came of it, what they
 * had suspended. Hand it the records oldest first, then `finish`.
 */
export class GovernorReplay {
  readonly #governor: Governor
  readonly #nowMs: number
  #place: Place | undefined
  /** Restarts that were begun and not ended: others were refused before, and count for nothing. */
  readonly #begun = new Set<string>()

  constructor(governor: Governor, nowMs: number) {
    this.#governor = governor
    this.#nowMs = nowMs
  }

  add(record: JournalRecord): void {
    const governor = this.#governor
    // A clock that was set back since must not hold restarts up: no record is later than now.
    const aheadMs = Math.max(0, record.atMs - this.#nowMs)
    const atMs = record.atMs - aheadMs
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
        governor.restore({ ...suspensionOf(record), untilMs: record.untilMs - aheadMs })
        break
      case 'resumed':
        governor.restoreResumed({ ...record, who: whoOf(record) })
        break
    }
  }

  /** At the place where this run is; what waited long enough while no engine ran is resumed by the first tick. */
  finish(place: Place): void {
    this.#at(place)
  }

  #at(place: Place): void {
    const before = this.#place
    this.#place = place
    if (before === undefined) return
    if (before.bootId !== place.bootId || before.pidNamespace !== place.pidNamespace)
      this.#governor.forgetProcesses()
  }
}

function suspensionOf(record: SuspendedBody) {
  const { scope, rule, reason } = record
  return { kind: 'suspended', scope, rule, reason, who: whoOf(record) } as const
}

function whoOf({ identity, name = '' }: Pick<SuspendedBody, 'identity' | 'name'>) {
  return identity === undefined ? undefined : { identity, name }
}
