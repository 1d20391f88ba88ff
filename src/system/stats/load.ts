/** `/proc/loadavg`, proc_loadavg(5). */
export interface LoadReading {
  readonly load1: number
  readonly load5: number
  readonly load15: number
  /** Processes and threads that run or are ready, and how many there are. */
  readonly runnable: number
  readonly tasks: number
  /** The pid given out last. */
  readonly lastPid: number
}

/** `0.55 0.47 0.43 1/512 12345`. */
export function parseLoad(text: string): LoadReading | undefined {
  const found = /^(\d+\.\d+) (\d+\.\d+) (\d+\.\d+) (\d+)\/(\d+) (\d+)$/m.exec(text)
  if (found === null) return undefined
  const [load1, load5, load15, runnable, tasks, lastPid] = found.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  return { load1, load5, load15, runnable, tasks, lastPid }
}

/** `/proc/uptime`, proc_uptime(5). */
export interface UptimeReading {
  readonly uptimeSeconds: number
  /** Of all cores together. */
  readonly idleSeconds: number
}

/** `350735.47 234388.90`. */
export function parseUptimes(text: string): UptimeReading | undefined {
  const found = /^(\d+\.\d+) (\d+\.\d+)$/m.exec(text)
  return found === null ? undefined : { uptimeSeconds: Number(found[1]), idleSeconds: Number(found[2]) }
}

/** Share of time in which tasks waited, in percent, and the time itself since boot. */
export interface PressureLine {
  readonly avg10: number
  readonly avg60: number
  readonly avg300: number
  readonly totalUs: number
}

/** `/proc/pressure/*`: `some` of the tasks waited, or all that could have run (`full`). */
export interface PressureReading {
  readonly some: PressureLine | undefined
  readonly full: PressureLine | undefined
}

/** `some avg10=0.22 avg60=0.17 avg300=1.11 total=58761459`, and the same with `full`. */
export function parsePressureLines(text: string): PressureReading | undefined {
  const lines = new Map<string, PressureLine>()
  for (const [, kind, ...numbers] of text.matchAll(
    /^(some|full) avg10=(\d+\.\d+) avg60=(\d+\.\d+) avg300=(\d+\.\d+) total=(\d+)$/gm,
  )) {
    const [avg10, avg60, avg300, totalUs] = numbers.map(Number) as [number, number, number, number]
    lines.set(kind!, { avg10, avg60, avg300, totalUs })
  }
  return lines.size === 0 ? undefined : { some: lines.get('some'), full: lines.get('full') }
}
