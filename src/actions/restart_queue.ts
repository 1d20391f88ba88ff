import { severityRank } from '../rules/schema/rule.js'
import { identityKey } from '../table/identity.js'
import type { Governor } from './governor.js'
import type { AttemptEnd, GovernorBound, RestartRequest, Verdict } from './governor_types.js'
import { LruMap } from './lru_map.js'

const KEPT_RESTARTED = 10_000

/** A restart that is wanted, with what its owner needs to do it. */
export interface WantedRestart<T> {
  readonly request: RestartRequest
  readonly payload: T
}

interface RestartQueueParts<T> {
  /** Whether the breach still lasts. */
  readonly stillWanted: (wanted: WantedRestart<T>) => boolean
  /** It has to wait: told once for each bound that holds it up, however long. */
  readonly onPutOff: (wanted: WantedRestart<T>, verdict: Exclude<Verdict, { kind: 'now' }>) => void
  /** It will not be done, and nothing has been told of it yet. */
  readonly onDropped: (wanted: WantedRestart<T>, why: string) => void
  /** Another rule has restarted its process: it will not be done. `isTold`: that it waits for something has been told. */
  readonly onRestarted: (wanted: WantedRestart<T>, byRule: string, isTold: boolean) => void
}

interface Entry<T> {
  wanted: WantedRestart<T>
  readonly told: Set<GovernorBound>
  /** Not asked for yet: it needs no look at whether the breach still lasts. */
  isNew: boolean
  /** That nothing was done has been told already, or what came of an attempt. */
  isReported: boolean
  /** No use asking before. */
  notBeforeMs: number
}

/**
 * Restarts that wait for the governor: those first that promise most relief. A want stays as long as its breach lasts,
 * through refusals and failures too, so that nothing depends on the rule firing once more. Bounded by the breaches: one
 * entry for each rule and process, or group whose largest member is meant. Of a process that was restarted nothing more is wanted.
 */
export class RestartQueue<T> {
  readonly #governor: Governor
  readonly #parts: RestartQueueParts<T>
  readonly #waiting = new Map<string, Entry<T>>()
  readonly #underway = new Map<string, Entry<T>>()
  /** By process that was restarted: the rule that did it. What was asked for it meanwhile can come later. */
  readonly #restarted = new LruMap<string>(KEPT_RESTARTED)
  #anyNew = false

