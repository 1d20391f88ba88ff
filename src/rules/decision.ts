import { NAME_BYTES } from '../table/columns.js'
import type { ProcessIdentity } from '../table/identity.js'
import { cause, kind } from './judge/findings.js'
import { YES } from './judge/truths.js'
import type { Comparison, GroupKind, LeakTest, Operand, Operator, Unit } from './language/ast.js'
import { printCondition, printOperand } from './language/print.js'
import { unitOf } from './language/typing.js'
import { comparisonsOf } from './language/walk.js'
import type { CheckedRule, Severity } from './schema/rule.js'
import type { GroupMember, GroupRef } from './subject.js'

/** One comparison behind a decision. */
export interface DecisionClause {
  /** As it is printed: `avg(cpuPercent, 1m) > 80%`. */
  readonly text: string
  /** Its left side, as it is printed. */
  readonly operand: string
  readonly op: Operator | 'leak'
  /** Of value and threshold. */
  readonly unit: Unit
  /** Undefined: unknown, because a cell was missing, a window is not full yet, or the process is gone. A state is its character code. */
  readonly value: number | undefined
  /** Undefined: unknown, or a leak test, which has none. Percent of physical memory has become bytes. */
  readonly threshold: number | undefined
  /** Undefined: unknown. */
  readonly truth: boolean | undefined
  readonly windowMs?: number
  /** Behind a window, at most 16, oldest first; times in the clock that `tick` was given. */
  readonly samples?: readonly { readonly atMs: number; readonly value: number }[]
}

/** A rule fired for a process or a group, or what it had fired for is over. */
export interface Decision {
  /** `index`: among the rules that the engine has now; -1 when it has the rule no more. */
  readonly rule: { readonly index: number; readonly name: string; readonly severity: Severity }
  readonly kind: 'fire' | 'clear'
  /**
   * Why a breach is over: what clears it holds, the process or the group's last member is gone, the rule is not about it any more, or
   * is there no more. `ended`: what clears it holds of a process that has ended, or is ending, and is still in the table.
   */
  readonly cause: 'condition' | 'gone' | 'unmatched' | 'removed' | 'ended'
  /** -1 for a group. */
  readonly slot: number
  /** Settled, always; undefined exactly for a group. */
  readonly identity: ProcessIdentity | undefined
  readonly group: GroupRef | undefined
  /** As the kernel has it: hostile input, to be escaped before it reaches a terminal. For a group kind and key. */
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

/** What is the same in all decisions of a rule. */
export interface RuleInWords {
  readonly index: number
  readonly rule: CheckedRule
  readonly clauses: readonly ClauseInWords[]
}

type ClauseInWords = Pick<DecisionClause, 'text' | 'operand' | 'op' | 'unit' | 'windowMs'>

export function clausesInWords({ when }: CheckedRule): ClauseInWords[] {
  return comparisonsOf(when.condition).map((comparison) => {
    const left = comparison.kind === 'leak' ? comparison.of : comparison.left
    const windowMs = windowOf(comparison)
    return {
      text: printCondition(comparison),
      operand: printOperand(left),
      op: comparison.kind === 'leak' ? 'leak' : comparison.op,
      unit: unitOf(left),
      ...(windowMs === undefined ? {} : { windowMs }),
    }
  })
}

function windowOf(comparison: Comparison | LeakTest): number | undefined {
  if (comparison.kind === 'leak') return comparison.spanMs
  const { left }: { left: Operand } = comparison
  return left.kind === 'window' || left.kind === 'exitRate' ? left.windowMs : undefined
}

const utf8 = new TextDecoder()
const causes = ['condition', 'gone', 'unmatched', 'removed', 'ended'] as const

interface DecisionSource {
  readonly numbers: Float64Array
  /** NAME_BYTES of each process named. */
  readonly names: Uint8Array
  readonly ruleAt: (position: number) => RuleInWords
  /** The text of a group's key. */
  readonly keyOf: (kind: GroupKind, key: number) => string | undefined
  readonly atMs: number
}

/** Reads the decisions of a shard, from where the last call ended; report.ts wrote them. */
export class DecisionReader {
  readonly #source: DecisionSource
  #number = 0
  #name = 0

