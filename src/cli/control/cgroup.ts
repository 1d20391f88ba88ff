import {
  Cgroup,
  type CgroupEventCounts,
  type CgroupHost,
  type CgroupLimits,
  type CgroupUse,
  detectCgroups,
} from '../../public/cgroups.js'
import { ProcmusterError } from '../../public/errors.js'
import { wordedBytes } from '../../public/text.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, fail, messageOf } from '../fault.js'
import { shortTime } from '../quantities.js'
import { escapeForTerminal, safeJson, widthOf } from '../terminal.js'
import { quoted, readNumber } from '../values.js'
import { hanging } from '../wrap.js'
import { hasLimits, limitsOf, type RawLimits } from './cgroup_limits.js'
import { report } from './report.js'
import { pidsOf, Targets } from './targets.js'

/** As commander hands them over. */
export interface RawGroup {
  json?: boolean
  force?: boolean
  recursive?: boolean
  wait?: string
}
export interface RawChange extends RawGroup, RawLimits {}

const WAIT = { flag: '--wait', wanted: 'seconds from 0 to 3600, for example 5', min: 0, max: 3600 }
const WAIT_SECONDS = 5

/** `muster cgroup [PATH]` */
export async function show(path: string | undefined, raw: RawGroup): Promise<void> {
  if (path === undefined) return list(raw)
  const group = await open(path)
  const [limits, use, events] = [await group.limits(), await group.use(), await group.eventCounts()]
  const { controllers, directories } = group
  if (raw.json) return say({ path, controllers, directories, limits, use, events })
  process.stdout.write(`${wordedGroup(path, group, limits, use, events).join('\n')}\n`)
}

/** `muster cgroup create PATH` */
export async function create(path: string, raw: RawChange): Promise<void> {
  const limits = checkedLimits(raw)
  const existed = await Cgroup.open(pathOf(path)).then(
    () => true,
    () => false,
  )
  const group = await Cgroup.create(path)
  try {
    if (hasLimits(limits)) await group.setLimits(limits)
  } catch (error) {
    // No group without the limits that it was to have.
    if (!existed) await group.remove().catch(() => {})
    throw error
  }
  done(path, raw, `made in ${group.directories.map(escapeForTerminal).join(', ')}`, await group.limits())
}

/** `muster cgroup set PATH` */
export async function set(path: string, raw: RawChange): Promise<void> {
  const limits = checkedLimits(raw)
  if (!hasLimits(limits)) {
    const faults = new FaultList()
    faults.add(EXIT.usage, 'no limit is given; `muster cgroup set --help` lists them')
    faults.throwIfAny()
  }
  const group = await open(path)
  await group.setLimits(limits)
  done(path, raw, wordedLimits(limits).join(', '), await group.limits())
}

/** `muster cgroup move PATH PID...` */
export async function move(path: string, words: readonly string[], raw: RawGroup): Promise<void> {
  const faults = new FaultList()
  const pids = pidsOf(words, faults)
  faults.throwIfAny()
  const targets = await Targets.identify(pids)
  const group = await open(path)
  const results = targets.merge(await group.move(targets.identities, { force: raw.force === true }))
  report(results, raw.json, ({ pid }) => `${pid}: moved to ${escapeForTerminal(path)}`)
}

/** `muster cgroup freeze PATH` */
export async function freeze(path: string, raw: RawGroup): Promise<void> {
  const options = waitOf(raw)
  await (await open(path)).freeze(options)
  done(path, raw, 'frozen')
}

/** `muster cgroup thaw PATH` */
export async function thaw(path: string, raw: RawGroup): Promise<void> {
  await (await open(path)).thaw()
  done(path, raw, 'thawed')
}

/** `muster cgroup kill PATH` */
export async function kill(path: string, raw: RawGroup): Promise<void> {
  const options = { ...waitOf(raw), force: raw.force === true }
  await (await open(path)).kill(options)
  done(path, raw, 'nobody is left in it')
}

/** `muster cgroup remove PATH` */
export async function remove(path: string, raw: RawGroup): Promise<void> {
  await (await open(path)).remove({ recursive: raw.recursive === true })
  done(path, raw, 'removed')
}

function checkedLimits(raw: RawChange): CgroupLimits {
  const faults = new FaultList()
  const limits = limitsOf(raw, faults)
  faults.throwIfAny()
  return limits
}

function waitOf({ wait }: RawGroup): { waitMs: number } {
  const faults = new FaultList()
  const seconds = wait === undefined ? WAIT_SECONDS : readNumber(wait, WAIT, faults)
  faults.throwIfAny()
  return { waitMs: seconds! * 1000 }
}

