import type { Resource } from '../../control/rlimit.js'
import type { ColumnName } from '../../table/layout.js'

export const OPERATORS = ['>', '>=', '<', '<=', '==', '!='] as const
/** How a comparison compares. */
export type Operator = (typeof OPERATORS)[number]

/** What a rule waits for: its condition true, without a break, for so long. */
export interface When {
  readonly condition: Condition
  /** 0: at once. */
  readonly forMs: number
}

/** A truth about a process or a group: yes, no, or unknown while something it stands on could not be read. */
export type Condition = And | Or | Not | Comparison | LeakTest

interface And {
  readonly kind: 'and'
  /** Two or more. */
  readonly parts: readonly Condition[]
}
interface Or {
  readonly kind: 'or'
  /** Two or more. */
  readonly parts: readonly Condition[]
}
interface Not {
  readonly kind: 'not'
  readonly part: Condition
}
export interface Comparison {
  readonly kind: 'compare'
  readonly op: Operator
  readonly left: Operand
  readonly right: Operand
}
/** `leak(rss, 10m)`: growth that was seen for that long and is none of a warm-up, a sawtooth, a step. */
export interface LeakTest {
  readonly kind: 'leak'
  readonly of: Operand
  readonly spanMs: number
}

/** A number that is known of a process or a group at a tick, or not known. */
export type Operand =
  | Constant
  | MemoryShare
  | StateLetter
  | ColumnValue
  | LimitValue
  | HostValue
  | AgeSeconds
  | StateSeconds
  | Arithmetic
  | Windowed
  | TimeTo
  | Aggregate
  | Count
  | ExitRate

/** What an operand is measured in. `ratio`: a part of one, which may be written as percent. */
export type Unit = '' | 'bytes' | 'bytes/s' | '%' | 'ratio' | 'ns' | 'ms' | 's' | '1/s' | 'ticks' | 'state'

/** A number in the unit of what it is compared or reckoned with: `90%` is 0.9 beside a ratio, 90 beside `cpuPercent`. */
interface Constant {
  readonly kind: 'constant'
  readonly value: number
  readonly unit: Unit
}
/** `80%` beside bytes of a process: a part of the host's physical memory, in bytes. */
interface MemoryShare {
  readonly kind: 'memoryShare'
  readonly percent: number
}
/** A state's letter beside the column `state`. */
interface StateLetter {
  readonly kind: 'state'
  readonly letter: string
}
/** A cell of the table, rates among them. */
export interface ColumnValue {
  readonly kind: 'column'
  readonly column: ColumnName
}
/** `limit.openFiles`: the soft limit of the process, Infinity when unlimited. */
export interface LimitValue {
  readonly kind: 'limit'
  readonly resource: Resource
}
/** `host.memAvailableBytes`: the same for every process. */
export interface HostValue {
  readonly kind: 'host'
  readonly metric: HostMetric
}
/** Seconds since the process started. */
export interface AgeSeconds {
  readonly kind: 'age'
}
/** `stateSeconds(D)`: seconds for which every sample has found the process in one of these states; 0 otherwise. */
interface StateSeconds {
  readonly kind: 'stateSeconds'
  /** Letters, for example `DZ`. */
  readonly states: string
}
export interface Arithmetic {
  readonly kind: 'arithmetic'
  readonly op: '+' | '-' | '*' | '/'
  readonly left: Operand
  readonly right: Operand
}
/**
 * Over the samples of the last `windowMs`; unknown until so much time was seen. `delta`: the newest less the oldest. `rate`: that by
 * the second. `p50`, `p95`, `p99`: so many percent of the samples are at most this.
 */
interface Windowed {
  readonly kind: 'window'
  readonly fn: WindowFunction
  readonly of: Operand
  readonly windowMs: number
}
/** Milliseconds until the operand reaches the limit as it grows now; Infinity when it does not grow. */
interface TimeTo {
  readonly kind: 'timeTo'
  readonly of: Operand
  readonly limit: Operand
}
/** Over the members of a group; needs a rule with `per`. Members whose operand is unknown are left out. */
interface Aggregate {
  readonly kind: 'aggregate'
  readonly fn: AggregateFunction
  readonly of: Operand
}
/** Members of a group; needs a rule with `per`. */
interface Count {
  readonly kind: 'count'
}
/** Members of a group that ended, per second, over the window; needs a rule with `per`. */
interface ExitRate {
  readonly kind: 'exitRate'
  readonly windowMs: number
}

export const WINDOW_FUNCTIONS = ['avg', 'min', 'max', 'delta', 'rate', 'p50', 'p95', 'p99'] as const
export type WindowFunction = (typeof WINDOW_FUNCTIONS)[number]
/** `avg`, `min` and `max` with a window are over time, without one over members. */
export const AGGREGATE_FUNCTIONS = ['sum', 'avg', 'min', 'max'] as const
export type AggregateFunction = (typeof AGGREGATE_FUNCTIONS)[number]

/** Numbers of the host, read once a tick where a rule needs them. Units in the names; `pressure` is percent of time. */
export const HOST_METRICS = [
  'memTotalBytes',
  'memFreeBytes',
  'memAvailableBytes',
  'buffersBytes',
  'cachedBytes',
  'swapTotalBytes',
  'swapFreeBytes',
  'swapUsedBytes',
  'cpuPercent',
  'cpus',
  'load1',
  'load5',
  'load15',
  'processes',
  'uptimeSeconds',
  'pressure.cpu.some10',
  'pressure.cpu.some60',
  'pressure.cpu.some300',
  'pressure.memory.some10',
  'pressure.memory.some60',
  'pressure.memory.some300',
  'pressure.memory.full10',
  'pressure.memory.full60',
  'pressure.memory.full300',
  'pressure.io.some10',
  'pressure.io.some60',
  'pressure.io.some300',
  'pressure.io.full10',
  'pressure.io.full60',
  'pressure.io.full300',
] as const
export type HostMetric = (typeof HOST_METRICS)[number]

/** Whom a rule is about: the processes that match, or what they have in common. */
export const GROUP_KINDS = ['all', 'user', 'unit', 'cgroup', 'container', 'program', 'subtree'] as const
export type GroupKind = (typeof GROUP_KINDS)[number]
