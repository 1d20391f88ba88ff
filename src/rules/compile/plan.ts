import { COLUMNS } from '../../table/columns.js'
import type { AggregateFunction, GroupKind } from '../language/ast.js'
import type { NumberFact } from '../match/compile.js'

/**
 * A rule as plain data, made once on the main thread and posted to the threads: names have become numbers, percentages of memory
 * bytes, comparisons with constants intervals.
 */
export interface RulePlan {
  readonly condition: Truth
  /** The condition when it is nothing but columns compared with constants, all of which must hold: judged without lists. */
  readonly conjunction: readonly ColumnInterval[] | undefined
  readonly forMs: number
  readonly clear: { readonly condition: Truth; readonly forMs: number } | undefined
  /** -1: none. */
  readonly cooldownMs: number
  readonly per: GroupKind | undefined
  /** Where the key of a process's group is among the numbers that are learned of it; undefined for a kind without one. */
  readonly keyFact: NumberFact | undefined
  /** In the order they were written. */
  readonly clauses: readonly ClausePlan[]
  /** What it remembers of its processes, a series before those that stand on it. */
  readonly series: readonly SeriesPlan[]
  /** Of the first aggregate: by its values members of a group are ranked. */
  readonly ranking: Signal | undefined
  /** Of a group all members are told, not only the largest: actions are for all of them. */
  readonly tellsAll: boolean
}

/** One comparison behind a decision. */
export interface ClausePlan {
  readonly truth: Truth
  /** Undefined for a leak test, of which there is no value. */
  readonly left: Signal | undefined
  readonly right: Signal | undefined
  /** The series whose samples are told with it. */
  readonly series: string | undefined
}

/** A closed interval, or its outside for `!=`, so that the inner loops know no operators. */
export interface Interval {
  readonly low: number
  readonly high: number
  readonly outside: boolean
}

/** Of the ages of processes in seconds, which threads keep like one more column. */
export const AGE_COLUMN = COLUMNS.length

export interface ColumnInterval extends Interval {
  /** Id of the column, or `AGE_COLUMN`. */
  readonly column: number
  /** A Float64 column, whose missing cells are NaN. */
  readonly isFloat: boolean
}

export type Truth =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Truth[] }
  | { readonly kind: 'not'; readonly part: Truth }
  | ({ readonly kind: 'interval'; readonly of: Signal } & Interval)
  | {
      readonly kind: 'compare'
      readonly op: '>' | '>=' | '==' | '!='
      readonly left: Signal
      readonly right: Signal
    }
  | { readonly kind: 'leak'; readonly series: string }

/** A number of each process or group at a tick; NaN is unknown. */
export type Signal =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'column'; readonly column: number }
  | { readonly kind: 'host'; readonly metric: number }
  | { readonly kind: 'age' }
  | { readonly kind: 'fact'; readonly fact: NumberFact }
  | {
      readonly kind: 'arithmetic'
      readonly op: '+' | '-' | '*' | '/'
      readonly left: Signal
      readonly right: Signal
    }
  | { readonly kind: 'series'; readonly series: string; readonly read: SeriesRead }
  | { readonly kind: 'timeTo'; readonly series: string; readonly limit: Signal }
  | { readonly kind: 'aggregate'; readonly fn: AggregateFunction; readonly of: Signal }
  | { readonly kind: 'count' }
  /** Members of a group that ended since the last tick. */
  | { readonly kind: 'exits' }

export type SeriesRead =
  | 'avg'
  | 'min'
  | 'max'
  | 'delta'
  | 'rate'
  | 'p50'
  | 'p95'
  | 'p99'
  | 'perSecond'
  | 'seconds'

/** What is kept of the samples, by what will be asked of them. */
export type SeriesFamily = 'sum' | 'min' | 'max' | 'first' | 'last' | 'since' | 'trend'

/** One number followed over time, for every process or group that one of its rules is about. */
export interface SeriesPlan {
  /** Rules with the same key share the series. */
  readonly key: string
  readonly family: SeriesFamily
  readonly of: Signal
  /** Of groups: of those of one rule alone. */
  readonly ofGroups: boolean
  readonly windowMs: number
  /** The window is the bucket under way and so many before it. */
  readonly buckets: number
  readonly bucketMs: number
  /** For `since`: the state codes. */
  readonly states: readonly number[]
  /** 0 for a series over samples, 1 for one over such series, and so on. */
  readonly level: number
}
