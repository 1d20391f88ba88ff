import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HOST_METRICS, type HostMetric } from '../rules/language/ast.js'
import { cpuSums, parseStat } from './stats/cpu.js'
import { parseLoad, parsePressureLines, parseUptimes } from './stats/load.js'
import { meminfoFields } from './stats/memory.js'

/** Numbers of the host; what a file did not say is left out. */
type HostNumbers = Partial<Record<HostMetric, number>>

const MEMINFO: readonly (readonly [field: string, metric: HostMetric])[] = [
  ['MemTotal', 'memTotalBytes'],
  ['MemFree', 'memFreeBytes'],
  ['MemAvailable', 'memAvailableBytes'],
  ['Buffers', 'buffersBytes'],
  ['Cached', 'cachedBytes'],
  ['SwapTotal', 'swapTotalBytes'],
  ['SwapFree', 'swapFreeBytes'],
]

/** proc_meminfo(5). */
export function parseMeminfo(text: string): HostNumbers {
  const numbers: HostNumbers = {}
  const fields = meminfoFields(text)
  for (const [field, metric] of MEMINFO) {
    const bytes = fields.get(field)
    if (bytes !== undefined) numbers[metric] = bytes
  }
  const { swapTotalBytes, swapFreeBytes } = numbers
  if (swapTotalBytes !== undefined && swapFreeBytes !== undefined) {
    numbers.swapUsedBytes = swapTotalBytes - swapFreeBytes
  }
  return numbers
}

export function parseLoadavg(text: string): HostNumbers {
  const load = parseLoad(text)
  return load === undefined ? {} : { load1: load.load1, load5: load.load5, load15: load.load15 }
}

export function parseUptime(text: string): HostNumbers {
  const uptime = parseUptimes(text)
  return uptime === undefined ? {} : { uptimeSeconds: uptime.uptimeSeconds }
}

export function parsePressure(resource: string, text: string): HostNumbers {
  const numbers: Record<string, number> = {}
  for (const [kind, line] of Object.entries(parsePressureLines(text) ?? {})) {
    if (line === undefined) continue
    for (const span of [10, 60, 300] as const)
      numbers[`pressure.${resource}.${kind}${span}`] = line[`avg${span}`]
  }
  return numbers
}

/** CPU time of all cores since boot. */
interface CpuUse {
  readonly busyMs: number
  readonly totalMs: number
  readonly cpus: number
}

export function parseCpuUse(text: string): CpuUse | undefined {
  const cpu = parseStat(text)
  return cpu && { ...cpuSums(cpu.total), cpus: cpu.cores.length }
}

/** Options of `HostMetrics`. */
interface HostMetricsOptions {
  /** Only the files that these stand in are read. */
  readonly metrics: Iterable<HostMetric>
  /** Another root than `/proc`. */
  readonly procRoot?: string
}

/** Reads numbers of the host from /proc, once a tick. */
export class HostMetrics {
  #metrics: ReadonlySet<HostMetric>
  readonly #procRoot: string
  #previous: CpuUse | undefined
  #cpuPercent = Number.NaN

  constructor({ metrics, procRoot = '/proc' }: HostMetricsOptions) {
    this.#metrics = new Set(metrics)
    this.#procRoot = procRoot
  }

  /** Which metrics are asked for from the next read on. */
  setMetrics(metrics: Iterable<HostMetric>): void {
    this.#metrics = new Set(metrics)
  }

  /**
   * The metrics asked for, each at its place in `HOST_METRICS`. NaN: not asked for, or the kernel does not say; `cpuPercent` (all
   * cores together are 100) is that from one read to the next, so the first has none.
   * @param processes how many there are: to count them takes the table that the caller has
   */
  async read(processes = Number.NaN): Promise<Float64Array> {
    const [memory, load, uptime, stat, ...pressures] = await Promise.all([
      this.#text('meminfo', ['mem', 'buffers', 'cached', 'swap']),
      this.#text('loadavg', ['load']),
      this.#text('uptime', ['uptime']),
      this.#text('stat', ['cpu']),
      ...RESOURCES.map((resource) => this.#text(`pressure/${resource}`, [`pressure.${resource}.`])),
    ])
    const numbers: HostNumbers = {
      ...parseMeminfo(memory!),
      ...parseLoadavg(load!),
      ...parseUptime(uptime!),
      ...this.#cpu(stat!),
      processes,
    }
    for (const [place, resource] of RESOURCES.entries()) {
      Object.assign(numbers, parsePressure(resource, pressures[place]!))
    }
    return Float64Array.from(HOST_METRICS, (metric) =>
      this.#metrics.has(metric) ? (numbers[metric] ?? Number.NaN) : Number.NaN,
    )
  }

  #cpu(text: string): HostNumbers {
    const now = parseCpuUse(text)
    if (now === undefined) return {}
    const before = this.#previous
    if (before !== undefined && now.totalMs > before.totalMs) {
      // Some counters may go back a little, iowait above all.
      const share = (now.busyMs - before.busyMs) / (now.totalMs - before.totalMs)
      this.#cpuPercent = Math.min(100, Math.max(0, share * 100))
    }
    this.#previous = now
    return { cpuPercent: this.#cpuPercent, cpus: now.cpus }
  }

  /** Empty when no metric stands in it, and when it cannot be read. */
  async #text(name: string, prefixes: readonly string[]): Promise<string> {
    const isNeeded = [...this.#metrics].some((metric) => prefixes.some((prefix) => metric.startsWith(prefix)))
    if (!isNeeded) return ''
    return readFile(join(this.#procRoot, name), 'latin1').catch(() => '')
  }
}

const RESOURCES = ['cpu', 'memory', 'io'] as const
