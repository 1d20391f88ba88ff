import type { BreachedAgainBody, OutcomeBody } from '../journal/action_records.js'
import { identityKey, isSameProcess, type ProcessIdentity } from '../table/identity.js'
import { Gaps } from './gaps.js'
import { reliefOf } from './relief_of.js'

/** An action that ended a process: a restart with its successor, or a signal. */
export interface Ended {
  readonly action: 'restart' | 'signal'
  readonly actionId: string
  readonly rule: string
  readonly identity: ProcessIdentity
  readonly name: string
  /** Of a restart, always. */
  readonly successor: ProcessIdentity | undefined
  readonly exitedInMs: number | undefined
  readonly endedBy: string
  readonly isAboutMemory: boolean
  readonly rssBeforeBytes: number | undefined
  readonly hostAvailableBeforeBytes: number | undefined
}

/** A process as the last sample has it; undefined when that does not have it. A zombie has given back its memory. */
export type Look = (
  identity: ProcessIdentity,
) => { readonly rssBytes: number | undefined; readonly isZombie: boolean } | undefined

interface OutcomeParts {
  readonly windowMs: number
  /** Usual time between two samples; without it every gap counts as time that was seen. */
  readonly intervalMs?: number
  readonly onOutcome: (outcome: OutcomeBody) => void
  readonly onBreachedAgain: (again: BreachedAgainBody) => void
  readonly hostAvailableBytes: () => number | undefined
}

interface Follow {
  readonly ended: Ended
  readonly sinceMs: number
  rssBytes: number | undefined
  /** Samples in a row that did not have the process: the first may have been under way when it was made. */
  absences: number
  /** Of the time since then, what fell into gaps between samples, or before this run. */
  unseenMs: number
  isSeen: boolean
}

/** What is known of a successor whose outcome has been told. */
interface Quiet {
  readonly ended: Ended
  readonly sinceMs: number
}

/** Successors that are followed after their window, for one later breach; past that the oldest are forgotten. */
const KEPT_QUIET = 10_000

/**
 * Follows what actions came to: did the process exit, did the memory come back, did the successor breach again, and when, did
 * it stay? An outcome is told when its window is over or something decides it; a later breach is told too.
 */
export class Outcomes {
  readonly #parts: OutcomeParts
  readonly #gaps: Gaps
  #following: Follow[] = []
  /** By rule and successor, oldest first. */
  readonly #quiet = new Map<string, Quiet>()

  constructor(parts: OutcomeParts) {
    this.#parts = parts
    this.#gaps = new Gaps(parts.intervalMs ?? Number.POSITIVE_INFINITY)
  }

  /** @param passedMs since it was done, by an earlier run: nobody saw what came of it in that time */
  track(ended: Ended, nowMs: number, passedMs = 0): void {
    const follow = {
      ...{ ended, sinceMs: nowMs - passedMs, unseenMs: passedMs },
      ...{ rssBytes: undefined, absences: 0, isSeen: false },
    }
    if (passedMs > 0 && passedMs >= this.#parts.windowMs) this.#end(follow, {}, nowMs)
    else this.#following.push(follow)
  }

  /** Told before anything follows from the breach, so that the outcome counts for that. */
  breached(rule: string, identity: ProcessIdentity, rssBytes: number | undefined, nowMs: number): void {
    this.#following = this.#following.filter((follow) => {
      const { successor, rule: ofRule } = follow.ended
      if (ofRule !== rule || successor === undefined || !isSameProcess(successor, identity)) return true
      follow.rssBytes = rssBytes ?? follow.rssBytes
      follow.isSeen = true
      // Nobody saw when it began: what is found so late is not held against the restart.
      const isLate = follow.unseenMs > 0 && nowMs - follow.sinceMs > this.#parts.windowMs
      this.#end(follow, { breachedAgain: !isLate }, nowMs)
      return false
    })
    const key = quietKey(rule, identity)
    const quiet = this.#quiet.get(key)
    if (quiet === undefined) return
    this.#quiet.delete(key)
    const { actionId, name } = quiet.ended
    const afterMs = Math.round(nowMs - quiet.sinceMs)
    this.#parts.onBreachedAgain({ type: 'breached-again', actionId, rule, identity, name, afterMs })
  }

  /** After each sample and its decisions. */
  tick(look: Look, nowMs: number): void {
    const { lastMs, unseenMs } = this.#gaps.tick(nowMs)
    if (this.#following.length === 0) return
    for (const follow of this.#following) if (follow.sinceMs <= lastMs) follow.unseenMs += unseenMs
    this.#following = this.#following.filter((follow) => !this.#isOver(follow, look, nowMs))
  }

  /** Says what was seen so far; `observedMs` tells that it was less than the window. */
  close(nowMs: number): void {
    for (const follow of this.#following) this.#end(follow, {}, nowMs)
    this.#following = []
    this.#quiet.clear()
  }

  #isOver(follow: Follow, look: Look, nowMs: number): boolean {
    const { ended, sinceMs, unseenMs } = follow
    const seen = look(ended.successor ?? ended.identity)
    const isSignal = ended.action === 'signal'
    follow.rssBytes = seen?.rssBytes ?? follow.rssBytes
    follow.absences = seen === undefined ? follow.absences + 1 : 0
    follow.isSeen ||= seen !== undefined
    if (isSignal && (seen === undefined || seen.isZombie)) {
      // The process was there before the signal, so one sample without it is enough.
      this.#end({ ...follow, rssBytes: 0, isSeen: true }, { exitedInMs: nowMs - sinceMs }, nowMs)
      return true
    }
    const isGone = follow.absences > 1
    const isOver = isGone || nowMs - sinceMs - unseenMs >= this.#parts.windowMs
    if (isOver) this.#end(follow, { successorGone: isGone }, nowMs)
    return isOver
  }

  #end(
    { ended, sinceMs, rssBytes: rssAfterBytes, unseenMs, isSeen }: Follow,
    what: { breachedAgain?: boolean; successorGone?: boolean; exitedInMs?: number },
    nowMs: number,
  ): void {
    const { isAboutMemory, rssBeforeBytes, hostAvailableBeforeBytes, ...head } = ended
    const { windowMs, onOutcome, hostAvailableBytes } = this.#parts
    const sinceActionMs = nowMs - sinceMs
    const quietMs = isSeen ? sinceActionMs - unseenMs : 0
    const seen = {
      ...{ action: ended.action, rssBeforeBytes, rssAfterBytes },
      ...{ breachedAgain: false, successorGone: false, exitedInMs: ended.exitedInMs },
      ...what,
      observedMs: Math.round(what.breachedAgain || what.successorGone ? sinceActionMs : quietMs),
    }
    const hostAvailableAfterBytes = hostAvailableBytes()
    onOutcome({
      ...{ type: 'outcome', ...head, ...seen, hostAvailableBeforeBytes, hostAvailableAfterBytes },
      ...reliefOf({
        ...{ ...seen, isAboutMemory, windowMs },
        goneBeforeSeen: seen.successorGone && !isSeen && unseenMs > 0,
      }),
    })
    if (ended.successor === undefined || seen.breachedAgain || seen.successorGone) return
    this.#quiet.set(quietKey(ended.rule, ended.successor), { ended, sinceMs })
    if (this.#quiet.size > KEPT_QUIET) this.#quiet.delete(this.#quiet.keys().next().value!)
  }
}

function quietKey(rule: string, identity: ProcessIdentity): string {
  return `${rule}\n${identityKey(identity)}`
}
