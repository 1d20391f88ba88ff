// Runs in the threads of the rule pool. It must never load the addon: a thread that is ended at any moment may hold nothing
// native.
import { workerData } from 'node:worker_threads'
import { mapTable, type TableLayout, type TableMemory } from '../table/layout.js'
import { explain } from './judge/explain.js'
import { Findings } from './judge/findings.js'
import { interned } from './judge/interned.js'
import { judge, openShard, type Shard } from './judge/judge.js'
import { type RuleProgram, shardRules } from './judge/program.js'
import { reportRemoved } from './judge/report.js'
import { SeriesMemory, type SeriesShape } from './judge/series_memory.js'
import { carryState, mapState, stateCell } from './judge/state.js'
import { Times } from './judge/times.js'
import { growTrends, Trends } from './judge/trends.js'
import { makeChanges } from './match/changes.js'
import type { TextLeaf } from './match/compile.js'
import type { FactTask } from './match/facts.js'
import type { Learned } from './match/learned.js'
import { Matcher } from './match/matcher.js'
import { TextMatcher, type TextVerdicts } from './match/text_matcher.js'

/** One shard's part of a tick, as it is posted. */
export interface JudgeTask {
  readonly type: 'judge'
  readonly shard: number
  readonly programId: number
  readonly capacity: number
  /** Numbers that tell buffers apart, so that a thread can keep its views of them. */
  readonly memoryId: number
  readonly tableId: number
  /** For a thread that does not know them yet. Cloning them costs more than all the rest, so they are left out mostly. */
  readonly memory?: TaskMemory | undefined
  readonly programs?: readonly RuleProgram[] | undefined
  readonly sequence: number
  readonly nowMs: number
  readonly tick: number
  readonly host?: Float64Array | undefined
  readonly intervalMs?: number | undefined
  readonly maxBytes: number
  readonly learned?: Learned | undefined
  /** Facts of the first processes are being learned: who is in a group is not known yet. */
  readonly isSettling?: boolean | undefined
  /** Pids that a rule names since the last tick, or does not name any more. */
  readonly rebound?: readonly number[] | undefined
  /** Instead of judging: what the clauses of a rule (counted from the shard's first) come to for a slot. */
  readonly explain?: { readonly local: number; readonly slot: number } | undefined
}

/** Where a shard's memory is. */
export interface ShardMemory {
  readonly programId: number
  readonly capacity: number
  readonly state: SharedArrayBuffer
  readonly series: { readonly buffer: SharedArrayBuffer; readonly shape: SeriesShape }
  readonly trends: { readonly buffer: SharedArrayBuffer; readonly capacity: number }
  readonly times: SharedArrayBuffer
}

/** Where a task's table and state are. */
export interface TaskMemory extends ShardMemory {
  readonly layout: TableLayout
  readonly table: SharedArrayBuffer
  /** The memory that this one takes over from: smaller, or of other rules. `before`: by rule its place there, -1 for a new one. */
  readonly takenFrom?: (ShardMemory & { readonly before: Int32Array }) | undefined
}

export interface JudgeResult {
  /** The table was overwritten meanwhile; nothing was decided. */
  readonly torn: boolean
  /** This thread lacks the memory, or the programs with these ids; nothing was judged. */
  readonly needs?: 'memory' | readonly number[]
  /** Undefined when nothing was decided, as mostly. */
  readonly decided?:
    | { readonly numbers: Float64Array /** NAME_BYTES per process. */; readonly names: Uint8Array }
    | undefined
  /** Slots whose facts should be learned; undefined for none. */
  readonly wanted?: Uint32Array | undefined
  /** The times had to grow. */
  readonly times?: SharedArrayBuffer | undefined
  /** Time this took in the worker, without its pauses. */
  readonly workMs: number
}

interface Held {
  readonly memoryId: number
  readonly programId: number
  readonly shard: Shard
}

/** Of a pool that learns facts: what it tries. */
const texts = workerData as readonly TextLeaf[] | undefined
let textMatcher: TextMatcher | undefined
const findings = new Findings()
/** What can be made again at any time: names seen, and memory to work in. */
const held = new Map<number, Held>()
const tables = new Map<number, TableMemory>()
const programs = new Map<number, RuleProgram>()

export function work(task: JudgeTask | FactTask): JudgeResult | TextVerdicts {
  if (task.type === 'judge') return judgeShard(task)
  textMatcher ??= new TextMatcher(texts ?? [])
  return textMatcher.match(task.texts, task.limitMs)
}

