import { checkHas, refuse } from '../arguments.js'
import { identityKey, type ProcessIdentity } from '../table/identity.js'
import type { GroupKind } from './language/ast.js'

/** A member of a group, with what the group's first aggregate reads of it. */
export interface GroupMember {
  readonly identity: ProcessIdentity
  /** As the kernel has it: hostile input. */
  readonly name: string
  readonly value: number | undefined
}

/** Processes that have something in common, as a rule with `per` sees them. */
export interface GroupRef {
  readonly kind: GroupKind
  /** A unit's name, a uid, `pid:startTicks` of a subtree's root; empty for `all`. */
  readonly key: string
  /** Members at that time. */
  readonly count: number
  /** Largest first, at most 16; of a decision of a rule whose actions are for all of them, all. */
  readonly members: readonly GroupMember[]
}

/** What is about no process in particular. */
export const ALL_PROCESSES: GroupRef = { kind: 'all', key: '', count: 0, members: [] }

/** Whom a decision is about: a process or a group, never both. */
export interface Subject {
  readonly identity: ProcessIdentity | undefined
  readonly group: GroupRef | undefined
}

/** `pid:startTicks` or `kind:key`: one key for alerts, ladders and cooldowns. */
export function subjectKey(subject: Pick<Subject, 'identity' | 'group'>): string {
  checkHas('the subject', subject, [], 'that of a decision')
  const { identity, group } = subject
  if (identity !== undefined) return identityKey(identity)
  if (group === undefined) return refuse('the subject', subject, 'a process or a group')
  return `${group.kind}:${group.key}`
}
