import type { EventSource, LifecycleEventType } from '../../public/events.js'
import { EXIT } from '../exit_codes.js'
import type { FaultList } from '../fault.js'
import { readForDuration } from '../for_option.js'
import { readSource } from '../source_option.js'
import { didYouMean } from '../suggest.js'
import { quoted, readNumber, readPids, readText, splitList } from '../values.js'
import { EVENT_SOURCES, EVENT_TYPES } from './words.js'

/** As commander hands them over. */
export interface RawEventsOptions {
  type?: string
  pid?: string
  ppid?: string
  name?: string
  failed?: boolean
  source?: string
  interval?: string
  count?: string
  for?: string
  json?: boolean
}

export interface EventsOptions {
  readonly types: readonly LifecycleEventType[]
  readonly pids: ReadonlySet<number> | undefined
  readonly ppids: ReadonlySet<number> | undefined
  /** A part of the name. */
  readonly name: string | undefined
  /** Only ends by a signal or with an exit code other than 0. */
  readonly failed: boolean
  readonly source: 'auto' | EventSource
  /** Between two samples, with snapshots. */
  readonly intervalMs: number | undefined
  /** Events to print before it stops. */
  readonly count: number
  readonly durationMs: number | undefined
  readonly json: boolean
}

export function readEventsOptions(raw: RawEventsOptions, faults: FaultList): EventsOptions {
  const failed = raw.failed === true
  const types = raw.type === undefined ? undefined : typesOf(raw.type, faults)
  if (failed && types !== undefined && !types.includes('exit')) {
    faults.add(EXIT.usage, '--failed shows ends, and --type leaves those out; add exit to it')
  }
  return {
    types: failed ? ['exit'] : (types ?? EVENT_TYPES),
    pids: raw.pid === undefined ? undefined : readPids(raw.pid, '--pid', faults),
    ppids: raw.ppid === undefined ? undefined : readPids(raw.ppid, '--ppid', faults),
    name:
      raw.name === undefined ? undefined : readText(raw.name, '--name', 'a part of a process name', faults),
    failed,
    source: readSource(raw.source, EVENT_SOURCES, faults) ?? 'auto',
    intervalMs: raw.interval === undefined ? undefined : intervalOf(raw.interval, faults),
    count: raw.count === undefined ? Number.POSITIVE_INFINITY : countOf(raw.count, faults),
    durationMs: raw.for === undefined ? undefined : readForDuration(raw.for, faults),
    json: raw.json === true,
  }
}

function typesOf(list: string, faults: FaultList): LifecycleEventType[] {
  const words = splitList(list)
  if (words.length === 0)
    faults.add(EXIT.malformed, `--type is empty; give some of ${EVENT_TYPES.join(', ')}`)
  return words.flatMap((word) => {
    const type = EVENT_TYPES.find((each) => each === word)
    const hint = `${didYouMean(word, EVENT_TYPES)}; give some of ${EVENT_TYPES.join(', ')}`
    return type ?? faults.add(EXIT.malformed, `--type ${quoted(word)} is no event${hint}`) ?? []
  })
}

function intervalOf(raw: string, faults: FaultList): number | undefined {
  const flag = { flag: '-i/--interval', wanted: 'seconds from 0.01 to 3600', min: 0.01, max: 3600 }
  const seconds = readNumber(raw, flag, faults)
  return seconds === undefined ? undefined : Math.round(seconds * 1000)
}

function countOf(raw: string, faults: FaultList): number {
  const wanted = 'how many events to show, 1 or more'
  const flag = { flag: '--count', wanted, min: 1, max: Number.MAX_SAFE_INTEGER, integer: true }
  return readNumber(raw, flag, faults) ?? 0
}
