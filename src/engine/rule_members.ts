import type { GroupKind } from '../rules/language/ast.js'
import type { Table } from '../table/table.js'
import type { Judging } from './judging.js'

type Members = ReadonlyMap<string, ReadonlySet<string>>

interface RuleMembersParts {
  readonly judging: Pick<Judging, 'groupOf' | 'slotsOf'>
}

/** Who is in which group of a rule: looked up once per tick, however many restarts ask. */
export class RuleMembers {
  readonly #parts: RuleMembersParts
  readonly #found = new Map<string, Members>()

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
    const members = this.#found.get(place) ?? this.#look(rule, kind, table)
    if (members !== undefined) this.#found.set(place, members)
    return members && (members.get(group ?? 'all:') ?? new Set())
  }

  /** Undefined while the group of some has yet to be learned. */
  #look(rule: string, kind: GroupKind, table: Table): Members | undefined {
    const { judging } = this.#parts
    const slots = judging.slotsOf(rule)
    if (slots === undefined) return undefined
    const { pid, startTicks } = table.columns
    const found = new Map<string, Set<string>>()
    for (const slot of slots) {
      const group = judging.groupOf(kind, slot, table)
      if (group === undefined) return undefined
      const members = found.get(group) ?? new Set()
      found.set(group, members.add(`${pid[slot]}:${startTicks[slot]}`))
    }
    return found
  }
}
