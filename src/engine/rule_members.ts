import type { GroupKind } from '../rules/language/ast.js'
import type { Table } from '../table/table.js'
import type { GroupKeys } from './group_keys.js'

type Members = ReadonlyMap<string, ReadonlySet<string>>

export interface RuleMembersParts {
  readonly groupKeys: Pick<GroupKeys, 'members'>
  /** Slots that the rule matches; undefined when that is not known. */
  readonly slotsOf: (rule: string) => Uint32Array | undefined
}

/** Who is in which group of a rule: looked up once per tick, however many restarts ask. */
export class RuleMembers {
  readonly #parts: RuleMembersParts
  readonly #found = new Map<string, Members | undefined>()

  constructor(parts: RuleMembersParts) {
    this.#parts = parts
  }

  /** A new sample has been judged. */
  renew(): void {
    this.#found.clear()
  }

  /**
   * Members of the group (as `kind:key`), of all groups without one, as `pid:startTicks`.
   * @returns undefined when they are not known (yet)
   */
  of(rule: string, group: string | undefined, table: Table): ReadonlySet<string> | undefined {
    const kind = group === undefined ? 'all' : (group.slice(0, group.indexOf(':')) as GroupKind)
    const place = `${kind}\n${rule}`
    if (!this.#found.has(place)) this.#found.set(place, this.#look(rule, kind, table))
    const members = this.#found.get(place)
    return members && (members.get(group ?? 'all:') ?? new Set())
  }

  #look(rule: string, kind: GroupKind, table: Table): Members | undefined {
    const slots = this.#parts.slotsOf(rule)
    return slots && this.#parts.groupKeys.members(slots, kind, table)
  }
}
