import {
  type ControlResult,
  getScheduling,
  printProcessors,
  type Scheduling,
  SETTABLE_POLICIES,
  setAutogroupNice,
  setScheduler,
  setTimerSlack,
} from '../../public/control.js'
import type { ProcessIdentity } from '../../public/table.js'
import { EXIT } from '../exit_codes.js'
import { FaultList } from '../fault.js'
import { didYouMean } from '../suggest.js'
import { widthOf } from '../terminal.js'
import { quoted, readNumber } from '../values.js'
import { hanging } from '../wrap.js'
import { report } from './report.js'
import { type RawSetting, threadOptions, wordedIo } from './settings.js'
import { pidsOf, Targets } from './targets.js'

/** As commander hands them over. */
export interface RawSched extends RawSetting {
  policy?: string
  priority?: string
  resetOnFork?: string
  autogroup?: string
  timerSlack?: string
  threads?: boolean
}

const PRIORITY = {
  flag: '--priority',
  wanted: 'a number from 1 to 99 (first)',
  min: 1,
  max: 99,
  integer: true,
}
const AUTOGROUP = {
  flag: '--autogroup',
  wanted: 'a nice value from -20 to 19',
  min: -20,
  max: 19,
  integer: true,
}
const SLACK = {
  flag: '--timer-slack',
  wanted: 'nanoseconds, 0 for the default',
  min: 0,
  max: Number.MAX_SAFE_INTEGER,
  integer: true,
}

type Act = (targets: readonly ProcessIdentity[]) => Promise<readonly ControlResult[]>

/** `muster sched PID...` */
export async function sched(words: readonly string[], raw: RawSched): Promise<void> {
  const faults = new FaultList()
  const pids = pidsOf(words, faults)
  const changes = changesOf(raw, faults)
  if (raw.threads && changes.length > 0) {
    faults.add(EXIT.usage, '--threads only shows; leave it out: all threads are set unless --leader is given')
  }
  faults.throwIfAny()
  const targets = await Targets.identify(pids)
  if (changes.length === 0) return show(targets, raw)
  let results: readonly ControlResult[] = targets.identities.map(({ pid }) => ({ pid, ok: true }))
  for (const act of changes) {
    // Each change of those with which the ones before have succeeded.
    const good = new Set(results.filter(({ ok }) => ok).map(({ pid }) => pid))
    const done = await act(targets.identities.filter(({ pid }) => good.has(pid)))
    const byPid = new Map(done.map((result) => [result.pid, result]))
    results = results.map((result) => byPid.get(result.pid) ?? result)
  }
  // What holds now: the kernel keeps no timer slack of a real-time thread, and a reset on fork from before.
  const read = raw.json ? [] : await getScheduling(targets.identities)
  const held = new Map(
    read.map((result) => [result.pid, result.ok ? wordedScheduling(result.threads[0]!) : '-']),
  )
  report(targets.merge(results), raw.json, ({ pid }) => `${pid}: ${held.get(pid)}`)
}

function changesOf(raw: RawSched, faults: FaultList): Act[] {
  const changes: Act[] = []
  const options = threadOptions(raw)
  const number = (value: string | undefined, flag: Parameters<typeof readNumber>[1]) =>
    value === undefined ? undefined : readNumber(value, flag, faults)
  const policy = SETTABLE_POLICIES.find((name) => name === raw.policy)
  const priority = number(raw.priority, PRIORITY)
  const realTime = policy === 'fifo' || policy === 'rr'
  if (raw.policy !== undefined && policy === undefined) {
    const hint = `${didYouMean(raw.policy, SETTABLE_POLICIES)}; give ${SETTABLE_POLICIES.join(', ')}`
    faults.add(EXIT.malformed, `--policy ${quoted(raw.policy)} is no policy that can be set${hint}`)
  } else if (realTime !== (raw.priority !== undefined)) {
    faults.add(
      EXIT.usage,
      realTime
        ? `--policy ${policy} needs a --priority; give one from 1 to 99`
        : '--priority goes with --policy fifo or rr; give one of these',
    )
  }
  if (raw.resetOnFork !== undefined && raw.policy === undefined) {
    faults.add(EXIT.usage, '--reset-on-fork goes with --policy; give that too')
  } else if (raw.resetOnFork !== undefined && !['yes', 'no'].includes(raw.resetOnFork)) {
    faults.add(EXIT.malformed, `--reset-on-fork ${quoted(raw.resetOnFork)} is neither; give yes or no`)
  }
  if (policy !== undefined) {
    const setting = {
      policy,
      ...(priority !== undefined && { priority }),
      ...(raw.resetOnFork !== undefined && { resetOnFork: raw.resetOnFork === 'yes' }),
    }
    changes.push((targets) => setScheduler(targets, setting, options))
  }
  const autogroup = number(raw.autogroup, AUTOGROUP)
  if (autogroup !== undefined) {
    const { force = false } = options
    changes.push((targets) => setAutogroupNice(targets, autogroup, { force }))
  }
  const slack = number(raw.timerSlack, SLACK)
  if (slack !== undefined) changes.push((targets) => setTimerSlack(targets, slack, options))
  return changes
}

async function show(targets: Targets, raw: RawSched): Promise<void> {
  const read = await getScheduling(targets.identities, { threads: raw.threads ? 'all' : 'leader' })
  report(targets.merge(read), raw.json, ({ pid, threads }) =>
    threads
      .flatMap((thread) => {
        const who = `${pid}${raw.threads ? ` thread ${thread.tid}` : ''}: `
        return hanging(who, wordedScheduling(thread), widthOf(process.stdout))
      })
      .join('\n'),
  )
}

/** One line; what could not be read is `-`, with the reason at the end. */
export function wordedScheduling(scheduling: Scheduling): string {
  const { policy, priority, nice, processors, oomScoreAdj, timerSlackNs, autogroup, deadline } = scheduling
  const detail = deadline
    ? ` ${deadline.runtimeNs}/${deadline.deadlineNs}/${deadline.periodNs} ns`
    : priority
      ? ` ${priority}`
      : ''
  return [
    `policy ${policy ?? '-'}${detail}${scheduling.resetOnFork ? ' (reset on fork)' : ''}`,
    `nice ${nice ?? '-'}`,
    `I/O ${wordedIo(scheduling) ?? '-'}`,
    `processors ${processors === undefined ? '-' : printProcessors(processors)}`,
    `oom_score_adj ${oomScoreAdj ?? '-'}`,
    `timer slack ${timerSlackNs === undefined ? '-' : `${timerSlackNs} ns`}`,
    autogroup === null ? 'autogroup none' : `autogroup nice ${autogroup?.nice ?? '-'}`,
    ...Object.entries(scheduling.missing).map(([part, reason]) => `${part}: ${reason}`),
  ].join(', ')
}
