import type { ActionTarget } from '../actions/context.js'
import { alertKey, subjectOf } from '../alerts/alert_key.js'
import { type Place, samePlace } from '../journal/place.js'
import { type JournalState, stepKey } from '../journal/recover.js'
import type { Step } from '../rules/schema/rule.js'
import { wordedDuration } from '../words.js'
import { now } from './clock.js'
import type { Rulebook } from './rulebook.js'

/**
 * Of a rule without a cooldown: after so long a step is done again by a start that finds its breach still there. Nobody saw whether
 * it lasted.
 */
const SAME_BREACH_MS = 3_600_000

/** A breach that begins later after the start is another than the one that an earlier run saw. */
const SOON_MS = 300_000

/**
 * How far earlier runs had come with what follows from breaches. What they had begun is not done again while the rule's cooldown lasts,
 * or the breach is the same: an engine that crashes after each signal would send one at each start. Restarts are not among it: they
 * end the process, and the governor bounds them.
 */
export class EarlierSteps {
  readonly #book: Pick<Rulebook, 'get'>
  /** When, in the clock of the ticks. */
  readonly #begunMs = new Map<string, number>()
  /** Breaches that nobody has seen the end of. */
  readonly #left: ReadonlySet<string>
  /** Of those that lasted when the last run ended, just before this one. */
  readonly #seenMs = new Map<string, number>()
  readonly #startedMs = now()

  constructor({ lastBegun, alerts }: JournalState, here: Place, book: Pick<Rulebook, 'get'>) {
    this.#book = book
    const breaches = alerts.firing.filter(({ kind }) => kind === 'breach')
    this.#left = new Set(breaches.map((alert) => breachKey(alert.rule, subjectOf(alert))))
    for (const alert of breaches) {
      const seenMs = alerts.seenMs.get(alertKey(alert))
      if (seenMs !== undefined) this.#seenMs.set(breachKey(alert.rule, subjectOf(alert)), seenMs)
    }
    for (const [key, { atMs, place }] of lastBegun) {
      // A journal from the future: it was just now.
      if (samePlace(place, here)) this.#begunMs.set(key, now() - Math.max(0, Date.now() - atMs))
    }
  }

  /** Why the step is not done once more; asked once for each, since from then on this run's own cooldown holds. */
  whyNot({ rule, identity, subject }: ActionTarget, { type, afterMs: _, ...parameters }: Step) {
    const key = stepKey({ rule, identity, action: type, parameters })
    const begunMs = this.#begunMs.get(key)
    if (begunMs === undefined) return undefined
    this.#begunMs.delete(key)
    const cooldownMs = this.#book.get(rule)?.checked.cooldown
    const holdMs = cooldownMs ?? (this.#left.has(breachKey(rule, subject)) ? SAME_BREACH_MS : 0)
    const agoMs = now() - begunMs
    if (agoMs >= holdMs) return undefined
    const why =
      cooldownMs === undefined ? 'the breach is the same' : `the cooldown is ${wordedDuration(cooldownMs)}`
    return `an earlier run did it ${wordedDuration(Math.round(agoMs))} ago, and ${why}`
  }

  /**
   * For how long the breach was seen before this run found it; asked once for each.
   * @param sinceMs since when this run has seen its condition hold
   */
  seenMs(rule: string, subject: string, sinceMs: number): number {
    const key = breachKey(rule, subject)
    const seenMs = this.#seenMs.get(key) ?? 0
    this.#seenMs.delete(key)
    return sinceMs - this.#startedMs <= SOON_MS ? seenMs : 0
  }
}

/** A rule's name has no line ends. */
const breachKey = (rule: string, subject: string): string => `${rule}\n${subject}`
