import { constants } from 'node:os'
import { checkIdentity, checkOptions, ELSEWHERE, FLAG } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import { readProcFiles } from '../inspect/proc_files.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { ControlResult } from './results.js'
import { ActionKind, actOn } from './targets.js'

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

/** A resource by the name that getrlimit(2) gives it, in lower case and without `RLIMIT_`. */
export type Resource = (typeof RESOURCES)[number]

/** What a limit is measured in, getrlimit(2); the others are counts. */
export const RESOURCE_UNITS: Readonly<Partial<Record<Resource, 'bytes' | 'seconds' | 'microseconds'>>> = {
  cpu: 'seconds',
  fsize: 'bytes',
  data: 'bytes',
  stack: 'bytes',
  core: 'bytes',
  rss: 'bytes',
  memlock: 'bytes',
  as: 'bytes',
  msgqueue: 'bytes',
  rttime: 'microseconds',
}

/** In the resource's own unit, see `RESOURCE_UNITS`. */
export type LimitValue = number | 'unlimited'

/** The limit that holds, and how far the process itself may raise it. getrlimit(2). */
export interface ResourceLimit {
  readonly soft: LimitValue
  readonly hard: LimitValue
}

/** The limits of every resource. proc_pid_limits(5). */
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
  checkOptions(limit, { soft: ELSEWHERE, hard: ELSEWHERE }, 'the limit')
  checkOptions(options, { force: FLAG })
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
  const results = await actOn(targets, {
    name: `set limit ${resource}`,
    kind: ActionKind.resourceLimit,
    args,
    force: options.force,
    hints: {
      EPERM:
        "raising a hard limit, nofile above fs.nr_open, and another user's process take CAP_SYS_RESOURCE",
    },
  })
  return Promise.all(
    results.map(async (result, index) =>
      result.ok || result.error.errno !== constants.errno.EINVAL
        ? result
        : { ...result, error: await crossed(targets[index]!, resource, limit, result.error) },
    ),
  )
}

/** The kernel says only that the soft limit would be above the hard one; the one that was not given has to be named. */
async function crossed(
  target: ProcessIdentity,
  resource: Resource,
  { soft, hard }: Partial<ResourceLimit>,
  cause: ProcmusterError,
): Promise<ProcmusterError> {
  const now = await getResourceLimits(target).catch(() => undefined)
  if (now === undefined) return cause
  const held = now[resource]
  const message =
    hard === undefined
      ? `the soft limit ${soft} of ${resource} is above the hard one of process ${target.pid}, ${held.hard}; give less, or both`
      : `the hard limit ${hard} of ${resource} is below the soft one of process ${target.pid}, ${held.soft}; give more, or both`
  const { pid, startTicks, errno } = cause
  return new ProcmusterError('OUT_OF_RANGE', { message, pid, startTicks, errno, cause })
}

/**
 * All limits of a process by name, from `/proc/<pid>/limits`, which everybody may read.
 * @throws ProcmusterError `PROCESS_GONE`, `TIMEOUT`
 */
export async function getResourceLimits(target: ProcessIdentity): Promise<ResourceLimits> {
  checkIdentity(target)
  const [file] = await readProcFiles(target, { files: ['limits'] })
  if (file!.error !== undefined) throw file!.error
  const limits = parseLimits(file!.data.toString('latin1'))
  if (limits !== undefined) return limits
  throw new ProcmusterError('UNSUPPORTED', {
    message: `/proc/${target.pid}/limits cannot be understood`,
    pid: target.pid,
  })
}

/** One line for each resource, in the order of their numbers: name, soft, hard, unit. */
export function parseLimits(text: string): ResourceLimits | undefined {
  const lines = text.split('\n').slice(1, 1 + RESOURCES.length)
  const value = (word: string): LimitValue => (word === 'unlimited' ? word : Number(word))
  const entries = lines.map((line, index) => {
    const found = /^Max [a-z ]+? +(\d+|unlimited) +(\d+|unlimited)\b/.exec(line)
    return found === null
      ? undefined
      : [RESOURCES[index]!, { soft: value(found[1]!), hard: value(found[2]!) }]
  })
  if (entries.length < RESOURCES.length || entries.includes(undefined)) return undefined
  return Object.fromEntries(entries as [Resource, ResourceLimit][]) as ResourceLimits
}

function toNumber(resource: string, value: LimitValue | undefined): number {
  if (value === undefined) return Number.NaN
  if (value === 'unlimited' || value === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new ProcmusterError('INVALID_ARGUMENT', {
    message: `${JSON.stringify(value)} is no limit of ${resource}; use a whole number from 0, or 'unlimited'`,
  })
}
