import { EventEmitter } from 'node:events'
import type { Logger } from 'pino'
import type { Alert } from '../alerts/alert.js'
import { ALERT_CHECKS, type AlertQuery } from '../alerts/alert_book.js'
import type { AlertNote } from '../alerts/alerting.js'
import type { Silence, SilenceRequest } from '../alerts/silences.js'
import {
  ABORT_SIGNAL,
  checkHas,
  checkOptions,
  checkPid,
  checkQuery,
  ELSEWHERE,
  LIMIT,
  TEXT,
} from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import type { Explanation } from '../rules/rule_engine.js'
import type { Rule } from '../rules/schema/rule.js'
import type { EngineEvent, EngineEvents, EngineStats } from './events.js'
import type { MatchesQuery, RuleMatches } from './judging.js'
import { checkEngineOptions, type EngineOptions, type Settings } from './options.js'
import type { RulesChange } from './rulebook.js'
import type { ShortLivedCount } from './short_lived.js'
import { Watch } from './watch.js'

/**
 * Samples the host at an interval, judges every process by rules in worker threads, raises alerts, acts, and writes
 * down what it saw, decided and did. Several can live in one process, each with a journal of its own.
 *
 * Ticks never wait for actions; one process has at most one action under way. A process is known by its identity from
 * the sample to the signal: when its pid is another's by then, nothing is sent.
 */
export class Engine extends EventEmitter<EngineEvents> implements AsyncDisposable {
  readonly #settings: Settings
  readonly #watch: Watch
  #closed: Promise<void> | undefined

  private constructor(settings: Settings, logger: Logger | undefined) {
    super()
    checkHas('the settings', settings, ['ruleTexts'], 'options to Engine.start()')
    this.#settings = settings
    this.#watch = new Watch(this, settings, logger)
  }

  /**
   * Checks everything, finishes what a crashed run left unfinished, and begins to watch.
   * @throws ProcmusterError `INVALID_ARGUMENT` (an option, a rule), `PROCESS_GONE` (a rule's pid), `BUSY` (another
   * engine writes the journal), `ACCESS_DENIED`, `IO_ERROR`, ...; nothing is left open then.
   */
  static async start(options: EngineOptions): Promise<Engine> {
    const engine = new Engine(await checkEngineOptions(options), options.logger)
    try {
      await engine.#watch.open()
    } catch (error) {
      await engine.close()
      throw error
    }
    engine.#watch.ticker.start()
    return engine
  }

  /** True when decisions are only written down. */
  get dryRun(): boolean {
    return this.#settings.dryRun
  }

  get stats(): EngineStats {
    return this.#watch.stats
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
    return this.#watch.lifecycleReactions.shortLived.list(limit)
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
    return this.#watch.turns.take(() => {
      this.#checkOpen()
      return this.#watch.setRules(rules)
    })
  }

  /**
   * Processes that rules are about, by the last tick. One that is named by its command line, program or control group is
   * known from its second sample on.
   * @throws ProcmusterError `NOT_FOUND` when there is no such rule
   */
  matches(query: MatchesQuery = {}): RuleMatches[] {
    checkOptions(query, { rule: TEXT, limit: LIMIT }, 'the query')
    return this.#watch.judging.matches(query)
  }

  /** Resolves when all that rules ask of the files of the processes seen so far has been read; the next tick knows it. */
  get factsLearned(): Promise<void> {
    return this.#watch.judging.factsLearned
  }

  /**
   * Resolves when the alerts of all that was decided so far have been raised: one with advice (of a zombie, of a process stuck in
   * the kernel) follows its tick some milliseconds later.
   */
  get alertsRaised(): Promise<void> {
    return this.#watch.reactions.allRaised
  }

  /**
   * What the clauses of a rule come to for a process, or for its group, in the last sample; also whether the rule is about it.
   * @throws ProcmusterError `NOT_FOUND` when there is no such rule, `PROCESS_GONE` when the sample does not have the process,
   * `INVALID_ARGUMENT` for a rule that is not enabled and before the first tick with the rules that there are, `CLOSED`
   */
  async explain(rule: string, pid: number): Promise<Explanation> {
    TEXT('the rule', rule)
    checkPid(pid)
    return this.#watch.turns.take(() => {
      this.#checkOpen()
      return this.#watch.judging.explain(rule, pid)
    })
  }

  /** Alerts of this run, newest first. */
  alerts(query: AlertQuery = {}): Alert[] {
    checkQuery(query, ALERT_CHECKS)
    return this.#watch.alerting.list(query)
  }

  /**
   * Somebody has taken the alert up: it goes on to fire, and notifiers are told no more until it is resolved.
   * @throws ProcmusterError `NOT_FOUND` when no alert with this id fires, `INVALID_ARGUMENT`, `CLOSED`
   */
  acknowledge(alertId: string, note: AlertNote): Alert {
    TEXT('the id of the alert', alertId)
    checkOptions(note, { by: ELSEWHERE, note: ELSEWHERE }, 'the note')
    this.#checkOpen()
    return this.#watch.alerting.acknowledge(alertId, note)
  }

  /**
   * For a time, notifiers are not told of the alerts that fit, not of those that fire now either. It outlasts this engine where
   * there is a journal. An alert that outlasts it is told then.
   * @throws ProcmusterError `INVALID_ARGUMENT`, `NOT_FOUND` (there is no such rule), `OUT_OF_RANGE` (a time that is over, too
   * many silences), `CLOSED`
   */
  silence(request: SilenceRequest): Silence {
    this.#checkOpen()
    return this.#watch.alerting.silence(request)
  }

  /** Silences in force. */
  silences(): Silence[] {
    return this.#watch.alerting.silences()
  }

  /** @throws ProcmusterError `NOT_FOUND` when no silence with this id is in force, `CLOSED` */
  unsilence(id: string, options: { readonly by?: string } = {}): void {
    TEXT('the id of the silence', id)
    checkOptions(options, { by: TEXT })
    const { by = 'engine.unsilence()' } = options
    this.#checkOpen()
    this.#watch.alerting.unsilence(id, by)
  }

  /**
   * Lets the restarts of a rule go on that the governor has suspended or given up; those that are still wanted follow at
   * once. False when there are none.
   * @throws ProcmusterError `CLOSED`
   */
  resume(rule: string): boolean {
    TEXT('the rule', rule)
    this.#checkOpen()
    return this.#watch.resume(rule)
  }

  /**
   * Everything that happens from now on, for `for await`. Ends when the engine closes or the signal aborts. A reader
   * that does not keep up is told how many events it lost: `{ type: 'lost', count }`.
   */
  events(options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<EngineEvent> {
    checkOptions(options, { signal: ABORT_SIGNAL })
    return this.#watch.broadcast.stream(options.signal)
  }

  /**
   * Stops watching. What has not touched its process yet is given up; a restart that has ended its process also starts
   * it again first, which takes at most the grace time and the time to start. May be called again.
   */
  close(): Promise<void> {
    this.#closed ??= this.#watch.close()
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
}
