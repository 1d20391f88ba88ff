import type { ActionReport, Alert, Engine, GovernedBody, Rule, Table } from '../../index.js'
import { EXIT, type ExitCode } from '../exit_codes.js'
import { messageOf } from '../fault.js'
import { escapeForTerminal } from '../terminal.js'
import { isSame } from './earlier_run.js'
import type { WatchPlan, WatchTarget } from './plan.js'
import type { Reporter } from './report.js'
import { listed, notifyFailed, Tally } from './words.js'

/** Refusals that more waiting does not mend. */
const LASTING = new Set(['RESTART_REFUSED', 'ACCESS_DENIED', 'PROTECTED'])

/** Bounds by which restarts of one look wait for each other: with --once they are waited for, if it is not for longer. */
const AMONG_EACH_OTHER = new Set(['busy', 'jitter', 'host-concurrent', 'rule-concurrent', 'group-concurrent'])
const PATIENCE_MS = 10_000

/** Hands on what the engine tells, and knows when a watch is over. */
export class Session {
  readonly #plan: WatchPlan
  readonly #reporter: Reporter
  readonly #over: Promise<void>
  #resolveOver: () => void = () => {}
  #target: WatchTarget | undefined
  #lastError = ''
  #rules: readonly Rule[]
  readonly #engine: Engine
  /** Files of processes are read after the first tick that has them. */
  #isLearned = false
  readonly tally = new Tally()
  #actionsLeft = 0
  /** With --once: restarts that are put off, and not waited for. */
  readonly #putOff = new Set<string>()
  #looked = false
  #isAsked = false
  /** How many processes match is known, and was told. */
  #isMatched = false
  #looks = 0
  exitCode: ExitCode | undefined

