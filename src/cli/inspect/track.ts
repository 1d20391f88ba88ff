import { type ResourceSample, trackResources } from '../../public/inspect.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, fail } from '../fault.js'
import { clockTime, shortBytes } from '../quantities.js'
import { StopSignals } from '../stop_signals.js'
import { widthOf } from '../terminal.js'
import { printJson } from './json.js'
import { lookInto, readPid } from './target.js'
import { type RawTrack, readTrackOptions } from './track_options.js'

/** `muster track` with what the user gave. */
export async function trackProcess(word: string | undefined, raw: RawTrack): Promise<void> {
  const faults = new FaultList()
  const pid = readPid(word, faults)
  const { intervalMs, durationMs, count } = readTrackOptions(raw, faults)
  faults.throwIfAny()
  using stop = new StopSignals()
  const options = { durationMs, intervalMs, signal: stop.signal }
  let samples = 0
  let left = count
  const columns = fittingColumns(widthOf(process.stdout))
  await lookInto(pid!, async (target) => {
    for await (const sample of trackResources(target, options)) {
      if (samples++ === 0 && raw.json !== true) {
        process.stdout.write(lineOf(columns.map(({ heading }) => heading)))
      }
      if (raw.json === true) printJson(sample)
      else process.stdout.write(lineOf(columns.map(({ text }) => text(sample))))
      if (--left === 0) return
    }
  })
  if (stop.exitCode !== undefined) process.exitCode = stop.exitCode
  else if (samples === 0) {
    fail(EXIT.noSuchProcess, `PID ${pid} has ended and uses nothing; \`muster info ${pid}\` names its parent`)
  }
}

interface Column {
  readonly heading: string
  readonly width: number
  text(sample: ResourceSample): string
}

const bytes = (value: number | undefined): string => (value === undefined ? '-' : shortBytes(value))
const percent = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(1))

// Lines come one by one, so that the widths cannot follow from them.
const COLUMNS: readonly Column[] = [
  { heading: 'TIME', width: 12, text: ({ atMs }) => clockTime(atMs) },
  { heading: '%CPU', width: 6, text: ({ cpuPercent }) => percent(cpuPercent) },
  { heading: '%MEM', width: 5, text: ({ memoryPercent }) => percent(memoryPercent) },
  { heading: 'RSS', width: 5, text: ({ memory }) => bytes(memory?.rssBytes) },
  { heading: 'SWAP', width: 5, text: ({ memory }) => bytes(memory?.swapBytes) },
  { heading: 'READ', width: 6, text: ({ readBytesPerSecond }) => bytes(readBytesPerSecond) },
  { heading: 'WRITE', width: 6, text: ({ writeBytesPerSecond }) => bytes(writeBytesPerSecond) },
  { heading: 'THREADS', width: 7, text: ({ threads }) => String(threads) },
  { heading: 'FILES', width: 6, text: ({ openFiles }) => String(openFiles ?? '-') },
]

/** The first ones that a terminal has room for. */
function fittingColumns(width = Number.POSITIVE_INFINITY): readonly Column[] {
  let used = -1
  return COLUMNS.filter((column) => {
    used += column.width + 1
    return used <= width
  })
}

const lineOf = (words: readonly string[]): string =>
  `${words.map((word, at) => word.padStart(COLUMNS[at]!.width)).join(' ')}\n`
