import {
  COLUMNS,
  type ColumnName,
  type OptionalGroup,
  type ProcessRow,
  parseCgroup,
  statLetters,
  terminalName,
} from '../../public/table.js'
import type { TextColumn } from '../print_table.js'
import { shortAge, shortBytes, shortTime } from '../quantities.js'
import { escapeForTerminal } from '../terminal.js'

/** What a field needs besides the row. */
export interface FieldContext {
  /** Seconds since boot when the sample was taken. */
  readonly uptimeSeconds: number
  readonly sampledAtMs: number
}

/** One column of `muster ps`. */
export interface Field {
  /** As in `--columns` and in JSON. */
  readonly name: string
  readonly heading: string
  readonly align: 'left' | 'right'
  readonly groups: readonly OptionalGroup[]
  /** Needs two samples. */
  readonly isRate: boolean
  /** Needs `sampler.readDetails`. */
  readonly isDetail?: boolean
  /** The plain value, for JSON and for sorting; undefined is a missing cell. */
  value(row: ProcessRow, context: FieldContext): number | string | undefined
  /** For a person; control characters are escaped already. */
  text(row: ProcessRow, context: FieldContext): string
}

/** The fields as columns of a table for people. */
export const textColumns = (fields: readonly Field[], context: FieldContext): TextColumn<ProcessRow>[] =>
  fields.map((field) => ({
    heading: field.heading,
    align: field.align,
    // Who has named columns gets them.
    isExtra: (fields === DEFAULT_FIELDS || fields === AUX_FIELDS) && LESS_NEEDED.has(field.name),
    text: (row) => field.text(row, context),
  }))

const LESS_NEEDED = new Set(['ppid', 'memoryPercent', 'vszBytes', 'threads', 'nice', 'tty', 'startedAtMs'])

const TICKS_PER_SECOND = 100 // USER_HZ, part of the kernel's ABI on x64 and arm64
const MISSING = '-'

type Unit = (typeof COLUMNS)[number]['unit']
const writers: Readonly<Record<Unit, (value: number) => string>> = {
  '': String,
  '%': (value) => value.toFixed(1),
  '1/s': (value) => value.toFixed(value < 10 ? 1 : 0),
  bytes: shortBytes,
  'bytes/s': shortBytes, // the heading has the /s
  ns: shortTime,
  ticks: String,
}

const HEADINGS: Readonly<Record<string, string>> = {
  cpuPercent: '%CPU',
  lifetimeCpuPercent: '%CPU/LIFE',
  memoryPercent: '%MEM',
  cpuTimeNs: 'TIME',
  startedAtMs: 'START',
}

const headingOf = (name: string): string =>
  HEADINGS[name] ??
  name
    .replace(/(Bytes|Ns|Seconds)(?=$|Per)/, '')
    .replace('PerSecond', '/s')
    .toUpperCase()

function columnField(column: (typeof COLUMNS)[number]): Field {
  const { name, unit, group } = column
  const write = writers[unit]
  return {
    name,
    heading: headingOf(name),
    align: 'right',
    groups: group === 'table' ? [] : [group],
    isRate: name === 'cpuPercent' || name.endsWith('PerSecond'),
    value: (row) => row[name as NumericColumn],
    text: (row) => {
      const value = row[name as NumericColumn]
      return value === undefined ? MISSING : write(value)
    },
  }
}
type NumericColumn = Exclude<ColumnName, 'state'>

function textField(
  name: string,
  read: (row: ProcessRow) => string | undefined,
  more: Partial<Field> = {},
): Field {
  return {
    name,
    heading: name.toUpperCase(),
    align: 'left',
    groups: [],
    isRate: false,
    value: read,
    text: (row) => escapeForTerminal(read(row) ?? MISSING) || MISSING,
    ...more,
  }
}

const placeOf = ({ cgroup }: ProcessRow) => (cgroup === undefined ? undefined : parseCgroup(cgroup))

function derivedField(
  name: string,
  value: (row: ProcessRow, context: FieldContext) => number | undefined,
  write: (value: number) => string,
): Field {
  return {
    name,
    heading: headingOf(name),
    align: 'right',
    groups: [],
    isRate: false,
    value,
    text: (row, context) => {
      const found = value(row, context)
      return found === undefined ? MISSING : write(found)
    },
  }
}

const ageSeconds = (row: ProcessRow, { uptimeSeconds }: FieldContext): number =>
  Math.max(0, uptimeSeconds - row.startTicks / TICKS_PER_SECOND)

const lifetimeCpuPercent = (row: ProcessRow, context: FieldContext): number | undefined => {
  const seconds = ageSeconds(row, context)
  return row.cpuTimeNs === undefined || seconds === 0 ? undefined : row.cpuTimeNs / 1e7 / seconds
}

const terminalOf = ({ ttyNr }: ProcessRow): string | undefined =>
  ttyNr === undefined ? undefined : terminalName(ttyNr)

