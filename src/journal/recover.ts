import { AlertFold, type FoldedAlerts } from '../alerts/alert_fold.js'
import { ITERABLE, refuse } from '../arguments.js'
import { forgetOldest } from '../forget_oldest.js'
import { identityKey, type ProcessIdentity } from '../table/identity.js'
import type { ActionBegunBody, ActionDoneBody, RestartStep } from './action_records.js'
import { type Place, samePlace } from './place.js'
import { isRecord } from './record_schema.js'
import type { JournalRecord } from './records.js'

/** An action that the journal says was begun, and not that it ended. */
export interface UnfinishedAction {
  readonly begun: ActionBegunBody
  readonly begunAtMs: number
  /** The last step of a restart that is on disk; undefined when none is. */
  readonly step: RestartStep | undefined
  /** The successor, once it was made (and held before its exec). */
  readonly child: ProcessIdentity | undefined
}

/** A restart that was done, and what came of it is not known: no outcome has been written. */
export interface UnjudgedRestart {
  readonly done: ActionDoneBody & { readonly atMs: number }
  readonly successor: ProcessIdentity
  /** Where the successor runs. */
  readonly place: Place
}

/** When and where a step of a rule was begun. */
interface BegunStep {
  readonly atMs: number
  readonly place: Place
}

/** What is done by a rule to a process, and how: the same for two decisions, and for two runs. */
export function stepKey({
  rule,
  identity,
  action,
  parameters,
}: Pick<ActionBegunBody, 'rule' | 'identity' | 'action' | 'parameters'>): string {
  return [rule, identityKey(identity), action, JSON.stringify(parameters)].join('\n')
}

/** The state that a journal amounts to. */
export interface JournalState {
  readonly unfinished: readonly UnfinishedAction[]
  readonly unjudged: readonly UnjudgedRestart[]
  /** By `stepKey`, oldest first: when an action other than a restart was begun last, and was not refused. */
  readonly lastBegun: ReadonlyMap<string, BegunStep>
  /** The last run ended without saying so. */
  readonly crashed: boolean
  readonly alerts: FoldedAlerts
}

/** No state is a fold over these, and most records are of them. */
export const UNFOLDED: ReadonlySet<JournalRecord['type']> = new Set<JournalRecord['type']>(['decision'])

/** Far more than are followed at the same time; journals from before version 0.1, and runs that were killed, leave some behind. */
const MOST_UNJUDGED = 1000
const MOST_BEGUN = 10_000

/** Folds records, oldest first, in memory bounded by the number of unfinished actions, alerts that fire and silences. */
export class JournalFold {
  readonly #unfinished = new Map<string, UnfinishedAction>()
  /** By action id, oldest first. */
  readonly #unjudged = new Map<string, UnjudgedRestart>()
  readonly #lastBegun = new Map<string, BegunStep>()
  readonly #alerts = new AlertFold()
  #running = false

  add(record: JournalRecord): void {
    this.#alerts.add(record)
    switch (record.type) {
      case 'engine-start':
        this.#running = true
        break
      case 'engine-stop':
        this.#running = false
        break
      case 'action-begun':
        this.#unfinished.set(record.actionId, {
          begun: record,
          begunAtMs: record.atMs,
          step: undefined,
          child: undefined,
        })
        this.#begun(record)
        break
      case 'action-step': {
        const action = this.#unfinished.get(record.actionId)
        if (action === undefined) break
        this.#unfinished.set(record.actionId, {
          ...action,
          step: record.step,
          child: record.child ?? action.child,
        })
        break
      }
      case 'action-done':
        this.#done(record)
        break
      case 'outcome':
        this.#unjudged.delete(record.actionId)
        break
    }
  }

  #begun(record: ActionBegunBody & BegunStep): void {
    if (record.action === 'restart') return
    const key = stepKey(record)
    this.#lastBegun.delete(key)
    this.#lastBegun.set(key, { atMs: record.atMs, place: record.place })
    forgetOldest(this.#lastBegun, MOST_BEGUN)
  }

  #done(record: UnjudgedRestart['done']): void {
    const { actionId, action, status, successor } = record
    const begun = this.#unfinished.get(actionId)?.begun
    const place = begun?.place
    this.#unfinished.delete(actionId)
    if (begun !== undefined && (status === 'refused' || status === 'failed'))
      this.#lastBegun.delete(stepKey(begun))
    if (action !== 'restart' || status !== 'done' || successor === undefined || place === undefined) return
    this.#unjudged.set(actionId, { done: record, successor, place })
    forgetOldest(this.#unjudged, MOST_UNJUDGED)
  }

  get state(): JournalState {
    return {
      unfinished: [...this.#unfinished.values()],
      unjudged: [...this.#unjudged.values()],
      lastBegun: new Map(this.#lastBegun),
      crashed: this.#running,
      alerts: this.#alerts.state,
    }
  }
}

/** What a journal amounts to: hand it the records of `readJournal`, oldest first. */
export function recover(records: Iterable<JournalRecord>): JournalState {
  ITERABLE('the records', records)
  const fold = new JournalFold()
  for (const record of records) {
    if (!isRecord(record)) refuse('one of the records', record, 'those of readJournal')
    fold.add(record)
  }
  return fold.state
}

/** What is true now of the processes of an unfinished action. */
export interface Facts {
  readonly place: Place
  /** The process with the very identity that the action was for still runs; a zombie does not. */
  readonly oldAlive: boolean
  /** The successor that the journal names still runs. */
  readonly childAlive: boolean
  /** What is needed to start it again lies beside the journal. */
  readonly specKept: boolean
}

/**
 * What to do about an unfinished action.
 * - `adopt`: its successor runs; only the record of its end is missing.
 * - `finish`: the old process is gone by our doing and nothing took its place: start it again.
 * - `await-exit`: it was being ended; a SIGTERM may still be at work, so see whether it goes, then decide again.
 * - `drop`: say so and leave it; where the breach lasts, the rule fires again.
 */
export interface RecoveryPlan {
  readonly kind: 'adopt' | 'finish' | 'await-exit' | 'drop'
  readonly reason: string
}

export function planRecovery(action: UnfinishedAction, facts: Facts): RecoveryPlan {
  const { begun, step } = action
  if (begun.action !== 'restart') {
    return {
      kind: 'drop',
      reason: `the engine ended during it; it is not known whether the ${begun.action} was done`,
    }
  }
  // Whoever brings the host or the container up again starts its programs too: a second copy would be wrong.
  if (!samePlace(begun.place, facts.place)) {
    return { kind: 'drop', reason: 'the host or container was started anew since' }
  }
  if (facts.childAlive) return { kind: 'adopt', reason: 'its successor runs' }
  if (step === undefined || step === 'captured') {
    const reason = facts.oldAlive
      ? 'the engine ended before it touched the process'
      : 'the process ended by itself before the engine touched it'
    return { kind: 'drop', reason }
  }
  if (facts.oldAlive)
    return { kind: 'await-exit', reason: 'the engine ended while it was ending the process' }
  if (!facts.specKept) return { kind: 'drop', reason: 'what is needed to start it again is no longer there' }
  return { kind: 'finish', reason: 'the engine had ended the process, and not started it again' }
}
