import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { capOf } from '../../dist/cgroups/cap_place.js'
import { parseFlat, parseNested } from '../../dist/cgroups/files.js'
import {
  checkCgroupPath,
  directoryOf,
  parseCgroupMounts,
  parseMemberships,
} from '../../dist/cgroups/hierarchies.js'
import { parseCpuMax, parseMax } from '../../dist/cgroups/limits.js'
import { parseServiceBytes } from '../../dist/cgroups/use.js'
import { Cgroup, type CgroupEventCounts, detectCgroups } from '../../dist/index.js'
import { waitFor } from '../fixtures/processes.js'

describe('what the kernel writes', () => {
  test('mounts', () => {
    const text = [
      '24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
      '31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct',
      '32 24 0:28 /docker/ab /sys/fs/cgroup/a\\040b rw - cgroup cgroup rw,xattr,name=systemd',
      '33 24 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate',
      'nonsense',
    ].join('\n')
    expect(parseCgroupMounts(text)).toEqual([
      {
        version: 1,
        mountPoint: '/sys/fs/cgroup/cpu,cpuacct',
        mountRoot: '/',
        controllers: ['cpu', 'cpuacct'],
      },
      {
        version: 1,
        mountPoint: '/sys/fs/cgroup/a b',
        mountRoot: '/docker/ab',
        controllers: ['name=systemd'],
      },
      { version: 2, mountPoint: '/sys/fs/cgroup/unified', mountRoot: '/', controllers: [] },
    ])
  })

  test('memberships', () => {
    expect(parseMemberships('8:cpu,cpuacct:/a:b\n1:name=systemd:/\n0::/x.slice\nbad\n')).toEqual([
      { controllers: ['cpu', 'cpuacct'], path: '/a:b' },
      { controllers: ['name=systemd'], path: '/' },
      { controllers: [], path: '/x.slice' },
    ])
  })

  test.each([
    ['/', '/a/b', '/m/a/b'],
    ['/', '/', '/m'],
    ['/docker/ab', '/docker/ab', '/m'],
    ['/docker/ab', '/docker/ab/c', '/m/c'],
    ['/docker/ab', '/docker/abc', undefined],
    ['/', '/../x', undefined],
  ])('root %s, path %s: %s', (mountRoot, path, directory) => {
    expect(directoryOf({ version: 1, mountPoint: '/m', mountRoot, controllers: [] }, path)).toBe(directory)
  })

  test.each([
    ['max\n', 'unlimited'],
    ['1048576\n', 1048576],
    ['', undefined],
    ['-1', undefined],
    [undefined, undefined],
  ])('a limit %j is %j', (text, limit) => expect(parseMax(text)).toBe(limit))

  test.each([
    ['50000 100000\n', 50],
    ['max 100000\n', 'unlimited'],
    ['300000 200000', 150],
    ['100000', undefined],
  ])('a quota %j is %j', (text, percent) => expect(parseCpuMax(text)).toBe(percent))

  test('flat, nested and old tables', () => {
    expect([...parseFlat('oom 1\noom_kill 2\nbroken\nneg -1\n')]).toEqual([
      ['oom', 1],
      ['oom_kill', 2],
    ])
    const nested = parseNested('8:0 rbps=max wbps=1048576\n8:16 riops=5\n')
    expect([...nested.get('8:0')!]).toEqual([['wbps', 1048576]])
    expect(nested.get('8:16')!.get('riops')).toBe(5)
    expect(parseServiceBytes('8:0 Read 4096\n8:0 Write 12\nTotal 4108\n').get('8:0')!.get('Write')).toBe(12)
  })

  test('the name of a cap tells whose it is and where it came from', () => {
    expect(capOf('/m/web/procmuster-12-345')).toEqual({ origin: '/m/web', pid: 12, startTicks: 345 })
    expect(capOf('/m/a.service.procmuster-12-345')).toEqual({
      origin: '/m/a.service',
      pid: 12,
      startTicks: 345,
    })
    expect(capOf('/m/a.procmuster-1-2.procmuster-3-4')).toEqual({
      origin: '/m/a.procmuster-1-2',
      pid: 3,
      startTicks: 4,
    })
    for (const other of ['/m/procmuster', '/m/procmuster-12', '/m/xprocmuster-1-2']) {
      expect(capOf(other)).toBeUndefined()
    }
  })
})

test('no path leads out of a tree', () => {
  for (const bad of [
    '',
    'web',
    '/',
    '/a//b',
    '/..',
    '/a/../b',
    '/./a',
    '/a/',
    '/a\nb',
    '/a\0',
    `/${'x'.repeat(256)}`,
  ]) {
    expect(() => checkCgroupPath(bad)).toThrowError(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      let path: string
      try {
        path = checkCgroupPath(text)
      } catch {
        return
      }
      expect(join('/m', path).startsWith('/m/')).toBe(true)
    }),
  )
})

