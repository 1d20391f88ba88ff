import { readdir } from 'node:fs/promises'
import { checkIdentities, checkOptions, ELSEWHERE } from '../arguments.js'
import { codeOfErrno, errnoName, type ProcmusterError } from '../errors.js'
import { native } from '../native.js'
import type { ProcessIdentity } from '../table/identity.js'
import { type Step, stepError } from './results.js'
import { IO_CLASSES, type IoClass, POLICY_NUMBERS, type Policy } from './scheduling.js'
import { packTargets } from './targets.js'
import { leaderOnly, type ThreadOptions } from './threads.js'

/** How one thread is scheduled. What could not be read is undefined, and `missing` says why. */
export interface Scheduling {
  readonly tid: number
  readonly policy?: Policy | undefined
  /** 1 to 99 of `fifo` and `rr`, else 0. */
  readonly priority?: number | undefined
  readonly resetOnFork?: boolean | undefined
  /** Of the policy `deadline`. */
  readonly deadline?:
    | { readonly runtimeNs: number; readonly deadlineNs: number; readonly periodNs: number }
    | undefined
  readonly nice?: number | undefined
  readonly ioClass?: IoClass | undefined
  readonly ioLevel?: number | undefined
  /** Numbers of the processors on which it may run, ascending. */
  readonly processors?: readonly number[] | undefined
  /** Of the whole process. */
  readonly oomScoreAdj?: number | undefined
  readonly timerSlackNs?: number | undefined
  /** Of the whole session. Null: it is in none, as a session that nobody made with setsid(2) is. */
  readonly autogroup?: { readonly id: number; readonly nice: number } | null | undefined
  readonly missing: Readonly<Partial<Record<SchedulingPart, string>>>
}

/** What is read by a call of its own, and can be missing. */
export type SchedulingPart =
  | 'policy'
  | 'nice'
  | 'ioClass'
  | 'processors'
  | 'oomScoreAdj'
  | 'timerSlackNs'
  | 'autogroup'

/** One result per target; with `threads: 'all'` every thread, else the main one alone. */
export type SchedulingResult =
  | { readonly pid: number; readonly ok: true; readonly threads: readonly Scheduling[] }
  | { readonly pid: number; readonly ok: false; readonly error: ProcmusterError }

// The order of `SchedulingValues` in native/control/scheduling.h.
enum Value {
  policy,
  priority,
  resetOnFork,
  runtimeNs,
  deadlineNs,
  periodNs,
  nice,
  ioPriority,
  oomScoreAdj,
  timerSlackNs,
  autogroup,
  autogroupNice,
  count,
}

// The order of `SchedulingErrors` there, behind errno and step.
const PARTS: readonly SchedulingPart[] = [
  'policy',
  'nice',
  'ioClass',
  'processors',
  'oomScoreAdj',
  'timerSlackNs',
  'autogroup',
]
const ERRORS = 2 + PARTS.length
const WORDS = 64

const policyNames = new Map<number, Policy>(
  Object.entries(POLICY_NUMBERS).map(([name, number]) => [number, name as Policy]),
)

/**
 * Reads how each target is scheduled: policy, real-time priority, nice, I/O class, affinity, oom_score_adj, timer slack and
 * autogroup. sched_getattr(2), ioprio_get(2), sched_getaffinity(2).
 * @param options.threads `leader` unless told otherwise: the main thread alone
 */
