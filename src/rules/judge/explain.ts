import { headerCell } from '../../table/layout.js'
import { findGroups } from './group_members.js'
import { isWhole, type Judgement, openSource, type Shard } from './judge.js'
import { readClauses, readMembers, writeClauses, writeGroup } from './report.js'

/**
 * Writes whether a rule is about the process in a slot, its group, and what its clauses come to for it, or for its group. Decides nothing and
 * enters nothing.
 * @returns false when the table was being written meanwhile
 */
export function explain(
  shard: Shard,
  judgement: Pick<Judgement, 'table' | 'sequence' | 'nowMs' | 'host' | 'findings'>,
  { local, slot }: { local: number; slot: number },
): boolean {
  const { rules, state, changes, signals, truths, groups } = shard
  const { table, sequence, nowMs, findings } = judgement
  if (!isWhole(table, sequence)) return false
  truths.reset()
  // What the last tick found has been entered; nothing has changed since.
  changes.touched.fill(0)
  changes.changed.fill(0)
  changes.learned.clear()
  signals.source = openSource(shard, judgement, undefined)
  let subject = slot
  const group = groups[local]
  let isMatched = ((state.matched[local * state.words + (slot >>> 5)]! >>> (slot & 31)) & 1) === 1
  if (group !== undefined) {
    changes.wordLimit = changes.words
    findGroups(shard, signals.source, false, false)
    const at = group.members.subarray(0, group.memberCount).indexOf(slot)
    isMatched = at >= 0
    subject = at < 0 ? -1 : group.memberOf[at]!
  }
  findings.number(isMatched ? 1 : 0)
  const { clauses, ranking, tellsAll } = rules.plans[local]!
  findings.number(group !== undefined && isMatched ? 1 : 0)
  if (group !== undefined && isMatched) {
    const members = readMembers({ signals }, group, ranking).get(subject) ?? []
    const sampledTicks = table.header[headerCell.sampledTicks]!
    writeGroup({ findings, table, sampledTicks }, group, subject, members, tellsAll)
  }
  if (subject < 0) {
    findings.number(0)
  } else {
    signals.groups = group
    writeClauses(
      { findings, signals, nowMs },
      clauses,
      readClauses({ signals, truths }, clauses, Int32Array.of(subject)),
      0,
    )
    signals.groups = undefined
  }
  return isWhole(table, sequence)
}