/** Version 2 as plain files in a directory of the test's own: what is written is seen, nothing happens. */
describe('version 2 files', () => {
  let root: string
  let mountinfo: string
  const file = (name: string) => readFile(join(root, name), 'utf8')
  const put = (name: string, text: string) => writeFile(join(root, name), text)

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'procmuster-cgroup-'))
    mountinfo = join(root, 'mountinfo')
    await put('mountinfo', `33 24 0:29 / ${root} rw - cgroup2 cgroup2 rw\n`)
    await put('cgroup.controllers', 'cpuset cpu io memory pids\n')
    await put('cgroup.subtree_control', 'memory cpu io pids')
    await mkdir(join(root, 'web'))
    await put('web/cgroup.procs', '')
    for (const name of ['memory.max', 'memory.high', 'memory.swap.max', 'pids.max']) {
      await put(`web/${name}`, 'max\n')
    }
    await put('web/cpu.max', 'max 100000\n')
    await put('web/cpu.weight', '100\n')
    await put('web/io.max', '')
  })
  afterEach(() => rm(root, { recursive: true }))

  test('is found, and has its limits written and read', async () => {
    expect(await detectCgroups({ mountinfo })).toMatchObject({
      mode: 'v2',
      hierarchies: [{ mountPoint: root }],
    })
    const group = await Cgroup.open('/web', { mountinfo })
    expect(group.controllers).toEqual(['memory', 'cpu', 'pids', 'io', 'freezer'])
    expect(await group.limits()).toEqual({
      memoryMaxBytes: 'unlimited',
      memoryHighBytes: 'unlimited',
      swapMaxBytes: 'unlimited',
      cpuQuotaPercent: 'unlimited',
      cpuWeight: 100,
      pidsMax: 'unlimited',
      ioMax: [],
    })
    // A plain file keeps what was longer before; the kernel's do not.
    for (const name of ['memory.max', 'memory.high', 'pids.max', 'cpu.max', 'cpu.weight'])
      await put(`web/${name}`, '')
    await group.setLimits({
      memoryMaxBytes: 2 ** 29,
      memoryHighBytes: 2 ** 28,
      cpuQuotaPercent: 50,
      cpuWeight: 20,
      pidsMax: 7,
      ioMax: [{ device: '8:0', readBytesPerSecond: 1000, writesPerSecond: 'unlimited' }],
    })
    expect(await file('web/memory.max')).toBe(String(2 ** 29))
    expect(await file('web/cpu.max')).toBe('50000 100000')
    expect(await file('web/cpu.weight')).toBe('20')
    expect(await file('web/io.max')).toBe('8:0 rbps=1000 wiops=max')
    expect(await group.limits()).toMatchObject({ memoryHighBytes: 2 ** 28, cpuQuotaPercent: 50, pidsMax: 7 })
  })

  test('has its use and its events told, with a reason for what is not there', async () => {
    await put('web/memory.current', '4096\n')
    await put('web/memory.peak', '8192\n')
    await put('web/cpu.stat', 'usage_usec 12\nnr_throttled 3\nthrottled_usec 4\n')
    await put('web/pids.current', '2\n')
    await put('web/io.stat', '8:0 rbytes=5 wbytes=6 rios=1 wios=1\n')
    await put('web/cgroup.procs', '11\n12\n')
    await put('web/memory.events', 'low 0\nhigh 1\nmax 2\noom 0\noom_kill 0\n')
    const group = await Cgroup.open('/web', { mountinfo })
    const use = await group.use()
    expect(use).toMatchObject({
      memoryBytes: 4096,
      memoryPeakBytes: 8192,
      cpuTimeNs: 12_000,
      throttledPeriods: 3,
      throttledTimeNs: 4000,
      pids: 2,
      io: [{ device: '8:0', readBytes: 5, writeBytes: 6 }],
      processes: [11, 12],
    })
    expect(use.swapBytes).toBeUndefined()
    expect(use.missing.swapBytes).toMatch(/memory.swap.current.*not there/)
    const told: CgroupEventCounts[] = []
    using _watch = await group.watchEvents((counts) => told.push(counts))
    await put('web/memory.events', 'low 0\nhigh 1\nmax 5\noom 1\noom_kill 1\n')
    await waitFor(() => told.at(-1)?.oomKills === 1)
    expect(told.at(-1)).toMatchObject({ memoryMaxHits: 5, memoryHighHits: 1 })
  })

  test('what cannot be had is refused before anything is written', async () => {
    const group = await Cgroup.open('/web', { mountinfo, controllers: ['pids'] })
    await expect(group.setLimits({ pidsMax: 3, memoryMaxBytes: 1 })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    })
    expect(await file('web/pids.max')).toBe('max\n')
    for (const [limits, message] of [
      [{ pidsMax: -1 }, /-1 is no pidsMax/],
      [{ memory: 5 }, /unknown limit "memory"; use one of memoryMaxBytes/],
      [{ cpuQuotaPercent: 0 }, /cpuQuotaPercent/],
      [{ cpuWeight: 'unlimited' }, /1 to 10000$/],
      [{ ioMax: [{ device: 'sda', readsPerSecond: 1 }] }, /"sda" is no device/],
    ] as const) {
      await expect(group.setLimits(limits as { pidsMax: number })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(message),
      })
    }
    await expect(Cgroup.open('/nothing', { mountinfo })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(Cgroup.open('/web', { mountinfo, controllers: ['cpus' as 'cpu'] })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('memory, cpu, pids, io, freezer'),
    })
    await expect(Cgroup.create('/x', { mountinfo: join(root, 'none') })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: 'no control groups are mounted here',
    })
  })

  test('a link that leads out is not followed', async () => {
    await symlink('/tmp', join(root, 'out'))
    await expect(Cgroup.open('/out', { mountinfo })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(Cgroup.create('/out/x', { mountinfo, controllers: ['freezer'] })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })

  test('controllers are handed down to a new group', async () => {
    await put('cgroup.subtree_control', '')
    await Cgroup.create('/new', { mountinfo, controllers: ['memory', 'pids', 'freezer'] })
    expect(await file('cgroup.subtree_control')).toBe('+memory +pids')
  })
})
