/** CPU time since boot in ms, in steps of a clock tick; undefined where the kernel is too old for it. proc_stat(5). */
export interface CpuTimes {
  /** Contains `guestMs`. */
  readonly userMs: number
  /** Contains `guestNiceMs`. */
  readonly niceMs: number
  readonly systemMs: number
  readonly idleMs: number
  /** Not reliable: it can even decrease. */
  readonly iowaitMs: number | undefined
  readonly irqMs: number | undefined
  readonly softirqMs: number | undefined
  readonly stealMs: number | undefined
  readonly guestMs: number | undefined
  readonly guestNiceMs: number | undefined
}

/** `/proc/stat`; counters are since boot. */
export interface CpuReading {
  readonly total: CpuTimes
  /** Of the cores that are online; numbers can have gaps. */
  readonly cores: readonly (CpuTimes & { readonly core: number })[]
  readonly interrupts: number | undefined
  readonly softirqs: number | undefined
  readonly contextSwitches: number | undefined
  /** Processes and threads that were made. */
  readonly forks: number | undefined
  readonly running: number | undefined
  /** Waiting for I/O. */
  readonly blocked: number | undefined
  /** Epoch milliseconds, in whole seconds. */
  readonly bootedAtMs: number | undefined
}

/** Share of each kind of time in percent; those of all kinds but the guests' add up to 100. */
export interface CpuPercents {
  readonly user: number
  readonly nice: number
  readonly system: number
  readonly idle: number
  readonly iowait: number | undefined
  readonly irq: number | undefined
  readonly softirq: number | undefined
  readonly steal: number | undefined
  readonly guest: number | undefined
  readonly guestNice: number | undefined
  /** All but `idle` and `iowait`. */
  readonly busy: number
}

const MS_PER_TICK = 10 // USER_HZ is 100 on every architecture that this package is built for
const KINDS = [
  'user',
  'nice',
  'system',
  'idle',
  'iowait',
  'irq',
  'softirq',
  'steal',
  'guest',
  'guestNice',
] as const
/** The time of guests stands in that of user and nice already. */
const OWN_KINDS = KINDS.slice(0, 8)

/** `cpu  247745 802 123681 86845 866 0 1030 0 0 0`, the same of each core, and counters. */
export function parseStat(text: string): CpuReading | undefined {
  const total = timesOf(/^cpu +([\d ]+)$/m.exec(text)?.[1])
  if (total === undefined) return undefined
  const cores: (CpuTimes & { core: number })[] = []
  for (const [, core, ticks] of text.matchAll(/^cpu(\d+) ([\d ]+)$/gm)) {
    const times = timesOf(ticks)
    if (times !== undefined) cores.push({ core: Number(core), ...times })
  }
  const counter = (name: string): number | undefined => {
    const digits = new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1]
    return digits === undefined ? undefined : Number(digits)
  }
  const bootSeconds = counter('btime')
  return {
    total,
    cores,
    interrupts: counter('intr'),
    softirqs: counter('softirq'),
    contextSwitches: counter('ctxt'),
    forks: counter('processes'),
    running: counter('procs_running'),
    blocked: counter('procs_blocked'),
    bootedAtMs: bootSeconds === undefined ? undefined : bootSeconds * 1000,
  }
}

function timesOf(ticks: string | undefined): CpuTimes | undefined {
  const times =
    ticks
      ?.trim()
      .split(/ +/)
      .map((each) => Number(each) * MS_PER_TICK) ?? []
  if (times.length < 4) return undefined
  return Object.fromEntries(KINDS.map((kind, at) => [`${kind}Ms`, times[at]])) as unknown as CpuTimes
}

/** What the kinds of time add up to, and what of it was work. */
export function cpuSums(times: CpuTimes): { readonly busyMs: number; readonly totalMs: number } {
  const totalMs = OWN_KINDS.reduce((sum, kind) => sum + (times[`${kind}Ms`] ?? 0), 0)
  return { totalMs, busyMs: totalMs - times.idleMs - (times.iowaitMs ?? 0) }
}

/** From one reading to the next; undefined when no time has passed. A kind that has gone back counts as 0. */
export function cpuPercents(before: CpuTimes, now: CpuTimes): CpuPercents | undefined {
  const deltas = new Map<(typeof KINDS)[number], number>()
  for (const kind of KINDS) {
    const from = before[`${kind}Ms`]
    const to = now[`${kind}Ms`]
    if (from !== undefined && to !== undefined) deltas.set(kind, Math.max(0, to - from))
  }
  const total = OWN_KINDS.reduce((sum, kind) => sum + (deltas.get(kind) ?? 0), 0)
  if (total === 0) return undefined
  const percents = Object.fromEntries(
    KINDS.map((kind) => {
      const delta = deltas.get(kind)
      return [kind, delta === undefined ? undefined : (delta / total) * 100]
    }),
  ) as unknown as Omit<CpuPercents, 'busy'>
  const resting = (deltas.get('idle') ?? 0) + (deltas.get('iowait') ?? 0)
  return { ...percents, busy: ((total - resting) / total) * 100 }
}
