import type { Logger } from 'pino'
import { attemptEnd } from '../actions/attempt_end.js'
import type { ActionContext, ActionReport } from '../actions/context.js'
import { ActionRunner } from '../actions/runner.js'
import type { GovernedBody } from '../journal/action_records.js'
import { PendingStore } from '../journal/pending.js'
import { type Place, samePlace } from '../journal/place.js'
import type { UnfinishedAction, UnjudgedRestart } from '../journal/recover.js'
import type { Journal } from '../journal/writer.js'
import { type FindMeant, meantAfterRecovery } from './bind_pids.js'
import type { Broadcast } from './broadcast.js'
import { now, wallTimeOf } from './clock.js'
import type { EarlierSteps } from './earlier_steps.js'
import type { Governing } from './governing.js'
import type { Judging } from './judging.js'
import type { Settings } from './options.js'
import type { Reactions } from './reactions.js'
import { recoverActions, type Succession } from './recovery.js'
import type { Sources } from './sources.js'

interface ActingParts {
  readonly settings: Settings
  readonly log: Logger
  readonly broadcast: Broadcast
  readonly governing: Governing
  readonly judging: Judging
  readonly reactions: Reactions
  readonly sources: Pick<Sources, 'rssBytesOf'>
}

/** What an engine does to processes, what an earlier run had begun to do to them, and who learns of either. */
export class Acting {
  readonly runner: ActionRunner
  readonly #parts: ActingParts
  readonly #context: ActionContext
  readonly #closing = new AbortController()

  constructor(parts: ActingParts, place: Place, journal: Journal | undefined, earlier: EarlierSteps) {
    const { settings, log, broadcast, governing, reactions, sources } = parts
    this.#parts = parts
    this.#context = {
      journal,
      pending: settings.journal === undefined ? undefined : new PendingStore(settings.journal),
      place,
      procRoot: settings.sampler.procRoot ?? '/proc',
      dryRun: settings.dryRun,
      graceMs: settings.graceMs,
      evidence: settings.evidence,
      startBackoff: settings.startBackoff,
      startAttempts: settings.startAttempts,
      hooks: settings.hooks,
      log,
      closing: this.#closing.signal,
      onError: (error) => broadcast.failed(error),
      onBegin: (target, action) => reactions.begins(target, action),
      onSuccessor: (old, successor) => reactions.hasSuccessor(old, successor),
    }
    this.runner = new ActionRunner(this.#context, {
      governor: governing.governor,
      now,
      limitsOf: (rule) => governing.limitsOf(rule),
      groupOf: (identity, by) => governing.groupOf(identity, by),
      rssBytesOf: (identity) => sources.rssBytesOf(identity),
      whyNot: (target, step) => earlier.whyNot(target, step),
      onReport: (report) => this.#reported(report),
      onTrouble: (target, trouble) => reactions.troubled(target, trouble),
      onLost: (target, step) => reactions.lost(target, step),
      onGoverned: (governed) => this.#governed(governed),
      stillWanted: (target) => reactions.stillWanted(target),
    })
  }

  /**
   * Finishes what an earlier run left unfinished.
   * @returns which processes the pids of rules mean after that
   */
  async recover(unfinished: readonly UnfinishedAction[]): Promise<FindMeant> {
    const { broadcast, governing, reactions } = this.#parts
    const recovered: Succession[] = []
    const recovery = await recoverActions(unfinished, {
      context: this.#context,
      runner: this.runner,
      onReport: (report) => {
        const { identity, successor } = report
        if (successor !== undefined) recovered.push({ identity, successor })
        if (report.action === 'restart')
          governing.governor.ended(identity, attemptEnd(report), successor, now())
        reactions.reported(report, now())
        broadcast.publish({ type: 'recovered', action: report })
      },
      onTrouble: ({ begun }, trouble) => reactions.troubled(begun, trouble),
    })
    return meantAfterRecovery(recovered, recovery)
  }

  /** Goes on to see what came of restarts that an earlier run had done, and was killed before it knew. */
  followAgain(unjudged: readonly UnjudgedRestart[]): void {
    for (const { done, successor, place } of unjudged) {
      if (!samePlace(place, this.#context.place)) continue
      const passedMs = Math.max(0, Date.now() - done.atMs)
      this.#parts.reactions.followAgain(done, successor, now(), passedMs)
    }
  }

  /** Nothing that has not touched its process yet does so from now on. */
  giveUp(): void {
    this.#closing.abort()
  }

  /** Resolves when what is under way is done; `giveUp` comes first. */
  settled(): Promise<void> {
    return this.runner.settled()
  }

  #reported(report: ActionReport): void {
    const { broadcast, judging, reactions } = this.#parts
    reactions.reported(report, now())
    // Rules may judge by its limits, which are read once per program.
    if (report.action === 'limit' && report.status === 'done') judging.rematch(report.identity.pid)
    broadcast.publish({ type: 'action', action: report })
  }

  #governed(told: GovernedBody): void {
    const { untilMs } = told
    const governed = untilMs === undefined ? told : { ...told, untilMs: wallTimeOf(untilMs) }
    this.#context.journal?.append(governed)
    this.#parts.broadcast.publish({ type: 'governed', governed })
  }
}
