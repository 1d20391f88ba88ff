import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cpuPercents, parseStat } from '../../../dist/system/stats/cpu.js'
import { parseCpuInfo } from '../../../dist/system/stats/cpu_info.js'
import { diskRates, parseDiskstats } from '../../../dist/system/stats/disks.js'
import { parseInterrupts } from '../../../dist/system/stats/interrupts.js'
import {
  parseDevices,
  parseFileNr,
  parseFilesystems,
  parseLine,
  parseNumber,
  parseVmstat,
} from '../../../dist/system/stats/kernel.js'
import { parseLoad, parsePressureLines, parseUptimes } from '../../../dist/system/stats/load.js'
import { parseMemory } from '../../../dist/system/stats/memory.js'
import { parseNetDev } from '../../../dist/system/stats/network.js'

const samples = {
  stat: 'cpu  100 10 20 800 5 1 2 3 40 50\ncpu0 60 5 10 400 2 1 1 2 20 25\ncpu3 40 5 10 400 3 0 1 1 20 25\nintr 500 1 2 3\nctxt 77\nbtime 1700000000\nprocesses 42\nprocs_running 2\nprocs_blocked 1\nsoftirq 900 1 2\n',
  meminfo:
    'MemTotal:       1000 kB\nMemFree:          100 kB\nMemAvailable:    400 kB\nBuffers:          50 kB\nCached:          200 kB\nSwapTotal:       80 kB\nSwapFree:         60 kB\nShmem:  7 kB\nSReclaimable:  9 kB\nActive(anon):  3 kB\nHugePages_Total:       4\n',
  loadavg: '0.55 1.47 12.43 3/512 12345\n',
  uptime: '350735.47 234388.90\n',
  pressure:
    'some avg10=1.22 avg60=0.17 avg300=1.11 total=58761459\nfull avg10=0.50 avg60=0.13 avg300=0.96 total=5\n',
  vmstat: 'nr_free_pages 1494524\npgfault 7\n',
  filesystems: 'nodev\tsysfs\n\text4\nnodev\tfuse.portal\n',
  devices: 'Character devices:\n  1 mem\n  4 /dev/vc/0\n\nBlock devices:\n  7 loop\n254 virtblk\n',
  interrupts:
    '           CPU0       CPU2       \n 24:          1          5  IO-APIC   5-edge      ACPI:Ged\n 25:          0          2  2-edge disk\nNMI:          3          4   Non-maskable interrupts\nERR:          6\n',
  softirqs:
    '                    CPU0       CPU2       \n          HI:          0          1\n       TIMER:      73909      97340\n',
  diskstats:
    ' 259       0 nvme0n1 10 1 80 7 20 2 160 9 3 40 50 5 0 16 6 8 2\n   8       0 sda 1 2 3 4 5 6 7 8 9 10 11\n   8       1 old 1 2 3 4\n',
  netDev:
    'Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0\n  eth0:1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n',
  cpuinfo:
    'processor\t: 0\nmodel name\t: Some CPU @ 2GHz\ncpu MHz\t\t: 2096.010\ncache size\t: 1024 KB\nphysical id\t: 0\ncore id\t\t: 0\nflags\t\t: fpu sse avx\n\nprocessor\t: 1\nmodel name\t: Some CPU @ 2GHz\nphysical id\t: 0\ncore id\t\t: 0\nflags\t\t: fpu sse\n\n',
  arm: 'processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\n',
}

