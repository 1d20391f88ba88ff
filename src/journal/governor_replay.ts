import { attemptEnd } from '../actions/attempt_end.js'
import type { Governor } from '../actions/governor.js'
import type { JournalRecord, Place, SuspendedBody } from './records.js'

/**
 * Brings a governor to where the runs before this one had it: what they restarted and when, what came of it, what they
 * had suspended. Hand it the records oldest first, then `finish`.
 */
export class GovernorReplay {
  readonly #governor: Governor
  #place: Place | undefined

  constructor(governor: Governor) {
    this.#governor = governor
  }

  add(record: JournalRecord): void {
    const governor = this.#governor
    const { atMs } = record
    switch (record.type) {
      case 'engine-start':
        this.#at(record.place)
        break
      case 'action-begun':
        if (record.action === 'restart') governor.began(record, atMs)
        break
      case 'action-done':
        if (record.action === 'restart')
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

  /** At the place where this run is; what waited long enough while no engine ran is resumed by the first tick. */
  finish(place: Place, nowMs: number): void {
    this.#at(place)
    this.#governor.restored(nowMs)
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
  const { scope, rule, reason, untilMs } = record
  return { kind: 'suspended', scope, rule, reason, untilMs, who: whoOf(record) } as const
}

function whoOf({ identity, name = '' }: Pick<SuspendedBody, 'identity' | 'name'>) {
  return identity === undefined ? undefined : { identity, name }
}