  constructor(source: DecisionSource) {
    this.#source = source
  }

  /** Appends up to `limit` decisions; false when there are no more. */
  read(into: Decision[], limit: number): boolean {
    const { length } = this.#source.numbers
    for (let count = 0; count < limit && this.#number < length; count++) into.push(this.#next())
    return this.#number < length
  }

  #next(): Decision {
    const { index, rule, clauses } = this.#source.ruleAt(this.#take())
    const slot = this.#take()
    const isFire = this.#take() === kind.fire
    const why = causes[this.#take()] ?? causes[cause.condition]
    const sinceMs = this.#take()
    const isGroup = this.#take() === 1
    const group = isGroup ? this.readGroup(rule.per!) : undefined
    const identity = isGroup ? undefined : this.#identity(true)
    const label = group?.kind === 'subtree' ? group.key.split(':')[0]! : group?.key
    return {
      rule: { index: why === 'removed' ? -1 : index, name: rule.name, severity: rule.severity },
      kind: isFire ? 'fire' : 'clear',
      cause: why,
      slot: isGroup ? -1 : slot,
      identity,
      group,
      name: group === undefined ? this.#nextName() : `${group.kind} ${label}`.trimEnd(),
      clauses: this.readClauses(clauses),
      sinceMs: isFire ? sinceMs : undefined,
      atMs: this.#source.atMs,
    }
  }

  readClauses(clauses: readonly ClauseInWords[]): DecisionClause[] {
    const isKnown = this.#take() !== 0
    return clauses.map((words) => (isKnown ? this.#clause(words) : clauseOf(words)))
  }

  #clause(words: ClauseInWords): DecisionClause {
    const value = known(this.#take())
    const threshold = known(this.#take())
    const truth = this.#take()
    const clause = clauseOf(words, value, threshold, truth === YES ? true : truth === 0 ? false : undefined)
    const count = this.#take()
    if (count === 0) return clause
    const samples = Array.from({ length: count }, () => ({ atMs: this.#take(), value: this.#take() }))
    return { ...clause, samples }
  }

  #identity(isSettled: boolean | undefined): ProcessIdentity {
    const pid = this.#take()
    const startTicks = this.#take()
    const pidfsInode = known(this.#take())
    return { pid, startTicks, pidfsInode, settled: isSettled ?? this.#take() === 1 }
  }

  readGroup(per: GroupKind): GroupRef {
    const number = this.#take()
    const since = this.#take()
    const count = this.#take()
    const members = Array.from({ length: this.#take() }, (): GroupMember => {
      const identity = this.#identity(undefined)
      return { identity, value: known(this.#take()), name: this.#nextName() }
    })
    return { kind: per, key: this.#keyText(per, number, since), count, members }
  }

  #keyText(per: GroupKind, number: number, since: number): string {
    if (per === 'all') return ''
    if (per === 'subtree') return `${number}:${since}`
    return this.#source.keyOf(per, number) ?? String(number)
  }

  #take(): number {
    return this.#source.numbers[this.#number++]!
  }

  #nextName(): string {
    const name = this.#source.names.subarray(this.#name, this.#name + NAME_BYTES)
    this.#name += NAME_BYTES
    const end = name.indexOf(0)
    return utf8.decode(end < 0 ? name : name.subarray(0, end))
  }
}

// Written out: copying `words` by a spread took most of the time of many decisions.
function clauseOf(
  { text, operand, op, unit, windowMs }: ClauseInWords,
  value?: number,
  threshold?: number,
  truth?: boolean,
): DecisionClause {
  const clause = { text, operand, op, unit, value, threshold, truth }
  return windowMs === undefined ? clause : { ...clause, windowMs }
}

function known(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value
}
