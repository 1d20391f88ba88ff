import type { TableMemory } from '../table/layout.js'
import type { GroupKind } from './language/ast.js'
import { JudgePool } from './pool.js'
import type { Program } from './program.js'
import {
  matchedSlots,
  type PendingSubject,
  pendingSubjects,
  type RuleIndices,
  slotsOfRule,
} from './remembered.js'
import type { RuleEngineSettings } from './rule_engine_options.js'
import { Shard, type ShardResult, type ShardTick } from './shard.js'

/** What rules remember, in bytes in use, and the series that they follow. */
export interface RuleMemory {
  readonly bytes: number
  readonly series: number
  /** Series that had no room at the last tick. */
  readonly refused: number
}

/** All shards that rules are divided among, and the threads that judge them. */
export class Shards {
  readonly #settings: RuleEngineSettings
  readonly #shards: Shard[] = []
  #pool: JudgePool | undefined
  readonly #retired: Promise<void>[] = []

  constructor(settings: RuleEngineSettings) {
    this.#settings = settings
  }

  get pool(): JudgePool | undefined {
    return this.#pool
  }

  /**
   * So many at least, each with a thread. Threads keep nothing that could not be made again, so that a pool of more can take the
   * place of one of fewer.
   */
  open(count: number): void {
    if (count <= this.#shards.length) return
    if (this.#pool !== undefined) this.#retired.push(this.#pool.close())
    this.#pool = new JudgePool({ threads: count, timeLimitMs: this.#settings.timeLimitMs })
    while (this.#shards.length < count) this.#shards.push(new Shard(this.#shards.length))
  }

  /** Judges a table by all rules, a shard in each thread. */
  judge(program: Program, memory: TableMemory, tick: ShardTick): Promise<ShardResult>[] {
    const bounded = { ...tick, maxBytes: this.#maxBytes() }
    return this.#shards.map((shard) => shard.judge(this.#pool!, program, memory, bounded))
  }

  /** Asks the one shard that has the rule. */
  explain(shard: number, program: Program, memory: TableMemory, tick: ShardTick): Promise<ShardResult> {
    return this.#shards[shard]!.judge(this.#pool!, program, memory, { ...tick, maxBytes: this.#maxBytes() })
  }

  /** By index of a rule: the slots that it matched at the last tick. */
  *matches(indices: RuleIndices): Generator<readonly [index: number, slots: Uint32Array]> {
    for (const shard of this.#shards) yield* matchedSlots(shard.state(), indices)
  }

  /** Undefined when the rule with this id has not been judged. */
  matchesOf(id: number): Uint32Array | undefined {
    for (const shard of this.#shards) {
      const slots = slotsOfRule(shard.state(), id)
      if (slots !== undefined) return slots
    }
    return undefined
  }

  pending(
    indices: RuleIndices,
    keyOf: (kind: GroupKind, key: number) => string | undefined,
  ): PendingSubject[] {
    return this.#shards.flatMap((shard) => pendingSubjects(shard.state(), indices, keyOf))
  }

  get memory(): RuleMemory {
    const uses = this.#shards.map(({ use }) => use)
    const sum = (of: (use: RuleMemory) => number) => uses.reduce((total, use) => total + of(use), 0)
    return {
      bytes: sum(({ bytes }) => bytes),
      series: sum(({ series }) => series),
      refused: sum(({ refused }) => refused),
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool?.close(), ...this.#retired])
  }

  #maxBytes(): number {
    return Math.floor(this.#settings.maxMemoryBytes / Math.max(1, this.#shards.length))
  }
}
