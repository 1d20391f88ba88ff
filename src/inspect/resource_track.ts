import { totalmem } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { ProcmusterError } from '../errors.js'
import { range } from '../range.js'
import type { ProcessIdentity } from '../table/identity.js'
import { type ProcFile, parseDescriptors, readProcFiles } from './proc_files.js'
import type { MissingField, ProcessIo, ProcessMemory } from './process_info.js'
import { parseFields, parseIo, parseMemory } from './process_texts.js'
import { type ProcessStat, parseStat } from './stat.js'

/** How long and how often to look at a process. */
export interface TrackOptions {
  /** Until the process ends, unless given; milliseconds. */
  readonly durationMs?: number | undefined
  /** Milliseconds between two samples, 10 or more. Default 1000. */
  readonly intervalMs?: number | undefined
  /** Ends the track. */
  readonly signal?: AbortSignal | undefined
}

/** What a process used at one moment; rates are since the sample before, the first has none. */
export interface ResourceSample {
  /** Epoch milliseconds. */
  readonly atMs: number
  /** Since the first sample. */
  readonly elapsedMs: number
  /** 100 = one core; the kernel counts in steps of 10 ms. */
  readonly cpuPercent: number | undefined
  /** CPU time of all threads since the start of the process; proc_pid_stat(5) fields 14 and 15. */
  readonly userMs: number
  readonly systemMs: number
  /** Undefined of a process without memory, as a kernel thread is. */
  readonly memory: ProcessMemory | undefined
  /** `memory.rssBytes` in percent of the host's memory. */
  readonly memoryPercent: number | undefined
  readonly io: ProcessIo | undefined
  /** From and to storage. */
  readonly readBytesPerSecond: number | undefined
  readonly writeBytesPerSecond: number | undefined
  readonly threads: number
  /** Number of open descriptors. */
  readonly openFiles: number | undefined
  /** What of these could not be read, and why. */
  readonly missing: readonly MissingField[]
}

const FILES = ['stat', 'status', 'io', 'fd'] as const
/** Lines of some hundred bytes for each of as many descriptors as a process usually may have. */
const MAX_BYTES = 32 * 1024 * 1024
const DAY_MS = 86_400_000

/**
 * Samples of one process over time, for `for await`; each loop looks anew. It ends when the process does, and not later than an
 * interval after; a zombie has ended.
 */
export class ResourceTrack implements AsyncIterable<ResourceSample> {
  readonly #target: Promise<ProcessIdentity>
  readonly #intervalMs: number
  readonly #durationMs: number
  readonly #signal: AbortSignal

  /** @internal */
  constructor(target: Promise<ProcessIdentity>, options: TrackOptions) {
    const { durationMs, intervalMs = 1000, signal = new AbortController().signal } = options
    this.#intervalMs = range('intervalMs', intervalMs, 10, DAY_MS)
    this.#durationMs =
      durationMs === undefined
        ? Number.POSITIVE_INFINITY
        : range('durationMs', durationMs, 0, Number.MAX_SAFE_INTEGER)
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
      const reading = await read(target, before === undefined)
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
  return new ResourceTrack(Promise.resolve(target), options)
}

interface Reading {
  readonly atMs: number
  readonly monotonicMs: number
  readonly stat: ProcessStat
  readonly memory: ProcessMemory | undefined
  readonly io: ProcessIo | undefined
  readonly openFiles: number | undefined
  readonly missing: readonly MissingField[]
}

/** Undefined when the process has ended. */
async function read(target: ProcessIdentity, isFirst: boolean): Promise<Reading | undefined> {
  // The first file is read at once, whenever all of them are there.
  const [atMs, monotonicMs] = [Date.now(), performance.now()]
  const files = await readProcFiles(target, { files: FILES, maxBytesPerFile: MAX_BYTES })
  const [statFile, statusFile, ioFile, descriptorsFile] = files as [ProcFile, ProcFile, ProcFile, ProcFile]
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
  if (files.some((file) => file.error?.code === 'PROCESS_GONE')) return undefined
  const textOf = (file: ProcFile) => (file.error === undefined ? file.data.toString('latin1') : undefined)
  const status = textOf(statusFile)
  const io = textOf(ioFile)
  return {
    atMs,
    monotonicMs,
    stat,
    memory: status === undefined ? undefined : parseMemory(parseFields(status)),
    io: io === undefined ? undefined : parseIo(io),
    openFiles:
      descriptorsFile.error === undefined ? parseDescriptors(descriptorsFile.data).length : undefined,
    missing: files.flatMap((file) =>
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
  const { atMs, stat, memory, io, openFiles, missing } = now
  const ms = before === undefined ? 0 : now.monotonicMs - before.monotonicMs
  const cpuMs = ({ userMs, systemMs }: ProcessStat) => userMs + systemMs
  const bytesPerSecond = (counter: 'readBytes' | 'writeBytes'): number | undefined =>
    before?.io === undefined || io === undefined
      ? undefined
      : ((io[counter] - before.io[counter]) / ms) * 1000
  return {
    atMs,
    elapsedMs,
    cpuPercent: before === undefined ? undefined : ((cpuMs(stat) - cpuMs(before.stat)) / ms) * 100,
    userMs: stat.userMs,
    systemMs: stat.systemMs,
    memory,
    memoryPercent: memory === undefined ? undefined : (memory.rssBytes / totalmem()) * 100,
    io,
    readBytesPerSecond: bytesPerSecond('readBytes'),
    writeBytesPerSecond: bytesPerSecond('writeBytes'),
    threads: stat.threads,
    openFiles,
    missing,
  }
}
