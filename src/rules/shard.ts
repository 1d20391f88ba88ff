import type { JudgePool } from './pool.js'
import type { Program } from './program.js'
import { mapState, shapeOf } from './state.js'
import type { JudgeResult, JudgeTask } from './worker.js'

let buffers = 0
const tableIds = new WeakMap<SharedArrayBuffer, number>()

/** Some neighbouring rules, judged together by one thread at a time, with the memory of what was. */
export class Shard {
  readonly #pool: JudgePool
  readonly #program: Program
  readonly #first: number
  readonly #ruleCount: number
  readonly #commandRuleCount: number
  #state: SharedArrayBuffer | undefined
  #stateId = 0
  #capacity = 0

  constructor(pool: JudgePool, program: Program, first: number, ruleCount: number, commandRuleCount: number) {
    this.#pool = pool
    this.#program = program
    this.#first = first
    this.#ruleCount = ruleCount
    this.#commandRuleCount = commandRuleCount
  }

  /** Judges a table; for a larger one the memory grows first, and is only kept if the tick was a success. */
  async judge(
    task: Pick<JudgeTask, 'layout' | 'table' | 'sequence' | 'nowMs' | 'tick' | 'learned' | 'rebound'>,
  ): Promise<JudgeResult> {
    const capacity = Math.max(task.layout.capacity, this.#capacity)
    let state = this.#state
    let stateId = this.#stateId
    let grownFrom: JudgeTask['grownFrom']
    if (state === undefined || capacity > this.#capacity) {
      grownFrom = state && { buffer: state, capacity: this.#capacity }
      const shape = shapeOf(this.#program, this.#first, this.#ruleCount, capacity, this.#commandRuleCount)
      state = mapState(shape).buffer
      stateId = ++buffers
    }
    const result = await this.#pool.run({
      type: 'judge',
      first: this.#first,
      ruleCount: this.#ruleCount,
      capacity,
      state,
      stateId,
      grownFrom,
      tableId: tableIdOf(task.table),
      ...task,
    })
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