export async function getScheduling(
  targets: readonly ProcessIdentity[],
  options: Pick<ThreadOptions, 'threads'> = {},
): Promise<SchedulingResult[]> {
  checkIdentities(targets)
  checkOptions(options, { threads: ELSEWHERE })
  const leader = leaderOnly({ threads: options.threads ?? 'leader' })
  const rows = (
    await Promise.all(
      targets.map(async (target, index) =>
        (leader ? [target.pid] : await threadsOf(target.pid)).map((tid) => ({ index, target, tid })),
      ),
    )
  ).flat()
  const values = new Float64Array(rows.length * Value.count)
  const errors = new Int32Array(rows.length * ERRORS)
  const processors = new Uint32Array(rows.length * WORDS)
  const packed = packTargets(rows.map(({ target }) => target))
  const tids = Int32Array.from(rows, ({ tid }) => tid)
  if (rows.length > 0) await native.control.readScheduling(packed, tids, values, errors, processors)
  const threads: Scheduling[][] = targets.map(() => [])
  const failures: (ProcmusterError | undefined)[] = targets.map(() => undefined)
  rows.forEach(({ index, target, tid }, row) => {
    const problems = errors.subarray(row * ERRORS, (row + 1) * ERRORS)
    const failure = stepError(target, 'read scheduling', problems[0]!, problems[1] as Step)
    if (failure !== undefined) failures[index] = failure
    // ESRCH: that thread has ended meanwhile.
    else if (problems[2] !== ESRCH || tid === target.pid) {
      const own = values.subarray(row * Value.count, (row + 1) * Value.count)
      const mask = processors.subarray(row * WORDS, (row + 1) * WORDS)
      threads[index]!.push(schedulingOf(tid, own, problems.subarray(2), mask))
    }
  })
  return targets.map(({ pid }, index) => {
    const error = failures[index]
    return error === undefined ? { pid, ok: true, threads: threads[index]! } : { pid, ok: false, error }
  })
}

const ESRCH = 3

/** Of a process that is gone its pid alone, so that the addon finds out why. */
async function threadsOf(pid: number): Promise<number[]> {
  const names = await readdir(`/proc/${pid}/task`).catch(() => [])
  return names.length === 0 ? [pid] : names.map(Number)
}

function schedulingOf(tid: number, values: Float64Array, errors: Int32Array, mask: Uint32Array): Scheduling {
  const missing: Partial<Record<SchedulingPart, string>> = {}
  PARTS.forEach((part, index) => {
    if (errors[index] !== 0) missing[part] = reasonOf(errors[index]!)
  })
  const has = (part: SchedulingPart) => missing[part] === undefined
  const value = (at: Value) => values[at]!
  const policy = has('policy') ? policyNames.get(value(Value.policy)) : undefined
  if (has('policy') && policy === undefined) missing.policy = `unknown policy ${value(Value.policy)}`
  return {
    tid,
    policy,
    ...(has('policy') && {
      priority: value(Value.priority),
      resetOnFork: value(Value.resetOnFork) === 1,
    }),
    ...(policy === 'deadline' && {
      deadline: {
        runtimeNs: value(Value.runtimeNs),
        deadlineNs: value(Value.deadlineNs),
        periodNs: value(Value.periodNs),
      },
    }),
    ...(has('nice') && { nice: value(Value.nice) }),
    ...(has('ioClass') && {
      ioClass: IO_CLASSES[value(Value.ioPriority) >> 13],
      ioLevel: value(Value.ioPriority) & 7,
    }),
    ...(has('processors') && { processors: processorsOf(mask) }),
    ...(has('oomScoreAdj') && { oomScoreAdj: value(Value.oomScoreAdj) }),
    ...(has('timerSlackNs') && { timerSlackNs: value(Value.timerSlackNs) }),
    ...(has('autogroup') && {
      autogroup: Number.isNaN(value(Value.autogroup))
        ? null
        : { id: value(Value.autogroup), nice: value(Value.autogroupNice) },
    }),
    missing,
  }
}

function reasonOf(errno: number): string {
  const name = errnoName(errno)
  const code = codeOfErrno(errno)
  if (code === 'ACCESS_DENIED') return `no permission (${name})`
  if (code === 'UNSUPPORTED') return `not known to this kernel (${name})`
  return name
}

function processorsOf(mask: Uint32Array): number[] {
  const found: number[] = []
  mask.forEach((word, at) => {
    for (let bit = 0; bit < 32; bit++) if ((word >>> bit) & 1) found.push(at * 32 + bit)
  })
  return found
}
