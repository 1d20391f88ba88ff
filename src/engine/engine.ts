import { EventEmitter } from 'node:events'
import { type Logger, pino } from 'pino'
import type { Alert } from '../alerts/alert.js'
import { ALERT_CHECKS, type AlertQuery } from '../alerts/alert_book.js'
import { Alerting, type AlertNote } from '../alerts/alerting.js'
import type { Silence, SilenceRequest } from '../alerts/silences.js'
import { ABORT_SIGNAL, checkOptions, checkPid, checkQuery, ELSEWHERE, LIMIT, TEXT } from '../arguments.js'
import { identify } from '../control/handle.js'
import { ProcmusterError } from '../errors.js'
import { currentPlace } from '../journal/place.js'
import type { JournalBody } from '../journal/records.js'
import { JournalFold, UNFOLDED } from '../journal/recover.js'
import { Journal } from '../journal/writer.js'
import type { Explanation } from '../rules/rule_engine.js'
import type { Rule } from '../rules/schema/rule.js'
import type { Table } from '../table/table.js'
import { Turns } from '../turns.js'
import { Acting } from './acting.js'
import { bindPids } from './bind_pids.js'
import { Broadcast } from './broadcast.js'
import { Deaths } from './deaths.js'
import { EarlierSteps } from './earlier_steps.js'
import type { EngineEvent, EngineEvents, EngineStats } from './events.js'
import { Governing } from './governing.js'
import { Judging, type MatchesQuery, type RuleMatches } from './judging.js'
import { LifecycleReactions } from './lifecycle_reactions.js'
import { hostAvailableBytes, look, now, userOf } from './look.js'
import { checkEngineOptions, checkEngineRules, type EngineOptions, type Settings } from './options.js'
import { Outcomes } from './outcomes.js'
import { OwnUse } from './own_use.js'
import { Reactions } from './reactions.js'
import { RuleChanges } from './rule_changes.js'
import { Rulebook, type RulesChange } from './rulebook.js'
import type { ShortLivedCount } from './short_lived.js'
import { Sources } from './sources.js'
import { Ticker } from './ticker.js'
import { WatchedProcesses } from './watched.js'

/**
 * Samples the host at an interval, judges every process by rules in worker threads, raises alerts, acts, and writes
 * down what it saw, decided and did. Several can live in one process, each with a journal of its own.
 *
 * Ticks never wait for actions; one process has at most one action under way. A process is known by its identity from
 * the sample to the signal: when its pid is another's by then, nothing is sent.
 */
export class Engine extends EventEmitter<EngineEvents> implements AsyncDisposable {
  readonly #settings: Settings
  readonly #log: Logger
  readonly #broadcast: Broadcast
  readonly #alerting: Alerting
  readonly #watched = new WatchedProcesses()
  readonly #book = new Rulebook()
  readonly #judging: Judging
  readonly #ruleChanges: RuleChanges
  readonly #sources: Sources
  readonly #lifecycleReactions: LifecycleReactions
  readonly #deaths: Deaths
  readonly #outcomes: Outcomes
  readonly #reactions: Reactions
  readonly #ticker: Ticker
  readonly #ownUse: OwnUse
  readonly #fold = new JournalFold()
  readonly #governing: Governing
  #journal: Journal | undefined
  #acting: Acting | undefined
  #earlier: EarlierSteps | undefined
  #closed: Promise<void> | undefined
  /** Ticks, changes of rules and questions about the last sample, one after the other. */
  readonly #turns = new Turns()

