// Runs in the threads of the rule pool. It must never load the addon: a thread that is ended at any moment may hold nothing
// native.
import { workerData } from 'node:worker_threads'
import { mapTable, type TableLayout, type TableMemory } from '../table/layout.js'
import { type Changes, type Learned, makeChanges } from './changes.js'
import { Findings } from './findings.js'
import { judge } from './judge.js'
import { type CompiledRules, mapProgram, type Program } from './program.js'
import { matchCommandLines, Selectors } from './selector.js'
import { openState, type ShardState, shapeOf } from './state.js'

/** One shard's part of a tick, as it is posted. */
export interface JudgeTask {
  readonly type: 'judge'
  readonly first: number
  readonly ruleCount: number
  readonly capacity: number
  readonly state: SharedArrayBuffer
  /** Numbers that tell buffers apart, so that a thread can keep its views of them. */
  readonly stateId: number
  readonly tableId: number
  /** The smaller state that this one takes over from. */
  readonly grownFrom?: { buffer: SharedArrayBuffer; capacity: number } | undefined
  readonly layout: TableLayout
  readonly table: SharedArrayBuffer
  readonly sequence: number
  readonly nowMs: number
  readonly tick: number
  readonly learned?: Learned | undefined
  /** Pids that a rule names since the last tick, or does not name any more. */
  readonly rebound?: readonly number[] | undefined
}

/** A chunk of command lines to try all patterns on. */
export interface CommandTask {
  readonly type: 'commandLines'
  readonly texts: readonly string[]
}

export interface JudgeResult {
  /** The table was overwritten meanwhile; nothing was decided. */
  readonly torn: boolean
  readonly numbers: Float64Array
  /** NAME_BYTES per decision. */
  readonly names: Uint8Array
  /** Slots whose command line should be read. */
  readonly wanted: Uint32Array
  /** Time this took in the worker. */
  readonly workMs: number
}

interface Shard {
  readonly selectors: Selectors
  readonly commands: { first: number; total: number }
  changes: Changes | undefined
  stateId: number
  state: ShardState | undefined
}

const rules = workerData as CompiledRules
const program: Program = mapProgram(rules.buffer, rules.ruleCount, rules.clauseCount)
const patterns = rules.selectors.flatMap(({ commandLine }) =>
  commandLine === undefined ? [] : [new RegExp(commandLine)],
)
const findings = new Findings()
/** What can be made again from the program at any time: names seen, and memory to work in. */
const shards = new Map<number, Shard>()
const tables = new Map<number, TableMemory>()

export function work(task: JudgeTask | CommandTask): JudgeResult | Int32Array {
  return task.type === 'judge' ? judgeShard(task) : matchCommandLines(patterns, task.texts)
}

function judgeShard(task: JudgeTask): JudgeResult {
  const startedMs = performance.now()
  const { first, ruleCount, capacity } = task
  const shard = shardOf(first, ruleCount)
  if (shard.changes?.capacity !== capacity) shard.changes = makeChanges(ruleCount, capacity)
  const { selectors, commands, changes } = shard
  if (shard.state === undefined || shard.stateId !== task.stateId) {
    const shape = shapeOf(program, first, ruleCount, capacity, selectors.commandRules.length)
    shard.state = openState(shape, task.state, task.grownFrom, task.tick)
    shard.stateId = task.stateId
  }
  const { state } = shard
  const { sequence, nowMs, tick, learned, rebound } = task
  const table = tableOf(task)
  const isWhole = judge({
    table,
    sequence,
    program,
    selectors,
    state,
    first,
    commands,
    nowMs,
    tick,
    learned,
    rebound,
    changes,
    findings,
  })
  return {
    torn: !isWhole,
    numbers: findings.numbers.slice(0, findings.numberLength),
    names: findings.names.slice(0, findings.nameLength),
    wanted: Uint32Array.from(isWhole ? changes.wanted : []),
    workMs: performance.now() - startedMs,
  }
}

function tableOf({ tableId, layout, table }: JudgeTask): TableMemory {
  const known = tables.get(tableId)
  if (known !== undefined) return known
  // Views cost a hundred times what a look costs. The sampler has two buffers; others have been given up.
  for (const id of tables.keys()) {
    if (tables.size < 2) break
    tables.delete(id)
  }
  const memory = mapTable(layout, table)
  tables.set(tableId, memory)
  return memory
}

function shardOf(first: number, ruleCount: number): Shard {
  const known = shards.get(first)
  if (known !== undefined) return known
  const isPatterned = (spec: { commandLine: string | undefined }) => spec.commandLine !== undefined
  const shard: Shard = {
    selectors: new Selectors(rules.selectors.slice(first, first + ruleCount)),
    commands: {
      first: rules.selectors.slice(0, first).filter(isPatterned).length,
      total: patterns.length,
    },
    changes: undefined,
    stateId: 0,
    state: undefined,
  }
  shards.set(first, shard)
  return shard
}