async function open(path: string): Promise<Cgroup> {
  try {
    return await Cgroup.open(pathOf(path))
  } catch (error) {
    if (!(error instanceof ProcmusterError) || error.code !== 'NOT_FOUND') throw error
    const hint = '`muster info PID` names those of a process, `muster cgroup create` makes one'
    fail(EXIT.noSuchProcess, `${messageOf(error)}; ${hint}`)
  }
}

function pathOf(path: string): string {
  if (path.startsWith('/')) return path
  fail(EXIT.malformed, `${quoted(path)} is no path of a control group; give one like /web/api`)
}

const say = (record: unknown): void => {
  process.stdout.write(`${safeJson(record)}\n`)
}

function done(path: string, { json }: RawGroup, what: string, limits?: CgroupLimits): void {
  if (json) say({ path, ok: true, ...(limits !== undefined && { limits }) })
  else process.stdout.write(`${escapeForTerminal(path)}: ${what}\n`)
}

async function list({ json }: RawGroup): Promise<void> {
  const host = await detectCgroups()
  if (json) return say(host)
  process.stdout.write(`${wordedHost(host).join('\n')}\n`)
}

function wordedHost({ mode, hierarchies }: CgroupHost): string[] {
  if (mode === 'none') return ['no control groups are mounted here']
  const trees = hierarchies.map(({ version, mountPoint, controllers }) => {
    const names = controllers.join(' ') || 'no controllers'
    return `  v${version} ${escapeForTerminal(mountPoint)}: ${escapeForTerminal(names)}`
  })
  return [`${mode}:`, ...trees]
}

function wordedGroup(
  path: string,
  { controllers, directories }: Cgroup,
  limits: CgroupLimits,
  use: CgroupUse,
  events: CgroupEventCounts,
): string[] {
  const happened = [
    ...some(events.oomKills, (count) => `${count} killed for memory`),
    ...some(events.memoryMaxHits, (count) => `${count} times at the limit of memory`),
    ...some(events.memoryHighHits, (count) => `${count} times above memory high`),
    ...some(events.pidsMaxHits, (count) => `${count} forks refused`),
  ]
  const list = (title: string, words: readonly string[], none: string) =>
    hanging(`  ${title}`, (words.length === 0 ? [none] : words).join(', '), widthOf(process.stdout))
  return [
    `${escapeForTerminal(path)} (${controllers.join(' ')})`,
    ...directories.map((directory) => `  ${escapeForTerminal(directory)}`),
    ...list('limits:    ', wordedLimits(limits), 'none'),
    ...list('use:       ', wordedUse(use), '-'),
    ...list('events:    ', happened, '-'),
    ...list('processes: ', use.processes.map(String), 'none'),
  ]
}

const some = (value: number | undefined, worded: (value: number) => string): string[] =>
  value === undefined ? [] : [worded(value)]

export function wordedUse(use: CgroupUse): string[] {
  const io = (use.io ?? []).map(
    ({ device, readBytes = 0, writeBytes = 0 }) =>
      `I/O of ${device}: read ${wordedBytes(readBytes)}, written ${wordedBytes(writeBytes)}`,
  )
  return [
    ...some(use.memoryBytes, (bytes) => `memory ${wordedBytes(bytes)}`),
    ...some(use.memoryPeakBytes, (bytes) => `at most ${wordedBytes(bytes)}`),
    ...some(use.swapBytes, (bytes) => `swap ${wordedBytes(bytes)}`),
    ...some(use.cpuTimeNs, (ns) => `CPU time ${shortTime(ns)}`),
    ...some(
      use.throttledTimeNs,
      (ns) => `held back ${shortTime(ns)} in ${use.throttledPeriods ?? 0} periods`,
    ),
    ...some(use.pids, (count) => `${count} processes and threads`),
    ...io,
  ]
}

export function wordedLimits(limits: CgroupLimits): string[] {
  const bytes = (value: CgroupLimits['memoryMaxBytes'], name: string): string[] =>
    value === undefined ? [] : [`${name} ${value === 'unlimited' ? value : wordedBytes(value)}`]
  const { cpuQuotaPercent: quota, cpuWeight, pidsMax, ioMax = [] } = limits
  return [
    ...bytes(limits.memoryMaxBytes, 'memory'),
    ...bytes(limits.memoryHighBytes, 'memory high'),
    ...bytes(limits.swapMaxBytes, 'swap'),
    ...(quota === undefined
      ? []
      : [`CPU ${quota === 'unlimited' ? quota : `${Number(quota.toFixed(2))} %`}`]),
    ...(cpuWeight === undefined ? [] : [`CPU weight ${cpuWeight}`]),
    ...(pidsMax === undefined ? [] : [`processes and threads ${pidsMax}`]),
    ...ioMax.map(({ device, ...rest }) => {
      const parts = Object.entries(rest).map(([key, value]) => `${key} ${value}`)
      return `I/O of ${device}: ${parts.join(' ')}`
    }),
  ]
}
