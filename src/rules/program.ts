import { ProcmusterError } from '../errors.js'
import type { Steps } from '../slices.js'
import { COLUMNS } from '../table/columns.js'
import { columnId, type OptionalGroup } from '../table/layout.js'
import { type CompileOptions, compileRule } from './compile/compile.js'
import type { RulePlan } from './compile/plan.js'
import { clausesInWords, type RuleInWords } from './decision.js'
import type { RuleProgram, SeriesProgram, ShardProgram } from './judge/program.js'
import type { GroupKind, HostMetric, When } from './language/ast.js'
import { allOperands } from './language/walk.js'
import { compileMatch, type MatchSource } from './match/compile.js'
import type { CheckedRule } from './schema/rule.js'

/** A rule that is judged, as long as it stays the same. */
interface ProgramEntry extends RuleInWords {
  readonly id: number
  readonly plan: RulePlan
  readonly shard: number
  /** The rule's text: two rules with the same are the same. */
  readonly key: string
}

/** All rules, compiled. Its entries are in the order of the shards, those of a shard side by side. */
export interface Program {
  readonly data: RuleProgram
  readonly entries: readonly ProgramEntry[]
  /** By index of a rule, its place among the entries; -1 when it is not enabled. */
  readonly positions: Int32Array
}

interface ProgramOptions extends CompileOptions {
  readonly uidOf: (user: string) => number | undefined
  /** What restarts are limited by where a rule's own limits do not say. */
  readonly perGroup?: GroupKind | undefined
  /** Shards that there may be at most. */
  readonly shards: number
}

let programs = 0
let rulesSeen = 0
let tags = 0

/** Optional groups of columns that the conditions of these rules read. */
export function groupsOf(rules: readonly CheckedRule[]): OptionalGroup[] {
  const groups = new Set<OptionalGroup>()
  for (const rule of rules) {
    for (const operand of operandsOf(rule)) {
      if (operand.kind !== 'column') continue
      const { group } = COLUMNS[columnId[operand.column]]!
      if (group !== 'table') groups.add(group)
    }
  }
  return [...groups]
}

/** Numbers of the host that the conditions of these rules read. */
export function hostMetricsOf(rules: readonly CheckedRule[]): HostMetric[] {
  const metrics = new Set<HostMetric>()
  for (const rule of rules) {
    for (const operand of operandsOf(rule)) if (operand.kind === 'host') metrics.add(operand.metric)
  }
  return [...metrics]
}

function* operandsOf({ when, clear }: { when: When; clear: When | undefined }) {
  yield* allOperands(when.condition)
  if (clear !== undefined) yield* allOperands(clear.condition)
}

/**
 * Compiles rules for the threads. Rules that stay the same keep their shard, and with it what is remembered of them.
 * @throws ProcmusterError INVALID_ARGUMENT for a column of a group that is not sampled and for an unknown user
 */
export function* compileProgram(
  rules: readonly CheckedRule[],
  options: ProgramOptions,
  before?: Program,
): Steps<Program> {
  const kept = new Map(before?.entries.map((entry) => [entry.key, entry]))
  const enabled = [...rules.entries()].filter(([, { enabled }]) => enabled)
  const shardCount = Math.max(
    before?.data.shards.length ?? 0,
    Math.min(options.shards, Math.max(1, enabled.length)),
  )
  const sizes = new Int32Array(shardCount)
  const found: (Omit<ProgramEntry, 'shard'> & { shard?: number })[] = []
  for (const [index, rule] of enabled) {
    yield
    const key = JSON.stringify(rule)
    const old = kept.get(key)
    if (old === undefined) {
      const id = ++rulesSeen
      found.push({
        id,
        index,
        rule,
        key,
        clauses: clausesInWords(rule),
        plan: compileRule(rule, id, options),
      })
    } else {
      sizes[old.shard]!++
      found.push({ ...old, index, rule })
    }
  }
  const entries = found
    .map((entry): ProgramEntry => {
      if (entry.shard !== undefined) return { ...entry, shard: entry.shard }
      const shard = sizes.indexOf(Math.min(...sizes))
      sizes[shard]!++
      return { ...entry, shard }
    })
    .sort((a, b) => a.shard - b.shard)
  const positions = new Int32Array(rules.length).fill(-1)
  for (const [position, { index }] of entries.entries()) positions[index] = position
  const sources: MatchSource[] = []
  for (const { rule } of entries) {
    sources.push(matchSourceOf(rule, options.perGroup))
    yield
  }
  const match = yield* compileMatch(sources, options.uidOf)
  if (before !== undefined) keepBound(entries, match.bound, before)
  const plans = entries.map(({ plan }) => plan)
  let first = 0
  const shards = Array.from(sizes, (ruleCount, shard) => {
    const own = shardOf(entries.slice(first, first + ruleCount), first, before?.data.shards[shard])
    first += ruleCount
    return own
  })
  return { data: { id: ++programs, match, plans, shards }, entries, positions }
}

