import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { ProcmusterError } from '../errors.js'
import { readUsers } from '../system/users.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { OptionalGroup, TableMemory } from '../table/layout.js'
import { type Decision, DecisionReader, thresholdsOf } from './decision.js'
import type { FactSpec } from './match/compile.js'
import { Facts, type ReadFacts } from './match/facts.js'
import { planMatch } from './match/plan.js'
import { JudgePool } from './pool.js'
import { type CompiledRules, compileRules, groupsOf, mapProgram, type Program } from './program.js'
import { type CheckedRule, checkRules, type Rule } from './rule.js'
import { Shard } from './shard.js'

/** Options of `RuleEngine.open`. */
export interface RuleEngineOptions {
  rules: readonly Rule[]
  /** Optional groups of columns that the sampler was opened with; `groupsNeeded` of the rules tells which it should be. */
  groups?: readonly OptionalGroup[]
  /** Bytes of physical memory; needed for thresholds such as `rss > 80%`. */
  memTotalBytes?: number
  /** Threads, 1 to 16, that the rules are divided among; by default two, or one where that would leave none to others. */
  workers?: number
  /** Needed when a rule asks for more than the table has, as a command line; called beside the ticks, for new processes. */
  readFacts?: ReadFacts
  /** The uid of a user's name; by default from /etc/passwd as it is when the engine is opened. */
  uidOf?: (user: string) => number | undefined
  /** A tick that takes longer fails with `TIMEOUT`. 10,000 by default. */
  timeLimitMs?: number
  /** Called with what went wrong beside the ticks. */
  onWarning?: (error: unknown) => void
}

/** What a tick reads; a `Table` is one. */
export interface RuleTable {
  readonly memory: TableMemory
  readonly sequence: number
}

const READ_AT_ONCE = 256

/** Optional groups of columns that rules need, for `Sampler.open`. */
export function groupsNeeded(rules: readonly Rule[]): OptionalGroup[] {
  return groupsOf(checkRules(rules))
}

/**
 * Judges tables by rules, in threads. What a rule remembers of a process (since when, fired when) lives as long as the engine and the
 * process.
 */
export class RuleEngine implements AsyncDisposable {
  readonly rules: readonly CheckedRule[]
  /** What the last tick cost: time in all workers together, and on this thread. */
  readonly lastTick = { workMs: 0, mainMs: 0 }
  /** @internal */
  readonly pool: JudgePool | undefined
  readonly #program: Program
  readonly #groups: readonly OptionalGroup[]
  readonly #thresholds: readonly (readonly number[])[]
  readonly #factPool: JudgePool | undefined
  readonly #facts: Facts | undefined
  readonly #shards: readonly Shard[]
  /** By rule the pid and the start of the process that it is bound to, NaN for any; the threads read it. */
  readonly #bound: Float64Array
  /** Decisions of a tick that failed in another shard: they have been entered, and must be told. */
  #untold: Decision[] = []
  /** Pids to be matched again by the next tick that succeeds. */
  readonly #rebound = new Set<number>()
  #tick = 0
  #queue: Promise<unknown> = Promise.resolve()
  #closed = false

