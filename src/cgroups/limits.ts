import { ProcmusterError } from '../errors.js'
import { parseFlat, parseNested, readControl, writeControl } from './files.js'
import type { Controller } from './hierarchies.js'

/** A number, or none. */
export type CgroupLimit = number | 'unlimited'

/** Limits of one block device; what is left out stays as it is. */
export interface IoLimit {
  /** `major:minor`, as in `/proc/partitions`. */
  readonly device: string
  readonly readBytesPerSecond?: CgroupLimit | undefined
  readonly writeBytesPerSecond?: CgroupLimit | undefined
  readonly readsPerSecond?: CgroupLimit | undefined
  readonly writesPerSecond?: CgroupLimit | undefined
}

/** Limits of a control group; what is left out stays as it is. cgroups(7). */
export interface CgroupLimits {
  /** Above it the kernel ends processes of the group. */
  readonly memoryMaxBytes?: CgroupLimit | undefined
  /** Above it they are slowed down; version 2 only. */
  readonly memoryHighBytes?: CgroupLimit | undefined
  readonly swapMaxBytes?: CgroupLimit | undefined
  /** Of one processor: 150 is one and a half. At least 1. */
  readonly cpuQuotaPercent?: CgroupLimit | undefined
  /** Share when processors are short: 1 to 10000, 100 being everyone's. */
  readonly cpuWeight?: number | undefined
  /** Processes and threads. */
  readonly pidsMax?: CgroupLimit | undefined
  readonly ioMax?: readonly IoLimit[] | undefined
}

/** Where the files of a controller are. */
export interface ControlPlace {
  readonly version: 1 | 2
  readonly directory: string
}
export type FindPlace = (controller: Controller | 'cpuacct') => ControlPlace | undefined

const CONTROLLER_OF: Readonly<Record<keyof CgroupLimits, Controller>> = {
  memoryMaxBytes: 'memory',
  memoryHighBytes: 'memory',
  swapMaxBytes: 'memory',
  cpuQuotaPercent: 'cpu',
  cpuWeight: 'cpu',
  pidsMax: 'pids',
  ioMax: 'io',
}
const NAMES = Object.keys(CONTROLLER_OF) as (keyof CgroupLimits)[]
const PERIOD_US = 100_000
// Version 1 writes no limit as a number of pages that fills 63 bits.
const V1_UNLIMITED = 2 ** 62
const SHARES_OF_WEIGHT = 1024 / 100
const IO_KEYS = [
  ['readBytesPerSecond', 'rbps', 'blkio.throttle.read_bps_device'],
  ['writeBytesPerSecond', 'wbps', 'blkio.throttle.write_bps_device'],
  ['readsPerSecond', 'riops', 'blkio.throttle.read_iops_device'],
  ['writesPerSecond', 'wiops', 'blkio.throttle.write_iops_device'],
] as const

/** The controllers that these limits take. @throws ProcmusterError `INVALID_ARGUMENT` */
export function controllersFor(limits: CgroupLimits): Controller[] {
  return [...new Set(given(limits).map((name) => CONTROLLER_OF[name]))]
}

function given(limits: CgroupLimits): (keyof CgroupLimits)[] {
  for (const name of Object.keys(limits)) {
    if (!NAMES.includes(name as keyof CgroupLimits)) {
      throw wrong(`unknown limit ${JSON.stringify(name)}; use one of ${NAMES.join(', ')}`)
    }
  }
  return NAMES.filter((name) => limits[name] !== undefined)
}

/** @throws ProcmusterError `INVALID_ARGUMENT` */
export function checkLimits(limits: CgroupLimits): void {
  for (const name of given(limits)) {
    const value = limits[name]
    if (name === 'ioMax') for (const limit of limits.ioMax!) checkIoLimit(limit)
    else if (name === 'cpuWeight') number(name, value, 1, 10_000, false)
    else if (name === 'cpuQuotaPercent') number(name, value, 1, 1e6, true)
    else number(name, value, 0, Number.MAX_SAFE_INTEGER, true)
  }
}

function checkIoLimit(limit: IoLimit): void {
  if (!/^\d{1,6}:\d{1,7}$/.test(limit.device)) {
    throw wrong(`${JSON.stringify(limit.device)} is no device; use major:minor as in /proc/partitions`)
  }
  for (const [key] of IO_KEYS) {
    if (limit[key] !== undefined) number(key, limit[key], 1, Number.MAX_SAFE_INTEGER, true)
  }
}

function number(name: string, value: unknown, least: number, most: number, unlimited: boolean): void {
  if (unlimited && value === 'unlimited') return
  const whole = name === 'cpuQuotaPercent' ? Number.isFinite(value) : Number.isSafeInteger(value)
  if (whole && (value as number) >= least && (value as number) <= most) return
  const also = unlimited ? ", or 'unlimited'" : ''
  throw wrong(`${JSON.stringify(value)} is no ${name}; use a number from ${least} to ${most}${also}`)
}

