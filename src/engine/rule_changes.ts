import type { Governor } from '../actions/governor.js'
import type { Alarms } from '../alerts/alarms.js'
import type { AlertKind } from '../alerts/alert.js'
import type { CheckedRule, Rule } from '../rules/schema/rule.js'
import { bindPids, meantNow } from './bind_pids.js'
import type { Judging } from './judging.js'
import type { Rulebook, RuleEntry, RulesChange } from './rulebook.js'
import type { Sources } from './sources.js'
import type { Binding, WatchedProcesses } from './watched.js'

interface RuleChangesParts {
  readonly book: Rulebook
  readonly watched: WatchedProcesses
  readonly sources: Sources
  readonly judging: Judging
  readonly alarms: Alarms
  readonly governor: Governor
}

/** Alerts that no decision would resolve once their rule is there no more. */
const BY_RULE: readonly AlertKind[] = ['died', 'restart-failed', 'suspended', 'gave-up']

/** Puts other rules in the place of those that an engine has. */
export class RuleChanges {
  readonly #parts: RuleChangesParts

  constructor(parts: RuleChangesParts) {
    this.#parts = parts
  }

  /** Between two ticks: all of it, or nothing where it throws. */
  async carryOut(texts: readonly Rule[], checked: readonly CheckedRule[]): Promise<RulesChange> {
    const { book, watched, sources, judging } = this.#parts
    const change = book.changeTo(checked)
    const before = new Set(watched.all)
    const same = checked.map((rule) => book.same(rule))
    let entries: RuleEntry[]
    try {
      const others = checked.flatMap((rule, at) =>
        same[at] === undefined ? [{ text: texts[at]!, checked: rule }] : [],
      )
      const bound = await bindPids(others, watched, meantNow(watched, book))
      entries = same.map((entry) => entry ?? bound.shift()!)
      await sources.use(checked)
      await judging.update(entries, sources.groups)
    } catch (error) {
      watched.keep((binding) => before.has(binding))
      await sources.use(book.rules)
      throw error
    }
    book.use(entries)
    const kept = new Set(same.map((entry) => entry?.checked.name))
    watched.keep((binding) => !before.has(binding) || kept.has(binding.rule))
    this.#bindNew(watched.all.filter((binding) => !before.has(binding)))
    this.#forget(change.removed)
    return change
  }

  /** A restart under way may have made a successor since its pid was looked up. */
  #bindNew(bindings: readonly Binding[]): void {
    for (const { rule, identity } of bindings) this.#parts.judging.bind(rule, identity)
  }

  #forget(rules: readonly string[]): void {
    const { governor, alarms } = this.#parts
    for (const rule of rules) {
      governor.resume(rule)
      alarms.resolveOf(rule, BY_RULE)
    }
  }
}