/** Processes that rules were bound to since they were compiled. */
function keepBound(entries: readonly ProgramEntry[], bound: SharedArrayBuffer, before: Program): void {
  const places = new Map(before.entries.map(({ id }, position) => [id, position]))
  const now = new Float64Array(bound)
  const then = new Float64Array(before.data.match.bound)
  for (const [position, { id }] of entries.entries()) {
    const old = places.get(id)
    if (old !== undefined) now.set(then.subarray(old * 2, old * 2 + 2), position * 2)
  }
}

function shardOf(
  entries: readonly ProgramEntry[],
  first: number,
  before: ShardProgram | undefined,
): ShardProgram {
  const rules = new Map<string, number[]>()
  const plans = new Map<string, SeriesProgram['plan']>()
  for (const [local, { plan }] of entries.entries()) {
    for (const series of plan.series) {
      plans.set(series.key, series)
      const known = rules.get(series.key)
      if (known === undefined) rules.set(series.key, [local])
      else known.push(local)
    }
  }
  const kept = new Map(before?.series.map((series) => [series.plan.key, series]))
  const taken = new Set([...plans.keys()].flatMap((key) => kept.get(key)?.place ?? []))
  let free = 0
  const series = [...plans.values()]
    .map((plan): SeriesProgram => {
      const known = kept.get(plan.key)
      if (known !== undefined) return { ...known, plan, rules: rules.get(plan.key)! }
      while (taken.has(free)) free++
      return { plan, place: free++, tag: ++tags, rules: rules.get(plan.key)! }
    })
    .sort((a, b) => a.plan.level - b.plan.level)
  const seriesPlaces = series.reduce(
    (most, { place }) => Math.max(most, place + 1),
    before?.seriesPlaces ?? 0,
  )
  return { first, ruleCount: entries.length, series, seriesPlaces }
}

function matchSourceOf(rule: CheckedRule, perGroup: GroupKind | undefined): MatchSource {
  const { name, match, kernelThreads, per, actions, limits: bounds } = rule
  // What restarts are limited by is asked when one is wanted, and has to be known by then.
  const isLimited = actions.some(({ type }) => type === 'restart')
  const groups = [per, ...(isLimited ? [bounds.perGroup?.by ?? perGroup] : [])].filter(
    (kind) => kind !== undefined,
  )
  const limits = [...operandsOf(rule)].flatMap((each) => (each.kind === 'limit' ? [each.resource] : []))
  return { name, match, kernelThreads, groups, limits: [...new Set(limits)] }
}

/** @throws ProcmusterError INVALID_ARGUMENT when a rule compares with physical memory, and nobody said how much there is */
export function checkMemory(rules: readonly CheckedRule[], memTotalBytes: number): void {
  if (memTotalBytes > 0) return
  for (const rule of rules) {
    for (const { kind } of operandsOf(rule)) {
      if (kind !== 'memoryShare') continue
      throw new ProcmusterError('INVALID_ARGUMENT', {
        message: `rule ${JSON.stringify(rule.name)} compares with physical memory; give memTotalBytes (sampler.memTotalBytes after a sample)`,
      })
    }
  }
}
