import type { Step } from '../rules/schema/rule.js'
import { Gaps } from './gaps.js'

/** What is to be done at once when a rule fires, and what comes later. */
interface FiredSteps<T> extends DueSteps<T> {
  /** All of it, each with its time from now. */
  readonly planned: readonly Step[]
}

/** Steps whose time has come, for whom the rule fired. */
export interface DueSteps<T> {
  readonly target: T
  readonly steps: readonly Step[]
}

interface Climb<T> {
  target: T
  /** Later steps, in the order in which they are due. */
  readonly later: readonly Step[]
  sinceMs: number
  next: number
}

/**
 * The ladders of rules that fire: first what is to be done at once, then, while the breach lasts, what comes after so
 * long. Pure: it is told what fires and clears, and the time.
 */
export class Ladder<T> {
  readonly #climbs = new Map<string, Climb<T>>()
  /** Those that have steps left: most have none. */
  readonly #unfinished = new Set<Climb<T>>()
  readonly #gaps: Gaps

  /** @param intervalMs usual time between two ticks; without it every gap counts as time that the breach lasted */
  constructor(intervalMs = Number.POSITIVE_INFINITY) {
    this.#gaps = new Gaps(intervalMs)
  }

  /**
   * The rule fired for the subject; gives what is to be done at once. When it fires again while the breach lasts, steps
   * that are still to come keep their time, and are for whom it fires now; once all are done, the ladder begins anew.
   * @param seenMs for how long an earlier run of the engine saw the breach last
   */
  fired(
    rule: string,
    subject: string,
    steps: readonly Step[],
    target: T,
    nowMs: number,
    seenMs = 0,
  ): FiredSteps<T> {
    const key = keyOf(rule, subject)
    const before = this.#climbs.get(key)
    const later = steps.filter(({ afterMs }) => afterMs > 0).sort((a, b) => a.afterMs - b.afterMs)
    const goesOn = before !== undefined && before.next < before.later.length
    if (goesOn) {
      before.target = target
    } else {
      const climb: Climb<T> = { target, later, sinceMs: nowMs - seenMs, next: 0 }
      this.#climbs.set(key, climb)
      if (later.length > 0) this.#unfinished.add(climb)
    }
    const atOnce = steps.filter(({ afterMs }) => afterMs === 0)
    const sinceMs = goesOn ? before.sinceMs : nowMs - seenMs
    const toCome = goesOn ? before.later.slice(before.next) : later
    const planned = toCome.map((step) => ({ ...step, afterMs: Math.max(1, sinceMs + step.afterMs - nowMs) }))
    return { target, steps: atOnce, planned: [...atOnce, ...planned] }
  }

  /** The breach is over: nothing more is done for it. */
  cleared(rule: string, subject: string): void {
    const key = keyOf(rule, subject)
    const climb = this.#climbs.get(key)
    this.#climbs.delete(key)
    if (climb !== undefined) this.#unfinished.delete(climb)
  }

  /** Whether the rule has fired for the subject and not cleared since. */
  lasts(rule: string, subject: string): boolean {
    return this.#climbs.has(keyOf(rule, subject))
  }

  /** For whom the rule fired last, while the breach lasts. */
  targetOf(rule: string, subject: string): T | undefined {
    return this.#climbs.get(keyOf(rule, subject))?.target
  }

  /** What is due by now and was not before. */
  tick(nowMs: number): DueSteps<T>[] {
    this.#leaveOutGap(nowMs)
    const due: DueSteps<T>[] = []
    for (const climb of this.#unfinished) {
      const { later, sinceMs, target } = climb
      const first = climb.next
      while (climb.next < later.length && nowMs - sinceMs >= later[climb.next]!.afterMs) climb.next++
      if (climb.next > first) due.push({ target, steps: later.slice(first, climb.next) })
      if (climb.next >= later.length) this.#unfinished.delete(climb)
    }
    return due
  }

  /** Of a time in which nothing was sampled (the engine was stopped) one interval counts: nobody saw the breach last. */
  #leaveOutGap(nowMs: number): void {
    const { lastMs, unseenMs } = this.#gaps.tick(nowMs)
    if (unseenMs === 0) return
    for (const climb of this.#unfinished) if (climb.sinceMs <= lastMs) climb.sinceMs += unseenMs
  }
}

function keyOf(rule: string, subject: string): string {
  return `${rule}\n${subject}`
}
