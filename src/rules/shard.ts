import type { TableMemory } from '../table/layout.js'
import type { MatchPlan } from './match/plan.js'
import type { JudgePool } from './pool.js'
import type { Program } from './program.js'
import { mapState, shapeOf } from './state.js'
import type { JudgeResult, JudgeTask, TaskMemory } from './worker.js'

let buffers = 0
const tableIds = new WeakMap<SharedArrayBuffer, number>()

/** Some neighbouring rules, judged together by one thread at a time, with the memory of what was. */
export class Shard {
  readonly #pool: JudgePool
  readonly #program: Program
  readonly #first: number
  readonly #ruleCount: number
  readonly #plan: MatchPlan
  #state: SharedArrayBuffer | undefined
  #stateId = 0
  #capacity = 0

  constructor(pool: JudgePool, program: Program, first: number, ruleCount: number, plan: MatchPlan) {
    this.#pool = pool
    this.#program = program
    this.#first = first
    this.#ruleCount = ruleCount
    this.#plan = plan
  }

  /** Judges a table; for a larger one the memory grows first, and is only kept if the tick was a success. */
  async judge(
    { layout, buffer: table }: Pick<TableMemory, 'layout' | 'buffer'>,
    tick: Pick<JudgeTask, 'sequence' | 'nowMs' | 'tick' | 'learned' | 'rebound'>,
  ): Promise<JudgeResult> {
    const capacity = Math.max(layout.capacity, this.#capacity)
    let state = this.#state
    let stateId = this.#stateId
    let grownFrom: TaskMemory['grownFrom']
    const isNew = state === undefined || capacity > this.#capacity
    if (state === undefined || capacity > this.#capacity) {
      grownFrom = state && { buffer: state, capacity: this.#capacity }
      const shape = shapeOf(this.#program, this.#first, this.#ruleCount, capacity, this.#plan)
      state = mapState(shape).buffer
      stateId = ++buffers
    }
    const memory: TaskMemory = { layout, table, state, grownFrom }
    const task: JudgeTask = {
      type: 'judge',
      first: this.#first,
      ruleCount: this.#ruleCount,
      capacity,
      stateId,
      tableId: tableIdOf(table),
      ...tick,
    }
    // Whichever thread takes it: most know the memory by now, and one that does not says so.
    let result = await this.#pool.run(isNew ? { ...task, memory } : task)
    if (result.needsMemory) result = await this.#pool.run({ ...task, memory })
    if (!result.torn) {
      this.#state = state
      this.#stateId = stateId
      this.#capacity = capacity
    }
    return result
  }
}

function tableIdOf(table: SharedArrayBuffer): number {
  const known = tableIds.get(table)
  if (known !== undefined) return known
  const id = ++buffers
  tableIds.set(table, id)
  return id
}
