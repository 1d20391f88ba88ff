import {
  type ActionReport,
  type Alert,
  Engine,
  type GovernedBody,
  ProcmusterError,
  type Rule,
  type Table,
} from '../../index.js'
import { EXIT, type ExitCode } from '../exit_codes.js'
import { fail, messageOf } from '../fault.js'
import type { StopSignals } from '../stop_signals.js'
import { escapeForTerminal } from '../terminal.js'
import { quoted } from '../values.js'
import { ConfigWatch } from './config_watch.js'
import { endOfAction, isSame } from './earlier_run.js'
import { ownUse, ownUseText, stayOutOfTheWay } from './own_use.js'
import type { WatchPlan, WatchTarget } from './plan.js'
import { Reload } from './reload.js'
import type { Reporter } from './report.js'
import { describePlan, listed, notifyFailed, sourcesUsed, Tally } from './words.js'

const ONCE_INTERVAL_MS = 200
/** Of all sets together; the oldest make room. A breach that comes back all night must not fill the disk. */
const EVIDENCE_BUDGET_BYTES = 2 ** 30
/** Refusals that more waiting does not mend. */
const LASTING = new Set(['RESTART_REFUSED', 'ACCESS_DENIED', 'PROTECTED'])

/** Bounds by which restarts of one look wait for each other: with --once they are waited for, if it is not for longer. */
const AMONG_EACH_OTHER = new Set(['busy', 'jitter', 'host-concurrent', 'rule-concurrent', 'group-concurrent'])
const PATIENCE_MS = 10_000

const REFUSED_BY_HOST = new Set(['INVALID_ARGUMENT', 'OUT_OF_RANGE', 'PROCESS_GONE'])

/** Runs a checked watch until a signal, an end of its own, or (with --once) the end of one look. */
export async function runWatch(plan: WatchPlan, reporter: Reporter, stop: StopSignals): Promise<number> {
  const engine = await startEngine(plan)
  // Once its threads are there: on a busy host a start at low priority would take long, and miss the breach.
  if (plan.flags.lowerOwnPriority) stayOutOfTheWay(plan.rules, { mayChange: plan.readsAgain })
  const session = new Session(plan, reporter, engine)
  try {
    reporter.note(...describePlan(plan, engine))
    using _ = await readAgain(plan, { reporter, engine, session, stop })
    await session.ended(stop.signal)
    if (stop.name) {
      reporter.note(`${stop.name}: stopping; an action under way is finished first, unless told once more`, {
        type: 'stopping',
        signal: stop.name,
      })
    }
  } finally {
    await engine.close()
    reporter.end()
  }
  const exitCode = session.exitCode ?? stop.exitCode ?? EXIT.ok
  const { stats } = engine
  const { ticks: looks, missedTicks: missedLooks, lifecycle } = stats
  const { text } = sourcesUsed(stats)
  reporter.note(`stopped after ${session.tally.text(stats)}; ${ownUseText()}; ${text}`, {
    ...{ type: 'watch-stop', exitCode, looks, missedLooks, ...session.tally.counts, ...ownUse() },
    ...{ source: stats.sampler.source, lifecycle },
  })
  return exitCode
}

interface Running {
  readonly reporter: Reporter
  readonly engine: Engine
  readonly session: Session
  readonly stop: StopSignals
}

/** The rules of a file that can be read again are, when it changes and at SIGHUP. */
async function readAgain(
  plan: WatchPlan,
  { reporter, engine, session, stop }: Running,
): Promise<Disposable | undefined> {
  const { config, flags, readsAgain } = plan
  const { config: file } = flags
  if (!readsAgain || config === undefined || file === undefined) return undefined
  const onRules = (rules: readonly Rule[]) => session.useRules(rules)
  const reload = new Reload({ ...{ plan, file, config, engine, reporter }, onRules })
  const watch = await ConfigWatch.open(file, () => void reload.run(false))
  stop.onHangup = () => void reload.run(true)
  // What has changed since the watch began to start.
  void reload.run(false)
  return {
    [Symbol.dispose]() {
      reload[Symbol.dispose]()
      watch[Symbol.dispose]()
    },
  }
}

async function startEngine(plan: WatchPlan): Promise<Engine> {
  const {
    rules,
    graceMs,
    outcomeWindowMs,
    dryRun,
    source,
    journal,
    directory,
    environ,
    notifiers,
    governor,
  } = plan
  try {
    return await Engine.start({
      ...{ rules, graceMs, dryRun, notifiers, governor, sampler: { source } },
      intervalMs: plan.flags.once ? Math.min(ONCE_INTERVAL_MS, plan.intervalMs) : plan.intervalMs,
      ...(outcomeWindowMs !== undefined && { outcomeWindowMs }),
      ...(journal !== undefined && { journal }),
      ...(directory !== undefined && {
        evidence: { directory, environ, budgetBytes: EVIDENCE_BUDGET_BYTES, prune: true },
      }),
    })
  } catch (error) {
    // What is left to go wrong at the start: the journal, or another engine that writes it.
    const isJournal = error instanceof ProcmusterError && (error.code === 'IO_ERROR' || error.code === 'BUSY')
    if (isJournal) fail(EXIT.directory, messageOf(error))
    if (error instanceof ProcmusterError && error.code === 'PROCESS_GONE') await failAsGone(plan, error)
    const { config } = plan.flags
    // What only the host could refuse of the file: a user that it does not know, a pid that is not there.
    if (config !== undefined && error instanceof ProcmusterError && REFUSED_BY_HOST.has(error.code)) {
      const exitCode = error.code === 'PROCESS_GONE' ? EXIT.noSuchProcess : EXIT.config
      fail(exitCode, `--config ${quoted(config)}: ${messageOf(error)}`)
    }
    throw error
  }
}

/** The process of -p is not there, or ended since it was checked. */
async function failAsGone({ target, journal, dryRun }: WatchPlan, error: ProcmusterError): Promise<void> {
  if (target === undefined) return
  const { pid } = target.identity
  if (target.unfinished === undefined) {
    fail(EXIT.noSuchProcess, `-p/--pid "${pid}" ended before the watch began: ${messageOf(error)}`)
  }
  const why = dryRun
    ? 'a dry run does not finish that; leave out --dry-run'
    : `that was given up: ${(journal && (await endOfAction(journal, target.unfinished))) ?? 'see the journal'}`
  fail(EXIT.noSuchProcess, `-p/--pid "${pid}": no such process; an earlier run was restarting it, and ${why}`)
}

/** Hands on what the engine tells, and knows when a watch is over. */
class Session {
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
