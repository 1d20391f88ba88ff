import type { ActionReport, ActionTarget } from '../actions/context.js'
import type { ReplaceTrouble, RestartResult } from '../actions/replace.js'
import type { ActionRunner } from '../actions/runner.js'
import type { Alarms } from '../alerts/alarms.js'
import { signalNumber } from '../control/signal_names.js'
import type { JournalBody } from '../journal/records.js'
import type { UnfinishedAction } from '../journal/recover.js'
import type { Decision } from '../rules/decision.js'
import type { ActionSpec, CheckedRule, Severity } from '../rules/schema/rule.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { Table } from '../table/table.js'
import { Advisor } from './advisor.js'
import type { Deaths } from './deaths.js'
import { decisionRecord } from './decision_record.js'
import { HeldChildren } from './held_children.js'
import { breachMessage } from './messages.js'
import type { Outcomes } from './outcomes.js'
import type { Binding, WatchedProcesses } from './watched.js'

/** Signals that a process is meant to end by: INT, QUIT, ABRT, KILL, TERM. */
const ENDING_SIGNALS = [2, 3, 6, 9, 15]
const SEEN = Number.POSITIVE_INFINITY
/** `PF_FORKNOEXEC` of linux/sched.h: forked, and no program executed yet. */
const FORK_NO_EXEC = 0x40
const ZOMBIE = 0x5a // 'Z', proc_pid_stat(5) field 3
/** Refusals that somebody has to know of: the breach lasts, and the engine can do nothing about it. */
const LASTING_REFUSALS = new Set(['RESTART_REFUSED', 'ACCESS_DENIED', 'PROTECTED', 'IO_ERROR'])

export interface ReactionParts {
  readonly rules: readonly CheckedRule[]
  readonly dryRun: boolean
  readonly alarms: Alarms
  readonly watched: WatchedProcesses
  readonly deaths: Deaths
  readonly outcomes: Outcomes
  readonly note: (body: JournalBody) => void
  readonly bind: (ruleIndex: number, identity: ProcessIdentity) => void
}

/** What follows from decisions, deaths and reports: alerts, actions, outcomes. */
export class Reactions {
  readonly #parts: ReactionParts
  readonly #children = new HeldChildren()
  readonly #advisor: Advisor
  #decisions = 0

  constructor(parts: ReactionParts) {
    this.#parts = parts
    this.#advisor = new Advisor(parts.alarms)
  }

  /** Raises what still waits. */
  close(): void {
    this.#advisor.close()
  }

  /** Before a sample is taken. */
  beginSample(): void {
    this.#children.beginSample()
  }

  /** All that follows from a sample and what was decided on it. */
  sampled(table: Table, decisions: readonly Decision[], runner: ActionRunner): void {
    for (const decision of decisions) {
      if (!this.#children.keepsBack(decision)) this.#decided(decision, table, runner)
    }
    const isCopy = (pid: number) => {
      const slot = table.slotOf(pid)
      return slot !== undefined && (table.columns.flags[slot]! & FORK_NO_EXEC) !== 0
    }
    for (const decision of this.#children.endSample(isCopy)) this.#decided(decision, table, runner)
    this.#buryGone(table)
    this.#checkWatched(table)
  }

  #decided(decision: Decision, table: Table, runner: ActionRunner): void {
    const { rules, alarms, outcomes, dryRun, note } = this.#parts
    const { identity, name, slot, clauses } = decision
    // seam: groups and removed rules (see the governor's reactions)
    if (identity === undefined || decision.cause === 'removed') return
    const rule = rules[decision.rule.index]!
    const decisionId = `${runner.run}-d${++this.#decisions}`
    const { severity, actions } = rule
    note(decisionRecord(decisionId, decision, rule, dryRun))
    if (decision.kind === 'clear') {
      this.#advisor.settle(rule.name, identity)
      alarms.resolve(rule.name, 'breach', decision)
      return
    }
    const message = breachMessage(name, identity, clauses)
    const raised = {
      rule: rule.name,
      severity,
      kind: 'breach',
      identity,
      name,
      values: clauses,
      message,
    } as const
    this.#advisor.raise(raised, table)
    outcomes.breached(rule.name, identity)
    const { rssBytes } = table.at(slot)
    runner.submit({ rule: rule.name, identity, name, decisionId, reason: message, rssBytes }, actions)
  }

  /** Looks at the processes that are gone since the last sample; costs nothing for the others. */
  #buryGone(table: Table): void {
    const { alarms, watched, deaths } = this.#parts
    const { pid, startTicks } = table.columns
    for (const slot of table.goneSlots) {
      this.#advisor.settleGone(pid[slot]!, startTicks[slot]!)
      alarms.resolveGone(pid[slot]!, startTicks[slot]!)
      deaths.ended(watched.ended(pid[slot]!, startTicks[slot]!))
    }
  }

