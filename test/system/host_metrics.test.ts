import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { HOST_METRICS, type HostMetric } from '../../dist/rules/language/ast.js'
import {
  HostMetrics,
  parseCpuUse,
  parseLoadavg,
  parseMeminfo,
  parsePressure,
  parseUptime,
} from '../../dist/system/host_metrics.js'

const meminfo = `MemTotal:       16336224 kB
MemFree:          512000 kB
MemAvailable:    8000000 kB
Buffers:          100 kB
Cached:          200 kB
SwapCached:          7 kB
SwapTotal:       1000 kB
SwapFree:         400 kB
`
const stat = (user: number, idle: number): string =>
  `cpu  ${user} 10 20 ${idle} 5 1 2 3 40 50\ncpu0 1 1 1 1 1 1 1 1 1 1\ncpu1 1 1 1 1 1 1 1 1 1 1\nintr 5\n`

describe('parsers', () => {
  it.each([
    [
      'meminfo',
      parseMeminfo(meminfo),
      {
        memTotalBytes: 16336224 * 1024,
        memFreeBytes: 512000 * 1024,
        memAvailableBytes: 8000000 * 1024,
        buffersBytes: 102400,
        cachedBytes: 204800,
        swapTotalBytes: 1000 * 1024,
        swapFreeBytes: 400 * 1024,
        swapUsedBytes: 600 * 1024,
      },
    ],
    ['meminfo of an old kernel', parseMeminfo('MemTotal: 4 kB\n'), { memTotalBytes: 4096 }],
    ['loadavg', parseLoadavg('0.55 1.47 12.43 1/512 12345\n'), { load1: 0.55, load5: 1.47, load15: 12.43 }],
    ['uptime', parseUptime('350735.47 234388.90\n'), { uptimeSeconds: 350735.47 }],
    [
      'pressure',
      parsePressure(
        'memory',
        'some avg10=1.22 avg60=0.17 avg300=1.11 total=58761459\nfull avg10=0.50 avg60=0.13 avg300=0.96 total=5\n',
      ),
      {
        'pressure.memory.some10': 1.22,
        'pressure.memory.some60': 0.17,
        'pressure.memory.some300': 1.11,
        'pressure.memory.full10': 0.5,
        'pressure.memory.full60': 0.13,
        'pressure.memory.full300': 0.96,
      },
    ],
    // Guests' time stands in user's already.
    ['stat', parseCpuUse(stat(100, 800)), { busyMs: 1360, totalMs: 9410, cpus: 2 }],
  ])('%s', (_, found, expected) => {
    expect(found).toEqual(expected)
  })

  it.each(['', 'x', 'cpu \n', '\n\n\n'])('say nothing of %j', (text) => {
    expect(parseMeminfo(text)).toEqual({})
    expect(parseLoadavg(text)).toEqual({})
    expect(parseUptime(text)).toEqual({})
    expect(parsePressure('io', text)).toEqual({})
    expect(parseCpuUse(text)).toBeUndefined()
  })
})

describe('HostMetrics', () => {
  const roots: string[] = []
  afterEach(async () => {
    await Promise.all(roots.splice(0).map((root) => rm(root, { recursive: true })))
  })
  const rootOf = async (files: Record<string, string>): Promise<string> => {
    const root = await mkdtemp(join(tmpdir(), 'host-'))
    roots.push(root)
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, name)), { recursive: true })
      await writeFile(join(root, name), text)
    }
    return root
  }
  const at = (numbers: Float64Array, metric: HostMetric): number => numbers[HOST_METRICS.indexOf(metric)]!

  it('gives what was asked for, and nothing where the kernel does not say', async () => {
    const procRoot = await rootOf({ meminfo, loadavg: '1.00 2.00 3.00 1/2 3\n' })
    const host = new HostMetrics({
      metrics: ['memFreeBytes', 'load5', 'pressure.io.full60', 'cpuPercent', 'processes'],
      procRoot,
    })
    const numbers = await host.read(42)
    const known = HOST_METRICS.filter((metric) => !Number.isNaN(at(numbers, metric)))
    expect(known).toEqual(['memFreeBytes', 'load5', 'processes'])
    expect(at(numbers, 'load5')).toBe(2)
    expect(at(numbers, 'processes')).toBe(42)
  })

  it('knows the use of the processors from the second read on', async () => {
    const procRoot = await rootOf({ stat: stat(100, 800) })
    const host = new HostMetrics({ metrics: ['cpuPercent'], procRoot })
    const percents: number[] = [at(await host.read(), 'cpuPercent')]
    for (const next of [stat(130, 870), stat(130, 870), stat(129, 900)]) {
      await writeFile(join(procRoot, 'stat'), next)
      percents.push(at(await host.read(), 'cpuPercent'))
    }
    // The third read saw no time pass; in the fourth a counter has gone back.
    expect(percents).toEqual([Number.NaN, 30, 30, 0])
  })

  it('agrees with what Node says of this host', async () => {
    const host = new HostMetrics({ metrics: HOST_METRICS })
    const numbers = await host.read(1)
    expect(at(numbers, 'memTotalBytes')).toBe(totalmem())
    expect(at(numbers, 'cpus')).toBe(cpus().length)
    expect(at(numbers, 'uptimeSeconds')).toBeGreaterThan(0)
    expect(at(numbers, 'memAvailableBytes')).toBeLessThanOrEqual(totalmem())
  })
})