function judgeShard(task: JudgeTask): JudgeResult {
  const startedMs = performance.now()
  if (task.programs !== undefined) {
    // The one in use, and the one before it: one of many rules takes megabytes.
    const used = [task.programId, task.memory?.takenFrom?.programId]
    for (const id of programs.keys()) if (!used.includes(id)) programs.delete(id)
    for (const program of task.programs) programs.set(program.id, interned(program))
  }
  findings.reset()
  pausedMs = 0
  const table = tableOf(task)
  if (table === undefined) return { torn: false, needs: 'memory', workMs: 0 }
  const shard = shardOf(task)
  if (typeof shard === 'string' || !('rules' in shard)) return { torn: false, needs: shard, workMs: 0 }
  const { sequence, nowMs, tick, learned, isSettling, rebound, host, intervalMs, maxBytes } = task
  const judgement = {
    ...{ table, sequence, nowMs, tick, learned, isSettling, rebound, host, intervalMs, maxBytes, findings },
  }
  const times = task.memory?.takenFrom === undefined ? shard.times.buffer : undefined
  const isWhole =
    task.explain === undefined
      ? judge(shard, {
          ...judgement,
          isRevised: task.memory?.takenFrom !== undefined,
          looked: pauseAfter(),
        })
      : explain(shard, judgement, task.explain)
  const isDecided = isWhole && findings.numberLength > 0
  return {
    torn: !isWhole,
    decided: isDecided
      ? {
          numbers: findings.numbers.slice(0, findings.numberLength),
          names: findings.names.slice(0, findings.nameLength),
        }
      : undefined,
    wanted:
      isWhole && task.explain === undefined && shard.changes.wanted.length > 0
        ? Uint32Array.from(shard.changes.wanted)
        : undefined,
    times: shard.times.buffer === times ? undefined : shard.times.buffer,
    workMs: performance.now() - startedMs - pausedMs,
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

function shardOf(task: JudgeTask): Shard | NonNullable<JudgeResult['needs']> {
  const known = held.get(task.shard)
  if (known?.memoryId === task.memoryId && task.memory?.takenFrom === undefined) return known.shard
  const { memory } = task
  if (memory === undefined) return 'memory'
  const program = programs.get(task.programId)
  const before = memory.takenFrom && programs.get(memory.takenFrom.programId)
  if (program === undefined || (memory.takenFrom !== undefined && before === undefined)) {
    const used = [task.programId, ...(memory.takenFrom === undefined ? [] : [memory.takenFrom.programId])]
    return used.filter((id) => !programs.has(id))
  }
  const isSame = known?.programId === task.programId && known.shard.state.capacity === task.capacity
  const rules = isSame ? known.shard.rules : shardRules(program, task.shard)
  const state = mapState(rules, task.capacity, memory.state)
  const seriesMemory = new SeriesMemory(memory.series.shape, memory.series.buffer)
  if (memory.takenFrom !== undefined) {
    const old = shardRules(before!, task.shard)
    const { takenFrom } = memory
    const from = mapState(old, takenFrom.capacity, takenFrom.state)
    // A tick that is repeated may have committed into the new state already.
    if (state.header[stateCell.tick] !== task.tick) {
      const keepsAsked = JSON.stringify(before!.match.facts) === JSON.stringify(program.match.facts)
      carryState(from, old, state, rules, takenFrom.before, keepsAsked)
      if (takenFrom.series.buffer !== memory.series.buffer) {
        seriesMemory.takeOver(new SeriesMemory(takenFrom.series.shape, takenFrom.series.buffer))
      }
      if (takenFrom.trends.buffer !== memory.trends.buffer) growTrends(takenFrom.trends, memory.trends)
    }
    const kept = new Set(takenFrom.before)
    for (const local of old.plans.keys()) {
      if (!kept.has(local)) reportRemoved(from, old.first + local, local, findings)
    }
  }
  const shard = openShard({
    rules,
    matcher: isSame ? known.shard.matcher : new Matcher(rules.match),
    changes: isSame ? known.shard.changes : makeChanges(rules.match, task.capacity),
    state,
    seriesMemory,
    trends: new Trends(seriesMemory, memory.trends.capacity, memory.trends.buffer),
    times: timesOf(memory),
  })
  held.set(task.shard, { memoryId: task.memoryId, programId: task.programId, shard })
  return shard
}

/** Times are by a rule's place: where rules have other places now, they are entered anew. */
function timesOf({ times, takenFrom }: TaskMemory): Times {
  const shared = new Times(times)
  if (takenFrom === undefined) return shared
  const places = new Map([...takenFrom.before.entries()].map(([rule, old]) => [old, rule]))
  return shared.renewed(0, (rule) => places.get(rule) ?? -1)
}

/**
 * Rows looked at between two pauses: some 0.4 ms of work. Without a pause a thread that wakes up on this core, such as
 * the event loop's, waits for the scheduler's next tick: measured on two cores, an event-loop delay of 2.1 to 2.6 ms at
 * p99 instead of 1.7.
 */
const ROWS_PER_PAUSE = 160_000
const PAUSE_MS = 0.02
const NEVER = new Int32Array(new SharedArrayBuffer(4))

/** Time that the shard's tick has paused. */
let pausedMs = 0

function pauseAfter(): (rows: number) => void {
  let sincePause = 0
  return (rows) => {
    sincePause += rows
    if (sincePause < ROWS_PER_PAUSE) return
    sincePause = 0
    const startedMs = performance.now()
    Atomics.wait(NEVER, 0, 0, PAUSE_MS)
    pausedMs += performance.now() - startedMs
  }
}
