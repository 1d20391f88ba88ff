import type { Alert } from '../alerts/alert.js'
import type { AlertQuery } from '../alerts/alert_book.js'
import { CALLBACK, type Checks, ELSEWHERE, oneOf, range, TEXT, within } from '../arguments.js'
import { Engine } from '../engine/engine.js'
import type { EngineOptions } from '../engine/options.js'
import { ProcmusterError } from '../errors.js'
import type { Rule, Severity } from '../rules/schema/rule.js'
import type { ProcessIdentity } from '../table/identity.js'
import { Turns } from '../turns.js'

/** When to raise an alert about a process; thresholds are passed when a value is above them, and at least one is needed. */
export interface MonitorOptions {
  /** 100 = one core. */
  readonly cpuPercent?: number | undefined
  /** Of the host's memory. */
  readonly memoryPercent?: number | undefined
  /** Resident memory. */
  readonly rssBytes?: number | undefined
  /**
   * What is compared is the average over so many milliseconds; the manager's `intervalMs`, at which samples are taken, unless
   * given, and not less.
   */
  readonly intervalMs?: number | undefined
  /** While a breach lasts, the alert is raised again after so many milliseconds; unless given, once per breach. */
  readonly cooldownMs?: number | undefined
  /** Of a breach. Default `warning`; that the process died is critical in any case. */
  readonly severity?: Severity | undefined
  /** What alerts call the monitor, and its id if no other has it. */
  readonly displayName?: string | undefined
  /**
   * Told of every alert of this monitor, one after the other, also when it is resolved (see `alert.state`). What it throws, and a
   * promise that takes longer than 30 s, is logged.
   */
  readonly onAlert?: ((alert: Alert) => unknown) | undefined
}

/** Which alerts to give; all that are kept unless told otherwise. */
export interface MonitorAlertQuery extends Omit<AlertQuery, 'rule'> {
  /** Only those of this monitor. */
  readonly monitor?: string | undefined
}

interface Monitor {
  readonly rule: Rule
  readonly onAlert: MonitorOptions['onAlert']
}

export const MONITOR_CHECKS: Checks<MonitorOptions> = {
  cpuPercent: ELSEWHERE,
  memoryPercent: ELSEWHERE,
  rssBytes: ELSEWHERE,
  intervalMs: ELSEWHERE,
  cooldownMs: within(0, 366 * 86_400_000),
  severity: oneOf(['info', 'warning', 'critical']),
  displayName: TEXT,
  onAlert: CALLBACK,
}

/** Monitors of single processes, each a rule of one engine, which starts with the first of them. */
export class Monitors {
  readonly #options: Omit<EngineOptions, 'rules'> & { readonly intervalMs: number }
  readonly #monitors = new Map<string, Monitor>()
  #engine: Engine | undefined
  readonly #turns = new Turns()
  #isClosed = false

  constructor(options: Omit<EngineOptions, 'rules'> & { readonly intervalMs: number }) {
    this.#options = options
  }

  start(identity: ProcessIdentity, options: MonitorOptions): Promise<string> {
    return this.#alone(async () => {
      const id = this.#unusedId(options.displayName ?? `process ${identity.pid}`)
      const rule = ruleOf(id, identity, options, this.#options.intervalMs)
      this.#engine ??= await this.#startEngine()
      this.#monitors.set(id, { rule, onAlert: options.onAlert })
      try {
        await this.#useRules()
      } catch (error) {
        this.#monitors.delete(id)
        throw error
      }
      return id
    })
  }

  stop(id: string): Promise<void> {
    return this.#alone(async () => {
      const monitor = this.#monitors.get(id)
      if (monitor === undefined) {
        throw new ProcmusterError('NOT_FOUND', {
          message: `no monitor ${JSON.stringify(id)}; give what startMonitoring resolved to`,
        })
      }
      this.#monitors.delete(id)
      try {
        await this.#useRules()
      } catch (error) {
        this.#monitors.set(id, monitor)
        throw error
      }
    })
  }

  /** Newest first. */
  alerts({ monitor, ...query }: MonitorAlertQuery): Alert[] {
    return this.#engine?.alerts({ ...query, rule: monitor }) ?? []
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#turns.over()
    await this.#engine?.close()
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.take(async () => {
      if (this.#isClosed) throw new ProcmusterError('CLOSED', { message: 'the manager has been closed' })
      return work()
    })
  }

  #startEngine(): Promise<Engine> {
    const notify = (alert: Alert): unknown => this.#monitors.get(alert.rule)?.onAlert?.(alert)
    const { notifiers = [], ...options } = this.#options
    return Engine.start({
      ...options,
      rules: [],
      notifiers: [...notifiers, { type: 'callback', name: 'onAlert of startMonitoring', notify }],
    })
  }

  #useRules(): Promise<unknown> {
    return this.#engine!.setRules(Array.from(this.#monitors.values(), ({ rule }) => rule))
  }

  #unusedId(wanted: string): string {
    let id = wanted
    for (let number = 2; this.#monitors.has(id); number++) id = `${wanted} (${number})`
    return id
  }
}

function ruleOf(
  name: string,
  { pid, startTicks }: ProcessIdentity,
  options: MonitorOptions,
  samplingMs: number,
): Rule {
  const { intervalMs = samplingMs, cooldownMs, severity = 'warning' } = options
  range('intervalMs of a monitor', intervalMs, samplingMs, 86_400_000)
  const bounds = { cpuPercent: 1e6, memoryPercent: 100, rssBytes: Number.MAX_SAFE_INTEGER } as const
  const clauses = (['cpuPercent', 'memoryPercent', 'rssBytes'] as const).flatMap((metric) => {
    const threshold = options[metric]
    if (threshold === undefined) return []
    range(metric, threshold, 0, bounds[metric])
    const value = intervalMs === samplingMs ? metric : `avg(${metric}, ${intervalMs}ms)`
    return [`${value} > ${threshold}`]
  })
  if (clauses.length === 0) {
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message: `monitor ${JSON.stringify(name)} has no threshold; give cpuPercent, memoryPercent or rssBytes`,
    })
  }
  return {
    name,
    match: { pid, startTicks, kernelThreads: true },
    when: clauses.join(' or '),
    severity,
    ...(cooldownMs !== undefined && { cooldown: `${cooldownMs}ms` }),
  }
}
