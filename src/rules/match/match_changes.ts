import type { TableMemory } from '../../table/layout.js'
import type { ShardState } from '../judge/state.js'
import type { Changes } from './changes.js'
import type { Learned } from './learned.js'
import type { Matcher } from './matcher.js'
import { bitAt } from './state.js'
import { decideSubtrees } from './subtrees.js'

/** Decides which rules are about the processes of the touched slots. */
export function matchChanges(
  table: TableMemory,
  state: ShardState,
  matcher: Matcher,
  changes: Changes,
  learned: Learned | undefined,
): void {
  for (let rule = 0; rule < state.ruleCount; rule++) {
    for (let at = 0; at < changes.touchedCount; at++) {
      changes.matched[rule * changes.words + changes.touchedWords[at]!] = 0
    }
  }
  decideSubtrees(table, state.match, matcher.plan, changes)
  matcher.begin({ table, state: state.match, changes, learned })
  for (let at = 0; at < changes.arrivedCount; at++) {
    const slot = changes.arrived[at]!
    if (matcher.match(slot, true) && !changes.learned.has(slot)) changes.wanted.push(slot)
  }
  for (let at = 0; at < changes.rematchedCount; at++) {
    const slot = changes.rematched[at]!
    const isWanted = matcher.match(slot, false) && !changes.learned.has(slot)
    if (isWanted && (bitAt(changes.refreshed, 0, slot) === 1 || bitAt(state.match.asked, 0, slot) === 0)) {
      changes.wanted.push(slot)
    }
  }
}
