import type { CheckedRule, Rule } from '../rules/schema/rule.js'

/** What has become of an engine's rules, by their names. */
export interface RulesChange {
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
}

/** A rule in each of its forms. */
export interface RuleEntry {
  /** As it was given. */
  readonly text: Rule
  readonly checked: CheckedRule
  /** As it is given to the judge: of a rule by pid with the start of the process that it means. */
  readonly bound: Rule
}

/** The rules that hold now, for all parts of an engine that ask for them. */
export class Rulebook {
  #checked: readonly CheckedRule[] = []
  #entries = new Map<string, RuleEntry>()

  /** In the order in which they were given. */
  get rules(): readonly CheckedRule[] {
    return this.#checked
  }

  get names(): string[] {
    return this.#checked.map(({ name }) => name)
  }

  get(name: string): RuleEntry | undefined {
    return this.#entries.get(name)
  }

  indexOf(name: string): number {
    return this.#checked.findIndex((rule) => rule.name === name)
  }

  use(entries: readonly RuleEntry[]): void {
    this.#checked = entries.map(({ checked }) => checked)
    this.#entries = new Map(entries.map((entry) => [entry.checked.name, entry]))
  }

  /** The entry that a rule can keep, when it is the same as the one of that name now. */
  same(rule: CheckedRule): RuleEntry | undefined {
    const entry = this.#entries.get(rule.name)
    return entry !== undefined && isSame(entry.checked, rule) ? entry : undefined
  }

  changeTo(rules: readonly CheckedRule[]): RulesChange {
    const names = new Set(rules.map(({ name }) => name))
    const isKnown = ({ name }: CheckedRule) => this.#entries.has(name)
    return {
      added: rules.filter((rule) => !isKnown(rule)).map(({ name }) => name),
      changed: rules.filter((rule) => isKnown(rule) && !this.same(rule)).map(({ name }) => name),
      removed: this.names.filter((name) => !names.has(name)),
    }
  }
}

/** A change of many rules asks several times. */
const texts = new WeakMap<CheckedRule, string>()

function isSame(a: CheckedRule, b: CheckedRule): boolean {
  return textOf(a) === textOf(b)
}

function textOf(rule: CheckedRule): string {
  const known = texts.get(rule)
  if (known !== undefined) return known
  const text = JSON.stringify(rule)
  texts.set(rule, text)
  return text
}