test.each<[string, unknown, unknown]>([
  [
    'stat',
    parseStat(samples.stat),
    {
      total: {
        userMs: 1000,
        niceMs: 100,
        systemMs: 200,
        idleMs: 8000,
        iowaitMs: 50,
        irqMs: 10,
        softirqMs: 20,
        stealMs: 30,
        guestMs: 400,
        guestNiceMs: 500,
      },
      cores: [
        expect.objectContaining({ core: 0, userMs: 600 }),
        expect.objectContaining({ core: 3, stealMs: 10 }),
      ],
      interrupts: 500,
      softirqs: 900,
      contextSwitches: 77,
      forks: 42,
      running: 2,
      blocked: 1,
      bootedAtMs: 1_700_000_000_000,
    },
  ],
  ['stat of an old kernel', parseStat('cpu  1 2 3 4\n')!.total.iowaitMs, undefined],
  [
    'meminfo',
    parseMemory(samples.meminfo),
    expect.objectContaining({
      totalBytes: 1000 * 1024,
      usedBytes: 600 * 1024,
      swapUsedBytes: 20 * 1024,
      sharedBytes: 7 * 1024,
      fields: expect.objectContaining({ 'Active(anon)': 3 * 1024, HugePages_Total: 4 }),
    }),
  ],
  [
    'meminfo without an estimate of what is available',
    parseMemory(samples.meminfo.replace(/MemAvailable.*\n/, ''))!.usedBytes,
    (1000 - 100 - 50 - 200 - 9) * 1024,
  ],
  [
    'loadavg',
    parseLoad(samples.loadavg),
    { load1: 0.55, load5: 1.47, load15: 12.43, runnable: 3, tasks: 512, lastPid: 12345 },
  ],
  ['uptime', parseUptimes(samples.uptime), { uptimeSeconds: 350735.47, idleSeconds: 234388.9 }],
  [
    'pressure',
    parsePressureLines(samples.pressure),
    {
      some: { avg10: 1.22, avg60: 0.17, avg300: 1.11, totalUs: 58761459 },
      full: { avg10: 0.5, avg60: 0.13, avg300: 0.96, totalUs: 5 },
    },
  ],
  ['vmstat', parseVmstat(samples.vmstat), { nr_free_pages: 1494524, pgfault: 7 }],
  [
    'filesystems',
    parseFilesystems(samples.filesystems),
    [
      { name: 'sysfs', needsDevice: false },
      { name: 'ext4', needsDevice: true },
      { name: 'fuse.portal', needsDevice: false },
    ],
  ],
  [
    'devices',
    parseDevices(samples.devices),
    {
      character: [
        { major: 1, name: 'mem' },
        { major: 4, name: '/dev/vc/0' },
      ],
      block: [
        { major: 7, name: 'loop' },
        { major: 254, name: 'virtblk' },
      ],
    },
  ],
  [
    'interrupts',
    parseInterrupts(samples.interrupts),
    [
      { name: '24', description: 'IO-APIC 5-edge ACPI:Ged', total: 6, perCore: { 0: 1, 2: 5 } },
      { name: '25', description: '2-edge disk', total: 2, perCore: { 0: 0, 2: 2 } },
      { name: 'NMI', description: 'Non-maskable interrupts', total: 7, perCore: { 0: 3, 2: 4 } },
      { name: 'ERR', description: '', total: 6, perCore: undefined },
    ],
  ],
  [
    'softirqs',
    parseInterrupts(samples.softirqs)![1],
    { name: 'TIMER', description: '', total: 171249, perCore: { 0: 73909, 2: 97340 } },
  ],
  [
    'diskstats',
    parseDiskstats(samples.diskstats),
    [
      expect.objectContaining({
        name: 'nvme0n1',
        reads: 10,
        readBytes: 80 * 512,
        busyMs: 40,
        inFlight: 3,
        discardedBytes: 16 * 512,
        flushes: 8,
      }),
      expect.objectContaining({ name: 'sda', weightedMs: 11, discards: undefined, flushes: undefined }),
    ],
  ],
  [
    'net/dev',
    parseNetDev(samples.netDev),
    [
      {
        name: 'lo',
        received: { bytes: 3193, packets: 29, errors: 0, drops: 0, multicast: 0 },
        sent: { bytes: 3193, packets: 29, errors: 0, drops: 0, collisions: 0 },
      },
      {
        name: 'eth0:1',
        received: { bytes: 1, packets: 2, errors: 3, drops: 4, multicast: 8 },
        sent: { bytes: 9, packets: 10, errors: 11, drops: 12, collisions: 14 },
      },
    ],
  ],
  [
    'cpuinfo',
    parseCpuInfo(samples.cpuinfo),
    expect.objectContaining({
      model: 'Some CPU @ 2GHz',
      threads: 2,
      cores: 1,
      sockets: 1,
      flags: ['fpu', 'sse'],
    }),
  ],
  [
    'cpuinfo of arm64',
    parseCpuInfo(samples.arm),
    expect.objectContaining({
      model: 'implementer 0x41 part 0xd0c',
      threads: 1,
      cores: undefined,
      sockets: undefined,
      flags: ['fp', 'asimd'],
    }),
  ],
  ['file-nr', parseFileNr('1385\t0\t2466160\n'), { allocated: 1385, limit: 2466160 }],
  [
    'file-nr without a limit',
    parseFileNr('1385\t0\t9223372036854775807\n'),
    { allocated: 1385, limit: Number.POSITIVE_INFINITY },
  ],
  ['a number', parseNumber('256\n'), 256],
  ['a line', parseLine('Linux version 6\n'), 'Linux version 6'],
])('%s', (_, found, expected) => {
  expect(found).toEqual(expected)
})

