import type { GroupKind } from './language/ast.js'
import type { FactSpec } from './match/compile.js'
import { Facts } from './match/facts.js'
import { JudgePool } from './pool.js'
import type { RuleEngineSettings } from './rule_engine_options.js'

/** What rules ask of the files of processes, learned in a thread of its own: that of the rules that there are now. */
export class Learning {
  readonly #settings: Pick<RuleEngineSettings, 'timeLimitMs' | 'readFacts' | 'onWarning'>
  #spec: string | undefined
  #facts: Facts | undefined
  #isSettling = false
  /** Those of rules before, whose thread ends. */
  readonly #retired: Promise<void>[] = []

  constructor(settings: Pick<RuleEngineSettings, 'timeLimitMs' | 'readFacts' | 'onWarning'>) {
    this.#settings = settings
  }

  /** Undefined when no rule asks for any. */
  get facts(): Facts | undefined {
    return this.#facts
  }

  /** Those of the processes that there were at the first tick with these rules are still being learned. */
  get isSettling(): boolean {
    return this.#isSettling
  }

  /** From the next tick on the rules ask for these. */
  use(facts: FactSpec): void {
    const spec = JSON.stringify(facts)
    if (spec === this.#spec) return
    this.#spec = spec
    if (this.#facts !== undefined) this.#retired.push(this.#facts.close())
    this.#isSettling = needsFacts(facts)
    if (!this.#isSettling) {
      this.#facts = undefined
      return
    }
    const { timeLimitMs, readFacts, onWarning } = this.#settings
    // A thread of its own: many patterns on many command lines must not hold up a tick.
    const pool = new JudgePool({ texts: facts.texts, threads: 1, timeLimitMs })
    this.#facts = new Facts(pool, facts, readFacts!, onWarning, this.#facts)
  }

  /** All processes have been seen, and what is to be learned of them is wanted by now. */
  settleOnceLearned(): void {
    const facts = this.#facts
    void facts?.learnedSoFar.then(() => {
      if (this.#facts === facts) this.#isSettling = false
    })
  }

  /** The text of a group's key, where it has been learned. */
  keyOf(kind: GroupKind, key: number): string | undefined {
    return kind === 'unit' || kind === 'cgroup' || kind === 'container' || kind === 'program'
      ? this.#facts?.keyOf(kind, key)
      : undefined
  }

  async close(): Promise<void> {
    await Promise.all([this.#facts?.close(), ...this.#retired])
  }
}

export function needsFacts({ texts, numbers }: FactSpec): boolean {
  return texts.length + numbers.length > 0
}
