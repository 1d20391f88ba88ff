import { checkOptions, ELSEWHERE, FLAG, listOf, NUMBER, refuse, TEXT } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import { checkNice } from './priority.js'
import type { ControlResult } from './results.js'
import { ActionKind, actOn } from './targets.js'
import { leaderOnly, type ThreadOptions } from './threads.js'

/** I/O classes, at the index that is their number. ioprio_set(2). */
export const IO_CLASSES = ['none', 'realtime', 'best-effort', 'idle'] as const

/** `none`: as the nice value says. `idle`: only when nobody else asks. */
export type IoClass = (typeof IO_CLASSES)[number]

/** Scheduling policies by their number. sched(7). */
export const POLICY_NUMBERS = { other: 0, fifo: 1, rr: 2, batch: 3, idle: 5, deadline: 6, ext: 7 } as const

/** A policy as it can be found; `ext` is a scheduler loaded as BPF. */
export type Policy = keyof typeof POLICY_NUMBERS

/** Those that can be set. */
export const SETTABLE_POLICIES = ['other', 'batch', 'idle', 'fifo', 'rr'] as const
/** Without `deadline` and `ext`, which a program sets up by itself. */
export type SettablePolicy = (typeof SETTABLE_POLICIES)[number]

const RT_PRIORITY_MAX = 99

/** What `setScheduler` sets. */
export interface SchedulerSetting {
  readonly policy: SettablePolicy
  /** 1 to 99 (first) with `fifo` and `rr`, which need it; none with the others. */
  readonly priority?: number
  /** Whether children begin with `other` again; left out, it stays as it is. */
  readonly resetOnFork?: boolean
}

/** An I/O class, and its level from 0 (first) to 7 with `realtime` and `best-effort`; 4 unless told otherwise. */
export interface IoPriority {
  readonly ioClass: IoClass
  readonly level?: number
}

/**
 * Sets the I/O class and level of each target. `realtime` needs CAP_SYS_ADMIN or CAP_SYS_NICE. ioprio_set(2).
 * @throws ProcmusterError `INVALID_ARGUMENT`
 */
export async function setIoPriority(
  targets: readonly ProcessIdentity[],
  priority: IoPriority,
  options: ThreadOptions = {},
): Promise<ControlResult[]> {
  const leader = leaderOnly(options)
  checkOptions(priority, { ioClass: ELSEWHERE, level: ELSEWHERE }, 'the I/O priority')
  const { ioClass, level } = priority
  const number = IO_CLASSES.indexOf(ioClass)
  if (number < 0) throw unknown('I/O class', ioClass, IO_CLASSES)
  const levelled = ioClass === 'realtime' || ioClass === 'best-effort'
  if (!levelled && level !== undefined && level !== 0) throw wrong(`the I/O class ${ioClass} has no level`)
  if (level !== undefined) whole(level, 0, 7, 'level of an I/O class')
  return actOn(targets, {
    name: `set I/O class ${ioClass}`,
    kind: ActionKind.ioPriority,
    args: [number, level ?? (levelled ? 4 : 0)],
    force: options.force,
    leaderOnly: leader,
  })
}

/**
 * Sets the policy, and with `fifo` and `rr` the real-time priority; the nice value stays. sched_setattr(2).
 * Real-time policies need CAP_SYS_NICE or RLIMIT_RTPRIO.
 * @throws ProcmusterError `INVALID_ARGUMENT`
 */
export async function setScheduler(
  targets: readonly ProcessIdentity[],
  setting: SchedulerSetting,
  options: ThreadOptions = {},
): Promise<ControlResult[]> {
  const leader = leaderOnly(options)
  checkOptions(setting, { policy: ELSEWHERE, priority: ELSEWHERE, resetOnFork: FLAG }, 'the setting')
  const { policy, priority, resetOnFork } = setting
  if (!SETTABLE_POLICIES.includes(policy)) throw unknown('policy', policy, SETTABLE_POLICIES)
  const realTime = policy === 'fifo' || policy === 'rr'
  if (realTime) {
    if (priority === undefined) throw wrong(`the policy ${policy} needs a priority, 1 to ${RT_PRIORITY_MAX}`)
    whole(priority, 1, RT_PRIORITY_MAX, 'real-time priority')
  } else if (priority !== undefined && priority !== 0) {
    throw wrong(`the policy ${policy} has no real-time priority; set the nice value instead`)
  }
  return actOn(targets, {
    name: `set policy ${policy}`,
    kind: ActionKind.scheduler,
    args: [POLICY_NUMBERS[policy], priority ?? 0, resetOnFork === undefined ? -1 : Number(resetOnFork)],
    force: options.force,
    leaderOnly: leader,
    hints: {
      EPERM:
        'it takes CAP_SYS_NICE (or RLIMIT_RTPRIO, RLIMIT_NICE), and under cgroup v1 a real-time budget (cpu.rt_runtime_us) of its group',
    },
  })
}

/**
 * Lets each target run on these processors only: numbers, or a list like `0-3,8`. sched_setaffinity(2). The control
 * group's cpuset bounds it further.
 * @throws ProcmusterError `INVALID_ARGUMENT`
 */
