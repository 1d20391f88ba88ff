import type { Comparison, Condition, Operand } from '../../dist/rules/language/ast.js'
import { MEMORY_BYTES } from './local_judge.js'
import type { SyntheticProcess } from './synthetic_table.js'

interface Sample {
  readonly atMs: number
  readonly value: number
}

/** A process or a group, for which numbers are told. */
export interface NaiveSubject {
  readonly id: string
  /** Undefined for a group. */
  readonly process: SyntheticProcess | undefined
  readonly members: readonly NaiveSubject[]
  /** Members that ended since the last tick. */
  readonly exits: number
}

/** Everything that was ever sampled, by window or state test and subject. */
export class NaiveSeries {
  readonly #samples = new Map<string, Sample[]>()
  #taken = new Set<string>()

  of(operand: Operand, { id }: NaiveSubject): Sample[] {
    return this.#samples.get(keyOf(operand, id)) ?? []
  }

  /** Takes a sample in, once a tick. */
  take(operand: Operand, { id }: NaiveSubject, next: (before: Sample[]) => Sample[]): void {
    const key = keyOf(operand, id)
    if (this.#taken.has(key)) return
    this.#taken.add(key)
    this.#samples.set(key, next(this.#samples.get(key) ?? []))
  }

  /** Forgets whom no rule was about in this tick. */
  endTick(): void {
    for (const key of this.#samples.keys()) if (!this.#taken.has(key)) this.#samples.delete(key)
    this.#taken = new Set()
  }
}

export interface NaiveClock {
  readonly nowMs: number
  readonly gapMs: number
  readonly intervalMs: number | undefined
  readonly sampledTicks: number
  readonly host: Float64Array
  readonly series: NaiveSeries
}

/**
 * What operands mean, a second time and in the plainest way: recursion over the tree, undefined for unknown, all samples kept in
 * lists. A window is the samples of the bucket under way and of so many buckets before it.
 */
function numberOf(operand: Operand, subject: NaiveSubject, clock: NaiveClock): number | undefined {
  switch (operand.kind) {
    case 'constant':
      return operand.value
    case 'memoryShare':
      return (operand.percent / 100) * MEMORY_BYTES
    case 'state':
      return operand.letter.charCodeAt(0)
    case 'column': {
      const { process } = subject
      if (process === undefined || process.missing?.includes(operand.column)) return undefined
      const cells: Record<string, number | undefined> = { uid: 0, ...process.cells }
      return cells[operand.column]
    }
    case 'age':
      return Math.max(0, (clock.sampledTicks - subject.process!.startTicks!) / 100)
    case 'host':
      return known(clock.host[0]!)
    case 'arithmetic': {
      const left = numberOf(operand.left, subject, clock)
      const right = numberOf(operand.right, subject, clock)
      if (left === undefined || right === undefined) return undefined
      if (operand.op === '/') return right === 0 ? undefined : known(left / right)
      return known(operand.op === '+' ? left + right : operand.op === '-' ? left - right : left * right)
    }
    case 'count':
      return subject.members.length
    case 'aggregate': {
      const values = subject.members
        .map((member) => numberOf(operand.of, member, clock))
        .filter((value) => value !== undefined)
      if (values.length === 0) return undefined
      const sum = values.reduce((total, value) => total + value, 0)
      if (operand.fn === 'min') return Math.min(...values)
      if (operand.fn === 'max') return Math.max(...values)
      return operand.fn === 'sum' ? sum : sum / values.length
    }
    case 'stateSeconds': {
      return known(clock.series.of(operand, subject)[0]!.value)
    }
    case 'exitRate': {
      const window = windowOf(clock.series.of(operand, subject), operand.windowMs, clock)
      if (window === undefined) return undefined
      const { buckets, bucketMs } = bucketsOf(operand.windowMs, clock)
      const startMs = Math.max(window.firstMs, (Math.floor(clock.nowMs / bucketMs) - buckets) * bucketMs)
      return window.samples.reduce((total, { value }) => total + value, 0) / ((clock.nowMs - startMs) / 1000)
    }
    case 'window': {
      const window = windowOf(clock.series.of(operand, subject), operand.windowMs, clock)
      return window && reduce(operand.fn, window.samples, operand.windowMs, clock)
    }
    default:
      throw new Error(`the naive judge knows no ${operand.kind}`)
  }
}

function reduce(
  fn: string,
  samples: readonly Sample[],
  windowMs: number,
  clock: NaiveClock,
): number | undefined {
  const values = samples.map(({ value }) => value)
  const newest = samples.at(-1)!
  const oldest = samples[0]!
  switch (fn) {
    case 'avg':
      return values.reduce((total, value) => total + value, 0) / values.length
    case 'min':
      return Math.min(...values)
    case 'max':
      return Math.max(...values)
    case 'delta':
      return newest.atMs > oldest.atMs ? newest.value - oldest.value : undefined
    case 'rate':
      return newest.atMs > oldest.atMs
        ? (newest.value - oldest.value) / ((newest.atMs - oldest.atMs) / 1000)
        : undefined
    default: {
      const { bucketMs } = bucketsOf(windowMs, clock)
      // The last of each bucket.
      const thinned = new Map(samples.map(({ atMs, value }) => [Math.floor(atMs / bucketMs), value]))
      const sorted = [...thinned.values()].sort((a, b) => a - b)
      const part = { p50: 0.5, p95: 0.95, p99: 0.99 }[fn]!
      return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)]
    }
  }
}