/**
 * Sets limits. Nothing is written when one of them cannot be had.
 * @throws ProcmusterError `INVALID_ARGUMENT`, `UNSUPPORTED`, `ACCESS_DENIED`, `BUSY` when memory cannot be reclaimed so far
 */
export async function writeLimits(find: FindPlace, limits: CgroupLimits): Promise<void> {
  checkLimits(limits)
  for (const name of given(limits)) {
    const place = find(CONTROLLER_OF[name])
    if (place === undefined) throw unsupported(name, `the group has no controller ${CONTROLLER_OF[name]}`)
    if (name === 'memoryHighBytes' && place.version === 1) {
      throw unsupported(name, 'only cgroup version 2 slows down above a limit; use memoryMaxBytes')
    }
    if (name === 'swapMaxBytes') await checkSwap(place)
  }
  const memory = find('memory')
  if (memory?.version === 1) await writeOldMemory(memory.directory, limits)
  else if (memory !== undefined) await writeMemory(memory.directory, limits)
  const cpu = find('cpu')
  if (cpu !== undefined) await writeCpu(cpu, limits)
  if (limits.pidsMax !== undefined) {
    await writeControl(find('pids')!.directory, 'pids.max', maxText(limits.pidsMax))
  }
  for (const limit of limits.ioMax ?? []) await writeIo(find('io')!, limit)
}

async function checkSwap({ version, directory }: ControlPlace): Promise<void> {
  const file = version === 1 ? 'memory.memsw.limit_in_bytes' : 'memory.swap.max'
  await readControl(directory, file).catch(() => {
    throw unsupported(
      'swapMaxBytes',
      `the kernel does not count swap (${file} is not there; boot with swapaccount=1)`,
    )
  })
}

async function writeMemory(directory: string, limits: CgroupLimits): Promise<void> {
  for (const [value, file] of [
    [limits.memoryHighBytes, 'memory.high'],
    [limits.swapMaxBytes, 'memory.swap.max'],
    [limits.memoryMaxBytes, 'memory.max'],
  ] as const) {
    if (value !== undefined) await writeControl(directory, file, maxText(value))
  }
}

// There the limit of swap is one of memory and swap together, which must never be below that of memory alone.
async function writeOldMemory(directory: string, limits: CgroupLimits): Promise<void> {
  if (limits.memoryMaxBytes === undefined && limits.swapMaxBytes === undefined) return
  const both = 'memory.memsw.limit_in_bytes'
  const alone = 'memory.limit_in_bytes'
  const hints = { EBUSY: 'it uses more, and the kernel cannot take so much of it back now' }
  const write = (file: string, value: CgroupLimit) =>
    writeControl(directory, file, value === 'unlimited' ? '-1' : String(value), hints)
  const before = await readOldMemory(directory)
  const max = limits.memoryMaxBytes ?? before.max
  if (before.both === undefined) return write(alone, max)
  const swap = limits.swapMaxBytes ?? before.swap
  const sum = max === 'unlimited' || swap === 'unlimited' ? 'unlimited' : max + swap!
  const raises = sum === 'unlimited' || (before.both !== 'unlimited' && sum >= before.both)
  if (raises) await write(both, sum)
  await write(alone, max)
  if (!raises) await write(both, sum)
}

async function readOldMemory(directory: string) {
  const value = async (file: string): Promise<CgroupLimit> => {
    const found = Number(await readControl(directory, file))
    return found >= V1_UNLIMITED ? 'unlimited' : found
  }
  const max = await value('memory.limit_in_bytes')
  const both = await value('memory.memsw.limit_in_bytes').catch(() => undefined)
  const swap =
    both === undefined ? undefined : both === 'unlimited' || max === 'unlimited' ? 'unlimited' : both - max
  return { max, both, swap } as const
}

async function writeCpu({ version, directory }: ControlPlace, limits: CgroupLimits): Promise<void> {
  const { cpuQuotaPercent: percent, cpuWeight: weight } = limits
  const hints = { EINVAL: 'a group above it, or below it, has a quota that does not go with this one' }
  if (percent !== undefined) {
    const quota = percent === 'unlimited' ? percent : Math.round((percent / 100) * PERIOD_US)
    if (version === 2) {
      await writeControl(directory, 'cpu.max', `${maxText(quota)} ${PERIOD_US}`, hints)
    } else {
      await writeControl(directory, 'cpu.cfs_period_us', String(PERIOD_US), hints)
      await writeControl(directory, 'cpu.cfs_quota_us', quota === 'unlimited' ? '-1' : String(quota), hints)
    }
  }
  if (weight === undefined) return
  if (version === 2) await writeControl(directory, 'cpu.weight', String(weight))
  else await writeControl(directory, 'cpu.shares', String(Math.max(2, Math.round(weight * SHARES_OF_WEIGHT))))
}