  constructor(governor: Governor, parts: RestartQueueParts<T>) {
    this.#governor = governor
    this.#parts = parts
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** One that waits already is brought up to date; its time does not begin anew. */
  want(request: Omit<RestartRequest, 'inBurst'>, payload: T): void {
    const key = wantKey(request)
    const process = identityKey(request.identity)
    const alone = { request: { ...request, inBurst: false }, payload }
    const underway = this.#underway.get(key)?.wanted.request
    if (underway !== undefined) {
      if (identityKey(underway.identity) !== process)
        this.#parts.onDropped(alone, 'another member of the group is being restarted')
      return
    }
    const restartedBy = this.#restarted.get(process)
    if (restartedBy !== undefined) {
      this.#parts.onRestarted(alone, restartedBy, false)
      return
    }
    const before = this.#waiting.get(key)
    if (before !== undefined) {
      const { sinceMs, wantedMs, inBurst, identity } = before.wanted.request
      if (identityKey(identity) !== process) {
        if (!before.isReported)
          this.#parts.onDropped(before.wanted, 'another member of the group is meant by now')
        before.told.clear()
        before.isReported = false
        before.notBeforeMs = Number.NEGATIVE_INFINITY
      }
      before.wanted = { request: { ...request, sinceMs, wantedMs, inBurst }, payload }
      return
    }
    const inBurst = this.#waiting.size > 0 || this.#governor.running > 0
    const wanted = { request: { ...request, inBurst }, payload }
    const fresh = { told: new Set<GovernorBound>(), isNew: true, isReported: false }
    this.#waiting.set(key, { wanted, ...fresh, notBeforeMs: Number.NEGATIVE_INFINITY })
    this.#anyNew = true
  }

  /** What may be begun now, and counts as begun. */
  pass(nowMs: number): WantedRestart<T>[] {
    this.#governor.tick(nowMs)
    if (this.#governor.isFull && !this.#anyNew) return []
    this.#anyNew = false
    const admitted: WantedRestart<T>[] = []
    for (const [key, entry] of [...this.#waiting].sort(byRelief)) {
      if (!entry.isNew && !this.#parts.stillWanted(entry.wanted)) {
        this.#waiting.delete(key)
        if (!entry.isReported) this.#parts.onDropped(entry.wanted, 'the breach was over before its turn came')
        continue
      }
      entry.isNew = false
      if (nowMs < entry.notBeforeMs) continue
      const verdict = this.#governor.admit(entry.wanted.request, nowMs)
      if (verdict.kind === 'now') {
        this.#waiting.delete(key)
        this.#underway.set(key, entry)
        this.#governor.began(entry.wanted.request, nowMs)
        admitted.push(entry.wanted)
        continue
      }
      entry.notBeforeMs = verdict.untilMs ?? Number.NEGATIVE_INFINITY
      if (entry.told.has(verdict.bound)) continue
      entry.told.add(verdict.bound)
      if (verdict.kind === 'refused') entry.isReported = true
      this.#parts.onPutOff(entry.wanted, verdict)
    }
    return admitted
  }

  /**
   * A want whose attempt was refused or failed waits again, for its backoff. What others wanted of a process that was restarted is
   * dropped: its successor breaches their rules anew, or does not.
   */
  ended(
    { request }: WantedRestart<T>,
    end: AttemptEnd,
    successor: Parameters<Governor['ended']>[2],
    nowMs: number,
  ): void {
    this.#governor.ended(request.identity, end, successor, nowMs)
    if (end === 'done') this.#dropAllOf(request)
    const key = wantKey(request)
    const entry = this.#underway.get(key)
    this.#underway.delete(key)
    if (entry === undefined || end === 'done' || end === 'given-up') return
    entry.told.clear()
    entry.isReported = true
    entry.notBeforeMs = Number.NEGATIVE_INFINITY
    this.#waiting.set(key, entry)
  }

  #dropAllOf({ rule, identity }: RestartRequest): void {
    const process = identityKey(identity)
    this.#restarted.set(process, rule)
    for (const [key, { wanted, isReported }] of this.#waiting) {
      if (identityKey(wanted.request.identity) !== process) continue
      this.#waiting.delete(key)
      this.#parts.onRestarted(wanted, rule, isReported)
    }
  }

  /** Waits may be over earlier than they were told to last. */
  askAgain(): void {
    for (const entry of this.#waiting.values()) entry.notBeforeMs = Number.NEGATIVE_INFINITY
  }

  /** Gives up all that waits, and returns that of which nothing has been told yet. */
  drain(): WantedRestart<T>[] {
    const untold = [...this.#waiting.values()].filter(({ isReported }) => !isReported)
    this.#waiting.clear()
    return untold.map(({ wanted }) => wanted)
  }
}

function wantKey({
  rule,
  identity,
  largestOf,
}: Pick<RestartRequest, 'rule' | 'identity' | 'largestOf'>): string {
  return `${rule}\n${largestOf ?? identityKey(identity)}`
}

/** The largest memory first, since that is what a restart gives back; then the worst; then who waits longest. */
function byRelief<T>([, a]: [string, Entry<T>], [, b]: [string, Entry<T>]): number {
  const [first, second] = [a.wanted.request, b.wanted.request]
  return (
    (second.rssBytes ?? 0) - (first.rssBytes ?? 0) ||
    severityRank(second.severity) - severityRank(first.severity) ||
    first.wantedMs - second.wantedMs
  )
}