  /** Watched processes that were gone before the first sample, or are zombies that nobody has waited for. */
  #checkWatched(table: Table): void {
    for (const binding of this.#parts.watched.all) {
      if (binding.state !== 'alive') continue
      const { pid, startTicks } = binding.identity
      const slot = table.slotOf(pid)
      const there = slot !== undefined && table.columns.startTicks[slot] === startTicks
      if (there) this.#seen(binding, table, slot)
      // A successor can be younger than the sample that was under way when it was made, not than the next one.
      else if (++binding.samples < 2) continue
      if (!there || table.columns.state[slot] === ZOMBIE)
        this.#parts.deaths.ended(this.#parts.watched.ended(pid, startTicks))
    }
  }

  #seen(binding: Binding, table: Table, slot: number): void {
    if (binding.samples === SEEN) return
    binding.samples = SEEN
    binding.name = table.at(slot).name
  }

  begins({ identity }: ActionTarget, action: ActionSpec): void {
    const ends =
      action.type === 'restart' ||
      (action.type === 'signal' && ENDING_SIGNALS.includes(signalNumber(action.signal)))
    if (ends) this.#parts.watched.expectEnd(identity)
  }

  hasSuccessor(old: ProcessIdentity, successor: ProcessIdentity): void {
    this.#children.hold(old, successor)
    for (const { ruleIndex } of this.#parts.watched.follow(old, successor))
      this.#parts.bind(ruleIndex, successor)
  }

  reported(report: ActionReport): void {
    const { alarms, watched, deaths } = this.#parts
    const { rule, identity, status, successor } = report
    if (report.action !== 'restart') {
      if (status !== 'done') deaths.ended(watched.expectLife(identity))
      return
    }
    if (status === 'done' && successor !== undefined) {
      this.#children.release(successor)
      alarms.resolve(rule, 'restart-failed', report)
      alarms.resolve(rule, 'breach', report)
      this.#track(report, successor)
      deaths.ended(watched.expectLife(successor))
      return
    }
    this.#children.giveUp(identity)
    if (status === 'failed') {
      this.#restartFailed(report, 'critical', `restart failed: ${report.reason}`)
    } else {
      deaths.ended(watched.expectLife(identity))
      if (status === 'refused' && LASTING_REFUSALS.has(report.error?.code ?? '')) {
        this.#restartFailed(report, 'warning', `restart refused: ${report.reason}`)
      }
    }
  }

  /** A restart goes on, and not well. */
  troubled(
    { rule, identity, name }: ActionTarget | UnfinishedAction['begun'],
    trouble: ReplaceTrouble,
  ): void {
    this.#restartFailed({ rule, identity, name }, 'critical', trouble.message)
  }

  #track(report: ActionReport, successor: ProcessIdentity): void {
    const { actionId, rule, identity, name, result = {} } = report
    const { endedBy = 'an earlier run', exitedInMs, rssBeforeBytes } = result as Partial<RestartResult>
    this.#parts.outcomes.track(
      { actionId, rule, identity, name, successor, exitedInMs, endedBy, rssBeforeBytes },
      performance.now(),
    )
  }

  #restartFailed(
    { rule, identity, name }: Pick<ActionReport, 'rule' | 'identity' | 'name'>,
    severity: Severity,
    message: string,
  ): void {
    this.#parts.alarms.raise({ rule, severity, kind: 'restart-failed', identity, name, values: [], message })
  }
}
