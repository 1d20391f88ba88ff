import { listSlots } from './judge/evaluation.js'
import type { ShardState } from './judge/state.js'
import { TIME } from './judge/times.js'
import type { GroupKind } from './language/ast.js'
import type { Shard } from './shard.js'
import { type GroupRef, type Subject, subjectKey } from './subject.js'

/** A process or a group for which a rule's condition holds, not for long enough yet. */
export interface PendingSubject extends Subject {
  /** Index of the rule. */
  readonly rule: number
  /** As `subjectKey` of a decision. */
  readonly subject: string
  readonly sinceMs: number
}

type Remembered = ReturnType<Shard['state']>
/** By id of a rule, its index among those that there are now. */
export type RuleIndices = ReadonlyMap<number, number>

/** By index of a rule, the slots that it matches. */
export function matchedSlots(remembered: Remembered, indices: RuleIndices): Map<number, Uint32Array> {
  const found = new Map<number, Uint32Array>()
  if (remembered === undefined) return found
  const { program, rules, state } = remembered
  const slots = new Int32Array(state.words * 32)
  for (let local = 0; local < rules.ruleCount; local++) {
    const index = indices.get(program.entries[rules.first + local]!.id)
    if (index !== undefined) found.set(index, matchedBy(local, state, slots))
  }
  return found
}

/** The slots that the rule with this id matches; undefined when it is not among these. */
export function slotsOfRule(remembered: Remembered, id: number): Uint32Array | undefined {
  if (remembered === undefined) return undefined
  const { program, rules, state } = remembered
  for (let local = 0; local < rules.ruleCount; local++) {
    if (program.entries[rules.first + local]!.id !== id) continue
    return matchedBy(local, state, new Int32Array(state.words * 32))
  }
  return undefined
}

function matchedBy(local: number, { matched, words }: ShardState, slots: Int32Array): Uint32Array {
  const count = listSlots((word) => matched[local * words + word]!, words, slots)
  return Uint32Array.from(slots.subarray(0, count))
}

export function pendingSubjects(
  remembered: Remembered,
  indices: RuleIndices,
  keyOf: (kind: GroupKind, key: number) => string | undefined,
): PendingSubject[] {
  if (remembered === undefined) return []
  const { program, rules, state, times } = remembered
  const pending: PendingSubject[] = []
  const slots = new Int32Array(state.words * 32)
  for (let local = 0; local < rules.ruleCount; local++) {
    const { id, rule } = program.entries[rules.first + local]!
    const index = indices.get(id)
    if (index === undefined) continue
    const base = local * state.words
    const count = listSlots(
      (word) => state.active[base + word]! & ~state.firing[base + word]!,
      state.words,
      slots,
    )
    for (let at = 0; at < count; at++) {
      const slot = slots[at]!
      const group = state.groups[local]
      const about =
        group === undefined
          ? {
              identity: { pid: state.pid[slot]!, startTicks: state.startTicks[slot]!, settled: true },
              group: undefined,
            }
          : {
              identity: undefined,
              group: groupRef(rule.per!, group.keys[slot * 2]!, group.keys[slot * 2 + 1]!, keyOf),
            }
      pending.push({
        ...{ rule: index, subject: subjectKey(about), ...about },
        sinceMs: times.get(local, slot, TIME.since),
      })
    }
  }
  return pending
}

function groupRef(
  kind: GroupKind,
  key: number,
  since: number,
  keyOf: (kind: GroupKind, key: number) => string | undefined,
): GroupRef {
  const text = kind === 'all' ? '' : kind === 'subtree' ? `${key}:${since}` : keyOf(kind, key)
  return { kind, key: text ?? String(key), count: 0, members: [] }
}
