import { checkHas } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import { headerCell, type OptionalGroup, type TableMemory } from '../table/layout.js'
import { Turns } from '../turns.js'
import { compileRules } from './compile_rules.js'
import { type Decision, type DecisionClause, DecisionReader } from './decision.js'
import { Learning } from './learning.js'
import type { KeyedGroup } from './match/compile.js'
import type { JudgePool } from './pool.js'
import { groupsOf, type Program } from './program.js'
import type { PendingSubject, RuleIndices } from './remembered.js'
import {
  checkRuleEngineOptions,
  type RuleEngineOptions,
  type RuleEngineSettings,
} from './rule_engine_options.js'
import { type CheckedRule, checkRules, type Rule } from './schema/rule.js'
import { type RuleMemory, Shards } from './shards.js'
import type { GroupRef } from './subject.js'
import type { JudgeResult } from './worker.js'

/** What a tick reads; a `Table` is one. */
export interface RuleTable {
  readonly memory: TableMemory
  readonly sequence: number
}

/** What a rule says of a process. */
export interface Explanation {
  /** The rule is about it, or its group. */
  readonly matched: boolean
  /** Of a rule with `per`: the group of the process. */
  readonly group?: GroupRef | undefined
  readonly clauses: readonly DecisionClause[]
}

const READ_AT_ONCE = 256

/** Optional groups of columns that rules need, for `Sampler.open`. */
export function groupsNeeded(rules: readonly Rule[]): OptionalGroup[] {
  return groupsOf(checkRules(rules))
}

/**
 * Judges tables by rules, in threads. What a rule remembers of a process (since when, fired when) lives as long as the rule and the
 * process.
 */
export class RuleEngine implements AsyncDisposable {
  /** What the last tick cost: time in all workers together, and on this thread. */
  readonly lastTick = { workMs: 0, mainMs: 0 }
  readonly #settings: RuleEngineSettings
  readonly #shards: Shards
  #rules: readonly CheckedRule[] = []
  #program: Program | undefined
  /** Groups of columns that the rules need, and those that tables have. */
  #groups: readonly OptionalGroup[] = []
  #sampled: readonly OptionalGroup[]
  readonly #learning: Learning
  /** Decisions of a tick that failed in another shard: they have been entered, and must be told. */
  #untold: Decision[] = []
  /** Pids to be matched again by the next tick that succeeds. */
  readonly #rebound = new Set<number>()
  #table: (RuleTable & { nowMs: number; host: Float64Array | undefined }) | undefined
  #isWarnedOfMemory = false
  #tick = 0
  /** Ticks, changes of rules and explanations. */
  readonly #turns = new Turns()
  #closed = false

  private constructor(settings: RuleEngineSettings) {
    checkHas('the settings', settings, ['rules'], 'options to RuleEngine.open()')
    this.#settings = settings
    this.#shards = new Shards(settings)
    this.#learning = new Learning(settings)
    this.#sampled = settings.groups ?? []
  }

  /**
   * @throws ProcmusterError INVALID_ARGUMENT for a rule that is not right, or that needs what the options do not give
   */
  static async open(options: RuleEngineOptions): Promise<RuleEngine> {
    const engine = new RuleEngine(checkRuleEngineOptions(options))
    await engine.#use(options.rules)
    return engine
  }

  get rules(): readonly CheckedRule[] {
    return this.#rules
  }

  /** @internal */
  get pool(): JudgePool | undefined {
    return this.#shards.pool
  }

  /**
   * From the next tick on these are the rules. Rules that are the same as before keep all that is remembered of them; what removed and
   * changed ones had fired for is cleared by the next tick, with the cause `removed`.
   * @param groups optional groups of columns that the tables have from now on; as before when left out
   * @throws ProcmusterError INVALID_ARGUMENT as `open`; the rules stay as they were then
   */
  update(rules: readonly Rule[], groups?: readonly OptionalGroup[]): Promise<void> {
    return this.#turns.take(() => this.#use(rules, groups))
  }

