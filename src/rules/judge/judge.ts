import { COLUMNS } from '../../table/columns.js'
import { headerCell, type TableMemory } from '../../table/layout.js'
import { AGE_COLUMN } from '../compile/plan.js'
import { type Changes, findChanges } from '../match/changes.js'
import { commitChanges, numberOf } from '../match/commit.js'
import type { NumberFact } from '../match/compile.js'
import type { Learned } from '../match/learned.js'
import { matchChanges } from '../match/match_changes.js'
import type { Matcher } from '../match/matcher.js'
import { commitEdges, forgetFresh } from './commit.js'
import { evaluateRule } from './evaluate.js'
import { type Evaluation, Masks } from './evaluation.js'
import type { Findings } from './findings.js'
import { findGroups } from './group_members.js'
import { GroupTick } from './groups.js'
import { MatchedLists } from './matched_lists.js'
import type { ShardRules } from './program.js'
import { reportFresh } from './report_again.js'
import { gapLimitOf, seenOf } from './seen.js'
import { Series, type SeriesTick } from './series.js'
import type { SeriesMemory } from './series_memory.js'
import { followSeries, updateSeries } from './series_tick.js'
import { ageSeconds, type SignalSource, Signals } from './signals.js'
import { type ShardState, stateCell } from './state.js'
import type { Times } from './times.js'
import type { Trends } from './trends.js'
import { Truths } from './truths.js'
import { Zones } from './zones.js'

/** What a thread keeps of a shard from tick to tick; all of it can be made again from the memory. */
export interface Shard {
  readonly rules: ShardRules
  readonly matcher: Matcher
  readonly changes: Changes
  readonly state: ShardState
  readonly seriesMemory: SeriesMemory
  readonly trends: Trends
  /** By key. */
  readonly series: ReadonlyMap<string, Series>
  readonly groups: readonly (GroupTick | undefined)[]
  readonly signals: Signals
  readonly truths: Truths
  readonly masks: Masks
  readonly lists: MatchedLists
  readonly zones: Zones
  /** By slot; undefined when no conjunction asks for them. */
  readonly ages: Float64Array | undefined
  /** Another one when it had to grow. */
  times: Times
}

/** One shard's part of a tick. */
export interface Judgement {
  readonly table: TableMemory
  /** The table's sequence; when its memory holds another one, nothing is decided. */
  readonly sequence: number
  readonly nowMs: number
  /** Number of the tick; the same when a tick is repeated after a crash. */
  readonly tick: number
  readonly host: Float64Array | undefined
  /** Usual time between two ticks; undefined: not known, and every gap counts. */
  readonly intervalMs: number | undefined
  readonly learned: Learned | undefined
  /** Facts of the first processes are being learned: no group that was not there before is taken for whole. */
  readonly isSettling?: boolean | undefined
  /** Pids whose processes have to be matched again, because a rule was bound to another. */
  readonly rebound?: readonly number[] | undefined
  /** The first tick with other rules than before. */
  readonly isRevised: boolean
  /** Bytes that series may take, and that times may take. */
  readonly maxBytes: number
  readonly findings: Findings
  /** Called after each rule with the rows that it looked at, so that a thread can pause. */
  readonly looked?: ((rows: number) => void) | undefined
}

export function openShard(
  parts: Pick<Shard, 'rules' | 'matcher' | 'changes' | 'state' | 'seriesMemory' | 'trends' | 'times'>,
): Shard {
  const { rules, changes, state, seriesMemory, trends } = parts
  const signals = new Signals(state.capacity)
  const masks = new Masks(state.capacity)
  return {
    rules,
    matcher: parts.matcher,
    changes,
    state,
    seriesMemory,
    trends,
    series: new Map(
      rules.series.map(({ plan, place }) => [plan.key, new Series(plan, place, seriesMemory, trends)]),
    ),
    groups: state.groups.map((memory) => memory && new GroupTick(memory)),
    signals,
    truths: new Truths(signals),
    masks,
    lists: new MatchedLists(state),
    zones: new Zones(changes, masks),
    ages: rules.plans.some(({ conjunction }) => conjunction?.some(({ column }) => column === AGE_COLUMN))
      ? new Float64Array(state.capacity)
      : undefined,
    times: parts.times,
  }
}

/**
 * Judges a shard's rules over a table: reads the table and writes findings, then makes sure that the table was whole all that
 * time, and only then enters them into the state. (Series and groups take in their samples before, each once it is known that the
 * table was whole until then: what they saw was true.)
 * @returns false when the table was being written meanwhile; then nothing has been decided
 */
