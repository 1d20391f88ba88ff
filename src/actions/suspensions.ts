import type { GovernorChange, Resumption, Suspension } from './governor_types.js'
import { type Lineage, pardon } from './lineages.js'
import { LruMap } from './lru_map.js'

interface SuspensionsParts {
  readonly onChange: (change: GovernorChange) => void
  /** A rule begins anew. */
  readonly onRuleResumed: (rule: string) => void
}

const KEPT_RULES = 10_000

/** What is not restarted for a while: by a rule, one process and its successors, anything on this host. */
export class Suspensions {
  readonly #parts: SuspensionsParts
  #ofHost: Suspension | undefined
  readonly #byRule = new LruMap<Suspension>(KEPT_RULES)
  readonly #givenUp = new Set<Lineage>()

  constructor(parts: SuspensionsParts) {
    this.#parts = parts
  }

  get all(): Suspension[] {
    const ofProcesses = Array.from(this.#givenUp, ({ gaveUp }) => gaveUp!)
    return [...(this.#ofHost === undefined ? [] : [this.#ofHost]), ...this.#byRule.values(), ...ofProcesses]
  }

  ofHost(nowMs: number): Suspension | undefined {
    return this.#ofHost !== undefined && nowMs < this.#ofHost.untilMs ? this.#ofHost : undefined
  }

  /** Also one whose time is over, until the next tick. */
  ofRule(rule: string): Suspension | undefined {
    return this.#byRule.get(rule)
  }

  /** @param lineage of the process, where only that is meant */
  suspend(suspension: Suspension, lineage?: Lineage): void {
    this.restore(suspension, lineage)
    this.#parts.onChange(suspension)
  }

  /** Lets go on what has waited long enough. */
  tick(nowMs: number): void {
    if (this.#ofHost !== undefined && nowMs >= this.#ofHost.untilMs) this.#resume(this.#ofHost, 'time')
    for (const suspension of [...this.#byRule.values()]) {
      if (nowMs >= suspension.untilMs) this.#resume(suspension, 'time')
    }
    for (const lineage of this.#givenUp) {
      if (nowMs >= lineage.gaveUp!.untilMs) this.#resume(lineage.gaveUp!, 'time', lineage)
    }
  }

  /** Ends the suspension of a rule, and tries again what was given up for it; false when there is neither. */
  resume(rule: string): boolean {
    const gaveUp = [...this.#givenUp].filter((lineage) => lineage.gaveUp!.rule === rule)
    for (const lineage of gaveUp) this.#resume(lineage.gaveUp!, 'request', lineage)
    const suspension = this.#byRule.get(rule)
    if (suspension !== undefined) this.#resume(suspension, 'request')
    return suspension !== undefined || gaveUp.length > 0
  }

  /** From a journal: nobody is told again. */
  restore(suspension: Suspension, lineage: Lineage | undefined): void {
    const { scope, rule } = suspension
    if (scope === 'host') this.#ofHost = suspension
    if (scope === 'rule') this.#byRule.set(rule, suspension)
    if (scope === 'process' && lineage !== undefined) {
      lineage.gaveUp = suspension
      this.#givenUp.add(lineage)
    }
  }

  /** From a journal: this was resumed. */
  restoreResumed({ scope, rule }: Pick<Resumption, 'scope' | 'rule'>, lineage: Lineage | undefined): void {
    if (scope === 'host') this.#ofHost = undefined
    if (scope === 'rule') {
      this.#byRule.delete(rule)
      this.#parts.onRuleResumed(rule)
    }
    if (scope === 'process' && lineage !== undefined) {
      pardon(lineage)
      this.#givenUp.delete(lineage)
    }
  }

  /** As of `RestartLog`. */
  shift(ms: number): void {
    const shifted = (suspension: Suspension) => ({ ...suspension, untilMs: suspension.untilMs + ms })
    if (this.#ofHost !== undefined) this.#ofHost = shifted(this.#ofHost)
    for (const suspension of [...this.#byRule.values()])
      this.#byRule.set(suspension.rule, shifted(suspension))
    for (const lineage of this.#givenUp) lineage.gaveUp = shifted(lineage.gaveUp!)
  }

  /** After a boot, or in another container, pids name others. */
  forgetProcesses(): void {
    this.#givenUp.clear()
  }

  #resume({ scope, rule, who }: Suspension, by: Resumption['by'], lineage?: Lineage): void {
    this.restoreResumed({ scope, rule }, lineage)
    this.#parts.onChange({ kind: 'resumed', scope, rule, who, by })
  }
}
