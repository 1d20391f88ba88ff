import type { ProcmusterError } from '../errors.js'
import { parseFlat, parseNested, parsePids, readControl } from './files.js'
import type { FindPlace } from './limits.js'

/** Bytes and requests of one block device since the group was made. */
export interface CgroupIoUse {
  /** `major:minor`. */
  readonly device: string
  readonly readBytes?: number | undefined
  readonly writeBytes?: number | undefined
}

/** What a group and those below it use. What cannot be told is undefined, and `missing` says why. */
export interface CgroupUse {
  readonly memoryBytes?: number | undefined
  readonly memoryPeakBytes?: number | undefined
  readonly swapBytes?: number | undefined
  /** Since the group was made. */
  readonly cpuTimeNs?: number | undefined
  /** How often, and for how long in sum over all processors, its quota held it back. */
  readonly throttledPeriods?: number | undefined
  readonly throttledTimeNs?: number | undefined
  /** Processes and threads. */
  readonly pids?: number | undefined
  readonly io?: readonly CgroupIoUse[] | undefined
  /** Processes in the group itself, without those below. */
  readonly processes: readonly number[]
  readonly missing: Readonly<Partial<Record<CgroupUsePart, string>>>
}

/** What of a group's use is read from a file of its own, and can be missing. */
export type CgroupUsePart =
  | 'memoryBytes'
  | 'memoryPeakBytes'
  | 'swapBytes'
  | 'cpuTimeNs'
  | 'throttledPeriods'
  | 'throttledTimeNs'
  | 'pids'
  | 'io'

/** What happened in a group since it was made. */
export interface CgroupEventCounts {
  /** Processes that the kernel ended because memory ran out. */
  readonly oomKills?: number | undefined
  /** How often its limit of memory was hit. */
  readonly memoryMaxHits?: number | undefined
  /** How often it was slowed down above `memoryHighBytes`; version 2 only. */
  readonly memoryHighHits?: number | undefined
  /** How often a fork was refused. */
  readonly pidsMaxHits?: number | undefined
  readonly missing: Readonly<Partial<Record<Exclude<keyof CgroupEventCounts, 'missing'>, string>>>
}

/** Fields read one by one; a file that is not there is a reason, a group that has vanished is an error. */
class Fields<Name extends string> {
  readonly values: Partial<Record<Name, number>> = {}
  readonly missing: Partial<Record<Name, string>> = {}

  async take(names: readonly Name[], read: () => Promise<readonly (number | undefined)[]>): Promise<void> {
    try {
      const found = await read()
      names.forEach((name, index) => {
        const value = found[index]
        if (value === undefined || Number.isNaN(value)) this.missing[name] = 'the kernel does not tell it'
        else this.values[name] = value
      })
    } catch (error) {
      for (const name of names) this.missing[name] = (error as ProcmusterError).message
    }
  }

  none(names: readonly Name[], reason: string): void {
    for (const name of names) this.missing[name] = reason
  }
}

export async function readUse(find: FindPlace, processes: readonly number[]): Promise<CgroupUse> {
  const fields = new Fields<CgroupUsePart>()
  let io: CgroupIoUse[] | undefined
  const memory = find('memory')
  if (memory === undefined) fields.none(['memoryBytes', 'memoryPeakBytes', 'swapBytes'], NO_CONTROLLER)
  else {
    const number = async (file: string) => [Number(await readControl(memory.directory, file))]
    const old = memory.version === 1
    await fields.take(['memoryBytes'], () => number(old ? 'memory.usage_in_bytes' : 'memory.current'))
    await fields.take(['memoryPeakBytes'], () => number(old ? 'memory.max_usage_in_bytes' : 'memory.peak'))
    await fields.take(['swapBytes'], async () =>
      old
        ? [parseFlat(await readControl(memory.directory, 'memory.stat')).get('total_swap')]
        : number('memory.swap.current'),
    )
  }
  await readCpu(find, fields)
  const pids = find('pids')
  if (pids === undefined) fields.none(['pids'], NO_CONTROLLER)
  else await fields.take(['pids'], async () => [Number(await readControl(pids.directory, 'pids.current'))])
  const blocks = find('io')
  if (blocks === undefined) fields.none(['io'], NO_CONTROLLER)
  else {
    try {
      io =
        blocks.version === 2
          ? ioOf(parseNested(await readControl(blocks.directory, 'io.stat')), 'rbytes', 'wbytes')
          : ioOf(
              parseServiceBytes(
                await readControl(blocks.directory, 'blkio.throttle.io_service_bytes_recursive'),
              ),
              'Read',
              'Write',
            )
    } catch (error) {
      fields.none(['io'], (error as ProcmusterError).message)
    }
  }
  return { ...fields.values, io, processes, missing: fields.missing }
}

