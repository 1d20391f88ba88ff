import type { ProcessInfo, ResourceSample } from '../../public/inspect.js'
import { clockTime, shortAge, shortBytes, shortTime } from '../quantities.js'
import { escapeForTerminal } from '../terminal.js'
import { hanging } from '../wrap.js'
import { stateInWords } from './states.js'
import { ageSeconds } from './target.js'

/** A sample of a process for people, its heading first, in lines of at most `width` cells. */
export function blockOf(sample: ResourceSample, info: ProcessInfo, width?: number): string[] {
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
  // A command line, which can be long, is cut instead: it would push the numbers off the screen.
  const age = shortAge(ageSeconds(info.identity))
  const heading = `${clockTime(sample.atMs).slice(0, 8)}  ${info.identity.pid} ${sample.name || '-'} of ${info.user ?? '-'}, parent ${info.ppid}, up ${age}`
  return [
    escapeForTerminal(heading),
    ...lines.flatMap(([label, text]) =>
      hanging(
        `${label.padEnd(LABEL_WIDTH)}  `,
        escapeForTerminal(text),
        label === 'command' ? undefined : width,
      ),
    ),
  ]
}

const LABEL_WIDTH = 'not readable'.length

const dashed =
  (worded: (value: number) => string) =>
  (value: number | undefined): string =>
    value === undefined ? '-' : worded(value)

const bytes = dashed(shortBytes)
const byteRate = dashed((value) => `${shortBytes(value)}/s`)
const percent = dashed((value) => `${value.toFixed(1)} %`)
const rate = dashed((value) => `${value.toFixed(value < 10 ? 1 : 0)}/s`)
const time = (ms: number): string => shortTime(ms * 1e6)
