import type { ActionTarget } from '../actions/context.js'
import type { CheckedRule } from '../rules/schema/rule.js'
import type { GroupRef } from '../rules/subject.js'
import { isSameProcess, type ProcessIdentity } from '../table/identity.js'

interface Member {
  readonly identity: ProcessIdentity
  readonly name: string
}

/** Whom the actions of a decision are for, and why, from its first step to its last. */
export interface Aim {
  readonly why: Omit<ActionTarget, 'identity' | 'name' | 'rssBytes' | 'largestOf'>
  /** Undefined: the process is meant. */
  readonly group: Pick<GroupRef, 'kind' | 'key'> | undefined
  readonly target: CheckedRule['target']
  /** The process, or members of the group, the largest first. */
  readonly members: readonly Member[]
}

/** The process, or of a group its largest member, or all. */
export function targetsOf(
  { why, group, target, members }: Aim,
  rssBytesOf: (identity: ProcessIdentity) => number | undefined,
): ActionTarget[] {
  const isOneOfMany = group !== undefined && target === 'largest'
  return (isOneOfMany ? members.slice(0, 1) : members).map(({ identity, name }) => ({
    ...why,
    ...{ identity, name, rssBytes: rssBytesOf(identity) },
    largestOf: isOneOfMany ? why.subject : undefined,
  }))
}

export const isMeant = (identity: ProcessIdentity, targets: readonly ActionTarget[]): boolean =>
  targets.some((target) => isSameProcess(target.identity, identity))
