import { type Checks, checkOptions, ELSEWHERE, RECORD, refuse } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import { LIMIT_BOUNDS, LIMIT_GROUPS, type PerWindow, type RuleLimits } from '../rules/schema/limits.js'

/** What an engine may do to its host by way of restarts; times are milliseconds. See docs/governor.md. */
export interface GovernorOptions {
  /**
   * Restarts under way at the same time over the whole host. Default 3: one that hangs in its grace time does not hold
   * up all others, and a host of few cores can still start what was ended.
   */
  readonly concurrent?: number | undefined
  /**
   * Restarts begun over the whole host; at one more everything stops for `coolMs`, with a critical alert. Default 60
   * in 10 minutes: far more than a host in order needs, and soon enough for a rule that matches by mistake.
   */
  readonly perWindow?: PerWindow | undefined
  /** Default 600,000: the window is empty then, so that the host does not stop again at once. */
  readonly coolMs?: number | undefined
  /** Restarts in a row without relief after which a rule's restarts are suspended. Default 3. */
  readonly suspendAfter?: number | undefined
  /** For rules that do not say otherwise themselves; the defaults are `DEFAULT_LIMITS`. */
  readonly limits?: RuleLimits | undefined
  /** Of the jitter; the same seed spreads the same processes in the same way. Default: another for each engine. */
  readonly seed?: number | undefined
}

/** A rule's limits with the engine's and the defaults filled in. */
export type EffectiveLimits = Pick<
  RuleLimits,
  'concurrent' | 'perGroup' | 'perWindow' | 'perGroupWindow' | 'minHealthy'
> & { readonly [K in keyof typeof DEFAULT_LIMITS]: number }

export interface GovernorSettings {
  readonly concurrent: number
  readonly perWindow: PerWindow
  readonly coolMs: number
  readonly suspendAfter: number
  readonly limits: EffectiveLimits
  readonly seed: number
}

const HOUR_MS = 3_600_000

/**
 * - Jitter: restarts that come together shall not make successors that fill up together.
 * - Backoff, 5 s to 5 min, anew after 10 min: the span of Kubernetes' (10 s to 5 min, 10 min); half its beginning,
 *   since restarts without relief are suspended at the third anyway.
 * - Flaps, 5 in an hour, tried again after an hour: with this backoff a process that never keeps quiet for 10 min gets there,
 *   and one that leaks for a quarter of an hour does not.
 */
const DEFAULT_LIMITS = {
  jitterMs: 2_000,
  backoffFirstMs: 5_000,
  backoffMaxMs: 300_000,
  successMs: 600_000,
  flapMax: 5,
  flapWindowMs: HOUR_MS,
  rearmMs: HOUR_MS,
} as const

const GOVERNOR_CHECKS: Checks<GovernorOptions> = {
  concurrent: ELSEWHERE,
  perWindow: RECORD,
  coolMs: ELSEWHERE,
  suspendAfter: ELSEWHERE,
  limits: RECORD,
  seed: ELSEWHERE,
}
const LIMIT_CHECKS: Checks<RuleLimits> = {
  concurrent: ELSEWHERE,
  perGroup: RECORD,
  perWindow: RECORD,
  perGroupWindow: RECORD,
  jitterMs: ELSEWHERE,
  backoffFirstMs: ELSEWHERE,
  backoffMaxMs: ELSEWHERE,
  successMs: ELSEWHERE,
  flapMax: ELSEWHERE,
  flapWindowMs: ELSEWHERE,
  rearmMs: ELSEWHERE,
  minHealthy: ELSEWHERE,
}
const GROUP_CHECKS: Checks<NonNullable<RuleLimits['perGroup']>> = { max: ELSEWHERE, by: ELSEWHERE }
const WINDOW_CHECKS: Checks<PerWindow> = { max: ELSEWHERE, windowMs: ELSEWHERE }

