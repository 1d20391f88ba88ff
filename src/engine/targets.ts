import type { Decision } from '../rules/decision.js'
import type { CheckedRule } from '../rules/schema/rule.js'
import type { ProcessIdentity } from '../table/identity.js'

/** Whom the actions of a decision are for: the process, or of a group its largest member, or all that it names. */
export function targetsOf(
  { identity, name, group }: Pick<Decision, 'identity' | 'name' | 'group'>,
  target: CheckedRule['target'],
): readonly { readonly identity: ProcessIdentity; readonly name: string }[] {
  if (identity !== undefined) return [{ identity, name }]
  const members = group?.members ?? []
  return target === 'all' ? members : members.slice(0, 1)
}
