import { totalmem } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  ABORT_SIGNAL,
  type Checks,
  checkIdentity,
  checkOptions,
  ELSEWHERE,
  FLAG,
  range,
} from '../arguments.js'
import { type LimitValue, parseLimits } from '../control/rlimit.js'
import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import { parseFields, parseIo, parseMemory } from './proc_fields.js'
import { type ProcFile, parseDescriptors, readProcFiles } from './proc_files.js'
import type { MissingField, ProcessIo, ProcessMemory } from './process_info.js'
import { type ProcessStat, parseStat } from './stat.js'

/** How long and how often to look at a process. */
export interface TrackOptions {
  /** Until the process ends, unless given; milliseconds. */
  readonly durationMs?: number | undefined
  /** Milliseconds between two samples, 10 or more. Default 1000. */
  readonly intervalMs?: number | undefined
  /**
   * Reads `pssBytes` too. The kernel walks all pages of the process for it, under its memory lock: of a large one that takes long,
   * and holds it up. Default false.
   */
  readonly pss?: boolean | undefined
  /** Ends the track. */
  readonly signal?: AbortSignal | undefined
}

/** What a process used at one moment; rates are since the sample before, the first has none. */
export interface ResourceSample {
  /** Epoch milliseconds. */
  readonly atMs: number
  /** Since the first sample. */
  readonly elapsedMs: number
  /** As the kernel keeps it (comm); hostile input. */
  readonly name: string
  /** Letter, proc_pid_stat(5) field 3. */
  readonly state: string
  /** 100 = one core; the kernel counts in steps of 10 ms. `userPercent` and `systemPercent` are its parts. */
  readonly cpuPercent: number | undefined
  readonly userPercent: number | undefined
  readonly systemPercent: number | undefined
  /** CPU time of all threads since the start of the process; proc_pid_stat(5) fields 14 and 15. */
  readonly userMs: number
  readonly systemMs: number
  /** Undefined of a process without memory, as a kernel thread is. */
  readonly memory: ProcessMemory | undefined
  /** `memory.rssBytes` in percent of the host's memory. */
  readonly memoryPercent: number | undefined
  /** Resident, each page divided by those who share it: proc_pid_smaps(5), the roll-up. Only with `pss`. */
  readonly pssBytes: number | undefined
  /** Page faults without and with I/O since the start; proc_pid_stat(5) fields 10 and 12. */
  readonly minorFaults: number
  readonly majorFaults: number
  readonly minorFaultsPerSecond: number | undefined
  readonly majorFaultsPerSecond: number | undefined
  /** Context switches of the main thread since its start; proc_pid_status(5). */
  readonly voluntarySwitches: number | undefined
  readonly involuntarySwitches: number | undefined
  readonly voluntarySwitchesPerSecond: number | undefined
  readonly involuntarySwitchesPerSecond: number | undefined
  readonly io: ProcessIo | undefined
  /** From and to storage. */
  readonly readBytesPerSecond: number | undefined
  readonly writeBytesPerSecond: number | undefined
  readonly threads: number
  /** Number of open descriptors, and how many there may be: the soft limit. */
  readonly openFiles: number | undefined
  readonly openFilesLimit: LimitValue | undefined
  /** What of these could not be read, and why. */
  readonly missing: readonly MissingField[]
}

const FILES = ['stat', 'status', 'io', 'limits', 'fd'] as const
const ROLL_UP = 'smaps_rollup'
/** Lines of some hundred bytes for each of as many descriptors as a process usually may have. */
const MAX_BYTES = 32 * 1024 * 1024
const DAY_MS = 86_400_000

const CHECKS: Checks<TrackOptions> = {
  durationMs: ELSEWHERE,
  intervalMs: ELSEWHERE,
  pss: FLAG,
  signal: ABORT_SIGNAL,
}

/**
 * Samples of one process over time, for `for await`; each loop looks anew. It ends when the process does, and not later than an
 * interval after; a zombie has ended.
 */