const parsers = [
  parseStat,
  parseMemory,
  parseLoad,
  parseUptimes,
  parsePressureLines,
  parseVmstat,
  parseFilesystems,
  parseDevices,
  parseInterrupts,
  parseDiskstats,
  parseNetDev,
  parseCpuInfo,
  parseFileNr,
  parseNumber,
]

function numbersIn(value: unknown): number[] {
  if (typeof value === 'number') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersIn) : []
}

test('whatever a file holds, cut or garbled, no parser throws or makes numbers up', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .tuple(fc.constantFrom(...Object.values(samples)), fc.nat(), fc.nat(), fc.string())
      .map(([sample, from, to, garbage]) => {
        const [low, high] = [from % sample.length, to % sample.length].sort((a, b) => a - b) as [
          number,
          number,
        ]
        return sample.slice(0, low) + garbage + sample.slice(high)
      }),
  )
  fc.assert(
    fc.property(text, (given) => {
      for (const parse of parsers) expect(numbersIn(parse(given)).some(Number.isNaN)).toBe(false)
    }),
    { numRuns: 300 },
  )
})

test('percentages are those of the time that has passed, and never negative', () => {
  const before = parseStat('cpu  100 0 0 800 50 0 0 0 0 0\n')!.total
  const now = parseStat('cpu  130 0 10 850 40 0 0 10 20 0\n')!.total
  expect(cpuPercents(before, now)).toEqual({
    user: 30,
    nice: 0,
    system: 10,
    idle: 50,
    iowait: 0,
    irq: 0,
    softirq: 0,
    steal: 10,
    guest: 20,
    guestNice: 0,
    busy: 50,
  })
  expect(cpuPercents(now, now)).toBeUndefined()
})

test('no disk has a negative rate, whatever its counters do', () => {
  const disk = fc
    .array(fc.nat({ max: 1000 }), { minLength: 11, maxLength: 17 })
    .map((numbers) => parseDiskstats(`8 0 sda ${numbers.join(' ')}\n`)[0]!)
  fc.assert(
    fc.property(disk, disk, fc.double({ min: 0.001, max: 100, noNaN: true }), (before, now, seconds) => {
      for (const [name, rate] of Object.entries(diskRates(before, now, seconds))) {
        if (name !== 'name' && rate !== undefined) expect(rate).toBeGreaterThanOrEqual(0)
      }
      const wentBack = now.reads < before.reads || now.writes < before.writes
      if (wentBack) expect(diskRates(before, now, seconds).readBytesPerSecond).toBeUndefined()
    }),
  )
})