export function judge(shard: Shard, judgement: Judgement): boolean {
  const { rules, matcher, changes, state, groups, signals, truths, masks } = shard
  const { table, sequence, nowMs, tick, learned, rebound, isRevised, findings, looked } = judgement
  if (!isWhole(table, sequence)) return false
  const isRepeated = state.header[stateCell.tick] === tick
  truths.reset()
  findChanges(table, state, matcher, changes, learned, rebound, isRepeated, isRevised)
  matchChanges(table, state, matcher, changes, learned)
  const gapMs = nowMs - state.header[stateCell.previousMs]!
  const seenMs = seenOf(gapMs, judgement.intervalMs)
  const sampledTicks = table.header[headerCell.sampledTicks]!
  const source = openSource(shard, judgement, learned)
  signals.source = source
  findGroups(shard, source, isRepeated, judgement.isSettling === true)
  if (!isWhole(table, sequence)) return false
  for (const group of groups) group?.commit()

  const seriesTick: SeriesTick = {
    tick,
    nowMs,
    gapMs,
    seenMs,
    gapLimitMs: gapLimitOf(judgement.intervalMs),
    maxBytes: judgement.maxBytes,
  }
  followSeries(shard, table, seriesTick, isRevised)
  if (!updateSeries(shard, seriesTick, () => isWhole(table, sequence))) return false

  const { cells } = source
  if (shard.ages !== undefined) readAges(shard.ages, judgement.table, changes.wordLimit)
  shard.zones.begin(cells)
  // Property by property: V8 makes a slow dictionary of what is spread together.
  const evaluation: Evaluation = {
    table,
    cells,
    rules,
    state,
    times: shard.times,
    changes,
    groups,
    signals,
    truths,
    masks,
    lists: shard.lists,
    zones: shard.zones,
    nowMs,
    gapMs,
    seenMs,
    sampledTicks,
    isAllFollowed: shard.seriesMemory.refused === 0,
    roomForTimes: judgement.maxBytes / BYTES_PER_TIME,
    findings,
  }
  if (isRepeated) reportFresh(evaluation)
  const dues = new Float64Array(state.ruleCount)
  for (let local = 0; local < state.ruleCount; local++) {
    dues[local] = evaluateRule(evaluation, local)
    looked?.(masks.rows)
    masks.rows = 0
  }
  if (!isWhole(table, sequence)) return false

  state.header[stateCell.tick] = tick
  if (!isRepeated) forgetFresh(state)
  commitChanges(table, state, matcher, changes, learned)
  shard.times = commitEdges(evaluation)
  state.dueMs.set(dues)
  state.header[stateCell.previousMs] = nowMs
  return true
}

/** Where a tick's numbers are read from. */
export function openSource(
  { rules, state, changes, series, ages }: Shard,
  { table, nowMs, host }: Pick<Judgement, 'table' | 'nowMs' | 'host'>,
  learned: Learned | undefined,
): SignalSource {
  const keys = rules.match.numbers.map((fact) => JSON.stringify(fact))
  const places = new Map<NumberFact, number>()
  return {
    table,
    nowMs,
    host,
    series,
    cells: [
      ...COLUMNS.map(({ name }) => table.columns[name] ?? table.columns.rssBytes),
      ...(ages ? [ages] : []),
    ],
    sampledTicks: table.header[headerCell.sampledTicks]!,
    numberOf: (fact, slot) => {
      let place = places.get(fact)
      if (place === undefined) {
        place = keys.indexOf(JSON.stringify(fact))
        places.set(fact, place)
      }
      return numberOf(state.match, changes, learned, place, slot)
    },
  }
}

function readAges(ages: Float64Array, { columns, header }: TableMemory, words: number): void {
  const sampledTicks = header[headerCell.sampledTicks]!
  const { startTicks } = columns
  const end = Math.min(words * 32, startTicks.length)
  for (let slot = 0; slot < end; slot++) ages[slot] = ageSeconds(startTicks[slot]!, sampledTicks)
}

/** An entry of the hash table, and as much again for it to stay empty enough. */
const BYTES_PER_TIME = 128

export function isWhole(table: TableMemory, sequence: number): boolean {
  return Atomics.load(table.control, 0) === sequence && Atomics.load(table.control, 1) === sequence
}
