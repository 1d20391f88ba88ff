import type { ActionReport, ActionTarget } from '../actions/context.js'
import type { ReplaceTrouble } from '../actions/replace.js'
import type { ActionRunner } from '../actions/runner.js'
import type { Alarms } from '../alerts/alarms.js'
import type { JournalBody } from '../journal/records.js'
import type { UnfinishedAction } from '../journal/recover.js'
import type { Decision, DecisionClause } from '../rules/decision.js'
import type { ActionSpec, Severity, Step } from '../rules/schema/rule.js'
import { subjectKey } from '../rules/subject.js'
import { Slices } from '../slices.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { Table } from '../table/table.js'
import { Advisor } from './advisor.js'
import type { Deaths } from './deaths.js'
import { decisionRecord, recordedGroup } from './decision_record.js'
import type { EarlierSteps } from './earlier_steps.js'
import { Endings } from './endings.js'
import { HeldChildren } from './held_children.js'
import type { Judging } from './judging.js'
import { type DueSteps, Ladder } from './ladder.js'
import { look } from './look.js'
import { breachMessage } from './messages.js'
import type { Outcomes } from './outcomes.js'
import type { Rulebook } from './rulebook.js'
import { type Aim, isMeant, targetsOf } from './targets.js'
import type { Binding, WatchedProcesses } from './watched.js'

const SEEN = Number.POSITIVE_INFINITY
/** `PF_FORKNOEXEC` of linux/sched.h: forked, and no program executed yet. */
const FORK_NO_EXEC = 0x40
/** Refusals that somebody has to know of: the breach lasts, and the engine can do nothing about it. */
const LASTING_REFUSALS = new Set(['RESTART_REFUSED', 'ACCESS_DENIED', 'PROTECTED', 'IO_ERROR'])

interface ReactionParts {
  readonly book: Rulebook
  readonly dryRun: boolean
  /** Usual time between two samples. */
  readonly intervalMs: number
  readonly alarms: Alarms
  readonly watched: WatchedProcesses
  readonly deaths: Deaths
  readonly outcomes: Outcomes
  readonly note: (body: JournalBody) => void
  readonly bind: (rule: string, identity: ProcessIdentity) => void
  readonly hostAvailableBytes: () => number | undefined
  readonly membersOf: Judging['membersOf']
  /** For how long an earlier run saw a breach last that this one finds again. */
  readonly seenMs: EarlierSteps['seenMs']
  /** In the last sample. */
  readonly rssBytesOf: (identity: ProcessIdentity) => number | undefined
}

/** What follows from decisions, deaths and reports: alerts, actions, outcomes. */
export class Reactions {
  readonly #parts: ReactionParts
  readonly #children = new HeldChildren()
  readonly #advisor: Advisor
  readonly #ladder: Ladder<Aim>
  /** Restarts of a group's largest member that came too late: the next sample shows who is it now. */
  #lost: { readonly target: ActionTarget; readonly step: Step }[] = []
  readonly #endings: Endings
  #decisions = 0

  constructor(parts: ReactionParts) {
    this.#parts = parts
    this.#advisor = new Advisor(parts.alarms)
    this.#endings = new Endings(parts)
    this.#ladder = new Ladder(parts.intervalMs)
  }

  /** Resolves when the alerts of all that was decided so far have been raised. */
  get allRaised(): Promise<void> {
    return this.#advisor.allRaised
  }

  /** Raises what still waits. */
  close(): void {
    this.#advisor.close()
  }

  /** Whether the breach lasts that this is to be done for. */
  stillWanted({ rule, subject }: ActionTarget): boolean {
    const now = this.#parts.book.get(rule)?.checked
    const restarts = now?.enabled && !now.dryRun && now.actions.some(({ type }) => type === 'restart')
    return restarts === true && this.#ladder.lasts(rule, subject)
  }

  /** Before a sample is taken. */
  beginSample(): void {
    this.#children.beginSample()
  }

