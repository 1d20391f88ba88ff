import { type Decision, DecisionReader, thresholdsOf } from '../../dist/rules/decision.js'
import { Findings } from '../../dist/rules/findings.js'
import { judge } from '../../dist/rules/judge.js'
import { makeChanges } from '../../dist/rules/match/changes.js'
import type { Learned } from '../../dist/rules/match/learned.js'
import { Matcher } from '../../dist/rules/match/matcher.js'
import { planMatch } from '../../dist/rules/match/plan.js'
import { compileRules, mapProgram } from '../../dist/rules/program.js'
import { checkRules, type Rule } from '../../dist/rules/rule.js'
import { mapState, openState, shapeOf } from '../../dist/rules/state.js'
import type { SyntheticTable } from './synthetic_table.js'

export const MEMORY_BYTES = 1000 * 2 ** 20

/** Judges on this thread what the workers would judge on theirs. */
export class LocalJudge {
  readonly checked
  readonly #program
  readonly #matcher
  readonly #findings = new Findings()
  #state: SharedArrayBuffer | undefined
  #capacity = 0
  tick = 0
  wanted: number[] = []

  constructor(rules: readonly Rule[]) {
    this.checked = checkRules(rules)
    const compiled = compileRules(this.checked, {
      groups: ['io', 'status'],
      memTotalBytes: MEMORY_BYTES,
      uidOf: (user) => ({ root: 0, daemon: 1 })[user],
    })
    this.#program = mapProgram(compiled.buffer, compiled.ruleCount, compiled.clauseCount)
    this.#matcher = new Matcher(planMatch(compiled.match, 0, this.checked.length))
  }

  /** Undefined when the table was torn. */
  judge(
    table: SyntheticTable,
    nowMs: number,
    options: { tick?: number; learned?: Learned; sequence?: number } = {},
  ): Decision[] | undefined {
    this.tick = options.tick ?? this.tick + 1
    const { capacity } = table.memory.layout
    const shape = shapeOf(this.#program, 0, this.checked.length, capacity, this.#matcher.plan)
    const grownFrom =
      this.#state !== undefined && capacity > this.#capacity
        ? { buffer: this.#state, capacity: this.#capacity }
        : undefined
    const buffer = this.#state === undefined || grownFrom ? mapState(shape).buffer : this.#state
    const state = openState(shape, buffer, grownFrom, this.tick)
    this.#state = buffer
    this.#capacity = capacity
    const changes = makeChanges(this.#matcher.plan, capacity)
    const isWhole = judge({
      table: table.memory,
      sequence: options.sequence ?? table.sequence,
      program: this.#program,
      matcher: this.#matcher,
      state,
      first: 0,
      nowMs,
      tick: this.tick,
      learned: options.learned,
      changes,
      findings: this.#findings,
    })
    if (!isWhole) return undefined
    this.wanted = [...changes.wanted]
    const decisions: Decision[] = []
    const { numbers, names, nameLength } = this.#findings
    new DecisionReader(
      numbers.slice(),
      names.slice(0, nameLength),
      this.checked,
      thresholdsOf(this.checked, MEMORY_BYTES),
      nowMs,
    ).read(decisions, Number.POSITIVE_INFINITY)
    return decisions
  }
}

/** A decision in short, for comparisons. */
export function brief(decision: Decision): string {
  const why = decision.kind === 'fire' ? '' : ` ${decision.cause}`
  return `${decision.rule.name} ${decision.kind}${why} ${decision.identity.pid}`
}
