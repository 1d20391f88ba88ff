import { perSecond } from './rates.js'

/** A line of `/proc/diskstats`, proc_diskstats(5); counters since the device is there. */
export interface DiskReading {
  readonly major: number
  readonly minor: number
  readonly name: string
  readonly reads: number
  readonly readsMerged: number
  readonly readBytes: number
  readonly readMs: number
  readonly writes: number
  readonly writesMerged: number
  readonly writtenBytes: number
  readonly writeMs: number
  /** Requests under way. */
  readonly inFlight: number
  /** Time in which any request was under way. */
  readonly busyMs: number
  /** Time of all requests together. */
  readonly weightedMs: number
  /** Undefined before Linux 4.18. */
  readonly discards: number | undefined
  readonly discardedBytes: number | undefined
  /** Undefined before Linux 5.5. */
  readonly flushes: number | undefined
}

/** From one reading to the next; undefined: a counter has gone back, as when another device has taken the name. */
export interface DiskRates {
  readonly name: string
  readonly readsPerSecond: number | undefined
  readonly writesPerSecond: number | undefined
  readonly readBytesPerSecond: number | undefined
  readonly writtenBytesPerSecond: number | undefined
  readonly busyPercent: number | undefined
  /** Mean time of a request from queue to end; undefined when none has ended. */
  readonly readAwaitMs: number | undefined
  readonly writeAwaitMs: number | undefined
  /** Mean number of requests under way. */
  readonly queueLength: number | undefined
}

const SECTOR_BYTES = 512 // in this file, whatever the device has

/** ` 259 0 nvme0n1 reads merged sectors ms writes merged sectors ms inFlight busyMs weightedMs ...`. */
export function parseDiskstats(text: string): DiskReading[] {
  const disks: DiskReading[] = []
  for (const [, major, minor, name, rest] of text.matchAll(/^ *(\d+) +(\d+) (\S+)((?: \d+){11,})$/gm)) {
    const numbers = rest!.trim().split(' ').map(Number)
    const at = (index: number): number => numbers[index]!
    const sectors = numbers[13]
    disks.push({
      major: Number(major),
      minor: Number(minor),
      name: name!,
      reads: at(0),
      readsMerged: at(1),
      readBytes: at(2) * SECTOR_BYTES,
      readMs: at(3),
      writes: at(4),
      writesMerged: at(5),
      writtenBytes: at(6) * SECTOR_BYTES,
      writeMs: at(7),
      inFlight: at(8),
      busyMs: at(9),
      weightedMs: at(10),
      discards: numbers[11],
      discardedBytes: sectors === undefined ? undefined : sectors * SECTOR_BYTES,
      flushes: numbers[15],
    })
  }
  return disks
}

const COUNTERS = ['reads', 'writes', 'readBytes', 'writtenBytes'] as const

export function diskRates(before: DiskReading, now: DiskReading, seconds: number): DiskRates {
  // One that went back says that this is another device, of which the others tell nothing either.
  const isSame = COUNTERS.every((counter) => now[counter] >= before[counter])
  const rate = (counter: keyof DiskReading): number | undefined =>
    isSame ? perSecond(before[counter] as number, now[counter] as number, seconds) : undefined
  const perRequest = (ms: 'readMs' | 'writeMs', count: 'reads' | 'writes'): number | undefined => {
    const requests = now[count] - before[count]
    const spent = now[ms] - before[ms]
    return isSame && requests > 0 && spent >= 0 ? spent / requests : undefined
  }
  const busy = rate('busyMs')
  const weighted = rate('weightedMs')
  return {
    name: now.name,
    readsPerSecond: rate('reads'),
    writesPerSecond: rate('writes'),
    readBytesPerSecond: rate('readBytes'),
    writtenBytesPerSecond: rate('writtenBytes'),
    busyPercent: busy === undefined ? undefined : Math.min(100, busy / 10),
    readAwaitMs: perRequest('readMs', 'reads'),
    writeAwaitMs: perRequest('writeMs', 'writes'),
    queueLength: weighted === undefined ? undefined : weighted / 1000,
  }
}