  private constructor(settings: Settings, logger: Logger | undefined) {
    super()
    this.#settings = settings
    const texts = settings.ruleTexts
    this.#book.use(settings.rules.map((checked, at) => ({ text: texts[at]!, checked, bound: texts[at]! })))
    this.#sources = new Sources(settings)
    this.#log = logger ?? pino({ level: 'silent' }, { write() {} })
    this.#broadcast = new Broadcast(this, settings.eventCapacity, this.#log)
    const note = (body: JournalBody) => this.#journal?.append(body)
    this.#alerting = new Alerting({
      ...{ capacity: settings.alertCapacity, notifiers: settings.notifiers, log: this.#log, note },
      tell: (alert) => this.#broadcast.publish({ type: 'alert', alert }),
      onNotifyFailed: (failure) => this.#broadcast.publish({ type: 'notify-failed', failure }),
      onError: (error) => this.#broadcast.failed(error),
      ruleNames: () => this.#book.names,
      resume: (rule) => this.resume(rule),
      pending: () => this.#judging.pending(),
      userOf: ({ identity }) => this.#sources.table && userOf(this.#sources.table, identity),
    })
    const { alarms } = this.#alerting
    const book = this.#book
    const sources = this.#sources
    this.#judging = new Judging({ book, alarms, note })
    const judging = this.#judging
    this.#governing = new Governing({ settings: settings.governor, book, alarms, judging, sources, note })
    this.#outcomes = new Outcomes({
      windowMs: settings.outcomeWindowMs,
      intervalMs: settings.intervalMs,
      hostAvailableBytes,
      onOutcome: (outcome) => {
        note(outcome)
        this.#broadcast.publish({ type: 'outcome', outcome })
        this.#governing.followed(outcome)
      },
      onBreachedAgain: note,
    })
    const watched = this.#watched
    const listening = () => sources.lifecycle.listening
    const deaths = new Deaths({ listening, alarms })
    this.#deaths = deaths
    this.#reactions = new Reactions({
      dryRun: settings.dryRun,
      intervalMs: settings.intervalMs,
      ...{ book, alarms, watched, deaths },
      outcomes: this.#outcomes,
      note,
      bind: (rule, identity) => judging.bind(rule, identity),
      membersOf: (rule, group) => judging.membersOf(rule, group),
      seenMs: (rule, subject) => this.#earlier?.seenMs(rule, subject) ?? 0,
      rssBytesOf: (identity) => sources.rssBytesOf(identity),
      hostAvailableBytes,
    })
    this.#ruleChanges = new RuleChanges({
      ...{ book, watched, alarms, sources, judging },
      governor: this.#governing.governor,
    })
    this.#ticker = new Ticker(settings.intervalMs, () => this.#turns.take(() => this.#tick()))
    this.#ownUse = new OwnUse(this.#ticker, settings.selfIntervalMs, note)
    this.#lifecycleReactions = new LifecycleReactions({
      ...{ watched, deaths, note, ticker: this.#ticker },
      tell: (overrun) => this.#broadcast.publish({ type: 'overrun', overrun }),
      onError: (error) => this.#broadcast.failed(error),
    })
  }

  /**
   * Checks everything, finishes what a crashed run left unfinished, and begins to watch.
   * @throws ProcmusterError `INVALID_ARGUMENT` (an option, a rule), `PROCESS_GONE` (a rule's pid), `BUSY` (another
   * engine writes the journal), `ACCESS_DENIED`, `IO_ERROR`, ...; nothing is left open then.
   */
  static async start(options: EngineOptions): Promise<Engine> {
    const engine = new Engine(await checkEngineOptions(options), options.logger)
    try {
      await engine.#open()
    } catch (error) {
      await engine.close()
      throw error
    }
    engine.#ticker.start()
    return engine
  }

  /** True when decisions are only written down. */
  get dryRun(): boolean {
    return this.#settings.dryRun
  }

  get stats(): EngineStats {
    const { total } = this.#lifecycleReactions.shortLived
    return {
      ...this.#ownUse.stats,
      sampler: this.#sources.samplerStats,
      lifecycle: { ...this.#sources.lifecycle.stats, rescans: this.#ticker.extra, shortLived: total },
      notifiers: this.#alerting.notifierStats,
    }
  }

  /**
   * Processes since the start that no sample has seen, by the nearest ancestor that was sampled: most CPU time first, at most
   * `limit`, the rest together at the end. Empty without a source of events.
   *
   * @throws ProcmusterError `INVALID_ARGUMENT` for a limit that is no number of 0 or more.
   */
  shortLived(options: { readonly limit?: number } = {}): ShortLivedCount[] {
    checkOptions(options, { limit: LIMIT })
    const { limit } = options
    return this.#lifecycleReactions.shortLived.list(limit)
  }

  /**
   * From the next tick on these are the rules. What is known of rules that stay the same is kept: windows, since when a
   * condition holds, what has fired, the process that a pid means. Breaches of removed rules, and of what changed ones were
   * before, are resolved by the next tick. What else is told of a removed rule (`died`, `restart-failed`) is resolved at once, and
   * what the governor had suspended or given up for it is resumed; of a changed rule, which keeps its name, it stays.
   *
   * @throws ProcmusterError `INVALID_ARGUMENT` (a rule), `PROCESS_GONE` (a rule's pid), `UNSUPPORTED` (columns that can
   * only be had from the start: `sampler: { groups }`), `CLOSED`; the rules stay as they were then.
   */
  setRules(rules: readonly Rule[]): Promise<RulesChange> {
    return this.#turns.take(async () => {
      this.#checkOpen()
      const checked = await checkEngineRules(rules, this.#settings)
      const change = await this.#ruleChanges.carryOut(rules, checked)
      this.#governing.renewMembers()
      const { added, changed, removed } = change
      if (added.length + changed.length + removed.length > 0) {
        this.#journal?.append({ type: 'rules', ...change })
        this.#broadcast.publish({ type: 'rules', change })
      }
      return change
    })
  }

  /**
   * Processes that rules are about, by the last tick. One that is named by its command line, program or control group is
   * known from its second sample on.
   * @throws ProcmusterError `NOT_FOUND` when there is no such rule
   */
  matches(query: MatchesQuery = {}): RuleMatches[] {
    checkOptions(query, { rule: TEXT, limit: LIMIT }, 'the query')
    return this.#judging.matches(query)
  }

  /** Resolves when all that rules ask of the files of the processes seen so far has been read; the next tick knows it. */
  get factsLearned(): Promise<void> {
    return this.#judging.factsLearned
  }

  /**
   * Resolves when the alerts of all that was decided so far have been raised: one with advice (of a zombie, of a process stuck in
   * the kernel) follows its tick some milliseconds later.
   */
  get alertsRaised(): Promise<void> {
    return this.#reactions.allRaised
  }

  /**
   * What the clauses of a rule come to for a process, or for its group, in the last sample; also whether the rule is about it.
   * @throws ProcmusterError `NOT_FOUND` when there is no such rule, `PROCESS_GONE` when the sample does not have the process,
   * `INVALID_ARGUMENT` for a rule that is not enabled and before the first tick with the rules that there are, `CLOSED`
   */
  async explain(rule: string, pid: number): Promise<Explanation> {
    TEXT('the rule', rule)
    checkPid(pid)
    return this.#turns.take(() => {
      this.#checkOpen()
      return this.#judging.explain(rule, pid)
    })
  }

  /** Alerts of this run, newest first. */
  alerts(query: AlertQuery = {}): Alert[] {
    checkQuery(query, ALERT_CHECKS)
    return this.#alerting.list(query)
  }

  /**
   * Somebody has taken the alert up: it goes on to fire, and notifiers are told no more until it is resolved.
   * @throws ProcmusterError `NOT_FOUND` when no alert with this id fires, `INVALID_ARGUMENT`
   */
  acknowledge(alertId: string, note: AlertNote): Alert {
    TEXT('the id of the alert', alertId)
    checkOptions(note, { by: ELSEWHERE, note: ELSEWHERE }, 'the note')
    return this.#alerting.acknowledge(alertId, note)
  }

  /**
   * For a time, notifiers are not told of the alerts that fit, not of those that fire now either. It outlasts this engine where
   * there is a journal. An alert that outlasts it is told then.
   * @throws ProcmusterError `INVALID_ARGUMENT`, `NOT_FOUND` (there is no such rule), `OUT_OF_RANGE` (a time that is over, too
   * many silences)
   */
  silence(request: SilenceRequest): Silence {
    return this.#alerting.silence(request)
  }

  /** Silences in force. */
  silences(): Silence[] {
    return this.#alerting.silences()
  }

  /** @throws ProcmusterError `NOT_FOUND` when no silence with this id is in force */
  unsilence(id: string, options: { readonly by?: string } = {}): void {
    TEXT('the id of the silence', id)
    checkOptions(options, { by: TEXT })
    const { by = 'engine.unsilence()' } = options
    this.#alerting.unsilence(id, by)
  }

  /**
   * Lets the restarts of a rule go on that the governor has suspended or given up; those that are still wanted follow at
   * once. False when there are none.
   */
  resume(rule: string): boolean {
    TEXT('the rule', rule)
    const isResumed = this.#governing.governor.resume(rule)
    if (isResumed) this.#acting?.runner.askAgain()
    return isResumed
  }

  /**
   * Everything that happens from now on, for `for await`. Ends when the engine closes or the signal aborts. A reader
   * that does not keep up is told how many events it lost: `{ type: 'lost', count }`.
   */
  events(options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<EngineEvent> {
    checkOptions(options, { signal: ABORT_SIGNAL })
    return this.#broadcast.stream(options.signal)
  }

  /**
   * Stops watching. What has not touched its process yet is given up; a restart that has ended its process also starts
   * it again first, which takes at most the grace time and the time to start. May be called again.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) {
      throw new ProcmusterError('CLOSED', { message: 'the engine has been closed' })
    }
  }

  async #open(): Promise<void> {
    const { journal, intervalMs, dryRun, workers } = this.#settings
    if (journal !== undefined) {
      this.#journal = await Journal.open(journal, {
        onRecord: (record) => {
          this.#fold.add(record)
          this.#governing.replay(record)
        },
        without: UNFOLDED,
        onError: (error) => this.#broadcast.failed(error),
      })
    }
    const [place, self] = await Promise.all([currentPlace(), identify(process.pid)])
    this.#governing.replayed(place)
    // Before processes are bound to rules, so that no end of one is missed.
    await this.#sources.open(this.#lifecycleReactions)
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
        ...{ settings: this.#settings, log: this.#log, broadcast: this.#broadcast, sources: this.#sources },
        ...{ governing: this.#governing, judging: this.#judging, reactions: this.#reactions },
      },
      place,
      this.#journal,
      this.#earlier,
    )
    if (this.#journal !== undefined) this.#alerting.open(this.#journal, this.#fold.state.alerts)
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
    const rules = await this.#judging.open(entries, {
      ...{ groups: this.#sources.groups, intervalMs },
      ...(workers === undefined ? {} : { workers }),
      ...(perGroup === undefined ? {} : { perGroup: perGroup.by }),
      readFacts: (slots, needs) => this.#sources.readFacts(slots, needs),
      onWarning: (error) => this.#broadcast.failed(error),
    })
    // A recovery that goes on may have made a successor since the rules were bound.
    for (const { rule, identity } of this.#watched.all) this.#judging.bind(rule, identity)
    this.#lifecycleReactions.use(rules)
  }

  async #tick(): Promise<void> {
    this.#broadcast.release()
    const startedAt = performance.now()
    let unburied: Table | undefined
    try {
      this.#alerting.tick()
      this.#reactions.beginSample()
      this.#lifecycleReactions.beginSample()
      const table = await this.#sources.sample()
      unburied = table
      this.#sources.keepExact()
      const sampledAt = performance.now()
      // Epoch milliseconds that no clock step moves: durations of rules are measured with them.
      const nowMs = performance.timeOrigin + sampledAt
      await this.#lifecycleReactions.sampled(table, nowMs)
      const host = await this.#sources.readHost(table.size)
      const decisions = await this.#judging.tick(table, nowMs, host)
      const judgedAt = performance.now()
      this.#governing.renewMembers()
      await this.#reactions.sampled(table, decisions, this.#acting!.runner, nowMs)
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
      const { ticks: tick } = this.#ticker
      this.#broadcast.publish({ type: 'tick', tick: { tick, table, decisions: decisions.length, ...times } })
    } catch (error) {
      this.#ownUse.tickFailed()
      this.#broadcast.failed(error)
      if (unburied !== undefined)
        await this.#reactions.bury(unburied).catch((cause) => this.#broadcast.failed(cause))
    }
  }

  async #close(): Promise<void> {
    await this.#ticker.stop()
    await this.#turns.over()
    await this.#acting?.close()
    await this.#sources.lifecycle.close()
    this.#deaths.close()
    this.#reactions.close()
    this.#broadcast.release()
    this.#outcomes.close(now())
    await this.#alerting.close()
    await Promise.allSettled([this.#judging.close(), this.#sources.close()])
    if (this.#journal !== undefined) {
      this.#ownUse.note()
      const { ticks, missedTicks, sampler, lifecycle } = this.stats
      const unfinished = this.#fold.state.unfinished.length
      await this.#journal
        .commit({ type: 'engine-stop', ticks, missedTicks, unfinished, source: sampler.source, lifecycle })
        .catch(() => {})
      await this.#journal.close()
    }
    this.#broadcast.end()
  }
}
