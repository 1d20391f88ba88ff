// Runs in the threads of the rule pool. It must never load the addon: a thread that is ended at any moment may hold nothing
// native.
import { workerData } from 'node:worker_threads'
import { mapTable, type TableLayout, type TableMemory } from '../table/layout.js'
import { Findings } from './findings.js'
import { judge } from './judge.js'
import { type Changes, makeChanges } from './match/changes.js'
import type { FactTask } from './match/facts.js'
import type { Learned } from './match/learned.js'
import { Matcher } from './match/matcher.js'
import { planMatch } from './match/plan.js'
import { TextMatcher, type TextVerdicts } from './match/text_matcher.js'
import { type CompiledRules, mapProgram, type Program } from './program.js'
import { openState, type ShardState, shapeOf } from './state.js'

/** One shard's part of a tick, as it is posted. */
export interface JudgeTask {
  readonly type: 'judge'
  readonly first: number
  readonly ruleCount: number
  readonly capacity: number
  /** Numbers that tell buffers apart, so that a thread can keep its views of them. */
  readonly stateId: number
  readonly tableId: number
  /** For a thread that does not know them yet. Cloning them costs more than all the rest, so they are left out mostly. */
  readonly memory?: TaskMemory | undefined
  readonly sequence: number
  readonly nowMs: number
  readonly tick: number
  readonly learned?: Learned | undefined
  /** Pids that a rule names since the last tick, or does not name any more. */
  readonly rebound?: readonly number[] | undefined
}

/** Where a task's table and state are. */
export interface TaskMemory {
  readonly layout: TableLayout
  readonly table: SharedArrayBuffer
  readonly state: SharedArrayBuffer
  /** The smaller state that this one takes over from. */
  readonly grownFrom?: { buffer: SharedArrayBuffer; capacity: number } | undefined
}

export interface JudgeResult {
  /** The table was overwritten meanwhile; nothing was decided. */
  readonly torn: boolean
  /** This thread lacks the task's memory; nothing was judged. */
  readonly needsMemory?: true
  /** Undefined when nothing was decided, as mostly. */
  readonly decided?:
    | { readonly numbers: Float64Array /** NAME_BYTES per decision. */; readonly names: Uint8Array }
    | undefined
  /** Slots whose facts should be learned; undefined for none. */
  readonly wanted?: Uint32Array | undefined
  /** Time this took in the worker. */
  readonly workMs: number
}

interface Shard {
  readonly matcher: Matcher
  changes: Changes | undefined
  stateId: number
  state: ShardState | undefined
}

const rules = workerData as CompiledRules
const program: Program = mapProgram(rules.buffer, rules.ruleCount, rules.clauseCount)
/** Only made in the thread that learns facts. */
let textMatcher: TextMatcher | undefined
const findings = new Findings()
/** What can be made again from the program at any time: names seen, and memory to work in. */
const shards = new Map<number, Shard>()
const tables = new Map<number, TableMemory>()

export function work(task: JudgeTask | FactTask): JudgeResult | TextVerdicts {
  if (task.type === 'judge') return judgeShard(task)
  textMatcher ??= new TextMatcher(rules.match.facts.texts)
  return textMatcher.match(task.texts, task.limitMs)
}

const needsMemory: JudgeResult = { torn: false, needsMemory: true, workMs: 0 }

function judgeShard(task: JudgeTask): JudgeResult {
  const startedMs = performance.now()
  const { first, ruleCount, capacity } = task
  const table = tableOf(task)
  if (table === undefined) return needsMemory
  const shard = shardOf(first, ruleCount)
  if (shard.changes?.capacity !== capacity) shard.changes = makeChanges(shard.matcher.plan, capacity)
  const { matcher, changes } = shard
  if (shard.state === undefined || shard.stateId !== task.stateId) {
    if (task.memory === undefined) return needsMemory
    const shape = shapeOf(program, first, ruleCount, capacity, matcher.plan)
    shard.state = openState(shape, task.memory.state, task.memory.grownFrom, task.tick)
    shard.stateId = task.stateId
  }
  const { state } = shard
  const { sequence, nowMs, tick, learned, rebound } = task
  const isWhole = judge({
    table,
    sequence,
    program,
    matcher,
    state,
    first,
    nowMs,
    tick,
    learned,
    rebound,
    changes,
    findings,
    looked: pauseAfter(),
  })
  return {
    torn: !isWhole,
    decided:
      findings.nameLength === 0
        ? undefined
        : {
            numbers: findings.numbers.slice(0, findings.numberLength),
            names: findings.names.slice(0, findings.nameLength),
          },
    wanted: isWhole && changes.wanted.length > 0 ? Uint32Array.from(changes.wanted) : undefined,
    workMs: performance.now() - startedMs,
  }
}

function tableOf({ tableId, memory: given }: JudgeTask): TableMemory | undefined {
  const known = tables.get(tableId)
  if (known !== undefined || given === undefined) return known
  // Views cost a hundred times what a look costs. The sampler has two buffers; others have been given up.
  for (const id of tables.keys()) {
    if (tables.size < 2) break
    tables.delete(id)
  }
  const memory = mapTable(given.layout, given.table)
  tables.set(tableId, memory)
  return memory
}

function shardOf(first: number, ruleCount: number): Shard {
  const known = shards.get(first)
  if (known !== undefined) return known
  const shard: Shard = {
    matcher: new Matcher(planMatch(rules.match, first, ruleCount)),
    changes: undefined,
    stateId: 0,
    state: undefined,
  }
  shards.set(first, shard)
  return shard
}

/**
 * Rows looked at between two pauses: some 0.4 ms of work. Without a pause a thread that wakes up on this core, such as
 * the event loop's, waits for the scheduler's next tick: measured on two cores, an event-loop delay of 2.1 to 2.6 ms at
 * p99 instead of 1.7.
 */
const ROWS_PER_PAUSE = 160_000
const PAUSE_MS = 0.02
const NEVER = new Int32Array(new SharedArrayBuffer(4))

function pauseAfter(): (rows: number) => void {
  let sincePause = 0
  return (rows) => {
    sincePause += rows
    if (sincePause < ROWS_PER_PAUSE) return
    sincePause = 0
    Atomics.wait(NEVER, 0, 0, PAUSE_MS)
  }
}