  constructor(plan: WatchPlan, reporter: Reporter, engine: Engine) {
    this.#plan = plan
    this.#reporter = reporter
    this.#target = plan.target
    this.#engine = engine
    this.#rules = plan.rules
    this.#isLearned = !readsFiles(plan.rules)
    this.#over = new Promise((resolve) => {
      this.#resolveOver = resolve
    })
    engine.on('tick', ({ tick, table }) => this.#onTick(tick, table))
    engine.on('alert', (alert) => this.#onAlert(alert))
    engine.on('action', (action) => this.#onAction(action))
    engine.on('governed', (governed) => this.#onGoverned(governed))
    engine.on('recovered', (action) => this.#onRecovered(action))
    engine.on('outcome', (outcome) => reporter.outcome(outcome))
    engine.on('notify-failed', (failure) => reporter.note(...notifyFailed(failure)))
    engine.on('error', (error) => this.#onError(error))
  }

  /** Resolves at a signal, or when there is nothing more to watch. */
  async ended(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    signal.addEventListener('abort', () => this.#resolveOver(), { once: true })
    await this.#over
  }

  /** Other rules hold from the next tick on. */
  useRules(rules: readonly Rule[]): void {
    this.#rules = rules
    this.#isMatched = false
    this.#isLearned = !readsFiles(rules)
    this.#isAsked = false
  }

  #end(exitCode: ExitCode): void {
    this.exitCode ??= exitCode
    this.#resolveOver()
  }

  #onTick(tick: number, table: Table): void {
    this.#looks = tick
    if (this.#isLearned && !this.#isMatched) this.#tellMatches()
    if (!this.#isAsked) {
      this.#isAsked = true
      void this.#engine.factsLearned.then(() => {
        this.#isLearned = true
      })
    }
    this.#look(table)
    this.#lookedOnce()
  }

  #lookedOnce(): void {
    if (!this.#plan.flags.once || !this.#isMatched || this.#looks < this.#plan.looksForOnce) return
    void this.#engine.alertsRaised.then(() => {
      this.#looked = true
      this.#endOnce()
    })
  }

  /** A misspelt name would be watched for in vain, and nobody would know. */
  #tellMatches(): void {
    this.#isMatched = true
    const told = new Set(this.#rules.filter(isWorthCounting).map(({ name }) => name))
    const counts = this.#engine
      .matches({ limit: 0 })
      .filter(({ rule }) => told.has(rule))
      .map(({ rule, count: processes }) => ({ rule, processes }))
    if (counts.length === 0) return
    const text = listed(counts.map(({ rule, processes }) => `${processes} (${escapeForTerminal(rule)})`))
    this.#reporter.note(`processes that match now: ${text}`, { type: 'matching', rules: counts })
  }

  #look(table: Table): void {
    if (this.#target === undefined) return
    const { pid, startTicks } = this.#target.identity
    const row = table.get(pid)
    if (row?.startTicks !== startTicks) return
    const { name, rssBytes, memoryPercent } = row
    this.#reporter.look({ pid, name, rssBytes, memoryPercent, atMs: table.sampledAtMs })
  }

  #onAlert(alert: Alert): void {
    this.#reporter.alert(alert)
    this.tally.alert(alert)
    if (alert.kind === 'breach' && alert.state === 'firing' && !this.#looked) {
      const rule = this.#rules.find(({ name }) => name === alert.rule)
      this.#actionsLeft += rule === undefined ? 0 : actionsAtOnce(rule, alert)
    }
    if (alert.kind === 'died' && this.#isTarget(alert)) this.#end(EXIT.ended)
  }

  #onGoverned(governed: GovernedBody): void {
    this.#reporter.governed(governed)
    const { verdict, bound, untilMs = 0 } = governed
    const isShort = AMONG_EACH_OTHER.has(bound) && untilMs - Date.now() <= PATIENCE_MS
    if (!this.#plan.flags.once || verdict === 'refused' || isShort) return
    const restart = restartOf(governed)
    if (this.#putOff.has(restart)) return
    this.#putOff.add(restart)
    this.#actionsLeft--
    this.#endOnce()
  }

  #onAction(action: ActionReport): void {
    const isPutOff = action.action === 'restart' && this.#putOff.delete(restartOf(action))
    this.tally.action(action)
    // That it was not done has been told: it was put off.
    if (isPutOff && action.status === 'interrupted') return
    this.#reporter.action(action)
    this.#follow(action)
    if (!isPutOff) this.#actionsLeft--
    this.#endOnce()
  }

  #onRecovered(action: ActionReport): void {
    this.#reporter.action(action)
    this.tally.action(action)
    this.#follow(action)
  }

  #follow(action: ActionReport): void {
    const isTarget = this.#isTarget(action)
    if (action.action === 'restart' && isTarget) {
      if (action.successor) this.#target = { identity: action.successor, name: action.name }
      const isHopeless = action.status === 'refused' && LASTING.has(action.error?.code ?? '')
      if (action.status === 'failed' || isHopeless) this.#end(EXIT.restartFailed)
    }
  }

  /** With --once: the look is over, and so is everything that followed from it. */
  #endOnce(): void {
    if (!this.#looked || this.#actionsLeft > 0) return
    this.#end(this.tally.counts.breaches > 0 ? EXIT.breached : EXIT.ok)
  }

  #isTarget({ identity }: Pick<Alert, 'identity'>): boolean {
    const target = this.#target?.identity
    return target !== undefined && identity !== undefined && isSame(identity, target)
  }

  #onError(error: Error): void {
    const message = messageOf(error)
    // The same trouble at every look would flood a log.
    if (message !== this.#lastError) process.stderr.write(`muster: ${message}\n`)
    this.#lastError = message
  }
}

const restartOf = ({
  decisionId,
  identity: { pid, startTicks },
}: Pick<ActionReport, 'decisionId' | 'identity'>): string => `${decisionId} ${pid}:${startTicks}`

/** Later steps of a ladder are not waited for. */
function actionsAtOnce({ actions = [], target }: Rule, { group }: Alert): number {
  const steps = actions.filter((action) => typeof action === 'string' || action.after === undefined).length
  if (group === undefined) return steps
  return steps * (target === 'all' ? group.count : Math.min(1, group.count))
}

/** A rule about one pid, or about all, says by itself how many it is about. */
function isWorthCounting({ match = {}, enabled = true }: Rule): boolean {
  return enabled && match.pid === undefined && Object.keys(match).some((key) => key !== 'kernelThreads')
}

/** Whether rules ask for more than the table has. */
const readsFiles = (rules: readonly Rule[]): boolean =>
  rules.some(
    ({ match, per, when }) =>
      per !== undefined || /\blimit\./i.test(when) || READS_FILES.test(JSON.stringify(match ?? {})),
  )

const READS_FILES = /"(commandLine|exe|cgroup|unit|container|program)":/
