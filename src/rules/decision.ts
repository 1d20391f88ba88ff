import { NAME_BYTES } from '../table/columns.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { ColumnName } from '../table/layout.js'
import { cause, DECISION_NUMBERS, kind } from './findings.js'
import type { Operator } from './parse.js'
import type { CheckedRule, Severity } from './rule.js'

/** One comparison behind a decision. */
export interface DecisionClause {
  readonly column: ColumnName
  readonly op: Operator
  /** In the column's unit; percent of physical memory has become bytes, a state its character code. */
  readonly threshold: number
  /** Undefined when the cell was missing, or the process is gone. */
  readonly value: number | undefined
}

/** A rule fired for a process, or what it had fired for is over. */
export interface Decision {
  readonly rule: { readonly index: number; readonly name: string; readonly severity: Severity }
  readonly kind: 'fire' | 'clear'
  /** Why a breach is over: the condition is false, the process is gone, or the rule is not about it any more. */
  readonly cause: 'condition' | 'gone' | 'unmatched'
  readonly slot: number
  /** Settled, always. */
  readonly identity: ProcessIdentity
  /** As the kernel has it: hostile input, to be escaped before it reaches a terminal. */
  readonly name: string
  readonly clauses: readonly DecisionClause[]
  /**
   * Since when the condition held, moved on by the time for which it was unknown; in the clock that `tick` was given. Undefined
   * for a clear.
   */
  readonly sinceMs: number | undefined
  /** The tick's time. */
  readonly atMs: number
}

const utf8 = new TextDecoder()
const causes = ['condition', 'gone', 'unmatched'] as const

/** Reads the decisions of a shard, from where the last call ended. */
export class DecisionReader {
  #number = 0
  #name = 0

  constructor(
    readonly numbers: Float64Array,
    readonly names: Uint8Array,
    readonly rules: readonly CheckedRule[],
    readonly thresholds: readonly (readonly number[])[],
    readonly atMs: number,
  ) {}

  /** Appends up to `limit` decisions; false when there are no more. */
  read(into: Decision[], limit: number): boolean {
    for (let count = 0; count < limit && this.#name < this.names.length; count++) into.push(this.#next())
    return this.#name < this.names.length
  }

  #next(): Decision {
    const at = this.#number
    const numbers = this.numbers
    const index = numbers[at]!
    const rule = this.rules[index]!
    const isFire = numbers[at + 2] === kind.fire
    const inode = numbers[at + 7]!
    const clauses = rule.when.clauses.map(({ column, op }, clause): DecisionClause => {
      const value = numbers[at + DECISION_NUMBERS + clause]!
      const threshold = this.thresholds[index]![clause]!
      return { column, op, threshold, value: Number.isNaN(value) ? undefined : value }
    })
    this.#number = at + DECISION_NUMBERS + clauses.length
    const startTicks = numbers[at + 6]!
    return {
      rule: { index, name: rule.name, severity: rule.severity },
      kind: isFire ? 'fire' : 'clear',
      cause: causes[numbers[at + 3]!] ?? causes[cause.condition],
      slot: numbers[at + 1]!,
      identity: {
        pid: numbers[at + 5]!,
        startTicks,
        pidfsInode: Number.isNaN(inode) ? undefined : inode,
        settled: true,
      },
      name: this.#nextName(),
      clauses,
      sinceMs: isFire ? numbers[at + 4] : undefined,
      atMs: this.atMs,
    }
  }

  #nextName(): string {
    const name = this.names.subarray(this.#name, this.#name + NAME_BYTES)
    this.#name += NAME_BYTES
    const end = name.indexOf(0)
    return utf8.decode(end < 0 ? name : name.subarray(0, end))
  }
}

/** The thresholds of each rule's conditions as they are compared, in the columns' units. */
export function thresholdsOf(rules: readonly CheckedRule[], memTotalBytes: number): number[][] {
  return rules.map((rule) =>
    rule.when.clauses.map(({ threshold, ofMemory }) => absolute(threshold, ofMemory, memTotalBytes)),
  )
}

/** A threshold in the column's own unit. */
export function absolute(threshold: number, ofMemory: boolean, memTotalBytes: number): number {
  return ofMemory ? (threshold / 100) * memTotalBytes : threshold
}
