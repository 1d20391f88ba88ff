import { columnId, isExiting, isMissing } from '../../table/layout.js'
import type { ClausePlan, Signal } from '../compile/plan.js'
import { type Evaluation, listBits } from './evaluation.js'
import { cause, type Findings } from './findings.js'
import type { GroupTick } from './groups.js'
import { LANE } from './series.js'
import type { ShardState } from './state.js'

/** Samples of a window and members of a group that are told with a decision; of a rule whose actions are for all members these. */
const MOST_SAMPLES = 16
const MOST_MEMBERS = 16

/** Begins a decision: rule, subject, kind, cause, sinceMs, whether it is about a group. */
function begin(
  findings: Findings,
  rule: number,
  slot: number,
  what: number,
  why: number,
  sinceMs: number,
  isGroup: boolean,
): void {
  for (const number of [rule, slot, what, why, sinceMs, isGroup ? 1 : 0]) findings.number(number)
}

/** What ends has no memory and uses no processor any more: that a condition is false of it says nothing else. */
export function clearCause({ table, groups }: Evaluation, local: number, slot: number): number {
  return groups[local] === undefined && isExiting(table, slot) ? cause.ended : cause.condition
}

/** Whether the clauses were judged for it: of a subject that is gone, or none of the rule's, nothing more is known. */
const isJudged = (why: number): boolean => why === cause.condition || why === cause.ended

/** A decision that is told when the whole rule has been judged: then what is behind it is read for all of them at once. */
export function report(
  { findings }: Evaluation,
  slot: number,
  what: number,
  why: number,
  sinceMs: number,
): void {
  findings.pending.push({ slot, what, why, sinceMs })
}

/** Writes a rule's decisions for the main thread, which reads them in decision.ts. */
export function writeReports(evaluation: Evaluation, local: number): void {
  const { rules, state, table, groups, findings } = evaluation
  const { pending } = findings
  if (pending.length === 0) return
  const plan = rules.plans[local]!
  const group = groups[local]
  const known = pending.filter(({ why }) => isJudged(why))
  const told = readClauses(
    evaluation,
    plan.clauses,
    Int32Array.from(known, ({ slot }) => slot),
  )
  const members = group === undefined ? undefined : readMembers(evaluation, group, plan.ranking)
  let at = 0
  for (const { slot, what, why, sinceMs } of pending) {
    begin(findings, rules.first + local, slot, what, why, sinceMs, group !== undefined)
    if (group !== undefined) {
      writeGroup(evaluation, group, slot, members!.get(slot) ?? [], plan.tellsAll)
    } else if (why === cause.gone) {
      writeRemembered(state, slot, findings)
    } else {
      writeProcess(evaluation, slot)
      findings.name(table.names, slot)
    }
    if (!isJudged(why)) findings.number(0)
    else writeClauses(evaluation, plan.clauses, told, at++)
  }
  pending.length = 0
}

/** What a rule that is there no more had fired for is over. */
export function reportRemoved(state: ShardState, rule: number, local: number, findings: Findings): void {
  const base = local * state.words
  const slots = new Int32Array(state.words * 32)
  const count = listBits(state.firing.subarray(base, base + state.words), state.words, slots)
  for (let at = 0; at < count; at++) writeRemoval(state, rule, local, slots[at]!, findings)
}

function writeRemoval(
  state: ShardState,
  rule: number,
  local: number,
  slot: number,
  findings: Findings,
): void {
  const group = state.groups[local]
  begin(findings, -1 - rule, slot, 1, cause.removed, Number.NaN, group !== undefined)
  if (group === undefined) {
    writeRemembered(state, slot, findings)
  } else {
    findings.number(group.keys[slot * 2]!)
    findings.number(group.keys[slot * 2 + 1]!)
    findings.number(0)
    findings.number(0)
  }
  findings.number(0)
}

/** What the clauses come to: lists of numbers, one for each of the slots. */
interface ToldClauses {
  readonly left: readonly Float64Array[]
  readonly right: readonly Float64Array[]
  readonly truth: readonly Uint8Array[]
  /** Where the samples behind it are; NaN: nowhere. */
  readonly lanes: readonly (Float64Array | undefined)[]
}

