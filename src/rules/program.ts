import { ProcmusterError } from '../errors.js'
import { COLUMNS } from '../table/columns.js'
import { columnId, type OptionalGroup } from '../table/layout.js'
import type { Match } from './match/ast.js'
import { type CompiledMatch, compileMatch, type MatchSource } from './match/compile.js'
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
  readonly forMs: Float64Array
  /** -1: none. */
  readonly cooldownMs: Float64Array
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

/** What the workers need to judge; `buffer` is shared, the rest is small and plain. */
export interface CompiledRules {
  readonly ruleCount: number
  readonly clauseCount: number
  readonly buffer: SharedArrayBuffer
  readonly match: CompiledMatch
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
    program.forMs[index] = rule.when.forMs
    program.cooldownMs[index] = rule.cooldown ?? -1
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
  const match = compileMatch(rules.map(matchSourceOf), options.uidOf)
  return { ruleCount: rules.length, clauseCount, buffer: program.buffer, match }
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
    low: new Float64Array(buffer, place(clauseCount * 8), clauseCount),
    high: new Float64Array(buffer, place(clauseCount * 8), clauseCount),
    clauseStart: new Int32Array(buffer, place((ruleCount + 1) * 4), ruleCount + 1),
    column: new Int32Array(buffer, place(clauseCount * 4), clauseCount),
    missingNeverHits: new Uint8Array(buffer, place(ruleCount), ruleCount),
    isFloat: new Uint8Array(buffer, place(clauseCount), clauseCount),
    outside: new Uint8Array(buffer, place(clauseCount), clauseCount),
  }
}

function programBytes(ruleCount: number, clauseCount: number): number {
  return ruleCount * (16 + 4 + 1) + 4 + clauseCount * (16 + 4 + 2)
}

function clausesOf(rule: CheckedRule, options: CompileOptions): Clause[] {
  return rule.when.clauses.map((clause): Clause => {
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
}

function matchSourceOf({ name, match }: CheckedRule): MatchSource {
  const { pid, startTicks, name: pattern, user, commandLine, kernelThreads = false } = match
  const parts: Match[] = []
  if (pid !== undefined) parts.push({ kind: 'pid', pid, startTicks })
  if (pattern !== undefined) parts.push({ kind: 'name', pattern })
  if (user !== undefined) parts.push({ kind: 'user', user })
  if (commandLine !== undefined) parts.push({ kind: 'text', fact: 'commandLine', pattern: commandLine })
  return { name, match: { kind: 'all', parts }, kernelThreads, limits: [] }
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
