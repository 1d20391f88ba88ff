import { headerCell } from '../../table/layout.js'
import { addLeaves, type MatchPlan } from '../match/plan.js'
import { listSlots, matchedWord } from './evaluation.js'
import { groupKeys, parentSlots, subtreeRoots } from './groups.js'
import type { Shard } from './judge.js'
import type { SignalSource } from './signals.js'

/** Finds the groups of all rules that have any, and their members. Nothing is entered yet. */
export function findGroups(
  shard: Shard,
  { table, numberOf }: SignalSource,
  isRepeated: boolean,
  isSettling: boolean,
): void {
  const { rules, matcher, state, changes, groups, masks } = shard
  let parents: Int32Array | undefined
  for (const [local, group] of groups.entries()) {
    if (group === undefined) continue
    const { per, keyFact } = rules.plans[local]!
    const base = local * state.words
    // What it fired for must be told to have gone before another group takes its place.
    const isFree = (slot: number) =>
      (((state.active[base + (slot >>> 5)]! | (isRepeated ? state.fresh[base + (slot >>> 5)]! : 0)) >>>
        (slot & 31)) &
        1) ===
      0
    group.begin(per!, changes.changed, changes.words, isSettling && asksFacts(matcher.plan, local))
    const matched = (word: number) => matchedWord(shard, local, word)
    if (per === 'subtree') {
      parents ??= parentSlots(table)
      const roots = subtreeRoots(table, parents, (slot) => ((matched(slot >>> 5) >>> (slot & 31)) & 1) === 1)
      const size = table.header[headerCell.size]!
      for (let index = 0; index < size; index++) {
        const slot = table.slots[index]!
        const root = roots[slot]!
        if (root < 0) continue
        group.add(slot, table.columns.pid[root]!, table.columns.startTicks[root]!, isFree)
      }
      continue
    }
    const keyOf = groupKeys(per!, table, (slot) => numberOf(keyFact!, slot))
    const count = listSlots(matched, changes.wordLimit, masks.slots)
    for (let at = 0; at < count; at++) {
      const slot = masks.slots[at]!
      const key = keyOf(slot)
      if (!Number.isNaN(key)) group.add(slot, key, 0, isFree)
    }
  }
}

/** Whether it takes files of a process to tell if the rule is about it, and in which group. */
function asksFacts({ rules, leaves }: MatchPlan, local: number): boolean {
  const { tree, numbers } = rules[local]!
  const asked = new Set<number>()
  addLeaves(tree, asked)
  return numbers.length > 0 || [...asked].some((leaf) => leaves[leaf]!.kind === 'text')
}
