import type { Logger } from 'pino'
import type { BackoffOptions } from '../actions/backoff.js'
import type { ActionHooks, EvidenceSettings } from '../actions/context.js'
import { EVIDENCE_CHECKS } from '../actions/evidence.js'
import { checkGovernor, type GovernorOptions, type GovernorSettings } from '../actions/governor_options.js'
import { type CheckedNotifier, checkNotifiers, type NotifierSpec } from '../alerts/notifiers/spec.js'
import {
  CALLBACK,
  type Checks,
  checkOptions,
  ELSEWHERE,
  FLAG,
  LOGGER,
  listOf,
  NUMBER,
  PATH,
  RECORD,
  range,
  wholeWithin,
} from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import { type CheckedRule, checkingRules, type Rule } from '../rules/schema/rule.js'
import { SAMPLER_CHECKS, type SamplerOptions } from '../sampler/sampler.js'
import { inSlices } from '../slices.js'
import { type EngineEventSource, EVENT_SOURCES } from './lifecycle.js'

/** Options of `Engine.start`. Times are milliseconds. */
export interface EngineOptions {
  /** What to watch and what to do about it. */
  readonly rules: readonly Rule[]
  /** Time between samples, milliseconds. Default 1000. */
  readonly intervalMs?: number
  /**
   * Path of the journal, created with mode 0600. Without one nothing is remembered: a crash between the end of a
   * process and its new start is then not made good.
   */
  readonly journal?: string
  /** Where evidence goes; needed by rules with the action `evidence`. */
  readonly evidence?: EvidenceSettings
  /** Judge, alert and write down what would be done, and do nothing. Default false. */
  readonly dryRun?: boolean
  /** How long a process may take to end after SIGTERM before SIGKILL, milliseconds. Default 10,000. */
  readonly graceMs?: number
  readonly sampler?: SamplerOptions
  /**
   * Where to hear of births, execs and deaths between samples. `auto` takes kernel tracepoints, else the process
   * connector, else goes without. Default `auto`.
   */
  readonly events?: EngineEventSource
  /** Worker threads that judge; the default is chosen from the processors and the rules. */
  readonly workers?: number
  /** How many restarts there may be, how fast, and when to give up. */
  readonly governor?: GovernorOptions
  /** Attempts to start a process again that was ended. Default 8. */
  readonly startAttempts?: number
  /** Pause between these attempts, doubled with each. Default 1 s up to 5 min. */
  readonly startBackoff?: BackoffOptions
  /** How long the successor of a restart is followed before the outcome is written, milliseconds. Default 60,000. */
  readonly outcomeWindowMs?: number
  /** How often the engine's own use of the host is written to the journal, milliseconds. Default 60,000. */
  readonly selfIntervalMs?: number
  /** Whom to tell of alerts. None by default. */
  readonly notifiers?: readonly NotifierSpec[]
  /** Alerts kept for `engine.alerts()`. Default 1000. */
  readonly alertCapacity?: number
  /** Events kept for each `engine.events()` reader that does not keep up. Default 1024. */
  readonly eventCapacity?: number
  /** pino logger; silent by default. */
  readonly logger?: Logger
  /** For tests. @internal */
  readonly hooks?: ActionHooks
}

export type Settings = Required<
  Omit<EngineOptions, 'rules' | 'journal' | 'evidence' | 'logger' | 'workers' | 'notifiers' | 'governor'>
> & {
  readonly rules: readonly CheckedRule[]
  /** The same as they were given. */
  readonly ruleTexts: readonly Rule[]
  readonly journal: string | undefined
  readonly evidence: EvidenceSettings | undefined
  readonly workers: number | undefined
  readonly notifiers: readonly CheckedNotifier[]
  readonly governor: GovernorSettings
}

const DAY_MS = 86_400_000

const CHECKS: Checks<EngineOptions> = {
  rules: ELSEWHERE,
  intervalMs: ELSEWHERE,
  journal: PATH,
  evidence: RECORD,
  dryRun: FLAG,
  graceMs: ELSEWHERE,
  sampler: RECORD,
  events: ELSEWHERE,
  workers: wholeWithin(1, 16),
  governor: RECORD,
  startAttempts: NUMBER,
  startBackoff: RECORD,
  outcomeWindowMs: ELSEWHERE,
  selfIntervalMs: ELSEWHERE,
  notifiers: listOf(ELSEWHERE),
  alertCapacity: ELSEWHERE,
  eventCapacity: ELSEWHERE,
  logger: LOGGER,
  hooks: RECORD,
}

