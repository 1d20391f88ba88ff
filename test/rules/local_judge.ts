import { type Decision, DecisionReader } from '../../dist/rules/decision.js'
import type { Learned } from '../../dist/rules/match/learned.js'
import { compileProgram, type Program } from '../../dist/rules/program.js'
import { type CheckedRule, checkRules, type Rule } from '../../dist/rules/schema/rule.js'
import { Shard } from '../../dist/rules/shard.js'
import { subjectKey } from '../../dist/rules/subject.js'
import { type JudgeResult, work } from '../../dist/rules/worker.js'
import { atOnce } from '../../dist/slices.js'
import type { SyntheticTable } from './synthetic_table.js'

export const MEMORY_BYTES = 1000 * 2 ** 20

export interface LocalJudgeOptions {
  intervalMs?: number
  maxBytes?: number
}

/** Judges on this thread what the workers would judge on theirs. */
export class LocalJudge {
  checked: CheckedRule[]
  readonly shard = new Shard(0)
  readonly #options: LocalJudgeOptions
  #program: Program
  tick = 0
  wanted: number[] = []

  constructor(rules: readonly Rule[], options: LocalJudgeOptions = {}) {
    this.#options = options
    this.checked = checkRules(rules)
    this.#program = this.#compile()
  }

  update(rules: readonly Rule[]): void {
    this.checked = checkRules(rules)
    this.#program = this.#compile(this.#program)
  }

  #compile(before?: Program): Program {
    return atOnce(
      compileProgram(
        this.checked,
        {
          groups: ['io', 'status', 'kernel'],
          memTotalBytes: MEMORY_BYTES,
          intervalMs: this.#options.intervalMs,
          uidOf: (user) => ({ root: 0, daemon: 1 })[user],
          shards: 1,
        },
        before,
      ),
    )
  }

  /** Undefined when the table was torn. */
  judge(
    table: SyntheticTable,
    nowMs: number,
    options: { tick?: number; learned?: Learned; sequence?: number; host?: Float64Array } = {},
  ): Decision[] | undefined {
    this.tick = options.tick ?? this.tick + 1
    const prepared = this.shard.prepare(this.#program, table.memory, {
      sequence: options.sequence ?? table.sequence,
      nowMs,
      tick: this.tick,
      learned: options.learned,
      host: options.host,
      intervalMs: this.#options.intervalMs,
      maxBytes: this.#options.maxBytes ?? 2 ** 28,
    })
    let result = work(prepared.task) as JudgeResult
    for (let { needs } = result; needs !== undefined; needs = result.needs)
      result = work(prepared.supplied(needs)) as JudgeResult
    const { torn, decided, wanted, removedFrom } = this.shard.adopt(prepared, result)
    if (torn) return undefined
    this.wanted = [...(wanted ?? [])]
    const decisions: Decision[] = []
    if (decided === undefined) return decisions
    new DecisionReader({
      ...decided,
      ruleAt: (at) => (at < 0 ? removedFrom!.entries[-1 - at]! : this.#program.entries[at]!),
      keyOf: () => undefined,
      atMs: nowMs,
    }).read(decisions, Number.POSITIVE_INFINITY)
    return decisions
  }
}

/** A decision in short, for comparisons. */
export function brief(decision: Decision): string {
  const why = decision.kind === 'fire' ? '' : ` ${decision.cause}`
  const who = decision.group === undefined ? decision.identity!.pid : subjectKey(decision)
  return `${decision.rule.name} ${decision.kind}${why} ${who}`
}