const NO_CONTROLLER = 'the group has no such controller'
const CPU_PARTS = ['throttledPeriods', 'throttledTimeNs'] as const

async function readCpu(find: FindPlace, fields: Fields<CgroupUsePart>): Promise<void> {
  const cpu = find('cpu')
  const time = find('cpuacct') ?? cpu
  if (time === undefined) fields.none(['cpuTimeNs'], NO_CONTROLLER)
  else if (time.version === 1) {
    await fields.take(['cpuTimeNs'], async () => [Number(await readControl(time.directory, 'cpuacct.usage'))])
  } else {
    await fields.take(['cpuTimeNs'], async () => {
      const microseconds = parseFlat(await readControl(time.directory, 'cpu.stat')).get('usage_usec')
      return [microseconds === undefined ? undefined : microseconds * 1000]
    })
  }
  if (cpu === undefined) return fields.none(CPU_PARTS, NO_CONTROLLER)
  await fields.take(CPU_PARTS, async () => {
    const stat = parseFlat(await readControl(cpu.directory, 'cpu.stat'))
    const microseconds = stat.get('throttled_usec')
    const ns = microseconds === undefined ? stat.get('throttled_time') : microseconds * 1000
    return [stat.get('nr_throttled'), ns]
  })
}

function ioOf(devices: Map<string, Map<string, number>>, read: string, write: string): CgroupIoUse[] {
  return [...devices]
    .map(([device, values]) => ({
      device,
      readBytes: values.get(read),
      writeBytes: values.get(write),
    }))
    .filter(({ readBytes, writeBytes }) => readBytes !== undefined || writeBytes !== undefined)
}

/** `8:0 Read 4096` lines. */
export function parseServiceBytes(text: string): Map<string, Map<string, number>> {
  const found = new Map<string, Map<string, number>>()
  for (const line of text.split('\n')) {
    const [, device, kind, value] = /^(\d+:\d+) (\S+) (\d+)$/.exec(line) ?? []
    if (device === undefined) continue
    const values = found.get(device) ?? new Map<string, number>()
    found.set(device, values.set(kind!, Number(value)))
  }
  return found
}

export async function readEventCounts(find: FindPlace): Promise<CgroupEventCounts> {
  const fields = new Fields<Exclude<keyof CgroupEventCounts, 'missing'>>()
  const memory = find('memory')
  if (memory === undefined) fields.none(['oomKills', 'memoryMaxHits', 'memoryHighHits'], NO_CONTROLLER)
  else if (memory.version === 2) {
    await fields.take(['oomKills', 'memoryMaxHits', 'memoryHighHits'], async () => {
      const events = parseFlat(await readControl(memory.directory, 'memory.events'))
      return [events.get('oom_kill'), events.get('max'), events.get('high')]
    })
  } else {
    await fields.take(['oomKills'], async () => [
      parseFlat(await readControl(memory.directory, 'memory.oom_control')).get('oom_kill'),
    ])
    await fields.take(['memoryMaxHits'], async () => [
      Number(await readControl(memory.directory, 'memory.failcnt')),
    ])
    fields.none(['memoryHighHits'], 'only cgroup version 2 has it')
  }
  const pids = find('pids')
  if (pids === undefined) fields.none(['pidsMaxHits'], NO_CONTROLLER)
  else {
    await fields.take(['pidsMaxHits'], async () => [
      parseFlat(await readControl(pids.directory, 'pids.events')).get('max'),
    ])
  }
  return { ...fields.values, missing: fields.missing }
}

/** Everyone in the group itself. */
export async function readProcesses(directory: string): Promise<number[]> {
  return parsePids(await readControl(directory, 'cgroup.procs'))
}
