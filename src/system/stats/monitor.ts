import { checkHas, checkOptions, listOf, PATH, TEXT } from '../../arguments.js'
import type { Table } from '../../table/table.js'
import { type CpuPercents, cpuPercents } from './cpu.js'
import { type DiskRates, diskRates } from './disks.js'
import type { InterruptReading } from './interrupts.js'
import type { PressureReading } from './load.js'
import { type NetworkRates, networkRates } from './network.js'
import { perSecond, ratesByName } from './rates.js'
import { readSystem, type SystemOptions, type SystemReading } from './reading.js'

type Rate = number | undefined

/**
 * What two readings say together. A rate is undefined where a counter is missing from one of them or has gone back: none is
 * ever negative. Devices and interfaces that stand in only one of them are left out.
 */
export interface SystemRates {
  readonly seconds: number
  /** Of all cores together, 100 = all of them. */
  readonly cpu: CpuPercents | undefined
  readonly cores: readonly { readonly core: number; readonly percents: CpuPercents | undefined }[]
  readonly contextSwitchesPerSecond: Rate
  readonly forksPerSecond: Rate
  readonly interruptsPerSecond: Rate
  readonly softirqsPerSecond: Rate
  readonly disks: readonly DiskRates[]
  readonly network: readonly NetworkRates[]
  /** By the name of the counter; some of them are no counters but levels, see proc_vmstat(5). */
  readonly vmstatPerSecond: Readonly<Record<string, Rate>>
  /** By the name of the line. */
  readonly interruptPerSecond: Readonly<Record<string, Rate>>
  readonly softirqPerSecond: Readonly<Record<string, Rate>>
  /** Share of the time between the readings in which tasks waited, in percent. */
  readonly pressure: Readonly<Record<'cpu' | 'memory' | 'io', { readonly some: Rate; readonly full: Rate }>>
}

/** A reading, and the rates since the one before; the first has none. */
export interface SystemStats extends SystemReading {
  readonly rates: SystemRates | undefined
}

/** Reads the host again and again. */
export class SystemMonitor {
  readonly #options: Omit<SystemOptions, 'table'>
  #before: SystemReading | undefined

  constructor(options: Omit<SystemOptions, 'table'> = {}) {
    checkOptions(options, { procRoot: PATH, sections: listOf(TEXT) })
    this.#options = options
  }

  /**
   * @param table a sample whose processes are counted by state
   * @throws ProcmusterError as `readSystem`
   */
  async read(table?: Table): Promise<SystemStats> {
    const now = await readSystem(table === undefined ? this.#options : { ...this.#options, table })
    const before = this.#before
    if (before === undefined || now.monotonicMs >= before.monotonicMs) this.#before = now
    return { ...now, rates: before === undefined ? undefined : systemRates(before, now) }
  }
}

const READING = ['monotonicMs', 'missing']

/** What happened between two readings of one host, older first. @throws ProcmusterError `INVALID_ARGUMENT` for what is no reading */
export function systemRates(before: SystemReading, now: SystemReading): SystemRates {
  checkHas('the reading before', before, READING, 'one of readSystem')
  checkHas('the reading now', now, READING, 'one of readSystem')
  const seconds = (now.monotonicMs - before.monotonicMs) / 1000
  const coresBefore = new Map(before.cpu?.cores.map((times) => [times.core, times]))
  const perSecondOf = (counter: 'contextSwitches' | 'forks' | 'interrupts' | 'softirqs'): Rate =>
    perSecond(before.cpu?.[counter], now.cpu?.[counter], seconds)
  const stalls = (section: 'cpuPressure' | 'memoryPressure' | 'ioPressure') => ({
    some: stalledPercent(before[section], now[section], 'some', seconds),
    full: stalledPercent(before[section], now[section], 'full', seconds),
  })
  return {
    seconds,
    cpu: before.cpu && now.cpu ? cpuPercents(before.cpu.total, now.cpu.total) : undefined,
    cores: (now.cpu?.cores ?? []).map((times) => {
      const earlier = coresBefore.get(times.core)
      return { core: times.core, percents: earlier && cpuPercents(earlier, times) }
    }),
    contextSwitchesPerSecond: perSecondOf('contextSwitches'),
    forksPerSecond: perSecondOf('forks'),
    interruptsPerSecond: perSecondOf('interrupts'),
    softirqsPerSecond: perSecondOf('softirqs'),
    disks: pairs(before.disks, now.disks, ({ major, minor, name }) => `${major}:${minor} ${name}`).map(
      ([earlier, later]) => diskRates(earlier, later, seconds),
    ),
    network: pairs(before.network, now.network, ({ name }) => name).map(([earlier, later]) =>
      networkRates(earlier, later, seconds),
    ),
    vmstatPerSecond: ratesByName(before.vmstat ?? {}, now.vmstat ?? {}, seconds),
    interruptPerSecond: ratesByName(totals(before.interrupts), totals(now.interrupts), seconds),
    softirqPerSecond: ratesByName(totals(before.softirqs), totals(now.softirqs), seconds),
    pressure: { cpu: stalls('cpuPressure'), memory: stalls('memoryPressure'), io: stalls('ioPressure') },
  }
}

function stalledPercent(
  before: PressureReading | undefined,
  now: PressureReading | undefined,
  kind: 'some' | 'full',
  seconds: number,
): Rate {
  const usPerSecond = perSecond(before?.[kind]?.totalUs, now?.[kind]?.totalUs, seconds)
  return usPerSecond === undefined ? undefined : Math.min(100, usPerSecond / 10_000)
}

const totals = (lines: readonly InterruptReading[] = []): Record<string, number> =>
  Object.fromEntries(lines.map(({ name, total }) => [name, total]))

function pairs<T>(
  before: readonly T[] = [],
  now: readonly T[] = [],
  key: (each: T) => string,
): (readonly [T, T])[] {
  const earlier = new Map(before.map((each) => [key(each), each]))
  return now.flatMap((later) => {
    const found = earlier.get(key(later))
    return found === undefined ? [] : [[found, later] as const]
  })
}
