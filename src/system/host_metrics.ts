import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HOST_METRICS, type HostMetric } from '../rules/language/ast.js'

/** Numbers of the host; what a file did not say is left out. */
export type HostNumbers = Partial<Record<HostMetric, number>>

const MEMINFO: readonly (readonly [field: string, metric: HostMetric])[] = [
  ['MemTotal', 'memTotalBytes'],
  ['MemFree', 'memFreeBytes'],
  ['MemAvailable', 'memAvailableBytes'],
  ['Buffers', 'buffersBytes'],
  ['Cached', 'cachedBytes'],
  ['SwapTotal', 'swapTotalBytes'],
  ['SwapFree', 'swapFreeBytes'],
]

/** proc_meminfo(5): `MemTotal:       16336224 kB`. */
export function parseMeminfo(text: string): HostNumbers {
  const numbers: HostNumbers = {}
  for (const [field, metric] of MEMINFO) {
    const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)
    if (found !== null) numbers[metric] = Number(found[1]) * 1024
  }
  const { swapTotalBytes, swapFreeBytes } = numbers
  if (swapTotalBytes !== undefined && swapFreeBytes !== undefined) {
    numbers.swapUsedBytes = swapTotalBytes - swapFreeBytes
  }
  return numbers
}

/** proc_loadavg(5): `0.55 0.47 0.43 1/512 12345`. */
export function parseLoadavg(text: string): HostNumbers {
  const found = /^(\d+\.\d+) (\d+\.\d+) (\d+\.\d+) /.exec(text)
  if (found === null) return {}
  return { load1: Number(found[1]), load5: Number(found[2]), load15: Number(found[3]) }
}

/** proc_uptime(5): `350735.47 234388.90`. */
export function parseUptime(text: string): HostNumbers {
  const found = /^(\d+\.\d+) /.exec(text)
  return found === null ? {} : { uptimeSeconds: Number(found[1]) }
}

/** PSI: `some avg10=0.22 avg60=0.17 avg300=1.11 total=58761459`, and the same with `full`. */
export function parsePressure(resource: string, text: string): HostNumbers {
  const numbers: Record<string, number> = {}
  for (const [, kind, ten, sixty, threeHundred] of text.matchAll(
    /^(some|full) avg10=(\d+\.\d+) avg60=(\d+\.\d+) avg300=(\d+\.\d+) /gm,
  )) {
    for (const [span, value] of [
      ['10', ten],
      ['60', sixty],
      ['300', threeHundred],
    ]) {
      numbers[`pressure.${resource}.${kind}${span}`] = Number(value)
    }
  }
  return numbers
}

/** CPU time of all cores since boot, in clock ticks. */
export interface CpuTimes {
  readonly busy: number
  readonly total: number
  readonly cpus: number
}

/** proc_stat(5): `cpu  user nice system idle iowait irq softirq steal guest guest_nice`; user and nice contain the guests' time. */
export function parseCpuTimes(text: string): CpuTimes | undefined {
  const found = /^cpu +([\d ]+)$/m.exec(text)
  if (found === null) return undefined
  const times = found[1]!.trim().split(' ').slice(0, 8).map(Number)
  if (times.length < 4) return undefined
  const total = times.reduce((sum, each) => sum + each, 0)
  const idle = times[3]! + (times[4] ?? 0)
  return { busy: total - idle, total, cpus: text.match(/^cpu\d+ /gm)?.length ?? 0 }
}

/** Options of `HostMetrics`. */
export interface HostMetricsOptions {
  /** Only the files that these stand in are read. */
  readonly metrics: Iterable<HostMetric>
  /** Another root than `/proc`. */
  readonly procRoot?: string
}

/** Reads numbers of the host from /proc, once a tick. */
export class HostMetrics {
  #metrics: ReadonlySet<HostMetric>
  readonly #procRoot: string
  #previous: CpuTimes | undefined
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
    const now = parseCpuTimes(text)
    if (now === undefined) return {}
    const before = this.#previous
    if (before !== undefined && now.total > before.total) {
      // Some counters may go back a little, iowait above all.
      const share = (now.busy - before.busy) / (now.total - before.total)
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