async function writeIo({ version, directory }: ControlPlace, limit: IoLimit): Promise<void> {
  const hints = { ENODEV: `there is no block device ${limit.device}` }
  const pairs = IO_KEYS.flatMap(([key, name, file]) => {
    const value = limit[key]
    return value === undefined ? [] : [{ name, file, value }]
  })
  if (version === 2) {
    const text = pairs.map(({ name, value }) => `${name}=${maxText(value)}`)
    if (text.length > 0) await writeControl(directory, 'io.max', `${limit.device} ${text.join(' ')}`, hints)
    return
  }
  for (const { file, value } of pairs) {
    await writeControl(directory, file, `${limit.device} ${value === 'unlimited' ? 0 : value}`, hints)
  }
}

/** The limits that hold; what the group's controllers do not have is left out. */
export async function readLimits(find: FindPlace): Promise<CgroupLimits> {
  const limits: { -readonly [Name in keyof CgroupLimits]: CgroupLimits[Name] } = {}
  const memory = find('memory')
  // The root of version 2 has no files of limits.
  const text = (place: ControlPlace, file: string) =>
    readControl(place.directory, file).catch((error: ProcmusterError) => {
      if (error.code !== 'NOT_FOUND') throw error
      return undefined
    })
  const limit = async (place: ControlPlace, file: string) => parseMax(await text(place, file))
  if (memory?.version === 1) {
    const { max, swap } = await readOldMemory(memory.directory)
    limits.memoryMaxBytes = max
    if (swap !== undefined) limits.swapMaxBytes = swap
  } else if (memory !== undefined) {
    limits.memoryMaxBytes = await limit(memory, 'memory.max')
    limits.memoryHighBytes = await limit(memory, 'memory.high')
    limits.swapMaxBytes = await limit(memory, 'memory.swap.max')
  }
  const cpu = find('cpu')
  if (cpu?.version === 1) {
    const quota = Number(await readControl(cpu.directory, 'cpu.cfs_quota_us'))
    const period = Number(await readControl(cpu.directory, 'cpu.cfs_period_us'))
    limits.cpuQuotaPercent = quota < 0 ? 'unlimited' : (quota / period) * 100
    const shares = Number(await readControl(cpu.directory, 'cpu.shares'))
    limits.cpuWeight = Math.round(shares / SHARES_OF_WEIGHT)
  } else if (cpu !== undefined) {
    limits.cpuQuotaPercent = parseCpuMax((await text(cpu, 'cpu.max')) ?? '')
    limits.cpuWeight = Number((await text(cpu, 'cpu.weight')) ?? 100)
  }
  const pids = find('pids')
  if (pids !== undefined) limits.pidsMax = await limit(pids, 'pids.max')
  const io = find('io')
  if (io !== undefined) limits.ioMax = await readIo(io, text)
  return limits
}

async function readIo(
  place: ControlPlace,
  text: (place: ControlPlace, file: string) => Promise<string | undefined>,
): Promise<IoLimit[]> {
  const devices = new Map<string, { device: string; [key: string]: CgroupLimit | string }>()
  const set = (device: string, key: string, value: number) => {
    const limit = devices.get(device) ?? { device }
    devices.set(device, { ...limit, [key]: value })
  }
  if (place.version === 2) {
    for (const [device, values] of parseNested((await text(place, 'io.max')) ?? '')) {
      for (const [key, name] of IO_KEYS) if (values.has(name)) set(device, key, values.get(name)!)
    }
  } else {
    for (const [key, , file] of IO_KEYS) {
      for (const [device, value] of parseFlat((await text(place, file)) ?? '')) set(device, key, value)
    }
  }
  return [...devices.values()] as unknown as IoLimit[]
}

/** `max` is none; undefined for what is no limit. */
export function parseMax(text: string | undefined): CgroupLimit | undefined {
  const word = text?.trim()
  if (word === 'max') return 'unlimited'
  return word !== undefined && /^\d+$/.test(word) ? Number(word) : undefined
}

/** `50000 100000` is 50. */
export function parseCpuMax(text: string): CgroupLimit | undefined {
  const [, quota, period] = /^(max|\d+) (\d+)\s*$/.exec(text) ?? []
  if (quota === undefined) return undefined
  return quota === 'max' ? 'unlimited' : (Number(quota) / Number(period)) * 100
}

function maxText(value: CgroupLimit): string {
  return value === 'unlimited' ? 'max' : String(value)
}

function wrong(message: string): ProcmusterError {
  return new ProcmusterError('INVALID_ARGUMENT', { message })
}

function unsupported(name: string, reason: string): ProcmusterError {
  return new ProcmusterError('UNSUPPORTED', { message: `${name} cannot be set: ${reason}` })
}
