import type { OutcomeBody } from '../journal/records.js'
import type { ProcessIdentity } from '../table/identity.js'

export interface Restarted {
  readonly actionId: string
  readonly rule: string
  readonly identity: ProcessIdentity
  readonly name: string
  readonly successor: ProcessIdentity
  readonly exitedInMs: number | undefined
  readonly endedBy: string
  readonly rssBeforeBytes: number | undefined
}

/** A process as the last sample has it; undefined when that does not have it. */
export type Look = (identity: ProcessIdentity) => { readonly rssBytes: number | undefined } | undefined

interface Follow {
  readonly restarted: Restarted
  readonly sinceMs: number
  rssBytes: number | undefined
  /** Samples in a row that did not have the successor: the first may have been under way when it was made. */
  absences: number
  breachedAgain: boolean
  successorGone: boolean
}

/** Follows the successors of restarts for a while: did the memory come back, did it breach again, did it stay? */
export class Outcomes {
  readonly #windowMs: number
  readonly #onOutcome: (outcome: OutcomeBody) => void
  #following: Follow[] = []

  constructor(windowMs: number, onOutcome: (outcome: OutcomeBody) => void) {
    this.#windowMs = windowMs
    this.#onOutcome = onOutcome
  }

  track(restarted: Restarted, nowMs: number): void {
    this.#following.push({
      restarted,
      sinceMs: nowMs,
      rssBytes: undefined,
      absences: 0,
      breachedAgain: false,
      successorGone: false,
    })
  }

  breached(rule: string, { pid, startTicks }: ProcessIdentity): void {
    for (const follow of this.#following) {
      const { successor } = follow.restarted
      if (follow.restarted.rule !== rule || successor.pid !== pid || successor.startTicks !== startTicks)
        continue
      follow.breachedAgain = true
    }
  }

  /** After each sample and its decisions. */
  tick(look: Look, nowMs: number): void {
    if (this.#following.length === 0) return
    this.#following = this.#following.filter((follow) => {
      const seen = look(follow.restarted.successor)
      follow.rssBytes = seen?.rssBytes ?? follow.rssBytes
      follow.absences = seen === undefined ? follow.absences + 1 : 0
      if (follow.absences > 1) follow.successorGone = true
      const over = nowMs - follow.sinceMs >= this.#windowMs || follow.breachedAgain || follow.successorGone
      if (over) this.#end(follow, nowMs)
      return !over
    })
  }

  /** Says what was seen so far; `observedMs` tells that it was less than the window. */
  close(nowMs: number): void {
    for (const follow of this.#following) this.#end(follow, nowMs)
    this.#following = []
  }

  #end(follow: Follow, nowMs: number): void {
    const { rssBeforeBytes, ...restarted } = follow.restarted
    this.#onOutcome({
      type: 'outcome',
      ...restarted,
      rssBeforeBytes,
      rssAfterBytes: follow.rssBytes,
      breachedAgain: follow.breachedAgain,
      successorGone: follow.successorGone,
      observedMs: Math.round(nowMs - follow.sinceMs),
    })
  }
}