  async #use(texts: readonly Rule[], groups = this.#sampled): Promise<void> {
    const { rules, program } = await compileRules(texts, groups, this.#settings, this.#program)
    this.#checkOpen()
    this.#learning.use(program.data.match.facts)
    this.#shards.open(
      program.entries.length === 0 && this.#program === undefined ? 0 : program.data.shards.length,
    )
    this.#renumberUntold(program)
    this.#rules = rules
    this.#groups = groupsOf(rules)
    this.#sampled = groups
    this.#program = program
    this.#table = undefined
  }

  /** What is still to be told must not be taken for another rule's. */
  #renumberUntold({ entries }: Program): void {
    if (this.#untold.length === 0) return
    const before = this.#program!
    const indexOf = new Map(entries.map(({ id, index }) => [id, index]))
    this.#untold = this.#untold.map((decision) => {
      const { rule } = decision
      const entry = before.entries[before.positions[rule.index] ?? -1]
      return { ...decision, rule: { ...rule, index: (entry && indexOf.get(entry.id)) ?? -1 } }
    })
  }

  /**
   * From the next tick on, the rule is about this very process, whichever it named before; for a process that took
   * the place of another. A child bound before it is let run is never missed.
   * @throws ProcmusterError INVALID_ARGUMENT when there is no rule with that index
   */
  bind(ruleIndex: number, { pid, startTicks }: Pick<ProcessIdentity, 'pid' | 'startTicks'>): void {
    const position = this.#program!.positions[ruleIndex]
    if (position === undefined) throw invalid(`there is no rule ${ruleIndex}`)
    if (position < 0) return
    const bound = new Float64Array(this.#program!.data.match.bound)
    const before = bound[position * 2]!
    if (!Number.isNaN(before)) this.#rebound.add(before)
    this.#rebound.add(pid)
    bound.set([pid, startTicks], position * 2)
  }

  /** The next tick matches the process with that pid again, if there is one then: it may run another program now. */
  rematch(pid: number): void {
    this.#rebound.add(pid)
  }

  /**
   * Learns the facts of these slots, so that the next tick, at that time, takes them into account.
   * @returns once that is done, or after `limitMs`
   */
  async relearn({ columns }: TableMemory, slots: Uint32Array, nowMs: number, limitMs: number): Promise<void> {
    if (slots.length > 0) await this.#learning.facts?.learnWithin(limitMs, slots, columns.generation, nowMs)
  }

  /** Resolves when all facts that were wanted so far have been learned; the next tick takes them into account. */
  get factsLearned(): Promise<void> {
    return this.#learning.facts?.learnedSoFar ?? Promise.resolve()
  }

  /**
   * Judges a table. Ticks are carried out one after the other; a table may be judged again.
   * @param nowMs the time that `for`, windows and cooldowns are measured by; best from a clock that is never set
   * @param host numbers of the host, by index in `HOST_METRICS`; NaN, or none at all: unknown
   * @throws ProcmusterError STALE_TABLE when the table was overwritten meanwhile; nothing is lost: judge the newer one
   * @throws ProcmusterError TIMEOUT when it takes too long; CLOSED after `close`
   */
  tick(table: RuleTable, nowMs: number, host?: Float64Array): Promise<Decision[]> {
    return this.#turns.take(() => this.#judge(table, nowMs, host))
  }

  /** By index of a rule: the slots that it matched at the last tick. */
  matches(): Uint32Array[] {
    const slots: Uint32Array[] = this.#rules.map(() => new Uint32Array(0))
    for (const [index, matched] of this.#shards.matches(this.#indices())) slots[index] = matched
    return slots
  }

  /** The slots that a rule matched at the last tick, by its name; undefined when it was not judged as it is now. */
  matchesOf(name: string): Uint32Array | undefined {
    const entry = this.#program!.entries.find(({ rule }) => rule.name === name)
    return entry && this.#shards.matchesOf(entry.id)
  }

  /**
   * The key of a process's group as it was last learned, null where it has none or it cannot be read; undefined: not known yet, or no
   * rule that is about the process goes by such groups.
   */
  groupOf(kind: KeyedGroup, slot: number, generation: number): string | null | undefined {
    return this.#learning.facts?.groupOf(kind, slot, generation)
  }

  /** Whom rules wait for: their condition holds, not for long enough yet. */
  pending(): PendingSubject[] {
    return this.#shards.pending(this.#indices(), (kind, key) => this.#learning.keyOf(kind, key))
  }

  /** Of the rules that there are now: what shards remember can be of the rules before an update. */
  #indices(): RuleIndices {
    return new Map(this.#program!.entries.map(({ id, index }) => [id, index]))
  }

  /**
   * Tells what a rule's clauses come to for the process in a slot, or for its group, over the table of the last tick.
   * @throws ProcmusterError STALE_TABLE when that table has been overwritten; INVALID_ARGUMENT before the first tick with these rules
   */
  explain(ruleIndex: number, slot: number): Promise<Explanation> {
    return this.#turns.take(() => this.#explain(ruleIndex, slot))
  }

  get memory(): RuleMemory {
    return this.#shards.memory
  }

  /** Idempotent; leaves no thread behind. A tick under way fails with `CLOSED`. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([this.#learning.close(), this.#shards.close()])
    await this.#turns.over()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #judge(table: RuleTable, nowMs: number, host: Float64Array | undefined): Promise<Decision[]> {
    this.#checkOpen()
    if (!Number.isFinite(nowMs)) throw invalid(`nowMs is ${nowMs}; give milliseconds`)
    const startedMs = performance.now()
    const { memory, sequence } = table
    const program = this.#program!
    this.#checkGroups(memory)
    this.#tick++
    // An exec that a tick saw and failed to judge is in no later table.
    for (let at = 0; at < memory.header[headerCell.execedCount]!; at++)
      this.#rebound.add(memory.columns.pid[memory.execed[at]!]!)
    const isSettling = this.#learning.isSettling
    const learned = this.#learning.facts?.learned()
    const rebound = this.#rebound.size === 0 ? undefined : [...this.#rebound]
    const { intervalMs } = this.#settings
    const tick = { sequence, nowMs, tick: this.#tick, learned, isSettling, rebound, host, intervalMs }
    const judged = this.#shards.judge(program, memory, tick)
    const postedMs = performance.now()
    const results = await Promise.allSettled(judged)
    const resumedMs = performance.now()
    const decisions = this.#untold
    this.#untold = []
    const wantedLists: Uint32Array[] = []
    let yieldedMs = 0
    this.lastTick.workMs = 0
    for (const result of results) {
      if (result.status === 'rejected' || result.value.torn) continue
      const { decided, wanted, workMs } = result.value
      this.lastTick.workMs += workMs
      if (wanted !== undefined) wantedLists.push(wanted)
      if (decided === undefined) continue
      const reader = this.#reader(decided, program, result.value.removedFrom, nowMs)
      while (reader.read(decisions, READ_AT_ONCE)) yieldedMs += await yieldLoop()
    }
    this.#learning.facts?.want(wantedLists, memory.columns.generation, nowMs)
    this.#warnOfMemory()
    this.lastTick.mainMs = postedMs - startedMs + performance.now() - resumedMs - yieldedMs
    const failure = results.find((result) => result.status === 'rejected')
    const isTorn = results.some((result) => result.status === 'fulfilled' && result.value.torn)
    this.#table = undefined
    if (failure === undefined && !isTorn) {
      this.#table = { memory, sequence, nowMs, host }
      if (learned !== undefined) this.#learning.facts!.forget()
      if (isSettling) this.#learning.settleOnceLearned()
      for (const pid of rebound ?? []) this.#rebound.delete(pid)
      return decisions
    }
    this.#untold = decisions
    if (failure !== undefined) throw failure.reason
    throw stale(sequence)
  }

  async #explain(ruleIndex: number, slot: number): Promise<Explanation> {
    this.#checkOpen()
    const program = this.#program!
    const entry = program.entries[program.positions[ruleIndex] ?? -1]
    if (entry === undefined) throw invalid(`there is no rule ${ruleIndex} that is enabled`)
    if (this.#table === undefined) throw invalid('nothing has been judged by these rules yet')
    const { memory, sequence, nowMs, host } = this.#table
    if (!Number.isInteger(slot) || slot < 0 || slot >= memory.layout.capacity)
      throw invalid(`there is no slot ${slot}`)
    const local = program.positions[ruleIndex]! - program.data.shards[entry.shard]!.first
    const result = await this.#shards.explain(entry.shard, program, memory, {
      ...{ sequence, nowMs, host, tick: this.#tick },
      explain: { local, slot },
    })
    if (result.torn) throw stale(sequence)
    const { numbers, names } = result.decided!
    const reader = this.#reader({ numbers: numbers.subarray(2), names }, program, undefined, nowMs)
    const group = numbers[1] === 1 ? reader.readGroup(entry.rule.per!) : undefined
    return { matched: numbers[0] === 1, group, clauses: reader.readClauses(entry.clauses) }
  }

  #reader(
    decided: NonNullable<JudgeResult['decided']>,
    program: Program,
    removedFrom: Program | undefined,
    atMs: number,
  ): DecisionReader {
    return new DecisionReader({
      ...decided,
      atMs,
      ruleAt: (position) =>
        position < 0 ? removedFrom!.entries[-1 - position]! : program.entries[position]!,
      keyOf: (kind, key) => this.#learning.keyOf(kind, key),
    })
  }

  #warnOfMemory(): void {
    if (this.#isWarnedOfMemory) return
    const { refused, bytes } = this.memory
    if (refused === 0) return
    this.#isWarnedOfMemory = true
    const message = `rules remember ${bytes} bytes and may take no more (maxMemoryBytes): ${refused} windows are not followed, and their clauses unknown`
    this.#settings.onWarning(new ProcmusterError('OUT_OF_RANGE', { message }))
  }

  #checkOpen(): void {
    if (this.#closed) throw new ProcmusterError('CLOSED', { message: 'the rule engine has been closed' })
  }

  #checkGroups({ layout }: TableMemory): void {
    for (const group of this.#groups) {
      if (!layout.groups.includes(group)) {
        throw invalid(`the rules need the columns of the group '${group}'; open the sampler with it`)
      }
    }
  }
}

/** Lets other work run; gives the time that it took. */
async function yieldLoop(): Promise<number> {
  const startedMs = performance.now()
  await new Promise((resolve) => setImmediate(resolve))
  return performance.now() - startedMs
}

function stale(sequence: number): ProcmusterError {
  return new ProcmusterError('STALE_TABLE', {
    message: `table ${sequence} was overwritten while it was judged; judge the newer one`,
  })
}

function invalid(message: string): ProcmusterError {
  return new ProcmusterError('INVALID_ARGUMENT', { message })
}
