import type { EventEmitter } from 'node:events'
import { type Logger, pino } from 'pino'
import { Alerting } from '../alerts/alerting.js'
import { identify } from '../control/handle.js'
import { currentPlace } from '../journal/place.js'
import type { JournalBody } from '../journal/records.js'
import { JournalFold, UNFOLDED } from '../journal/recover.js'
import { Journal } from '../journal/writer.js'
import type { Rule } from '../rules/schema/rule.js'
import type { Table } from '../table/table.js'
import { Turns } from '../turns.js'
import { Acting } from './acting.js'
import { bindPids } from './bind_pids.js'
import { Broadcast } from './broadcast.js'
import { now } from './clock.js'
import { Deaths } from './deaths.js'
import { EarlierSteps } from './earlier_steps.js'
import type { EngineEvents, EngineStats } from './events.js'
import { Governing } from './governing.js'
import { Judging } from './judging.js'
import { LifecycleReactions } from './lifecycle_reactions.js'
import { hostAvailableBytes, look, userOf } from './look.js'
import { checkEngineRules, type Settings } from './options.js'
import { Outcomes } from './outcomes.js'
import { OwnUse } from './own_use.js'
import { Reactions } from './reactions.js'
import { RuleChanges } from './rule_changes.js'
import { Rulebook, type RulesChange } from './rulebook.js'
import { Sources } from './sources.js'
import { Ticker } from './ticker.js'
import { WatchedProcesses } from './watched.js'

/** What an engine consists of, from its journal to its actions: how that is opened, what a tick is, how it is closed. */
export class Watch {
  readonly #settings: Settings
  readonly #log: Logger
  readonly broadcast: Broadcast
  readonly alerting: Alerting
  readonly #watched = new WatchedProcesses()
  readonly #book = new Rulebook()
  readonly judging: Judging
  readonly #ruleChanges: RuleChanges
  readonly #sources: Sources
  readonly lifecycleReactions: LifecycleReactions
  readonly #deaths: Deaths
  readonly #outcomes: Outcomes
  readonly reactions: Reactions
  readonly ticker: Ticker
  readonly #ownUse: OwnUse
  readonly #fold = new JournalFold()
  readonly #governing: Governing
  #journal: Journal | undefined
  #acting: Acting | undefined
  #earlier: EarlierSteps | undefined
  /** Ticks, changes of rules and questions about the last sample, one after the other. */
  readonly turns = new Turns()

