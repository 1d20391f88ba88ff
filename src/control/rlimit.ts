import { ProcmusterError } from '../errors.js'
import { native } from '../native.js'
import type { ProcessIdentity } from '../table/identity.js'
import { type ControlResult, stepError } from './results.js'
import { ActionKind, actOn, packTargets } from './targets.js'

/** The resources of getrlimit(2), at the index that is their number on x64 and arm64. */
export const RESOURCES = [
  'cpu',
  'fsize',
  'data',
  'stack',
  'core',
  'rss',
  'nproc',
  'nofile',
  'memlock',
  'as',
  'locks',
  'sigpending',
  'msgqueue',
  'nice',
  'rtprio',
  'rttime',
] as const

export type Resource = (typeof RESOURCES)[number]

/** In the resource's own unit: bytes, seconds (`cpu`), microseconds (`rttime`) or a count. */
export type LimitValue = number | 'unlimited'

export interface ResourceLimit {
  readonly soft: LimitValue
  readonly hard: LimitValue
}

export type ResourceLimits = Readonly<Record<Resource, ResourceLimit>>

/**
 * Sets a limit of each target by prlimit(2); a half that is left out stays as it is.
 * @throws ProcmusterError `INVALID_ARGUMENT` for an unknown resource or a value that is no limit
 */
export async function setResourceLimit(
  targets: readonly ProcessIdentity[],
  resource: Resource,
  limit: Partial<ResourceLimit>,
  options: { readonly force?: boolean } = {},
): Promise<ControlResult[]> {
  const number = RESOURCES.indexOf(resource)
  if (number < 0) {
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message: `unknown resource ${JSON.stringify(resource)}; use one of ${RESOURCES.join(', ')}`,
    })
  }
  const args = [number, toNumber(resource, limit.soft), toNumber(resource, limit.hard)]
  if (args[1]! > args[2]!) {
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message: `the soft limit ${limit.soft} of ${resource} is above the hard limit ${limit.hard}`,
    })
  }
  return actOn(targets, `set limit ${resource}`, ActionKind.resourceLimit, args, options.force ?? false)
}

/**
 * All limits of a process by name (prlimit(2)).
 * @throws ProcmusterError `PROCESS_GONE`, `ACCESS_DENIED` (another user's process needs CAP_SYS_RESOURCE)
 */
export async function getResourceLimits(target: ProcessIdentity): Promise<ResourceLimits> {
  const out = new Float64Array(2 + RESOURCES.length * 2)
  await native.control.resourceLimits(packTargets([target]), out)
  const failure = stepError(target, 'read limits', out[0]!, out[1]!)
  if (failure !== undefined) throw failure
  const entries = RESOURCES.map((name, index) => [
    name,
    { soft: fromNumber(out[2 + index * 2]!), hard: fromNumber(out[3 + index * 2]!) },
  ])
  return Object.fromEntries(entries) as ResourceLimits
}

function toNumber(resource: string, value: LimitValue | undefined): number {
  if (value === undefined) return Number.NaN
  if (value === 'unlimited' || value === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new ProcmusterError('INVALID_ARGUMENT', {
    message: `${JSON.stringify(value)} is no limit of ${resource}; use a whole number from 0, or 'unlimited'`,
  })
}

function fromNumber(value: number): LimitValue {
  return value === Number.POSITIVE_INFINITY ? 'unlimited' : value
}
