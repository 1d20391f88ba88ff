import type { ProcessInfo, ResourceSample } from '../../public/inspect.js'
import { clockTime, shortAge, shortBytes, shortTime } from '../quantities.js'
import { escapeForTerminal } from '../terminal.js'
import { stateInWords } from './states.js'
import { ageSeconds } from './target.js'

/** A sample of a process for people, its heading first. */
export function blockOf(sample: ResourceSample, info: ProcessInfo): string[] {
  const { memory, pssBytes, missing } = sample
  const lines: readonly (readonly [label: string, text: string])[] = [
    ['command', info.args?.join(' ') || `[${info.name}]`],
    ['state', stateInWords(sample.state)],
    [
      'cpu',
      `${percent(sample.cpuPercent)} (user ${percent(sample.userPercent)}, system ${percent(sample.systemPercent)}); so far user ${time(sample.userMs)}, system ${time(sample.systemMs)}`,
    ],
    [
      'memory',
      `rss ${bytes(memory?.rssBytes)} (${percent(sample.memoryPercent)} of the host), peak ${bytes(memory?.peakRssBytes)}, swap ${bytes(memory?.swapBytes)}`,
    ],
    [
      '',
      `anonymous ${bytes(memory?.rssAnonBytes)}, file ${bytes(memory?.rssFileBytes)}, shared ${bytes(memory?.rssShmemBytes)}${pssBytes === undefined ? '' : `; pss ${bytes(pssBytes)}`}`,
    ],
    ['open files', `${sample.openFiles ?? '-'} of ${sample.openFilesLimit ?? '-'}`],
    ['threads', String(sample.threads)],
    [
      'switches',
      `voluntary ${rate(sample.voluntarySwitchesPerSecond)}, forced ${rate(sample.involuntarySwitchesPerSecond)}; so far ${sample.voluntarySwitches ?? '-'}, ${sample.involuntarySwitches ?? '-'}`,
    ],
    [
      'faults',
      `minor ${rate(sample.minorFaultsPerSecond)}, major ${rate(sample.majorFaultsPerSecond)}; so far ${sample.minorFaults}, ${sample.majorFaults}`,
    ],
    [
      'storage',
      `read ${byteRate(sample.readBytesPerSecond)}, written ${byteRate(sample.writeBytesPerSecond)}; so far ${bytes(sample.io?.readBytes)}, ${bytes(sample.io?.writeBytes)}`,
    ],
    ...missing.map(({ reason }) => ['not readable', reason] as const),
  ]
  const age = shortAge(ageSeconds(info.identity))
  const heading = `${clockTime(sample.atMs).slice(0, 8)}  ${info.identity.pid} ${sample.name || '-'} of ${info.user ?? '-'}, parent ${info.ppid}, up ${age}`
  return [escapeForTerminal(heading), ...lines.map(lineOf)]
}

const WIDTH = 'not readable'.length

const lineOf = ([label, text]: readonly [string, string]): string =>
  `${label.padEnd(WIDTH)}  ${escapeForTerminal(text)}`

const dashed =
  (worded: (value: number) => string) =>
  (value: number | undefined): string =>
    value === undefined ? '-' : worded(value)

const bytes = dashed(shortBytes)
const byteRate = dashed((value) => `${shortBytes(value)}/s`)
const percent = dashed((value) => `${value.toFixed(1)} %`)
const rate = dashed((value) => `${value.toFixed(value < 10 ? 1 : 0)}/s`)
const time = (ms: number): string => shortTime(ms * 1e6)