/** @throws ProcmusterError `INVALID_ARGUMENT` that names the option and its value */
export function checkGovernor(options: GovernorOptions = {}): GovernorSettings {
  checkOptions(options, GOVERNOR_CHECKS, 'governor')
  const { perWindow = { max: 60, windowMs: 600_000 }, limits = {} } = options
  checkLimits('governor.limits', limits)
  checkWindow('governor.perWindow', perWindow)
  return {
    concurrent: whole('governor.concurrent', options.concurrent ?? 3, ...LIMIT_BOUNDS.concurrent),
    perWindow,
    coolMs: range('governor.coolMs', options.coolMs ?? 600_000, ...LIMIT_BOUNDS.ms),
    suspendAfter: whole('governor.suspendAfter', options.suspendAfter ?? 3, 1, 100),
    limits: effectiveLimits(limits, DEFAULT_LIMITS),
    seed: whole('governor.seed', options.seed ?? Math.floor(Math.random() * 2 ** 32), 0, 2 ** 32 - 1),
  }
}

/** The governor's own, which are no rule's and were checked by no schema: a caller of TypeScript gave them. */
function checkLimits(name: string, limits: RuleLimits): void {
  checkOptions(limits, LIMIT_CHECKS, name)
  const { concurrent, perGroup, perWindow, perGroupWindow, minHealthy } = limits
  if (concurrent !== undefined) whole(`${name}.concurrent`, concurrent, ...LIMIT_BOUNDS.concurrent)
  if (perGroup !== undefined) {
    checkOptions(perGroup, GROUP_CHECKS, `${name}.perGroup`)
    whole(`${name}.perGroup.max`, perGroup.max, ...LIMIT_BOUNDS.perGroup)
    if (!LIMIT_GROUPS.includes(perGroup.by)) {
      const message = `${name}.perGroup.by is ${JSON.stringify(perGroup.by)}; give one of ${LIMIT_GROUPS.join(', ')}`
      throw new ProcmusterError('INVALID_ARGUMENT', { message })
    }
  }
  if (perWindow !== undefined) checkWindow(`${name}.perWindow`, perWindow)
  if (perGroupWindow !== undefined) checkWindow(`${name}.perGroupWindow`, perGroupWindow)
  if (typeof minHealthy === 'number') whole(`${name}.minHealthy`, minHealthy, ...LIMIT_BOUNDS.minHealthy)
  else if (minHealthy !== undefined) {
    if (typeof minHealthy !== 'object')
      refuse(`${name}.minHealthy`, minHealthy, 'a number of members, or { percent }')
    checkOptions(minHealthy, { percent: ELSEWHERE }, `${name}.minHealthy`)
    range(`${name}.minHealthy.percent`, minHealthy.percent, ...LIMIT_BOUNDS.percent)
  }
  if (limits.flapMax !== undefined) whole(`${name}.flapMax`, limits.flapMax, ...LIMIT_BOUNDS.flap)
  for (const key of [
    'jitterMs',
    'backoffFirstMs',
    'backoffMaxMs',
    'successMs',
    'flapWindowMs',
    'rearmMs',
  ] as const) {
    const value = limits[key]
    if (value !== undefined) range(`${name}.${key}`, value, ...LIMIT_BOUNDS.ms)
  }
}

/** A rule's own limits over those of the engine. */
export function effectiveLimits(
  own: RuleLimits,
  engine: EffectiveLimits | typeof DEFAULT_LIMITS,
): EffectiveLimits {
  const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined))
  const limits: EffectiveLimits = { ...engine, ...given }
  return { ...limits, backoffMaxMs: Math.max(limits.backoffFirstMs, limits.backoffMaxMs) }
}

function checkWindow(name: string, window: PerWindow): void {
  checkOptions(window, WINDOW_CHECKS, name)
  whole(`${name}.max`, window.max, ...LIMIT_BOUNDS.perWindow)
  range(`${name}.windowMs`, window.windowMs, ...LIMIT_BOUNDS.windowMs)
}

function whole(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value)) return range(name, value, least, most)
  throw new ProcmusterError('INVALID_ARGUMENT', { message: `${name} is ${value}; give a whole number` })
}

function range(name: string, value: number, least: number, most: number): number {
  if (Number.isFinite(value) && value >= least && value <= most) return value
  throw new ProcmusterError('INVALID_ARGUMENT', { message: `${name} is ${value}; give ${least} to ${most}` })
}