function bucketsOf(windowMs: number, { intervalMs }: NaiveClock) {
  const buckets = Math.min(60, Math.max(1, Math.ceil(windowMs / (intervalMs ?? 1))))
  return { buckets, bucketMs: windowMs / buckets }
}

function windowOf(
  seen: readonly Sample[],
  windowMs: number,
  clock: NaiveClock,
): { firstMs: number; samples: Sample[] } | undefined {
  const newest = seen.at(-1)
  if (newest === undefined || newest.atMs !== clock.nowMs || Number.isNaN(newest.value)) return undefined
  const samples = seen.filter(({ value }) => !Number.isNaN(value))
  const firstMs = samples[0]!.atMs
  if (clock.nowMs - firstMs < windowMs - windowMs / 60) return undefined
  const { buckets, bucketMs } = bucketsOf(windowMs, clock)
  const now = Math.floor(clock.nowMs / bucketMs)
  return { firstMs, samples: samples.filter(({ atMs }) => Math.floor(atMs / bucketMs) >= now - buckets) }
}

/** Three-valued: undefined is unknown. */
export function truthOf(condition: Condition, subject: NaiveSubject, clock: NaiveClock): boolean | undefined {
  switch (condition.kind) {
    case 'not': {
      const truth = truthOf(condition.part, subject, clock)
      return truth === undefined ? undefined : !truth
    }
    case 'and':
    case 'or': {
      const truths = condition.parts.map((part) => truthOf(part, subject, clock))
      const decides = condition.kind === 'or'
      if (truths.includes(decides)) return decides
      return truths.includes(undefined) ? undefined : !decides
    }
    case 'compare':
      return compare(condition, subject, clock)
    default:
      throw new Error('the naive judge knows no leak')
  }
}

function compare({ op, left, right }: Comparison, subject: NaiveSubject, clock: NaiveClock) {
  const a = numberOf(left, subject, clock)
  const b = numberOf(right, subject, clock)
  if (a === undefined || b === undefined) return undefined
  switch (op) {
    case '>':
      return a > b
    case '>=':
      return a >= b
    case '<':
      return a < b
    case '<=':
      return a <= b
    case '==':
      return a === b
    case '!=':
      return a !== b
  }
}

/** Takes in what a tick shows, for all windows and state tests in an operand, innermost first. */
export function takeIn(operand: Operand, subject: NaiveSubject, clock: NaiveClock): void {
  const { series, nowMs } = clock
  switch (operand.kind) {
    case 'arithmetic':
      takeIn(operand.left, subject, clock)
      takeIn(operand.right, subject, clock)
      break
    case 'aggregate':
      for (const member of subject.members) takeIn(operand.of, member, clock)
      break
    case 'window': {
      takeIn(operand.of, subject, clock)
      const value = numberOf(operand.of, subject, clock) ?? Number.NaN
      series.take(operand, subject, (before) => windowed(before, operand.windowMs, value, clock))
      break
    }
    case 'exitRate':
      series.take(operand, subject, (before) => windowed(before, operand.windowMs, subject.exits, clock))
      break
    case 'stateSeconds': {
      const code = numberOf({ kind: 'column', column: 'state' }, subject, clock)
      const isIn = code !== undefined && operand.states.includes(String.fromCharCode(code))
      series.take(operand, subject, ([before]) => {
        if (code === undefined) return [{ atMs: Number.NaN, value: Number.NaN }]
        if (!isIn) return [{ atMs: Number.NaN, value: 0 }]
        const wasIn = before !== undefined && !Number.isNaN(before.atMs)
        return [{ atMs: nowMs, value: wasIn ? before.value + seenMs(clock) / 1000 : 0 }]
      })
      break
    }
  }
}

/** What of the time since the last tick somebody saw. */
export function seenMs({ gapMs, intervalMs }: NaiveClock): number {
  if (gapMs < 0) return 0
  return intervalMs !== undefined && gapMs > 2.5 * intervalMs + 1000 ? intervalMs : gapMs
}

function windowed(before: readonly Sample[], windowMs: number, value: number, clock: NaiveClock): Sample[] {
  const { intervalMs, nowMs, gapMs } = clock
  const holeMs = intervalMs === undefined ? windowMs : Math.max(windowMs / 2, 2.5 * intervalMs + 1000)
  let samples = before.filter((each) => !Number.isNaN(each.value))
  const last = samples.at(-1)
  if (gapMs < 0 || (!Number.isNaN(value) && last !== undefined && nowMs - last.atMs > holeMs)) samples = []
  return [...samples, { atMs: nowMs, value }]
}

/** By what is sampled and kept: functions of one family share it. */
function keyOf(operand: Operand, id: string): string {
  const family = (fn: string) => (fn === 'rate' ? 'delta' : fn.startsWith('p') ? 'p' : fn)
  const shared = operand.kind === 'window' ? { ...operand, fn: family(operand.fn) } : operand
  return `${JSON.stringify(shared)} ${id}`
}

function known(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value
}