export class ResourceTrack implements AsyncIterable<ResourceSample> {
  readonly #target: Promise<ProcessIdentity>
  readonly #intervalMs: number
  readonly #durationMs: number
  readonly #files: readonly string[]
  readonly #signal: AbortSignal

  /** @internal */
  constructor(target: Promise<ProcessIdentity>, options: TrackOptions) {
    checkOptions(options, CHECKS)
    const { durationMs, intervalMs = 1000, pss = false, signal = new AbortController().signal } = options
    this.#intervalMs = range('intervalMs', intervalMs, 10, DAY_MS)
    this.#durationMs =
      durationMs === undefined
        ? Number.POSITIVE_INFINITY
        : range('durationMs', durationMs, 0, Number.MAX_SAFE_INTEGER)
    // Last: it may wait for a lock of the process.
    this.#files = pss ? [...FILES, ROLL_UP] : FILES
    this.#signal = signal
    this.#target = target
    // Whoever asks for samples is told.
    target.catch(() => {})
  }

  /** All samples, when the track has ended. */
  async collect(): Promise<ResourceSample[]> {
    const samples: ResourceSample[] = []
    for await (const sample of this) samples.push(sample)
    return samples
  }

  /** @throws ProcmusterError `PROCESS_GONE` when it had ended before the first sample, `TIMEOUT` */
  async *[Symbol.asyncIterator](): AsyncGenerator<ResourceSample, void> {
    const target = await this.#target
    const startedAt = performance.now()
    let before: Reading | undefined
    for (let dueMs = 0; dueMs <= this.#durationMs && !this.#signal.aborted; ) {
      const reading = await read(target, this.#files, before === undefined)
      if (reading === undefined) return
      yield sampleOf(reading, before, reading.monotonicMs - startedAt)
      before = reading
      // At whole intervals, but half of one later at least: CPU time is counted in steps, and means nothing over a moment.
      const elapsedMs = performance.now() - startedAt
      dueMs = (Math.floor(elapsedMs / this.#intervalMs + 0.5) + 1) * this.#intervalMs
      if (dueMs > this.#durationMs) return
      await sleep(dueMs - elapsedMs, undefined, { signal: this.#signal }).catch(() => {})
    }
  }
}

/**
 * What a process uses over time: CPU, memory, I/O, threads, open files.
 * @throws ProcmusterError `INVALID_ARGUMENT`
 */
export function trackResources(target: ProcessIdentity, options: TrackOptions = {}): ResourceTrack {
  checkIdentity(target)
  return new ResourceTrack(Promise.resolve(target), options)
}

/** What of a sample is read; the rest is reckoned from two of them. */
interface Reading
  extends Pick<
    ResourceSample,
    | 'atMs'
    | 'memory'
    | 'pssBytes'
    | 'voluntarySwitches'
    | 'involuntarySwitches'
    | 'io'
    | 'openFiles'
    | 'openFilesLimit'
    | 'missing'
  > {
  readonly monotonicMs: number
  readonly stat: ProcessStat
}

/** Undefined when the process has ended. */
async function read(
  target: ProcessIdentity,
  names: readonly string[],
  isFirst: boolean,
): Promise<Reading | undefined> {
  // The first file is read at once, whenever all of them are there.
  const [atMs, monotonicMs] = [Date.now(), performance.now()]
  const files = await readProcFiles(target, { files: names, maxBytesPerFile: MAX_BYTES })
  const [statFile, statusFile, ioFile, limitsFile, descriptorsFile] = files as [
    ProcFile,
    ProcFile,
    ProcFile,
    ProcFile,
    ProcFile,
  ]
  const rollUpFile = files[FILES.length]
  const { error } = statFile
  if (error !== undefined) {
    if (error.code === 'PROCESS_GONE' && !isFirst) return undefined
    throw error
  }
  const stat = parseStat(statFile.data.toString('utf8'))
  if (stat === undefined) {
    const message = `/proc/${target.pid}/stat cannot be understood`
    throw new ProcmusterError('UNSUPPORTED', { message, pid: target.pid })
  }
  if ('ZX'.includes(stat.state) && stat.threads <= 1) return undefined
  // What has no memory, as a kernel thread, has no roll-up either, and the kernel says of it what it says of one that has ended.
  const told = files.filter((file) => file !== rollUpFile || file.error?.code !== 'PROCESS_GONE')
  if (told.some((file) => file.error?.code === 'PROCESS_GONE')) return undefined
  const textOf = (file: ProcFile | undefined) =>
    file === undefined || file.error !== undefined ? undefined : file.data.toString('latin1')
  const fieldsOf = (file: ProcFile | undefined) => {
    const text = textOf(file)
    return text === undefined ? undefined : parseFields(text)
  }
  const status = fieldsOf(statusFile)
  const pss = fieldsOf(rollUpFile)?.get('Pss')
  const io = textOf(ioFile)
  const limits = textOf(limitsFile)
  const count = (value: string | undefined) => (value === undefined ? undefined : Number(value))
  return {
    atMs,
    monotonicMs,
    stat,
    memory: status && parseMemory(status),
    pssBytes: pss === undefined ? undefined : Number.parseInt(pss, 10) * 1024,
    voluntarySwitches: count(status?.get('voluntary_ctxt_switches')),
    involuntarySwitches: count(status?.get('nonvoluntary_ctxt_switches')),
    io: io === undefined ? undefined : parseIo(io),
    openFiles:
      descriptorsFile.error === undefined ? parseDescriptors(descriptorsFile.data).length : undefined,
    openFilesLimit: limits === undefined ? undefined : parseLimits(limits)?.nofile.soft,
    missing: told.flatMap((file) =>
      file.error === undefined
        ? []
        : [
            {
              path: file.error.path ?? `/proc/${target.pid}/${file.name}`,
              code: file.error.code,
              reason: file.error.message,
            },
          ],
    ),
  }
}

function sampleOf(now: Reading, before: Reading | undefined, elapsedMs: number): ResourceSample {
  const { monotonicMs, stat, ...read } = now
  const perSecond = (counter: (reading: Reading) => number | undefined): number | undefined => {
    const [to, from] = [counter(now), before && counter(before)]
    return to === undefined || from === undefined
      ? undefined
      : ((to - from) / (monotonicMs - before!.monotonicMs)) * 1000
  }
  const percent = (ms: (reading: Reading) => number) => {
    const msPerSecond = perSecond(ms)
    return msPerSecond === undefined ? undefined : msPerSecond / 10
  }
  return {
    ...read,
    elapsedMs,
    name: stat.name,
    state: stat.state,
    cpuPercent: percent(({ stat: { userMs, systemMs } }) => userMs + systemMs),
    userPercent: percent((reading) => reading.stat.userMs),
    systemPercent: percent((reading) => reading.stat.systemMs),
    userMs: stat.userMs,
    systemMs: stat.systemMs,
    memoryPercent: read.memory === undefined ? undefined : (read.memory.rssBytes / totalmem()) * 100,
    minorFaults: stat.minorFaults,
    majorFaults: stat.majorFaults,
    minorFaultsPerSecond: perSecond((reading) => reading.stat.minorFaults),
    majorFaultsPerSecond: perSecond((reading) => reading.stat.majorFaults),
    voluntarySwitchesPerSecond: perSecond((reading) => reading.voluntarySwitches),
    involuntarySwitchesPerSecond: perSecond((reading) => reading.involuntarySwitches),
    readBytesPerSecond: perSecond(({ io }) => io?.readBytes),
    writeBytesPerSecond: perSecond(({ io }) => io?.writeBytes),
    threads: stat.threads,
  }
}