  private constructor(rules: readonly CheckedRule[], compiled: CompiledRules, options: RuleEngineOptions) {
    const {
      workers = defaultWorkers(),
      memTotalBytes = 0,
      timeLimitMs = 10_000,
      onWarning = () => {},
    } = options
    this.rules = rules
    this.#program = mapProgram(compiled.buffer, compiled.ruleCount, compiled.clauseCount)
    this.#groups = groupsOf(rules)
    this.#thresholds = thresholdsOf(rules, memTotalBytes)
    const threads = Math.min(workers, rules.length)
    this.pool = threads === 0 ? undefined : new JudgePool({ rules: compiled, threads, timeLimitMs })
    this.#shards = Array.from({ length: threads }, (_, index) => {
      const first = Math.floor((rules.length * index) / threads)
      const next = Math.floor((rules.length * (index + 1)) / threads)
      return new Shard(
        this.pool!,
        this.#program,
        first,
        next - first,
        planMatch(compiled.match, first, next - first),
      )
    })
    this.#bound = new Float64Array(compiled.match.bound)
    const { facts } = compiled.match
    if (needsFacts(facts)) {
      // A thread of its own: many patterns on many command lines must not hold up a tick.
      this.#factPool = new JudgePool({ rules: compiled, threads: 1, timeLimitMs })
      this.#facts = new Facts(this.#factPool, facts, options.readFacts!, onWarning)
    }
  }

  /**
   * @throws ProcmusterError INVALID_ARGUMENT for a rule that is not right, or that needs what the options do not give
   */
  static async open(options: RuleEngineOptions): Promise<RuleEngine> {
    const { workers = 1, groups = [], memTotalBytes = 0 } = options
    if (!Number.isInteger(workers) || workers < 1 || workers > 16) {
      throw invalid(`workers is ${workers}; give a whole number from 1 to 16`)
    }
    const rules = checkRules(options.rules)
    for (const rule of rules) {
      const where = `rule ${JSON.stringify(rule.name)}`
      if (!(memTotalBytes > 0) && rule.when.clauses.some(({ ofMemory }) => ofMemory)) {
        throw invalid(
          `${where} compares with physical memory; give memTotalBytes (sampler.memTotalBytes after a sample)`,
        )
      }
    }
    const isNamed = rules.some(({ match }) => typeof match.user === 'string')
    const users = isNamed && options.uidOf === undefined ? await readUsers() : undefined
    const uidOf = options.uidOf ?? ((user: string) => users?.uidOf.get(user))
    const compiled = compileRules(rules, { groups, memTotalBytes, uidOf })
    if (needsFacts(compiled.match.facts) && options.readFacts === undefined) {
      const { rule, fact } = compiled.match.facts.texts[0] ?? { rule: undefined, fact: 'limits or groups' }
      throw invalid(
        `${rule === undefined ? 'a rule' : `rule ${JSON.stringify(rule)}`} asks for ${fact}; give readFacts`,
      )
    }
    return new RuleEngine(rules, compiled, options)
  }

  /**
   * From the next tick on, the rule is about this very process, whichever it named before; for a process that took
   * the place of another. A child bound before it is let run is never missed.
   * @throws ProcmusterError INVALID_ARGUMENT when there is no rule with that index
   */
  bind(ruleIndex: number, { pid, startTicks }: Pick<ProcessIdentity, 'pid' | 'startTicks'>): void {
    if (this.rules[ruleIndex] === undefined) throw invalid(`there is no rule ${ruleIndex}`)
    const before = this.#bound[ruleIndex * 2]!
    if (!Number.isNaN(before)) this.#rebound.add(before)
    this.#rebound.add(pid)
    this.#bound.set([pid, startTicks], ruleIndex * 2)
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
    if (this.#facts === undefined || slots.length === 0) return
    this.#facts.want([slots], columns.generation, nowMs)
    const over = new AbortController()
    const limit = sleep(limitMs, undefined, { signal: over.signal }).catch(() => {})
    await Promise.race([this.#facts.idle, limit])
    over.abort()
  }

  /** Resolves when all facts that were wanted so far have been learned; the next tick takes them into account. */
  get factsLearned(): Promise<void> {
    return this.#facts?.idle ?? Promise.resolve()
  }

  /**
   * Judges a table. Ticks are carried out one after the other; a table may be judged again.
   * @param nowMs the time that `for` and cooldowns are measured by; best from a clock that is never set
   * @throws ProcmusterError STALE_TABLE when the table was overwritten meanwhile; nothing is lost: judge the newer one
   * @throws ProcmusterError TIMEOUT when it takes too long; CLOSED after `close`
   */
  tick(table: RuleTable, nowMs: number): Promise<Decision[]> {
    const ticked = this.#queue.then(() => this.#judge(table, nowMs))
    this.#queue = ticked.catch(() => {})
    return ticked
  }

  /** Idempotent; leaves no thread behind. A tick under way fails with `CLOSED`. */
  async close(): Promise<void> {
    this.#closed = true
    this.#facts?.close()
    await Promise.all([this.pool?.close(), this.#factPool?.close()])
    await this.#queue
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #judge(table: RuleTable, nowMs: number): Promise<Decision[]> {
    if (this.#closed) throw new ProcmusterError('CLOSED', { message: 'the rule engine has been closed' })
    if (!Number.isFinite(nowMs)) throw invalid(`nowMs is ${nowMs}; give milliseconds`)
    const startedMs = performance.now()
    const { memory, sequence } = table
    this.#checkGroups(memory)
    this.#tick++
    const learned = this.#facts?.learned()
    const rebound = this.#rebound.size === 0 ? undefined : [...this.#rebound]
    const tick = { sequence, nowMs, tick: this.#tick, learned, rebound }
    const judged = this.#shards.map((shard) => shard.judge(memory, tick))
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
      const reader = new DecisionReader(decided.numbers, decided.names, this.rules, this.#thresholds, nowMs)
      while (reader.read(decisions, READ_AT_ONCE)) yieldedMs += await yieldLoop()
    }
    this.#facts?.want(wantedLists, memory.columns.generation, nowMs)
    this.lastTick.mainMs = postedMs - startedMs + performance.now() - resumedMs - yieldedMs
    const failure = results.find((result) => result.status === 'rejected')
    const isTorn = results.some((result) => result.status === 'fulfilled' && result.value.torn)
    if (failure === undefined && !isTorn) {
      if (learned !== undefined) this.#facts!.forget()
      for (const pid of rebound ?? []) this.#rebound.delete(pid)
      return decisions
    }
    this.#untold = decisions
    if (failure !== undefined) throw failure.reason
    throw new ProcmusterError('STALE_TABLE', {
      message: `table ${sequence} was overwritten while it was judged; judge the newer one`,
    })
  }

  #checkGroups({ layout }: TableMemory): void {
    for (const group of this.#groups) {
      if (!layout.groups.includes(group)) {
        throw invalid(`the rules need the columns of the group '${group}'; open the sampler with it`)
      }
    }
  }
}

// Measured: one thread judges 100 rules over 60,000 processes in 10 ms; on two cores a second only takes the main thread's.
function defaultWorkers(): number {
  return availableParallelism() > 2 ? 2 : 1
}

/** Lets other work run; gives the time that it took. */
async function yieldLoop(): Promise<number> {
  const startedMs = performance.now()
  await new Promise((resolve) => setImmediate(resolve))
  return performance.now() - startedMs
}

function needsFacts({ texts, numbers }: FactSpec): boolean {
  return texts.length + numbers.length > 0
}

function invalid(message: string): ProcmusterError {
  return new ProcmusterError('INVALID_ARGUMENT', { message })
}
