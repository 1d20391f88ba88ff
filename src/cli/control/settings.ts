import {
  type ControlResult,
  getScheduling,
  IO_CLASSES,
  parseProcessors,
  printProcessors,
  type Scheduling,
  setAffinity,
  setIoPriority,
  setOomScoreAdj,
  setPriority,
  type ThreadOptions,
} from '../../public/control.js'
import type { ProcessIdentity } from '../../public/table.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, messageOf } from '../fault.js'
import { didYouMean } from '../suggest.js'
import { quoted, readNumber } from '../values.js'
import type { RawControl } from './options.js'
import { report } from './report.js'
import { type Outcome, pidsOf, Targets } from './targets.js'

/** As commander hands them over. */
export interface RawSetting extends RawControl {
  leader?: boolean
}
export interface RawIonice extends RawSetting {
  class?: string
  level?: string
}
export interface RawAffinity extends RawSetting {
  cpus?: string
}

const NICE = {
  flag: 'N',
  wanted: 'a nice value from -20 (first) to 19 (last)',
  min: -20,
  max: 19,
  integer: true,
}
const OOM = {
  flag: 'SCORE',
  wanted: 'a number from -1000 (never) to 1000 (first)',
  min: -1000,
  max: 1000,
  integer: true,
}
const LEVEL = { flag: '--level', wanted: 'a number from 0 (first) to 7', min: 0, max: 7, integer: true }

/** `muster nice N PID...` */
export async function nice(word: string, words: readonly string[], raw: RawSetting): Promise<void> {
  const faults = new FaultList()
  const value = readNumber(word, NICE, faults)
  const pids = pidsOf(words, faults)
  faults.throwIfAny()
  await set(
    pids,
    raw,
    `nice ${value}`,
    ({ nice }) => nice,
    (targets) => setPriority(targets, value!, threadOptions(raw)),
  )
}

/** `muster oom SCORE PID...` */
export async function oom(word: string, words: readonly string[], raw: RawSetting): Promise<void> {
  const faults = new FaultList()
  const value = readNumber(word, OOM, faults)
  const pids = pidsOf(words, faults)
  faults.throwIfAny()
  await set(
    pids,
    raw,
    `oom_score_adj ${value}`,
    ({ oomScoreAdj }) => oomScoreAdj,
    (targets) => setOomScoreAdj(targets, value!, { force: raw.force === true }),
  )
}

/** `muster ionice PID...` */
export async function ionice(words: readonly string[], raw: RawIonice): Promise<void> {
  const faults = new FaultList()
  const pids = pidsOf(words, faults)
  const ioClass = IO_CLASSES.find((name) => name === raw.class)
  if (raw.class !== undefined && ioClass === undefined) {
    const hint = `${didYouMean(raw.class, IO_CLASSES)}; give ${IO_CLASSES.join(', ')}`
    faults.add(EXIT.malformed, `--class ${quoted(raw.class)} is no I/O class${hint}`)
  }
  const level = raw.level === undefined ? undefined : readNumber(raw.level, LEVEL, faults)
  if (level !== undefined && (raw.class === undefined || ioClass === 'none' || ioClass === 'idle')) {
    faults.add(EXIT.usage, '--level goes with --class realtime or best-effort; give one of these')
  }
  faults.throwIfAny()
  if (ioClass === undefined) return show(pids, raw, ['ioClass', 'ioLevel'], wordedIo)
  const setting = { ioClass, ...(level !== undefined && { level }) }
  const now = ioClass === 'realtime' || ioClass === 'best-effort' ? `${ioClass} ${level ?? 4}` : ioClass
  await set(pids, raw, `I/O ${now}`, wordedIo, (targets) =>
    setIoPriority(targets, setting, threadOptions(raw)),
  )
}

/** `muster affinity PID...` */
export async function affinity(words: readonly string[], raw: RawAffinity): Promise<void> {
  const faults = new FaultList()
  const pids = pidsOf(words, faults)
  const cpus = raw.cpus === undefined ? undefined : readProcessors(raw.cpus, faults)
  faults.throwIfAny()
  const worded = ({ processors }: Scheduling) => processors && printProcessors(processors)
  if (cpus === undefined) return show(pids, raw, ['processors'], worded)
  // The kernel leaves out the processors that are not there, or not in the cpuset.
  const held = (scheduling: Scheduling) => `processors ${worded(scheduling) ?? raw.cpus}`
  await set(pids, raw, held, worded, (targets) => setAffinity(targets, cpus, threadOptions(raw)))
}

function readProcessors(text: string, faults: FaultList): number[] | undefined {
  try {
    return parseProcessors(text)
  } catch (error) {
    return faults.add(EXIT.malformed, `--cpus ${messageOf(error)}`)
  }
}

export function threadOptions(raw: RawSetting): ThreadOptions {
  return { force: raw.force === true, threads: raw.leader ? 'leader' : 'all' }
}

export function wordedIo({ ioClass, ioLevel }: Scheduling): string | undefined {
  return ioClass === 'realtime' || ioClass === 'best-effort' ? `${ioClass} ${ioLevel}` : ioClass
}

/** What holds now, of the main thread. */
async function show<Part extends keyof Scheduling>(
  pids: readonly number[],
  { json }: RawSetting,
  parts: readonly Part[],
  worded: (scheduling: Scheduling) => string | undefined,
): Promise<void> {
  const targets = await Targets.identify(pids)
  const read = await getScheduling(targets.identities)
  const results = targets.merge(
    read.map((result) => {
      if (!result.ok) return result
      const main = result.threads[0]!
      const values = Object.fromEntries(parts.map((part) => [part, main[part] ?? null]))
      return { pid: result.pid, ok: true as const, main, values }
    }),
  )
  if (json) return report(results.map(flat), json, () => '')
  report(results, json, ({ pid, main }) => `${pid}: ${worded(main) ?? '-'}`)
}

function flat(
  result: Exclude<Outcome, { ok: true }> | { pid: number; ok: true; values: Record<string, unknown> },
): Outcome {
  return result.ok ? { pid: result.pid, ok: true, ...result.values } : result
}

/**
 * Sets, and tells what held before, so that it can be put back. `now` may depend on what the kernel made of it; JSON has the part
 * that is set, before and after.
 */
export async function set(
  pids: readonly number[],
  { json }: RawSetting,
  now: string | ((scheduling: Scheduling) => string),
  part: (scheduling: Scheduling) => string | number | undefined,
  act: (targets: readonly ProcessIdentity[]) => Promise<readonly ControlResult[]>,
): Promise<void> {
  const targets = await Targets.identify(pids)
  const read = await getScheduling(targets.identities)
  const was = new Map(read.map((result) => [result.pid, result.ok ? part(result.threads[0]!) : undefined]))
  const acted = await act(targets.identities)
  const after = !json && typeof now === 'string' ? [] : await getScheduling(targets.identities)
  const held = new Map(after.map((result) => [result.pid, result.ok ? result.threads[0] : undefined]))
  const results = acted.map((result) => {
    if (!result.ok) return result
    const scheduling = held.get(result.pid)
    return {
      ...result,
      was: was.get(result.pid) ?? null,
      now: (scheduling && part(scheduling)) ?? null,
    }
  })
  const nowOf = (pid: number): string => {
    if (typeof now === 'string') return now
    const scheduling = held.get(pid)
    return scheduling === undefined ? 'set, and has ended since' : now(scheduling)
  }
  report(
    targets.merge(results),
    json,
    ({ pid, was }) => `${pid}: ${nowOf(pid)}${was === null ? '' : ` (was ${was})`}`,
  )
}