const BACKOFF_CHECKS: Checks<BackoffOptions> = { firstMs: NUMBER, maxMs: NUMBER }
const HOOK_CHECKS: Checks<ActionHooks> = { onBegun: CALLBACK, onStep: CALLBACK, onDone: CALLBACK }

/** @throws ProcmusterError `INVALID_ARGUMENT` that names the option and its value. */
export async function checkEngineOptions(options: EngineOptions): Promise<Settings> {
  checkOptions(options, CHECKS)
  if (options.evidence !== undefined) checkOptions(options.evidence, EVIDENCE_CHECKS, 'evidence')
  if (options.sampler !== undefined) checkOptions(options.sampler, SAMPLER_CHECKS, 'sampler')
  if (options.startBackoff !== undefined) checkOptions(options.startBackoff, BACKOFF_CHECKS, 'startBackoff')
  if (options.hooks !== undefined) checkOptions(options.hooks, HOOK_CHECKS, 'hooks')
  const rules = await checkEngineRules(options.rules, options)
  const settings: Settings = {
    rules,
    ruleTexts: options.rules,
    intervalMs: range('intervalMs', options.intervalMs ?? 1000, 10, DAY_MS),
    journal: options.journal,
    evidence: options.evidence,
    dryRun: options.dryRun ?? false,
    graceMs: range('graceMs', options.graceMs ?? 10_000, 0, DAY_MS),
    sampler: options.sampler ?? {},
    events: eventSource(options.events ?? 'auto'),
    workers: options.workers,
    governor: checkGovernor(options.governor),
    startBackoff: options.startBackoff ?? { firstMs: 1000, maxMs: 300_000 },
    startAttempts: range('startAttempts', options.startAttempts ?? 8, 1, 1000),
    outcomeWindowMs: range('outcomeWindowMs', options.outcomeWindowMs ?? 60_000, 0, DAY_MS),
    selfIntervalMs: range('selfIntervalMs', options.selfIntervalMs ?? 60_000, 100, DAY_MS),
    alertCapacity: range('alertCapacity', options.alertCapacity ?? 1000, 1, 1_000_000),
    eventCapacity: range('eventCapacity', options.eventCapacity ?? 1024, 2, 1_000_000),
    notifiers: checkNotifiers(
      options.notifiers ?? [],
      rules.map(({ name }) => name),
    ),
    hooks: options.hooks ?? {},
  }
  range('startBackoff.firstMs', settings.startBackoff.firstMs, 1, DAY_MS)
  range('startBackoff.maxMs', settings.startBackoff.maxMs, settings.startBackoff.firstMs, DAY_MS)
  return settings
}

/** @throws ProcmusterError `INVALID_ARGUMENT` that names the rule, also for what the engine's settings do not provide for */
export async function checkEngineRules(
  rules: readonly Rule[],
  { evidence }: { readonly evidence?: EvidenceSettings | undefined },
): Promise<CheckedRule[]> {
  const checked = await inSlices(checkingRules(rules))
  for (const rule of checked) {
    checkActions(rule, evidence)
  }
  return checked
}

function checkActions(rule: CheckedRule, evidence: EvidenceSettings | undefined): void {
  for (const action of rule.actions) {
    if (action.type === 'evidence' && evidence === undefined) {
      throw new ProcmusterError('INVALID_ARGUMENT', {
        message: `rule ${JSON.stringify(rule.name)} keeps evidence, but there is nowhere to: give evidence: { directory }`,
      })
    }
  }
}

function eventSource(value: EngineEventSource): EngineEventSource {
  if (EVENT_SOURCES.includes(value)) return value
  throw new ProcmusterError('INVALID_ARGUMENT', {
    message: `events is ${JSON.stringify(value)}; give ${EVENT_SOURCES.join(', ')}`,
  })
}