const startText = (atMs: number): string => {
  const date = new Date(atMs)
  const sameDay = date.toDateString() === new Date().toDateString()
  const two = (value: number): string => String(value).padStart(2, '0')
  return sameDay
    ? `${two(date.getHours())}:${two(date.getMinutes())}`
    : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

const FIELDS: readonly Field[] = [
  textField('user', (row) => row.user),
  textField('state', (row) => row.state),
  // The locked memory is told by the group.
  textField('stat', statLetters, { groups: ['status'] }),
  textField('tty', terminalOf, { text: (row) => terminalOf(row) ?? (row.ttyNr === 0 ? '?' : MISSING) }),
  textField('name', (row) => row.name, {
    // ps writes a kernel thread in brackets; only the table knows for certain what is one.
    text: (row) => {
      const name = escapeForTerminal(row.name)
      return row.isKernelThread ? `[${name}]` : name
    },
  }),
  textField('command', (row) => row.commandLine, {
    isDetail: true,
    text: (row) =>
      escapeForTerminal(row.commandLine || '') ||
      `[${escapeForTerminal(row.name)}]${row.state === 'Z' ? ' <defunct>' : ''}`,
  }),
  // Of the whole table: for who keeps the JSON and wants to know how exact it is.
  textField('source', (row) => row.table.source),
  textField('exe', (row) => row.exe, { isDetail: true }),
  textField('cgroup', (row) => placeOf(row)?.path, { isDetail: true }),
  textField('unit', (row) => placeOf(row)?.unit, { isDetail: true }),
  textField('container', (row) => placeOf(row)?.container, { isDetail: true }),
  derivedField('ageSeconds', ageSeconds, shortAge),
  derivedField(
    'startedAtMs',
    (row, context) => Math.round(context.sampledAtMs - ageSeconds(row, context) * 1000),
    startText,
  ),
  derivedField('lifetimeCpuPercent', lifetimeCpuPercent, writers['%']),
  ...COLUMNS.filter((column) => column.name !== 'state').map(columnField),
]

/** The short words of ps and top for the fields people ask for most. */
const ALIASES: Readonly<Record<string, string>> = {
  cpu: 'cpuPercent',
  '%cpu': 'cpuPercent',
  pcpu: 'cpuPercent',
  mem: 'memoryPercent',
  memory: 'memoryPercent',
  '%mem': 'memoryPercent',
  pmem: 'memoryPercent',
  rss: 'rssBytes',
  vsz: 'vszBytes',
  shared: 'sharedBytes',
  swap: 'swapBytes',
  peak: 'peakRssBytes',
  time: 'cpuTimeNs',
  cputime: 'cpuTimeNs',
  age: 'ageSeconds',
  etime: 'ageSeconds',
  start: 'startedAtMs',
  s: 'state',
  tt: 'tty',
  tname: 'tty',
  comm: 'name',
  cmd: 'command',
  args: 'command',
  commandline: 'command',
  nlwp: 'threads',
  ni: 'nice',
  pri: 'priority',
  psr: 'processor',
  oom: 'oomScoreAdj',
  fds: 'openFiles',
  read: 'readBytesPerSecond',
  write: 'writeBytesPerSecond',
}

const byLowerName = new Map(FIELDS.map((field) => [field.name.toLowerCase(), field]))

/** A field by its name or one of ps's words, in any case. */
export function fieldNamed(word: string): Field | undefined {
  const lower = word.toLowerCase()
  return byLowerName.get((ALIASES[lower] ?? lower).toLowerCase())
}

export const fieldNames = (): string[] => FIELDS.map((field) => field.name)
export const fieldWords = (): string[] => [...fieldNames(), ...Object.keys(ALIASES)]
/** `cpuPercent: cpu %cpu pcpu`, a line for each column that has short words. */
export const shortWords = (): string[] =>
  [...new Set(Object.values(ALIASES))].map(
    (name) =>
      `${name}: ${Object.keys(ALIASES)
        .filter((alias) => ALIASES[alias] === name)
        .join(' ')}`,
  )

const named = (names: readonly string[]): readonly Field[] => names.map((name) => fieldNamed(name)!)

export const DEFAULT_FIELDS = named([
  'user',
  'pid',
  'ppid',
  'state',
  'cpu',
  'mem',
  'rss',
  'vsz',
  'threads',
  'nice',
  'age',
  'name',
])

/** Of `--top`: in 80 columns there is room for what tells one `node` from another. */
export const TOP_FIELDS = named(['user', 'pid', 'state', 'cpu', 'mem', 'rss', 'threads', 'age', 'command'])

/** Of `muster ps aux`: as ps(1) has them, but the CPU of this moment and sizes with their unit. */
export const AUX_FIELDS = named([
  'user',
  'pid',
  '%cpu',
  '%mem',
  'vsz',
  'rss',
  'tty',
  'stat',
  'start',
  'time',
  'command',
])

/** What `--json` writes unless `--columns` says otherwise: all that costs no further read per process. */
export const DEFAULT_JSON_FIELDS = FIELDS.filter((field) => field.groups.length === 0 && !field.isDetail)
