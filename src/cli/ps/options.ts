import { EXIT } from '../exit_codes.js'
import type { FaultList } from '../fault.js'
import { readSource, SAMPLE_SOURCES, type SampleSource } from '../source_option.js'
import { didYouMean } from '../suggest.js'
import { quoted, readNumber, readPids, readStates, readText, splitList } from '../values.js'
import {
  AUX_FIELDS,
  DEFAULT_FIELDS,
  DEFAULT_JSON_FIELDS,
  type Field,
  fieldNamed,
  fieldWords,
  TOP_FIELDS,
} from './fields.js'

/** As commander hands them over. */
export interface RawPsOptions {
  columns?: string
  sort?: string
  limit?: string
  top?: string
  pid?: string
  user?: string
  name?: string
  state?: string
  minCpu?: string
  minMemory?: string
  /** True where no time is given. */
  watch?: string | true
  source?: string
  exact?: boolean
  verbose?: boolean
  json?: boolean
}

export interface SortKey {
  readonly field: Field
  readonly descending: boolean
}

export interface PsOptions {
  readonly fields: readonly Field[]
  readonly sort: SortKey | undefined
  readonly limit: number
  readonly pids: ReadonlySet<number> | undefined
  readonly user: string | undefined
  readonly name: string | undefined
  /** Letters, any of them. */
  readonly state: string | undefined
  readonly minCpuPercent: number | undefined
  readonly minMemoryPercent: number | undefined
  /** Seconds between two looks; undefined is a single one. */
  readonly watchSeconds: number | undefined
  readonly source: SampleSource
  /** Resident memory to the page. */
  readonly exact: boolean
  readonly verbose: boolean
  readonly json: boolean
}

const TOPS: Readonly<Record<string, string>> = { cpu: 'cpuPercent', memory: 'rssBytes' }
const TOP_LIMIT = 10
export const WATCH_SECONDS = 2

/** Reads every flag; what is wrong goes into `faults`, and the options are not to be used then. */
export function readPsOptions(view: string | undefined, raw: RawPsOptions, faults: FaultList): PsOptions {
  const json = raw.json === true
  const sort = sortOf(raw, faults)
  return {
    fields: fieldsOf(view, raw, faults),
    sort,
    limit: limitOf(raw, faults),
    pids: raw.pid === undefined ? undefined : readPids(raw.pid, '--pid', faults),
    user: raw.user === undefined ? undefined : readText(raw.user, '--user', 'a user name or uid', faults),
    name:
      raw.name === undefined ? undefined : readText(raw.name, '--name', 'a part of a process name', faults),
    state: raw.state === undefined ? undefined : readStates(raw.state, faults),
    minCpuPercent: raw.minCpu === undefined ? undefined : percent(raw.minCpu, '--min-cpu', 1e6, faults),
    minMemoryPercent:
      raw.minMemory === undefined ? undefined : percent(raw.minMemory, '--min-memory', 100, faults),
    watchSeconds: watchOf(raw.watch, faults),
    source: readSource(raw.source, SAMPLE_SOURCES, faults) ?? 'auto',
    exact: raw.exact === true,
    verbose: raw.verbose === true,
    json,
  }
}

function fieldsOf(view: string | undefined, raw: RawPsOptions, faults: FaultList): readonly Field[] {
  if (view !== undefined && view !== 'aux') {
    const hint = /^\d+$/.test(view)
      ? 'a process is given with -p PID'
      : `give aux, or flags; a name is given with --name ${quoted(view)}`
    faults.add(EXIT.usage, `${quoted(view)} is no view of muster ps; ${hint}`)
  }
  if (raw.columns === undefined)
    return view === 'aux'
      ? AUX_FIELDS
      : raw.json
        ? DEFAULT_JSON_FIELDS
        : raw.top === undefined
          ? DEFAULT_FIELDS
          : TOP_FIELDS
  if (view === 'aux') faults.add(EXIT.usage, 'aux and --columns exclude each other; give one of them')
  const words = splitList(raw.columns)
  if (words.length === 0) faults.add(EXIT.malformed, '--columns is empty; give names like user,pid,rss,name')
  return words.flatMap((word) => field(word, '--columns', faults) ?? [])
}

function field(word: string, flag: string, faults: FaultList): Field | undefined {
  return (
    fieldNamed(word) ??
    faults.add(
      EXIT.malformed,
      `${flag} ${quoted(word)} is no column${didYouMean(word, fieldWords())}; \`muster ps --help\` lists them`,
    )
  )
}

function sortOf(raw: RawPsOptions, faults: FaultList): SortKey | undefined {
  if (raw.top !== undefined) {
    const column = TOPS[raw.top]
    if (raw.sort !== undefined)
      return faults.add(EXIT.usage, '--top and --sort exclude each other; give one of them')
    if (column === undefined) {
      return faults.add(
        EXIT.malformed,
        `--top ${quoted(raw.top)} is neither "cpu" nor "memory"; give one of them`,
      )
    }
    return { field: fieldNamed(column)!, descending: true }
  }
  if (raw.sort === undefined) return undefined
  const descending = raw.sort.startsWith('-')
  const found = field(raw.sort.replace(/^[-+]/, ''), '--sort', faults)
  return found && { field: found, descending }
}

function limitOf(raw: RawPsOptions, faults: FaultList): number {
  if (raw.limit === undefined) return raw.top === undefined ? Number.POSITIVE_INFINITY : TOP_LIMIT
  const wanted = 'how many processes to show, 1 or more'
  const flag = { flag: '--limit', wanted, min: 1, max: Number.MAX_SAFE_INTEGER, integer: true }
  return readNumber(raw.limit, flag, faults) ?? 0
}

function watchOf(raw: string | true | undefined, faults: FaultList): number | undefined {
  if (raw === undefined || raw === true) return raw && WATCH_SECONDS
  const wanted = 'seconds from 0.1 to 86400, for example 2'
  return readNumber(raw, { flag: '--watch', wanted, min: 0.1, max: 86_400, suffix: 's' }, faults)
}

function percent(raw: string, flag: string, max: number, faults: FaultList): number | undefined {
  const wanted = max === 100 ? 'a percentage from 0 to 100' : 'a percentage, 100 for one core'
  return readNumber(raw, { flag, wanted, min: 0, max, suffix: '%' }, faults)
}