  constructor(emitter: EventEmitter<EngineEvents>, settings: Settings, logger: Logger | undefined) {
    this.#settings = settings
    const texts = settings.ruleTexts
    this.#book.use(settings.rules.map((checked, at) => ({ text: texts[at]!, checked, bound: texts[at]! })))
    this.#sources = new Sources(settings)
    this.#log = logger ?? pino({ level: 'silent' }, { write() {} })
    this.broadcast = new Broadcast(emitter, settings.eventCapacity, this.#log)
    const note = (body: JournalBody) => this.#journal?.append(body)
    this.alerting = new Alerting({
      ...{ capacity: settings.alertCapacity, notifiers: settings.notifiers, log: this.#log, note },
      tell: (alert) => this.broadcast.publish({ type: 'alert', alert }),
      onNotifyFailed: (failure) => this.broadcast.publish({ type: 'notify-failed', failure }),
      onError: (error) => this.broadcast.failed(error),
      ruleNames: () => this.#book.names,
      resume: (rule) => this.resume(rule),
      pending: () => this.judging.pending(),
      userOf: ({ identity }) => this.#sources.table && userOf(this.#sources.table, identity),
    })
    const { alarms } = this.alerting
    const book = this.#book
    const sources = this.#sources
    this.judging = new Judging({ book, alarms, note })
    const judging = this.judging
    this.#governing = new Governing({ settings: settings.governor, book, alarms, judging, sources, note })
    this.#outcomes = new Outcomes({
      windowMs: settings.outcomeWindowMs,
      intervalMs: settings.intervalMs,
      hostAvailableBytes,
      onOutcome: (outcome) => {
        note(outcome)
        this.broadcast.publish({ type: 'outcome', outcome })
        this.#governing.followed(outcome)
      },
      onBreachedAgain: note,
    })
    const watched = this.#watched
    const listening = () => sources.lifecycle.listening
    const deaths = new Deaths({ listening, alarms })
    this.#deaths = deaths
    this.reactions = new Reactions({
      dryRun: settings.dryRun,
      intervalMs: settings.intervalMs,
      ...{ book, alarms, watched, deaths },
      outcomes: this.#outcomes,
      note,
      bind: (rule, identity) => judging.bind(rule, identity),
      membersOf: (rule, group) => judging.membersOf(rule, group),
      seenMs: (...breach) => this.#earlier?.seenMs(...breach) ?? 0,
      rssBytesOf: (identity) => sources.rssBytesOf(identity),
      hostAvailableBytes,
    })
    this.#ruleChanges = new RuleChanges({
      ...{ book, watched, alarms, sources, judging },
      governor: this.#governing.governor,
    })
    this.ticker = new Ticker(settings.intervalMs, () => this.turns.take(() => this.#tick()))
    this.#ownUse = new OwnUse(this.ticker, settings.selfIntervalMs, note)
    this.lifecycleReactions = new LifecycleReactions({
      ...{ watched, deaths, note, ticker: this.ticker },
      tell: (overrun) => this.broadcast.publish({ type: 'overrun', overrun }),
      onError: (error) => this.broadcast.failed(error),
    })
  }

  get stats(): EngineStats {
    const { total } = this.lifecycleReactions.shortLived
    return {
      ...this.#ownUse.stats,
      sampler: this.#sources.samplerStats,
      lifecycle: { ...this.#sources.lifecycle.stats, rescans: this.ticker.extra, shortLived: total },
      notifiers: this.alerting.notifierStats,
    }
  }

  /** The rules are others from the next tick on. */
  async setRules(rules: readonly Rule[]): Promise<RulesChange> {
    const checked = await checkEngineRules(rules, this.#settings)
    const change = await this.#ruleChanges.carryOut(rules, checked)
    this.#governing.renewMembers()
    const { added, changed, removed } = change
    if (added.length + changed.length + removed.length > 0) {
      this.#journal?.append({ type: 'rules', ...change })
      this.broadcast.publish({ type: 'rules', change })
    }
    return change
  }

  /** False when no restarts of the rule are suspended or given up. */
  resume(rule: string): boolean {
    const isResumed = this.#governing.governor.resume(rule)
    if (isResumed) this.#acting?.runner.askAgain()
    return isResumed
  }

  async open(): Promise<void> {
    const { journal, intervalMs, dryRun, workers } = this.#settings
    if (journal !== undefined) {
      this.#journal = await Journal.open(journal, {
        onRecord: (record) => {
          this.#fold.add(record)
          this.#governing.replay(record)
        },
        without: UNFOLDED,
        onError: (error) => this.broadcast.failed(error),
      })
    }
    const [place, self] = await Promise.all([currentPlace(), identify(process.pid)])
    this.#governing.replayed(place)
    // Before processes are bound to rules, so that no end of one is missed.
    await this.#sources.open(this.lifecycleReactions)
    const { source, reason: sourceReason } = this.#sources.samplerStats
    const { source: eventSource, reason: eventSourceReason } = this.#sources.lifecycle.stats
    this.#log.info(
      { source, sourceReason, eventSource, eventSourceReason },
      'sources of samples and of events',
    )
    await this.#journal?.commit({
      type: 'engine-start',
      engine: { pid: self.pid, startTicks: self.startTicks },
      ...{ place, source, sourceReason, eventSource, eventSourceReason },
      ...{ intervalMs, dryRun, rules: this.#book.names },
    })
    // The start is among the records by now: of another place, or long ago, nothing goes on.
    this.#earlier = new EarlierSteps(this.#fold.state, place, this.#book)
    this.#acting = new Acting(
      {
        ...{ settings: this.#settings, log: this.#log, broadcast: this.broadcast, sources: this.#sources },
        ...{ governing: this.#governing, judging: this.judging, reactions: this.reactions },
      },
      place,
      this.#journal,
      this.#earlier,
    )
    if (this.#journal !== undefined) this.alerting.open(this.#journal, this.#fold.state.alerts)
    this.#governing.takeUpSuspensions()
    this.#acting.followAgain(this.#fold.state.unjudged)
    // Rules by pid are bound to the processes that they mean.
    const { rules: checkedRules, ruleTexts } = this.#settings
    const entries = await bindPids(
      checkedRules.map((checked, at) => ({ text: ruleTexts[at]!, checked })),
      this.#watched,
      await this.#acting.recover(this.#fold.state.unfinished),
    )
    this.#book.use(entries)
    const { perGroup } = this.#settings.governor.limits
    const rules = await this.judging.open(entries, {
      ...{ groups: this.#sources.groups, intervalMs },
      ...(workers === undefined ? {} : { workers }),
      ...(perGroup === undefined ? {} : { perGroup: perGroup.by }),
      readFacts: (slots, needs) => this.#sources.readFacts(slots, needs),
      onWarning: (error) => this.broadcast.failed(error),
    })
    // A recovery that goes on may have made a successor since the rules were bound.
    for (const { rule, identity } of this.#watched.all) this.judging.bind(rule, identity)
    this.lifecycleReactions.use(rules)
  }

  async #tick(): Promise<void> {
    this.broadcast.release()
    const startedAt = performance.now()
    let unburied: Table | undefined
    try {
      this.alerting.tick()
      this.reactions.beginSample()
      this.lifecycleReactions.beginSample()
      const table = await this.#sources.sample()
      unburied = table
      this.#sources.keepExact()
      const sampledAt = performance.now()
      // Epoch milliseconds that no clock step moves: durations of rules are measured with them.
      const nowMs = performance.timeOrigin + sampledAt
      await this.lifecycleReactions.sampled(table, nowMs)
      const host = await this.#sources.readHost(table.size)
      const decisions = await this.judging.tick(table, nowMs, host)
      const judgedAt = performance.now()
      this.#governing.renewMembers()
      await this.reactions.sampled(table, decisions, this.#acting!.runner, nowMs)
      unburied = undefined
      this.#outcomes.tick((identity) => look(table, identity), nowMs)
      this.#acting!.runner.tick(now())
      const endedAt = performance.now()
      const times = {
        sampleMs: sampledAt - startedAt,
        judgeMs: judgedAt - sampledAt,
        totalMs: endedAt - startedAt,
      }
      this.#ownUse.ticked(table.size, times, endedAt)
      const { ticks: tick } = this.ticker
      this.broadcast.publish({ type: 'tick', tick: { tick, table, decisions: decisions.length, ...times } })
    } catch (error) {
      this.#ownUse.tickFailed()
      this.broadcast.failed(error)
      if (unburied !== undefined)
        await this.reactions.bury(unburied).catch((cause) => this.broadcast.failed(cause))
    }
  }

  async close(): Promise<void> {
    // First: a tick that is under way can take long, and what waits for its turn must not begin meanwhile.
    this.#acting?.giveUp()
    await this.ticker.stop()
    await this.turns.over()
    await this.#acting?.settled()
    await this.#sources.lifecycle.close()
    this.#deaths.close()
    this.reactions.close()
    this.broadcast.release()
    this.#outcomes.close(now())
    await this.alerting.close()
    await Promise.allSettled([this.judging.close(), this.#sources.close()])
    if (this.#journal !== undefined) {
      this.#ownUse.note()
      const { ticks, missedTicks, sampler, lifecycle } = this.stats
      const unfinished = this.#fold.state.unfinished.length
      await this.#journal
        .commit({ type: 'engine-stop', ticks, missedTicks, unfinished, source: sampler.source, lifecycle })
        .catch(() => {})
      await this.#journal.close()
    }
    this.broadcast.end()
  }
}
