import type { TableMemory } from '../table/layout.js'
import { type ShardRules, shardRules } from './judge/program.js'
import { cellsOf, chunkShapeOf, LANES, SeriesMemory } from './judge/series_memory.js'
import { mapState, type ShardState } from './judge/state.js'
import { Times } from './judge/times.js'
import { Trends } from './judge/trends.js'
import type { JudgePool } from './pool.js'
import type { Program } from './program.js'
import type { JudgeResult, JudgeTask, ShardMemory, TaskMemory } from './worker.js'

let ids = 0
const tableIds = new WeakMap<SharedArrayBuffer, number>()

/** What a tick is to all shards. */
export type ShardTick = Omit<Tick, 'maxBytes'>
type Tick = Pick<
  JudgeTask,
  | 'sequence'
  | 'nowMs'
  | 'tick'
  | 'learned'
  | 'isSettling'
  | 'rebound'
  | 'host'
  | 'intervalMs'
  | 'maxBytes'
  | 'explain'
>

interface Kept {
  readonly memory: ShardMemory
  readonly id: number
  readonly program: Program
  /** Views for this thread. */
  readonly rules: ShardRules
}

/** A tick's task, with as much as a thread may lack. */
interface PreparedTick {
  readonly next: Kept
  readonly task: JudgeTask
  /** With what a thread says that it needs. */
  readonly supplied: (needs: NonNullable<JudgeResult['needs']>) => JudgeTask
}

/** With the program that decisions on removed rules are counted in. */
export type ShardResult = JudgeResult & { readonly removedFrom: Program | undefined }

/** Some rules, judged together by one thread at a time, with the memory of what was. */
export class Shard {
  readonly #index: number
  #kept: Kept | undefined

  constructor(index: number) {
    this.#index = index
  }

  /** Judges a table in the pool. */
  async judge(
    pool: JudgePool,
    program: Program,
    table: Pick<TableMemory, 'layout' | 'buffer'>,
    tick: Tick,
  ): Promise<ShardResult> {
    const prepared = this.prepare(program, table, tick)
    // Whichever thread takes it: most know the memory by now, and one that does not says so.
    let result = await pool.run(prepared.task)
    for (let { needs } = result; needs !== undefined; needs = result.needs) {
      result = await pool.run(prepared.supplied(needs))
    }
    return this.adopt(prepared, result)
  }

  /** For a larger table, or for other rules, there is new memory first. */
  prepare(
    program: Program,
    { layout, buffer: table }: Pick<TableMemory, 'layout' | 'buffer'>,
    tick: Tick,
  ): PreparedTick {
    const kept = this.#kept
    const capacity = Math.max(layout.capacity, kept?.memory.capacity ?? 0)
    const isNew = kept?.program !== program || capacity > kept.memory.capacity
    const next = isNew ? this.#renew(program, capacity, tick.maxBytes) : kept
    const takenFrom =
      isNew && kept !== undefined
        ? { ...kept.memory, before: beforeOf(kept, program, this.#index) }
        : undefined
    const memory: TaskMemory = { layout, table, ...next.memory, takenFrom }
    const task: JudgeTask = {
      type: 'judge',
      shard: this.#index,
      programId: program.data.id,
      capacity,
      memoryId: next.id,
      tableId: tableIdOf(table),
      ...tick,
    }
    const programs = kept === undefined || kept.program === program ? [program] : [kept.program, program]
    return {
      next,
      task: isNew ? { ...task, memory } : task,
      supplied: (needs) =>
        needs === 'memory'
          ? { ...task, memory }
          : {
              ...task,
              memory,
              programs: programs.map(({ data }) => data).filter(({ id }) => needs.includes(id)),
            },
    }
  }

  /** New memory is only kept if the tick was a success. */
  adopt({ next }: PreparedTick, result: JudgeResult): ShardResult {
    const removedFrom = this.#kept?.program
    if (!result.torn) {
      this.#kept =
        result.times === undefined
          ? next
          : { ...next, id: ++ids, memory: { ...next.memory, times: result.times } }
    }
    return { ...result, removedFrom }
  }

  /** What is remembered, as views of its memory; undefined before the first tick. */
  state(): { program: Program; rules: ShardRules; state: ShardState; times: Times } | undefined {
    if (this.#kept === undefined) return undefined
    const { memory, program, rules } = this.#kept
    const state = mapState(rules, memory.capacity, memory.state)
    return { program, rules, state, times: new Times(memory.times) }
  }

  get use(): { bytes: number; series: number; refused: number } {
    if (this.#kept === undefined) return { bytes: 0, series: 0, refused: 0 }
    const { series, state, times } = this.#kept.memory
    const memory = new SeriesMemory(series.shape, series.buffer)
    const bytes = memory.usedBytes(Trends.bytesPerRow) + times.byteLength + state.byteLength
    return { bytes, series: memory.lanes, refused: memory.refused }
  }

  #renew(program: Program, capacity: number, maxBytes: number): Kept {
    const rules = shardRules(program.data, this.#index)
    const words = (capacity + 31) >>> 5
    const old = this.#kept?.memory
    let cells = 0
    let trendRows = 0
    // Reserved for the case that everybody is followed, as far as the bound allows: only what is used is ever resident.
    const chunks = Math.ceil(capacity / LANES) + 1
    for (const { plan } of rules.series) {
      cells += chunks * cellsOf(chunkShapeOf(plan))
      if (plan.family === 'trend') trendRows += chunks * LANES
    }
    const shape = {
      places: rules.seriesPlaces,
      words,
      cells: Math.max(Math.min(cells, Math.ceil(maxBytes / 8)), old?.series.shape.cells ?? 0),
    }
    const isSameShape =
      old !== undefined &&
      old.series.shape.words === words &&
      old.series.shape.places >= shape.places &&
      old.series.shape.cells >= shape.cells
    const trendCapacity = Math.max(
      LANES,
      Math.min(trendRows, Math.ceil(maxBytes / Trends.bytesPerRow / LANES) * LANES),
    )
    const memory: ShardMemory = {
      programId: program.data.id,
      capacity,
      state: mapState(rules, capacity).buffer,
      series: isSameShape ? old.series : { shape, buffer: new SeriesMemory(shape).buffer },
      trends:
        old !== undefined && old.trends.capacity >= trendCapacity
          ? old.trends
          : {
              capacity: trendCapacity,
              buffer: new SharedArrayBuffer(trendCapacity * Trends.bytesPerRow),
            },
      times: old?.times ?? new Times().buffer,
    }
    return { memory, id: ++ids, program, rules }
  }
}

/** By rule of the program, its place among the shard's rules of before. */
function beforeOf(kept: Kept, program: Program, shard: number): Int32Array {
  const { first, ruleCount } = kept.program.data.shards[shard] ?? { first: 0, ruleCount: 0 }
  const places = new Map<number, number>()
  for (let local = 0; local < ruleCount; local++) places.set(kept.program.entries[first + local]!.id, local)
  const own = program.data.shards[shard]!
  return Int32Array.from(
    { length: own.ruleCount },
    (_, local) => places.get(program.entries[own.first + local]!.id) ?? -1,
  )
}

function tableIdOf(table: SharedArrayBuffer): number {
  const known = tableIds.get(table)
  if (known !== undefined) return known
  const id = ++ids
  tableIds.set(table, id)
  return id
}
