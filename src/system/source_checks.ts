import type { EventSource } from '../events/event.js'
import { EventStream } from '../events/stream.js'
import { Sampler } from '../sampler/sampler.js'
import { type Capability, hasCapability, lackingCapabilities } from './capabilities.js'
import type { Check, Requirement } from './check.js'
import type { HostReadings } from './host_readings.js'
import {
  BPF_CAPABILITIES,
  BPF_KERNEL,
  type BpfReadings,
  bpfObstacles,
  type ObstacleCode,
} from './kernel_support.js'

/** Loads the program and walks the host once, where nothing stands in the way. */
export async function checkBpfSource(readings: HostReadings): Promise<Check> {
  const obstacles = bpfObstacles(readings.bpf)
  const requirements = bpfRequirements(readings.bpf)
  const check = {
    id: 'bpf-source',
    title: 'bpf source',
    area: 'observe',
    gain: 'the kernel fills the table: a sample of the whole host for a small part of the cost, CPU time in nanoseconds',
    requirements,
  } as const
  const lacking = lackingForBpf(readings.bpf)
  const trial = obstacles.length === 0 ? await tryBpf() : undefined
  if (trial?.works) {
    return { ...check, state: 'ok', found: trial.found, instead: undefined, remedy: undefined, lacking: [] }
  }
  return {
    ...check,
    state: 'missing',
    found: trial?.found ?? obstacles.map(({ reason }) => reason).join('; '),
    instead: 'the procfs source reads files of each process; CPU time has steps of 10 ms',
    remedy: obstacles.map(({ remedy }) => remedy).join('; ') || REPORT_IT,
    // Capabilities are of no use where the kernel itself cannot do it.
    lacking: obstacles.some(({ code }) => LASTING.has(code)) ? [] : lacking,
  }
}

/** Opens each source of events and closes it again. */
export async function checkLifecycleEvents({ bpf, status }: HostReadings): Promise<Check> {
  const check = {
    id: 'lifecycle-events',
    title: 'lifecycle events',
    area: 'observe',
    gain: 'every birth and death is told, however short the life: exit code, CPU time, peak memory, who sent a signal',
  } as const
  const byBpf = await tryEvents('bpf')
  if (byBpf.works) {
    const found = 'by bpf: loads and attaches'
    return { ...check, state: 'ok', found, instead: undefined, remedy: undefined, lacking: [] }
  }
  const obstacles = bpfObstacles(bpf)
  const remedy = obstacles.map((obstacle) => obstacle.remedy).join('; ') || REPORT_IT
  const kernelCan = !obstacles.some(({ code }) => LASTING.has(code))
  const lacking: Capability[] = kernelCan ? lackingForBpf(bpf) : []
  const byNetlink = await tryEvents('netlink')
  const noBpf = obstacles.length === 0 ? byBpf.found : obstacles.map(({ reason }) => reason).join('; ')
  if (byNetlink.works) {
    return {
      ...check,
      state: 'limited',
      found: `by netlink; not by bpf: ${noBpf}`,
      instead: 'births, execs and ends with their code; not who sent a signal, nor what a process used',
      remedy,
      lacking,
    }
  }
  const mayListen = hasCapability(status?.effective ?? 0n, 'CAP_NET_ADMIN')
  return {
    ...check,
    state: 'missing',
    found: `${noBpf}; ${byNetlink.found}`,
    instead:
      'samples are compared: what lives for less than the interval is not seen, exit codes are not known',
    remedy,
    lacking: kernelCan || mayListen || bpf.pidNamespace !== 'host' ? lacking : ['CAP_NET_ADMIN'],
  }
}

async function tryEvents(source: EventSource): Promise<{ works: boolean; found: string }> {
  try {
    await using _ = await EventStream.open({ source })
    return { works: true, found: source }
  } catch (error) {
    return { works: false, found: (error as Error).message }
  }
}

const LASTING: ReadonlySet<ObstacleCode> = new Set(['OLD_KERNEL', 'NO_BTF', 'LOCKDOWN'])

const REPORT_IT = 'report it with this text and the kernel release'

function lackingForBpf({ effective = 0n }: BpfReadings): Capability[] {
  return hasCapability(effective, 'CAP_SYS_ADMIN') ? [] : lackingCapabilities(effective, BPF_CAPABILITIES)
}

async function tryBpf(): Promise<{ works: boolean; found: string }> {
  try {
    await using sampler = await Sampler.open({ source: 'bpf' })
    await sampler.sample() // makes the table large enough
    const from = performance.now()
    const table = await sampler.sample()
    const ms = performance.now() - from
    return { works: true, found: `loads; ${table.size} processes in ${ms.toFixed(ms < 10 ? 1 : 0)} ms` }
  } catch (error) {
    return { works: false, found: (error as Error).message }
  }
}

/** Each thing that the bpf source needs, whether met or not. */
export function bpfRequirements(readings: BpfReadings): Requirement[] {
  const obstacles = bpfObstacles({ ...readings, procRoot: '/proc' })
  const unmet = (code: (typeof obstacles)[number]['code']) =>
    obstacles.find((obstacle) => obstacle.code === code)?.reason
  const requirement = (name: string, code: Parameters<typeof unmet>[0], fine: string): Requirement => {
    const reason = unmet(code)
    return { name, met: reason === undefined, found: reason ?? fine }
  }
  const held = BPF_CAPABILITIES.filter((capability) => hasCapability(readings.effective ?? 0n, capability))
  return [
    requirement('built', 'NOT_BUILT', 'the addon has the program'),
    requirement('kernel', 'OLD_KERNEL', `Linux ${readings.kernelRelease}, ${BPF_KERNEL} is enough`),
    requirement('btf', 'NO_BTF', 'the kernel describes its types'),
    requirement('lockdown', 'LOCKDOWN', `lockdown ${readings.lockdown ?? 'not in this kernel'}`),
    requirement('pid-namespace', 'PID_NAMESPACE', "the host's"),
    requirement('time-namespace', 'TIME_NAMESPACE', "the host's"),
    requirement(
      'capabilities',
      'NO_CAPABILITY',
      held.length === BPF_CAPABILITIES.length ? held.join(', ') : 'CAP_SYS_ADMIN',
    ),
  ]
}
