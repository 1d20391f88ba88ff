import { columnId, isMissing, slotOf, type TableMemory } from '../../table/layout.js'
import { type Changes, isSameProcess } from './changes.js'
import type { MatchPlan } from './plan.js'
import { bitAt, type MatchState } from './state.js'

/**
 * Decides for the processes to be matched whether they descend from the roots of the plan's subtrees. Each asks its parent, so that a
 * process whose parents are gone by then stays what it was. A parent that was born and gone between two samples is never seen: its
 * child belongs to whom the kernel gave it.
 */
export function decideSubtrees(
  table: TableMemory,
  state: MatchState,
  plan: MatchPlan,
  changes: Changes,
): void {
  if (plan.subtrees.length === 0) return
  const isPending = new Uint8Array(changes.capacity)
  for (let at = 0; at < changes.arrivedCount; at++) isPending[changes.arrived[at]!] = 1
  for (let at = 0; at < changes.rematchedCount; at++) isPending[changes.rematched[at]!] = 1
  const path: number[] = []
  const walk = (from: number): void => {
    let slot: number | undefined = from
    // Marked as decided on the way up: a circle, which only a table that is being written could show, ends there.
    while (slot !== undefined && isPending[slot] === 1) {
      isPending[slot] = 0
      path.push(slot)
      slot = parentOf(table, slot)
    }
    for (let child = path.pop(); child !== undefined; child = path.pop()) {
      decide(table, state, plan, changes, child, parentOf(table, child))
    }
  }
  for (let at = 0; at < changes.arrivedCount; at++) walk(changes.arrived[at]!)
  for (let at = 0; at < changes.rematchedCount; at++) walk(changes.rematched[at]!)
}

function parentOf(table: TableMemory, slot: number): number | undefined {
  return isMissing(table, slot, columnId.ppid) ? undefined : slotOf(table, table.columns.ppid[slot]!)
}

function decide(
  table: TableMemory,
  state: MatchState,
  plan: MatchPlan,
  changes: Changes,
  slot: number,
  parent: number | undefined,
): void {
  const hasParent = !isMissing(table, slot, columnId.ppid)
  const isOld = isSameProcess(changes, slot)
  for (const [row, id] of plan.subtrees.entries()) {
    const leaf = plan.leaves[id]!
    if (leaf.kind !== 'subtree') continue
    const kept = plan.texts.length + row
    let truth: 0 | 1 | 2
    if (isOld && bitAt(state.known, kept * state.words, slot))
      truth = bitAt(state.yes, kept * state.words, slot)
    else if (isRoot(table, leaf, slot)) truth = 1
    else if (parent === undefined) truth = hasParent ? 0 : 2
    else truth = parentTruth(state, changes, row, kept, parent)
    const word = row * changes.words + (slot >>> 5)
    const bit = 1 << (slot & 31)
    changes.subtreeYes[word] =
      truth === 1 ? changes.subtreeYes[word]! | bit : changes.subtreeYes[word]! & ~bit
    changes.subtreeKnown[word] =
      truth === 2 ? changes.subtreeKnown[word]! & ~bit : changes.subtreeKnown[word]! | bit
  }
}

function parentTruth(
  state: MatchState,
  changes: Changes,
  row: number,
  kept: number,
  parent: number,
): 0 | 1 | 2 {
  const isTouched = bitAt(changes.touched, 0, parent) === 1
  const known = isTouched ? changes.subtreeKnown : state.known
  const yes = isTouched ? changes.subtreeYes : state.yes
  const base = isTouched ? row * changes.words : kept * state.words
  return bitAt(known, base, parent) === 0 ? 2 : bitAt(yes, base, parent)
}

function isRoot(
  { columns }: TableMemory,
  { pid, startTicks }: { pid: number; startTicks: number | undefined },
  slot: number,
): boolean {
  return columns.pid[slot] === pid && (startTicks === undefined || columns.startTicks[slot] === startTicks)
}
