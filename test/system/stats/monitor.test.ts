import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import {
  readSystem,
  Sampler,
  SYSTEM_SECTIONS,
  SystemMonitor,
  type SystemReading,
  systemRates,
} from '../../../dist/index.js'
import { startProcess, stopAll, waitFor } from '../../fixtures/processes.js'

const roots: string[] = []
afterEach(async () => {
  await stopAll()
  await Promise.all(roots.splice(0).map((root) => rm(root, { recursive: true })))
})
const rootOf = async (files: Record<string, string>): Promise<string> => {
  const root = await mkdtemp(join(tmpdir(), 'system-'))
  roots.push(root)
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true })
    await writeFile(join(root, name), text)
  }
  return root
}
const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } })

describe('this host', () => {
  test('has every section that it has a file for', async () => {
    const system = await readSystem()
    const missing = system.missing.map(({ section }) => section)
    for (const section of SYSTEM_SECTIONS) {
      expect(system[section] === undefined, section).toBe(missing.includes(section))
    }
    expect(system.cpu!.cores).toHaveLength(cpus().length)
    expect(system.cpuInfo!.threads).toBe(cpus().length)
    expect(system.cpuInfo!.model).toBe(cpus()[0]!.model)
    expect(system.network!.map(({ name }) => name)).toContain('lo')
    expect(system.version).toBe((await readFile('/proc/version', 'utf8')).trim())
    expect(system.filesystems).toContainEqual({ name: 'proc', needsDevice: false })
  })

  test('lists what the files of /proc list', async () => {
    const read = (name: string) => readFile(`/proc/${name}`, 'utf8')
    const matches = async (name: string, pattern: RegExp) =>
      [...(await read(name)).matchAll(pattern)].map(([, word]) => word!)
    const system = await readSystem()
    expect(system.network!.map(({ name }) => name)).toEqual(await matches('net/dev', /^ *([^ |:]+):/gm))
    expect(system.disks!.map(({ name }) => name)).toEqual(await matches('diskstats', /^ *\d+ +\d+ (\S+)/gm))
    expect(system.filesystems!.map(({ name }) => name)).toEqual(
      await matches('filesystems', /^[^\t]*\t(\S+)$/gm),
    )
    const { character, block } = system.devices!
    expect([...character, ...block].map(({ name }) => name)).toEqual(
      await matches('devices', /^ *\d+ (\S+)$/gm),
    )
    expect(Object.keys(system.vmstat!)).toEqual(await matches('vmstat', /^(\S+) \d+$/gm))
    expect(Object.keys(system.memory!.fields)).toHaveLength((await read('meminfo')).trim().split('\n').length)
    expect(system.interrupts!.map(({ name }) => name)).toEqual(await matches('interrupts', /^ *(\S+):/gm))
    expect(system.softirqs!.map(({ name }) => name)).toEqual(await matches('softirqs', /^ *(\S+):/gm))
    const counted = ({ total, perCore }: NonNullable<typeof system.softirqs>[number]) =>
      total === Object.values(perCore!).reduce((sum, each) => sum + each, 0)
    expect(system.softirqs!.every(counted)).toBe(true)
    // They change every few seconds: until nothing changed between two readings.
    await waitFor(async () => {
      const { load } = await readSystem({ sections: ['load'] })
      const [one, five, fifteen] = (await read('loadavg')).split(' ').map(Number)
      return load!.load1 === one && load!.load5 === five && load!.load15 === fifteen
    })
    const swap = /^Swap:\s+(\d+)/m.exec(run('free', '-b'))![1]
    expect(system.memory!.swapTotalBytes).toBe(Number(swap))
  })

  test('says what free, uptime and vmstat say', async () => {
    // Memory comes and goes between two programs: until both have seen the same within a hundredth.
    await waitFor(async () => {
      const [, total, used, free, shared, , available] = /^Mem:\s+(.*)$/m
        .exec(run('free', '-b'))![0]
        .split(/\s+/)
        .map(Number)
      const { memory } = await readSystem({ sections: ['memory'] })
      expect(memory!.totalBytes).toBe(total)
      const near = (ours: number, theirs: number) => Math.abs(ours - theirs) < total! / 100
      return (
        near(memory!.usedBytes, used!) &&
        near(memory!.freeBytes, free!) &&
        near(memory!.sharedBytes!, shared!) &&
        near(memory!.availableBytes!, available!)
      )
    })
    const { uptime, cpu } = await readSystem({ sections: ['uptime', 'cpu'] })
    const bootedAt = Date.parse(`${run('uptime', '-s').trim().replace(' ', 'T')}Z`)
    const offsetMs = new Date().getTimezoneOffset() * 60_000
    expect(Math.abs(Date.now() - uptime!.uptimeSeconds * 1000 - (bootedAt + offsetMs))).toBeLessThan(5000)
    const forks = Number(/(\d+) forks/.exec(run('vmstat', '-s'))![1])
    expect(cpu!.forks).toBeLessThanOrEqual(forks)
    expect(cpu!.forks).toBeGreaterThan(forks - 100_000)
    expect(cpu!.bootedAtMs! / 1000).toBe(Number(/(\d+) boot time/.exec(run('vmstat', '-s'))![1]))
  })

  test('has rates from the second reading on, and they show what happens', async () => {
    const monitor = new SystemMonitor()
    expect((await monitor.read()).rates).toBeUndefined()
    await startProcess('spin')
    await waitFor(async () => (await readSystem()).cpu!.contextSwitches! > 0)
    await new Promise((resolve) => setTimeout(resolve, 500))
    const { rates } = await monitor.read()
    expect(rates!.seconds).toBeGreaterThan(0.4)
    expect(rates!.cpu!.busy).toBeGreaterThan(0)
    expect(rates!.cpu!.busy).toBeLessThanOrEqual(100)
    expect(rates!.cores).toHaveLength(cpus().length)
    expect(rates!.contextSwitchesPerSecond).toBeGreaterThan(0)
    expect(rates!.network.find(({ name }) => name === 'lo')!.received.errorsPerSecond).toBe(0)
  })

  test('counts the processes of a table by state', async () => {
    await startProcess('zombie')
    await startProcess('stopped')
    await using sampler = await Sampler.open({ source: 'procfs' })
    const table = await sampler.sample()
    const { processes } = await readSystem({ sections: [], table })
    expect(processes!.total).toBe(table.size)
    expect(processes!.byState.Z).toBe(table.filter({ state: 'Z' }).length)
    expect(processes!.byState.T).toBeGreaterThanOrEqual(1)
    expect(Object.values(processes!.byState).reduce((sum, each) => sum + each, 0)).toBe(table.size)
  })
})