export async function setAffinity(
  targets: readonly ProcessIdentity[],
  processors: string | readonly number[],
  options: ThreadOptions = {},
): Promise<ControlResult[]> {
  const leader = leaderOnly(options)
  const list = typeof processors === 'string' ? parseProcessors(processors) : processors
  if (!Array.isArray(list)) refuse('the list of processors', list, 'a list like 0-3,8, or of numbers')
  if (list.length === 0) throw wrong('no processor is named; use a list like 0-3,8')
  for (const number of list) whole(number, 0, MOST_PROCESSORS - 1, 'processor')
  return actOn(targets, {
    name: `set affinity ${printProcessors(list)}`,
    kind: ActionKind.affinity,
    args: list,
    force: options.force,
    leaderOnly: leader,
    hints: { EINVAL: 'none of these processors is there, or its cpuset has none of them' },
  })
}

/**
 * Sets how readily the kernel ends each target when memory is short: -1000 (never) to 1000 (first). Lowering it needs
 * CAP_SYS_RESOURCE. proc_pid_oom_score_adj(5).
 * @throws ProcmusterError `INVALID_ARGUMENT`
 */
export async function setOomScoreAdj(
  targets: readonly ProcessIdentity[],
  value: number,
  options: Pick<ThreadOptions, 'force'> = {},
): Promise<ControlResult[]> {
  checkOptions(options, { force: FLAG })
  whole(value, -1000, 1000, 'oom_score_adj')
  return actOn(targets, {
    name: `set oom_score_adj ${value}`,
    kind: ActionKind.oomScoreAdj,
    args: [value],
    force: options.force,
    hints: {
      EACCES: 'it takes its user, and to lower it below what a privileged process last set CAP_SYS_RESOURCE',
    },
  })
}

/**
 * Sets by how many nanoseconds timers may be late; 0 sets the default of the thread. Of others it needs CAP_SYS_NICE.
 * Real-time threads have none. proc_pid_timerslack_ns(5).
 * @throws ProcmusterError `INVALID_ARGUMENT`
 */
export async function setTimerSlack(
  targets: readonly ProcessIdentity[],
  nanoseconds: number,
  options: ThreadOptions = {},
): Promise<ControlResult[]> {
  const leader = leaderOnly(options)
  whole(nanoseconds, 0, Number.MAX_SAFE_INTEGER, 'timer slack in nanoseconds')
  return actOn(targets, {
    name: `set timer slack ${nanoseconds} ns`,
    kind: ActionKind.timerSlack,
    args: [nanoseconds],
    force: options.force,
    leaderOnly: leader,
  })
}

/**
 * Sets the nice value of the whole autogroup, that is of everyone in the target's session. sched(7), "The autogroup
 * feature". Without CAP_SYS_ADMIN the kernel takes ten changes a second: then `BUSY`.
 * @throws ProcmusterError `INVALID_ARGUMENT`
 */
export async function setAutogroupNice(
  targets: readonly ProcessIdentity[],
  nice: number,
  options: Pick<ThreadOptions, 'force'> = {},
): Promise<ControlResult[]> {
  checkOptions(options, { force: FLAG })
  return actOn(targets, {
    name: `set autogroup nice ${nice}`,
    kind: ActionKind.autogroup,
    args: [checkNice(nice)],
    force: options.force,
    hints: {
      EAGAIN: 'the kernel takes ten changes a second from the unprivileged; try again',
      EINVAL: 'it is in no autogroup',
      ENOSYS: 'this kernel is built without autogroups',
    },
  })
}

/** As many as `CONFIG_NR_CPUS` may be. */
const MOST_PROCESSORS = 8192

/**
 * The processors of a list like `0-3,8`, ascending. cpuset(7), "List format".
 * @throws ProcmusterError `INVALID_ARGUMENT`
 */
export function parseProcessors(list: string): number[] {
  TEXT('the list of processors', list)
  const found = new Set<number>()
  for (const part of list.trim().split(',')) {
    const [, first, last, stride] = /^(\d{1,5})(?:-(\d{1,5})(?::(\d{1,5}))?)?$/.exec(part.trim()) ?? []
    const from = Number(first)
    const to = Number(last ?? first)
    const by = Number(stride ?? 1)
    if (first === undefined || to < from || by === 0 || to >= MOST_PROCESSORS) {
      throw wrong(`${JSON.stringify(list)} is no list of processors; use numbers and ranges like 0-3,8`)
    }
    for (let number = from; number <= to; number += by) found.add(number)
  }
  return [...found].sort((a, b) => a - b)
}

/** The same the other way round: `0-3,8`. */
export function printProcessors(processors: readonly number[]): string {
  listOf(NUMBER)('the list of processors', processors)
  const sorted = [...new Set(processors)].sort((a, b) => a - b)
  const parts: string[] = []
  for (let at = 0; at < sorted.length; at++) {
    const from = sorted[at]!
    while (sorted[at + 1] === sorted[at]! + 1) at++
    parts.push(sorted[at] === from ? `${from}` : `${from}-${sorted[at]}`)
  }
  return parts.join(',')
}

function whole(value: number, least: number, most: number, what: string): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw wrong(`${JSON.stringify(value)} is no ${what}; use a whole number from ${least} to ${most}`)
}

function unknown(what: string, value: unknown, valid: readonly string[]): ProcmusterError {
  return wrong(`unknown ${what} ${JSON.stringify(value)}; use one of ${valid.join(', ')}`)
}

function wrong(message: string): ProcmusterError {
  return new ProcmusterError('INVALID_ARGUMENT', { message })
}