  /** All that follows from a sample and what was decided on it, in slices. */
  async sampled(
    table: Table,
    decisions: readonly Decision[],
    runner: ActionRunner,
    nowMs: number,
  ): Promise<void> {
    const slices = new Slices()
    for (const decision of removedFirst(decisions)) {
      if (!this.#children.keepsBack(decision)) this.#decided(decision, table, runner, nowMs)
      if (slices.isOver) await slices.next()
    }
    const isCopy = (pid: number) => {
      const slot = table.slotOf(pid)
      return slot !== undefined && (table.columns.flags[slot]! & FORK_NO_EXEC) !== 0
    }
    for (const decision of this.#children.endSample(isCopy)) this.#decided(decision, table, runner, nowMs)
    for (const due of this.#ladder.tick(nowMs)) {
      void this.#submitAnew(due, runner)
      if (slices.isOver) await slices.next()
    }
    for (const { target, step } of this.#lost.splice(0)) {
      const aim = this.#ladder.targetOf(target.rule, target.subject)
      if (aim !== undefined) void this.#submitAnew({ target: aim, steps: [step] }, runner, target)
    }
    await this.bury(table)
    this.#checkWatched(table)
  }

  #decided(decision: Decision, table: Table, runner: ActionRunner, nowMs: number): void {
    const { book, alarms, outcomes, dryRun, note } = this.#parts
    const { identity, group, name, clauses, sinceMs = nowMs } = decision
    const decisionId = `${runner.run}-d${++this.#decisions}`
    // None when it was removed; then only what it had fired for is over.
    const rule = decision.rule.index < 0 ? undefined : book.get(decision.rule.name)?.checked
    const subject = subjectKey(decision)
    if (decision.kind === 'clear' || rule === undefined) {
      note(decisionRecord(decisionId, decision, rule, [], dryRun))
      this.#advisor.settle(decision.rule.name, decision)
      alarms.resolve(decision.rule.name, 'breach', decision)
      this.#ladder.cleared(decision.rule.name, subject)
      return
    }
    const reason = breachMessage(decision)
    const why = {
      ...{ rule: rule.name, decisionId, reason, subject, sinceMs, dryRun: rule.dryRun },
      isAboutMemory: clauses.some(isOfMemory),
    }
    const members = identity === undefined ? (group?.members ?? []) : [{ identity, name }]
    const aim: Aim = { why, group, target: rule.target, members }
    const seenMs = this.#parts.seenMs(rule.name, subject, sinceMs)
    const fired = this.#ladder.fired(rule.name, subject, rule.actions, aim, nowMs, seenMs)
    note(decisionRecord(decisionId, decision, rule, fired.planned, dryRun))
    const raised = {
      rule: rule.name,
      severity: rule.severity,
      kind: 'breach',
      identity,
      group: recordedGroup(group),
      name,
      values: clauses,
      message: reason,
    } as const
    this.#advisor.raise(raised, table)
    if (identity !== undefined) outcomes.breached(rule.name, identity, look(table, identity)?.rssBytes, nowMs)
    this.#submit(fired, runner)
  }

  #submit({ target: aim, steps }: DueSteps<Aim>, runner: ActionRunner): void {
    for (const target of targetsOf(aim, this.#parts.rssBytesOf)) runner.submit(target, steps)
  }

  /**
   * A step that comes later than its decision: of a group for those who are meant by now.
   * @param lost who was meant and is gone; until somebody else is, nothing is done
   */
  async #submitAnew({ target: aim, steps }: DueSteps<Aim>, runner: ActionRunner, lost?: ActionTarget) {
    const { why, group } = aim
    const found = group && (await this.#parts.membersOf(why.rule, group).catch(() => undefined))
    if (!this.#ladder.lasts(why.rule, why.subject)) return
    const now = found === undefined ? aim : { ...aim, members: found }
    if (
      lost !== undefined &&
      isMeant(
        lost.identity,
        targetsOf(now, () => undefined),
      )
    ) {
      for (const step of steps) this.lost(lost, step)
    } else {
      this.#submit({ target: now, steps }, runner)
    }
  }

  /** The largest member of a group was gone, or had been restarted for another rule, before its turn came. */
  lost(target: ActionTarget, step: Step): void {
    this.#lost.push({ target, step })
  }

  /** Looks at the processes that are gone since the last sample; costs nothing for the others. No later sample tells of them. */
  async bury(table: Table): Promise<void> {
    const { alarms, watched, deaths } = this.#parts
    const slices = new Slices()
    const { pid, startTicks } = table.columns
    for (const slot of table.goneSlots) {
      this.#advisor.settleGone(pid[slot]!, startTicks[slot]!)
      alarms.resolveGone(pid[slot]!, startTicks[slot]!)
      deaths.ended(watched.ended(pid[slot]!, startTicks[slot]!))
      if (slices.isOver) await slices.next()
    }
  }

  /** Watched processes that were gone before the first sample, or are zombies that nobody has waited for. */
  #checkWatched(table: Table): void {
    for (const binding of this.#parts.watched.all) {
      const { pid, startTicks } = binding.identity
      const found = look(table, binding.identity)
      if (found !== undefined) this.#seen(binding, table)
      if (binding.state !== 'alive') continue
      // A successor can be younger than the sample that was under way when it was made, not than the next one.
      if (found === undefined && ++binding.samples < 2) continue
      if (found === undefined || found.isZombie)
        this.#parts.deaths.ended(this.#parts.watched.ended(pid, startTicks))
    }
  }

  #seen(binding: Binding, table: Table): void {
    if (binding.samples === SEEN) return
    binding.samples = SEEN
    binding.name = table.get(binding.identity.pid)!.name
  }

  begins(target: ActionTarget, action: ActionSpec): void {
    if (this.#endings.begins(target, action)) this.#parts.watched.expectEnd(target.identity)
  }

  hasSuccessor(old: ProcessIdentity, successor: ProcessIdentity): void {
    this.#children.hold(old, successor)
    for (const { rule } of this.#parts.watched.follow(old, successor)) this.#parts.bind(rule, successor)
  }

  reported(report: ActionReport, nowMs: number): void {
    const { alarms, watched, deaths } = this.#parts
    const { rule, identity, status, successor } = report
    const before = this.#endings.over(report)
    if (report.action !== 'restart') {
      if (before === undefined) return
      if (status !== 'done') deaths.ended(watched.expectLife(identity))
      else this.#endings.follow(report, undefined, before, nowMs)
      return
    }
    if (status === 'done' && successor !== undefined) {
      this.#children.release(successor)
      alarms.resolve(rule, 'restart-failed', report)
      alarms.resolve(rule, 'breach', report)
      this.#ladder.cleared(rule, subjectKey({ identity, group: undefined }))
      this.#endings.follow(report, successor, before, nowMs)
      deaths.ended(watched.expectLife(successor))
      return
    }
    if (status === 'refused' && LASTING_REFUSALS.has(report.error?.code ?? '')) {
      this.#restartFailed(report, 'warning', `restart refused: ${report.reason}`)
    }
    // Refused before it was begun: what is under way for another rule goes on.
    if (before === undefined && !report.recovered) return
    this.#children.giveUp(identity)
    if (status === 'failed') this.#restartFailed(report, 'critical', `restart failed: ${report.reason}`)
    else deaths.ended(watched.expectLife(identity))
  }

  /** What came of a restart of an earlier run is still to be seen. */
  followAgain(report: ActionReport, successor: ProcessIdentity, nowMs: number, passedMs: number): void {
    this.#endings.follow(report, successor, undefined, nowMs, passedMs)
  }

  /** A restart goes on, and not well. */
  troubled(
    { rule, identity, name }: ActionTarget | UnfinishedAction['begun'],
    trouble: ReplaceTrouble,
  ): void {
    this.#restartFailed({ rule, identity, name }, 'critical', trouble.message)
  }

  #restartFailed(
    { rule, identity, name }: Pick<ActionReport, 'rule' | 'identity' | 'name'>,
    severity: Severity,
    message: string,
  ): void {
    this.#parts.alarms.raise({ rule, severity, kind: 'restart-failed', identity, name, values: [], message })
  }
}

/** A rule that has changed has the name of the one before: that one's breaches are over before its own begin. */
function removedFirst(decisions: readonly Decision[]): readonly Decision[] {
  const isRemoved = ({ cause }: Decision) => cause === 'removed'
  if (!decisions.some(isRemoved)) return decisions
  return [...decisions.filter(isRemoved), ...decisions.filter((decision) => !isRemoved(decision))]
}

const isOfMemory = ({ operand }: DecisionClause): boolean => /\b(rss|pss|vsz|swap|memory)/i.test(operand)
