import { RESOURCES, type Resource } from '../../control/rlimit.js'
import { nearestWord } from '../../spelling.js'
import { COLUMNS } from '../../table/columns.js'
import type { ColumnName } from '../../table/layout.js'
import {
  AGGREGATE_FUNCTIONS,
  type AgeSeconds,
  type ColumnValue,
  HOST_METRICS,
  type HostValue,
  type LimitValue,
  WINDOW_FUNCTIONS,
} from './ast.js'

/** Letters of proc_pid_stat(5) field 3, past and present kernels. */
export const STATES = 'RSDTtZXxKWPI'

/** The words that people know from ps and top. */
const familiar: Readonly<Record<string, ColumnName>> = {
  rss: 'rssBytes',
  res: 'rssBytes',
  vsz: 'vszBytes',
  virt: 'vszBytes',
  shr: 'sharedBytes',
  cpu: 'cpuPercent',
  mem: 'memoryPercent',
  ni: 'nice',
  pri: 'priority',
  minFlt: 'minorFaults',
  majFlt: 'majorFaults',
  nlwp: 'threads',
}

/** A resource limit in the words of proc_pid_limits(5); its name in getrlimit(2) is known too. */
const limitNames: Readonly<Record<Resource, string>> = {
  cpu: 'cpuTime',
  fsize: 'fileSize',
  data: 'dataSize',
  stack: 'stackSize',
  core: 'coreFileSize',
  rss: 'residentSet',
  nproc: 'processes',
  nofile: 'openFiles',
  memlock: 'lockedMemory',
  as: 'addressSpace',
  locks: 'fileLocks',
  sigpending: 'pendingSignals',
  msgqueue: 'msgqueueSize',
  nice: 'nicePriority',
  rtprio: 'realtimePriority',
  rttime: 'realtimeTimeout',
}

/** A value that is written as a word alone. */
type NamedValue = ColumnValue | LimitValue | HostValue | AgeSeconds

const values = new Map<string, NamedValue>()
/** As it is to be written in a suggestion. */
const spelling = new Map<string, string>()

function name(text: string, value: NamedValue): void {
  const key = text.toLowerCase()
  if (values.has(key)) return
  values.set(key, value)
  spelling.set(key, text)
}

const withoutUnit = (text: string): string => text.replace(/(Bytes|Percent|Ns|Seconds)$/, '')

for (const { name: column } of COLUMNS) name(column, { kind: 'column', column })
name('ageSeconds', { kind: 'age' })
name('age', { kind: 'age' })
for (const { name: column } of COLUMNS) name(withoutUnit(column), { kind: 'column', column })
for (const [alias, column] of Object.entries(familiar)) name(alias, { kind: 'column', column })
for (const resource of RESOURCES) {
  name(`limit.${limitNames[resource]}`, { kind: 'limit', resource })
  name(`limit.${resource}`, { kind: 'limit', resource })
}
for (const metric of HOST_METRICS) {
  name(`host.${metric}`, { kind: 'host', metric })
  name(`host.${withoutUnit(metric)}`, { kind: 'host', metric })
}

/** What a word means that is no function: a column, a limit, a number of the host, an age; in any case of letters. */
export function valueNamed(word: string): NamedValue | undefined {
  return values.get(word.toLowerCase())
}

/** The full name of a value, as a condition is printed. */
export function nameOf(value: NamedValue): string {
  switch (value.kind) {
    case 'column':
      return value.column
    case 'limit':
      return `limit.${limitNames[value.resource]}`
    case 'host':
      return `host.${value.metric}`
    case 'age':
      return 'ageSeconds'
  }
}

/** Everything that is written with parentheses. */
const FUNCTIONS = [
  ...new Set([...WINDOW_FUNCTIONS, ...AGGREGATE_FUNCTIONS]),
  'count',
  'exitRate',
  'leak',
  'timeTo',
  'stateSeconds',
] as const
export type FunctionName = (typeof FUNCTIONS)[number]

/** The function of that name, in any case of letters. */
export function functionNamed(word: string): FunctionName | undefined {
  const wanted = word.toLowerCase()
  return FUNCTIONS.find((each) => each.toLowerCase() === wanted)
}

const known = [...spelling.keys(), ...FUNCTIONS]

/** The known name nearest to a mistyped one, or undefined when none is near. */
export function nearestName(word: string): string | undefined {
  const nearest = nearestWord(word, known)
  return nearest === undefined ? undefined : (spelling.get(nearest) ?? nearest)
}

export function nearestFunction(word: string): string | undefined {
  return nearestWord(word, FUNCTIONS)
}
