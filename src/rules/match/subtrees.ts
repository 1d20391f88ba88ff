import { columnId, isMissing, slotOf, type TableMemory } from '../../table/layout.js'
import { type Changes, isSameProcess } from './changes.js'
import type { MatchPlan } from './plan.js'
import { bitAt, type MatchState, wordsFor } from './state.js'

/**
 * Decides for the processes to be matched which of the plan's subtrees they are in. Each asks its parent, so that a process whose
 * parents are gone by then stays what it was. A parent that was born and gone between two samples is never seen: its child belongs to
 * whom the kernel gave it.
 */
export function decideSubtrees(
  table: TableMemory,
  state: MatchState,
  plan: MatchPlan,
  changes: Changes,
): void {
  if (plan.subtrees.length === 0) return
  const words = wordsFor(plan.subtrees.length)
  const roots = rootsOf(plan)
  const isPending = new Uint8Array(changes.capacity)
  for (let at = 0; at < changes.arrivedCount; at++) isPending[changes.arrived[at]!] = 1
  for (let at = 0; at < changes.rematchedCount; at++) isPending[changes.rematched[at]!] = 1
  const path: number[] = []
  const walk = (from: number): void => {
    let slot: number | undefined = from
    // Marked as decided on the way up: a circle, which only a table that is being written could show, ends there.
    while (slot !== undefined && isPending[slot] === 1) {
      isPending[slot] = 0
      changes.subtreeYes.fill(0, slot * words, (slot + 1) * words)
      changes.subtreeKnown.fill(0, slot * words, (slot + 1) * words)
      path.push(slot)
      slot = parentOf(table, slot)
    }
    for (let child = path.pop(); child !== undefined; child = path.pop()) {
      inherit(table, state, changes, words, child)
      for (const { row, startTicks } of roots.get(table.columns.pid[child]!) ?? []) {
        if (startTicks !== undefined && startTicks !== table.columns.startTicks[child]) continue
        const word = child * words + (row >>> 5)
        const bit = 1 << (row & 31)
        // What an old process was at its birth, it stays.
        if (isSameProcess(changes, child) && (state.subtreeKnown[word]! & bit) !== 0) continue
        changes.subtreeYes[word]! |= bit
        changes.subtreeKnown[word]! |= bit
      }
    }
  }
  for (let at = 0; at < changes.arrivedCount; at++) walk(changes.arrived[at]!)
  for (let at = 0; at < changes.rematchedCount; at++) walk(changes.rematched[at]!)
}

interface Root {
  readonly row: number
  readonly startTicks: number | undefined
}

function rootsOf({ subtrees, leaves }: MatchPlan): Map<number, Root[]> {
  const roots = new Map<number, Root[]>()
  for (const [row, id] of subtrees.entries()) {
    const leaf = leaves[id]!
    if (leaf.kind !== 'subtree') continue
    const same = roots.get(leaf.pid)
    const root = { row, startTicks: leaf.startTicks }
    if (same === undefined) roots.set(leaf.pid, [root])
    else same.push(root)
  }
  return roots
}

function parentOf(table: TableMemory, slot: number): number | undefined {
  return isMissing(table, slot, columnId.ppid) ? undefined : slotOf(table, table.columns.ppid[slot]!)
}

/** Takes over what the parent is in, all subtrees at once, but for what is known of the process already. */
function inherit(table: TableMemory, state: MatchState, changes: Changes, words: number, slot: number): void {
  const parent = parentOf(table, slot)
  const isTouched = parent !== undefined && bitAt(changes.touched, 0, parent) === 1
  const from = isTouched ? changes : state
  // Without a parent it is in none; with one that cannot be told, that is unknown.
  const orphanKnown = isMissing(table, slot, columnId.ppid) ? 0 : -1
  const isOld = isSameProcess(changes, slot)
  for (let word = 0; word < words; word++) {
    const kept = isOld ? state.subtreeKnown[slot * words + word]! : 0
    const yes = parent === undefined ? 0 : from.subtreeYes[parent * words + word]!
    const known = parent === undefined ? orphanKnown : from.subtreeKnown[parent * words + word]!
    changes.subtreeYes[slot * words + word] = (state.subtreeYes[slot * words + word]! & kept) | (yes & ~kept)
    changes.subtreeKnown[slot * words + word] = known | kept
  }
}
