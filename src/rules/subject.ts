import type { ProcessIdentity } from '../table/identity.js'
import type { GroupKind } from './language/ast.js'

/** A group of processes that a rule with `per` is about. */
export interface GroupRef {
  readonly kind: GroupKind
  /** What its members have in common, for example `nginx.service`; empty for `all`. */
  readonly key: string
  readonly count: number
  /** At most 16, the largest first. */
  readonly members: readonly {
    readonly identity: ProcessIdentity
    readonly name: string
    readonly value: number | undefined
  }[]
}

/** Whom a decision is about: a process or a group, never both. */
export interface Subject {
  readonly identity: ProcessIdentity | undefined
  readonly group: GroupRef | undefined
}

/** `pid:startTicks` or `kind:key`: one key for alerts, ladders and cooldowns. */
export function subjectKey({ identity, group }: Pick<Subject, 'identity' | 'group'>): string {
  if (identity !== undefined) return `${identity.pid}:${identity.startTicks}`
  if (group === undefined) throw new TypeError('a subject is a process or a group')
  return `${group.kind}:${group.key}`
}