test('what is not there is told, with the path and why', async () => {
  const procRoot = await rootOf({ loadavg: '1.00 2.00 3.00 1/2 3\n', meminfo: 'nothing of use\n' })
  const system = await readSystem({ procRoot })
  expect(system.load).toMatchObject({ load5: 2 })
  expect(system.memory).toBeUndefined()
  expect(system.missing).toHaveLength(SYSTEM_SECTIONS.length - 1)
  expect(system.missing).toContainEqual({
    section: 'memory',
    path: join(procRoot, 'meminfo'),
    code: 'UNSUPPORTED',
    reason: expect.stringContaining('cannot be understood'),
  })
  expect(system.missing).toContainEqual(
    expect.objectContaining({ section: 'disks', path: join(procRoot, 'diskstats'), code: 'NOT_FOUND' }),
  )
  await expect(readSystem({ sections: ['discs' as never] })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
})

test('a counter that has gone back has no rate, nor has a device that is new', async () => {
  const file = (reads: number, bytes: number) => ({
    diskstats: `8 0 sda ${reads} 0 80 70 20 0 160 90 3 40 50\n`,
    'net/dev': `  eth0: ${bytes} 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n`,
    vmstat: `pgfault ${reads}\npgin ${bytes}\n`,
  })
  const read = async (files: Record<string, string>, monotonicMs: number): Promise<SystemReading> => ({
    ...(await readSystem({ procRoot: await rootOf(files) })),
    monotonicMs,
  })
  const before = await read(file(100, 1000), 0)
  const forward = systemRates(before, await read(file(140, 3000), 2000))
  expect(forward.disks).toMatchObject([{ name: 'sda', readsPerSecond: 20, busyPercent: 0, readAwaitMs: 0 }])
  expect(forward.network[0]!.received.bytesPerSecond).toBe(1000)
  expect(forward.vmstatPerSecond).toEqual({ pgfault: 20, pgin: 1000 })
  const back = systemRates(before, await read(file(3, 5), 2000))
  expect(back.disks[0]).toMatchObject({ readsPerSecond: undefined, writesPerSecond: undefined })
  expect(back.network[0]!.received.bytesPerSecond).toBeUndefined()
  expect(back.network[0]!.received.packetsPerSecond).toBe(0)
  const other = await read({ diskstats: '8 16 sdb 1 2 3 4 5 6 7 8 9 10 11\n' }, 2000)
  expect(systemRates(before, other).disks).toEqual([])
})
