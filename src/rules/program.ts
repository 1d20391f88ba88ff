import { ProcmusterError } from '../errors.js'
import { COLUMNS } from '../table/columns.js'
import { columnId, type OptionalGroup } from '../table/layout.js'
import type { Clause } from './parse.js'
import type { CheckedRule } from './rule.js'

/**
 * Rules as numbers. Every comparison is a closed interval `low <= cell <= high`, or its outside for `!=`, so that the inner
 * loops know no operators.
 */
export interface Program {
  readonly buffer: SharedArrayBuffer
  readonly ruleCount: number
  readonly clauseCount: number
  /** Rule r has the clauses from `clauseStart[r]` up to `clauseStart[r + 1]`. */
  readonly clauseStart: Int32Array
  /** How many of a rule's clauses were written in its condition; the others come from its `match`. */
  readonly shown: Int32Array
  readonly forMs: Float64Array
  /** -1: none. */
  readonly cooldownMs: Float64Array
  /** The process that a rule names by pid, NaN for none. Written by `RuleEngine.bind` while the threads run. */
  readonly pid: Float64Array
  /** NaN: whoever has the pid. */
  readonly startTicks: Float64Array
  /** 1: a missing cell cannot look like a hit, because all cells are Float64 (NaN when missing) and no clause is `!=`. */
  readonly missingNeverHits: Uint8Array
  readonly column: Int32Array
  /** 1 for a Float64 column, 0 for one of integers. */
  readonly isFloat: Uint8Array
  /** 1: true outside of the interval. */
  readonly outside: Uint8Array
  readonly low: Float64Array
  readonly high: Float64Array
}

/** Which processes a rule is about, as plain data for the workers. The user is a clause of the program. */
export interface SelectorSpec {
  readonly name: string | undefined
  readonly commandLine: string | undefined
  readonly kernelThreads: boolean
}

/** What the workers need to judge; `buffer` is shared, the rest is small and plain. */
export interface CompiledRules {
  readonly ruleCount: number
  readonly clauseCount: number
  readonly buffer: SharedArrayBuffer
  readonly selectors: readonly SelectorSpec[]
}

export interface CompileOptions {
  /** Optional groups of columns that the sampler was opened with. */
  groups: readonly OptionalGroup[]
  /** Bytes of physical memory, for thresholds such as `rss > 80%`. */
  memTotalBytes: number
  /** The uid of a user's name, or undefined when there is none. */
  uidOf: (user: string) => number | undefined
}

/** Optional groups of columns that the conditions of these rules read. */
export function groupsOf(rules: readonly CheckedRule[]): OptionalGroup[] {
  const groups = new Set<OptionalGroup>()
  for (const rule of rules) {
    for (const clause of rule.when.clauses) {
      const { group } = COLUMNS[columnId[clause.column]]!
      if (group !== 'table') groups.add(group)
    }
  }
  return [...groups]
}

/**
 * Compiles rules for the workers.
 * @throws ProcmusterError INVALID_ARGUMENT for a column of a group that is not sampled and for an unknown user
 */
export function compileRules(rules: readonly CheckedRule[], options: CompileOptions): CompiledRules {
  const clauses = rules.map((rule) => clausesOf(rule, options))
  const clauseCount = clauses.reduce((sum, list) => sum + list.length, 0)
  const program = mapProgram(
    new SharedArrayBuffer(programBytes(rules.length, clauseCount)),
    rules.length,
    clauseCount,
  )
  let at = 0
  for (const [index, rule] of rules.entries()) {
    program.clauseStart[index] = at
    program.shown[index] = rule.when.clauses.length
    program.forMs[index] = rule.when.forMs
    program.cooldownMs[index] = rule.cooldown ?? -1
    program.pid[index] = rule.match.pid ?? Number.NaN
    program.startTicks[index] = rule.match.startTicks ?? Number.NaN
    program.missingNeverHits[index] = 1
    for (const clause of clauses[index]!) {
      const id = columnId[clause.column]
      const [low, high] = intervalOf(clause)
      program.column[at] = id
      program.isFloat[at] = COLUMNS[id]!.type === 'Float64' ? 1 : 0
      program.outside[at] = clause.op === '!=' ? 1 : 0
      program.low[at] = low
      program.high[at] = high
      if (program.isFloat[at] === 0 || program.outside[at] === 1) program.missingNeverHits[index] = 0
      at++
    }
  }
  program.clauseStart[rules.length] = at
  return { ruleCount: rules.length, clauseCount, buffer: program.buffer, selectors: rules.map(selectorOf) }
}

