import type { Command } from 'commander'
import type { CgroupLimit, CgroupLimits, IoLimit } from '../../public/cgroups.js'
import { wordedBytes } from '../../public/text.js'
import { EXIT } from '../exit_codes.js'
import type { FaultList } from '../fault.js'
import { collectValues, valueOption } from '../value_option.js'
import { quoted, readNumber } from '../values.js'
import { readSize } from './sizes.js'

/** As commander hands them over. */
export interface RawLimits {
  memory?: string
  memoryHigh?: string
  swap?: string
  cpu?: string
  cpuWeight?: string
  pids?: string
  io?: string[]
}

/** Adds the flags of limits that a running process can be put under. */
export function addLimits(command: Command): Command {
  return command
    .addOption(valueOption('--memory <SIZE>', 'above it the kernel ends processes: 500M, 1.5GiB, unlimited'))
    .addOption(valueOption('--memory-high <SIZE>', 'above it they are slowed down (cgroup version 2)'))
    .addOption(valueOption('--swap <SIZE>', 'swap space'))
    .addOption(valueOption('--cpu <PERCENT>', 'of one processor: 50%, 150%, unlimited'))
    .addOption(
      valueOption('--cpu-weight <N>', "share when processors are short: 1 to 10000, 100 is everyone's"),
    )
    .addOption(valueOption('--pids <N>', 'processes and threads, or unlimited'))
}

export function addIoLimit(command: Command): Command {
  return command.option(
    '--io <LIMIT>',
    'of a block device: 8:0,rbps=10M,wbps=5M,riops=100,wiops=100; may be given several times',
    collectValues,
  )
}

const WEIGHT = {
  flag: '--cpu-weight',
  wanted: 'a number from 1 to 10000',
  min: 1,
  max: 10_000,
  integer: true,
}
const CPU = {
  flag: '--cpu',
  wanted: 'a percentage of one processor of 1 or more, or unlimited, for example 50%',
  min: 1,
  max: 1e6,
  suffix: '%',
}
const PIDS = {
  flag: '--pids',
  wanted: 'a number of processes, or unlimited',
  min: 1,
  max: 4_194_304,
  integer: true,
}

/** A stack in the kernel and page tables take more. */
const LEAST_MEMORY_BYTES = 65_536

/** The limits that were given; none may be. */
export function limitsOf(raw: RawLimits, faults: FaultList): CgroupLimits {
  const size = (text: string | undefined, flag: string): CgroupLimit | undefined =>
    text === undefined || text === 'unlimited' ? text : readSize(text, flag, faults)
  // Elsewhere 0 lifts a limit, and a number alone can be MiB; to the kernel it is one that no process survives, or gets on with.
  const memory = (text: string | undefined, flag: string): CgroupLimit | undefined => {
    const read = size(text, flag)
    if (typeof read !== 'number' || read >= LEAST_MEMORY_BYTES) return read
    const leaves =
      read === 0 ? 'leaves no memory at all' : `is ${wordedBytes(read)}, less than any process takes`
    return faults.add(
      EXIT.outOfRange,
      `${flag} ${quoted(text!)} ${leaves}; give a size such as 500M, or unlimited for no limit`,
    )
  }
  const number = (
    text: string | undefined,
    flag: Parameters<typeof readNumber>[1],
  ): CgroupLimit | undefined =>
    text === undefined || text === 'unlimited' ? text : readNumber(text, flag, faults)
  const weight = raw.cpuWeight === undefined ? undefined : readNumber(raw.cpuWeight, WEIGHT, faults)
  const io = raw.io?.flatMap((text) => ioOf(text, faults) ?? [])
  return {
    memoryMaxBytes: memory(raw.memory, '--memory'),
    memoryHighBytes: memory(raw.memoryHigh, '--memory-high'),
    swapMaxBytes: size(raw.swap, '--swap'),
    cpuQuotaPercent: number(raw.cpu, CPU),
    cpuWeight: weight,
    pidsMax: number(raw.pids, PIDS),
    ...(io !== undefined && { ioMax: io }),
  }
}

export const hasLimits = (limits: CgroupLimits): boolean =>
  Object.values(limits).some((value) => value !== undefined)

const IO_KEYS = {
  rbps: 'readBytesPerSecond',
  wbps: 'writeBytesPerSecond',
  riops: 'readsPerSecond',
  wiops: 'writesPerSecond',
} as const

function ioOf(text: string, faults: FaultList): IoLimit | undefined {
  const [device = '', ...pairs] = text.split(',')
  const limit: { -readonly [Name in keyof IoLimit]: IoLimit[Name] } = { device }
  const bad = (why: string) =>
    faults.add(
      EXIT.malformed,
      `--io ${quoted(text)}: ${why}; give MAJOR:MINOR,rbps=10M,wbps=5M,riops=100,wiops=100`,
    )
  if (!/^\d+:\d+$/.test(device)) return bad(`${quoted(device)} is no device (/proc/partitions lists them)`)
  if (pairs.length === 0) return bad('it has no limit')
  for (const pair of pairs) {
    const [, key, value] = /^(rbps|wbps|riops|wiops)=(.+)$/.exec(pair) ?? []
    if (value === undefined) return bad(`${quoted(pair)} is no limit`)
    const read = value === 'unlimited' ? value : readSize(value, '--io', faults)
    if (read === undefined) return undefined
    limit[IO_KEYS[key as keyof typeof IO_KEYS]] = read
  }
  return limit
}
