import type { Decision } from '../rules/decision.js'
import type { RulePlan } from '../rules/limits.js'
import type { GroupRef } from '../rules/subject.js'
import type { ProcessIdentity } from '../table/identity.js'

type GroupDecision = Pick<Decision, 'identity' | 'name'> & { readonly group?: GroupRef | undefined }

/** The group that a decision is about, where it is about one. */
export function groupOf(decision: GroupDecision): GroupRef | undefined {
  return decision.group
}

/** Whom the actions of a decision are for: the process, or of a group its largest member, or all that it names. */
export function targetsOf(
  decision: GroupDecision,
  target: RulePlan['target'],
): readonly { readonly identity: ProcessIdentity; readonly name: string }[] {
  const group = groupOf(decision)
  if (group === undefined) return [{ identity: decision.identity, name: decision.name }]
  return target === 'all' ? group.members : group.members.slice(0, 1)
}