export function readClauses(
  { signals, truths }: Pick<Evaluation, 'signals' | 'truths'>,
  clauses: readonly ClausePlan[],
  slots: Int32Array,
): ToldClauses {
  const read = (signal: Signal | undefined): Float64Array => {
    const numbers = new Float64Array(slots.length).fill(Number.NaN)
    if (signal !== undefined) signals.read(signal, slots, slots.length, numbers)
    return numbers
  }
  return {
    left: clauses.map(({ left }) => read(left)),
    right: clauses.map(({ right }) => read(right)),
    truth: clauses.map(({ truth }) => {
      const found = new Uint8Array(slots.length)
      truths.read(truth, slots, slots.length, found)
      return found
    }),
    lanes: clauses.map(({ series }) => {
      if (series === undefined) return undefined
      const lanes = new Float64Array(slots.length)
      signals.readKept(series, LANE, slots, slots.length, lanes)
      return lanes
    }),
  }
}

export function writeClauses(
  { findings, signals, nowMs }: Pick<Evaluation, 'findings' | 'signals' | 'nowMs'>,
  clauses: readonly ClausePlan[],
  { left, right, truth, lanes }: ToldClauses,
  at: number,
): void {
  findings.number(clauses.length)
  for (const [index, { series }] of clauses.entries()) {
    findings.number(left[index]![at]!)
    findings.number(right[index]![at]!)
    findings.number(truth[index]![at]!)
    const lane = lanes[index]?.[at] ?? Number.NaN
    const samples = Number.isNaN(lane)
      ? []
      : signals.source.series.get(series!)!.samples(lane, nowMs, MOST_SAMPLES)
    findings.number(samples.length)
    for (const { atMs, value } of samples) {
      findings.number(atMs)
      findings.number(value)
    }
  }
}

function writeProcess({ table, findings }: Pick<Evaluation, 'table' | 'findings'>, slot: number): void {
  const { columns } = table
  findings.number(columns.pid[slot]!)
  findings.number(columns.startTicks[slot]!)
  findings.number(isMissing(table, slot, columnId.pidfsInode) ? Number.NaN : columns.pidfsInode[slot]!)
}

function writeRemembered(state: ShardState, slot: number, findings: Findings): void {
  findings.number(state.pid[slot]!)
  findings.number(state.startTicks[slot]!)
  findings.number(state.pidfsInode[slot]!)
  findings.name(state.names, slot)
}

interface Member {
  readonly slot: number
  readonly value: number
}

/** Members of each group, largest first. */
export function readMembers(
  { signals }: Pick<Evaluation, 'signals'>,
  group: GroupTick,
  ranking: Signal | undefined,
): Map<number, Member[]> {
  const values = signals.take(group.memberCount)
  if (ranking === undefined) {
    values.fill(Number.NaN, 0, group.memberCount)
  } else {
    const context = signals.groups
    signals.groups = undefined
    signals.read(ranking, group.members, group.memberCount, values)
    signals.groups = context
  }
  const members = new Map<number, Member[]>()
  for (let at = 0; at < group.memberCount; at++) {
    const own = group.memberOf[at]!
    const member = { slot: group.members[at]!, value: values[at]! }
    const known = members.get(own)
    if (known === undefined) members.set(own, [member])
    else known.push(member)
  }
  signals.release()
  return members
}

export function writeGroup(
  evaluation: Pick<Evaluation, 'findings' | 'table' | 'sampledTicks'>,
  group: GroupTick,
  slot: number,
  members: Member[],
  tellsAll: boolean,
): void {
  const { findings, table, sampledTicks } = evaluation
  const [key, since] = group.keyOf(slot)
  findings.number(key)
  findings.number(since)
  findings.number(group.countOf(slot))
  const rank = ({ value }: Member) => (Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value)
  const largest = members
    .sort((a, b) => (rank(b) > rank(a) ? 1 : rank(b) < rank(a) ? -1 : 0))
    .slice(0, tellsAll ? members.length : MOST_MEMBERS)
  findings.number(largest.length)
  for (const member of largest) {
    writeProcess(evaluation, member.slot)
    findings.number(table.columns.startTicks[member.slot]! < sampledTicks ? 1 : 0)
    findings.number(member.value)
    findings.name(table.names, member.slot)
  }
}