export function mapProgram(buffer: SharedArrayBuffer, ruleCount: number, clauseCount: number): Program {
  let at = 0
  const place = (bytes: number): number => {
    const start = at
    at += bytes
    return start
  }
  // Widest first keeps every array aligned.
  return {
    buffer,
    ruleCount,
    clauseCount,
    forMs: new Float64Array(buffer, place(ruleCount * 8), ruleCount),
    cooldownMs: new Float64Array(buffer, place(ruleCount * 8), ruleCount),
    pid: new Float64Array(buffer, place(ruleCount * 8), ruleCount),
    startTicks: new Float64Array(buffer, place(ruleCount * 8), ruleCount),
    low: new Float64Array(buffer, place(clauseCount * 8), clauseCount),
    high: new Float64Array(buffer, place(clauseCount * 8), clauseCount),
    clauseStart: new Int32Array(buffer, place((ruleCount + 1) * 4), ruleCount + 1),
    shown: new Int32Array(buffer, place(ruleCount * 4), ruleCount),
    column: new Int32Array(buffer, place(clauseCount * 4), clauseCount),
    missingNeverHits: new Uint8Array(buffer, place(ruleCount), ruleCount),
    isFloat: new Uint8Array(buffer, place(clauseCount), clauseCount),
    outside: new Uint8Array(buffer, place(clauseCount), clauseCount),
  }
}

function programBytes(ruleCount: number, clauseCount: number): number {
  return ruleCount * (32 + 8 + 1) + 4 + clauseCount * (16 + 4 + 2)
}

function clausesOf(rule: CheckedRule, options: CompileOptions): Clause[] {
  const clauses = rule.when.clauses.map((clause): Clause => {
    const { group, name } = COLUMNS[columnId[clause.column]]!
    if (group !== 'table' && !options.groups.includes(group)) {
      throw new ProcmusterError('INVALID_ARGUMENT', {
        message: `rule ${JSON.stringify(rule.name)}: ${name} is not sampled; open the sampler with groups: ['${group}']`,
      })
    }
    return clause.ofMemory
      ? { ...clause, threshold: (clause.threshold / 100) * options.memTotalBytes, ofMemory: false }
      : clause
  })
  const { user } = rule.match
  // The owner may change during a life (a daemon that drops root), so that it is judged on every tick, and last.
  if (user !== undefined) {
    const uid = typeof user === 'number' ? user : options.uidOf(user)
    if (uid === undefined) {
      throw new ProcmusterError('INVALID_ARGUMENT', {
        message: `rule ${JSON.stringify(rule.name)}: this host knows no user ${JSON.stringify(user)}; give the uid instead`,
      })
    }
    clauses.push({ column: 'uid', op: '==', threshold: uid, ofMemory: false })
  }
  return clauses
}

function selectorOf({ match }: CheckedRule): SelectorSpec {
  const { name, commandLine, kernelThreads } = match
  return { name, commandLine, kernelThreads: kernelThreads ?? false }
}

function intervalOf({ op, threshold }: Clause): [low: number, high: number] {
  switch (op) {
    case '>':
      return [nextAbove(threshold), Number.POSITIVE_INFINITY]
    case '>=':
      return [threshold, Number.POSITIVE_INFINITY]
    case '<':
      return [Number.NEGATIVE_INFINITY, -nextAbove(-threshold)]
    case '<=':
      return [Number.NEGATIVE_INFINITY, threshold]
    default:
      return [threshold, threshold]
  }
}

const scratch = new DataView(new ArrayBuffer(8))

/** The least number greater than a finite one. */
function nextAbove(value: number): number {
  if (value === 0) return Number.MIN_VALUE
  scratch.setFloat64(0, value)
  const bits = scratch.getBigInt64(0)
  scratch.setBigInt64(0, value > 0 ? bits + 1n : bits - 1n)
  return scratch.getFloat64(0)
}
