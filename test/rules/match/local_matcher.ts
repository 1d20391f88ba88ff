import { carryState, mapState, type ShardState } from '../../../dist/rules/judge/state.js'
import type { Match } from '../../../dist/rules/match/ast.js'
import { findChanges, makeChanges } from '../../../dist/rules/match/changes.js'
import { commitChanges } from '../../../dist/rules/match/commit.js'
import { type CompiledMatch, compileMatch, type MatchSource } from '../../../dist/rules/match/compile.js'
import type { Learned } from '../../../dist/rules/match/learned.js'
import { matchChanges } from '../../../dist/rules/match/match_changes.js'
import { Matcher } from '../../../dist/rules/match/matcher.js'
import { planMatch } from '../../../dist/rules/match/plan.js'
import { TextMatcher, type Texts } from '../../../dist/rules/match/text_matcher.js'
import { atOnce } from '../../../dist/slices.js'
import { headerCell, type TableMemory } from '../../../dist/table/layout.js'

interface TickOptions {
  learned?: Learned | undefined
  rebound?: readonly number[]
  isRepeated?: boolean
}

/** Matches on this thread what the workers would match on theirs. */
export class LocalMatcher {
  readonly compiled: CompiledMatch
  readonly #matcher: Matcher
  readonly #texts: TextMatcher
  #state: ShardState | undefined
  wanted: number[] = []

  constructor(matches: readonly (Match | Partial<MatchSource>)[]) {
    const sources = matches.map((match, index): MatchSource => {
      const given = 'kind' in match ? { match } : match
      return {
        name: `r${index}`,
        match: { kind: 'all', parts: [] },
        kernelThreads: false,
        limits: [],
        ...given,
      }
    })
    this.compiled = atOnce(compileMatch(sources, (user) => ({ root: 0, daemon: 1 })[user]))
    this.#matcher = new Matcher(planMatch(this.compiled, 0, sources.length))
    this.#texts = new TextMatcher(this.compiled.facts.texts)
  }

  get state(): ShardState {
    return this.#state!
  }

  /** The rules that match, by pid. */
  tick(
    table: TableMemory,
    { learned, rebound, isRepeated = false }: TickOptions = {},
  ): Map<number, number[]> {
    const state = this.#grow(table.layout.capacity)
    const matcher = this.#matcher
    const changes = makeChanges(matcher.plan, state.capacity)
    findChanges(table, state, matcher, changes, learned, rebound, isRepeated, false)
    matchChanges(table, state, matcher, changes, learned)
    commitChanges(table, state, matcher, changes, learned)
    this.wanted = [...changes.wanted].sort((a, b) => a - b)
    const rules = this.compiled.rules.map((_, rule) => rule)
    const live = [...table.slots.subarray(0, table.header[headerCell.size])]
    return new Map(
      live.map((slot) => [
        table.columns.pid[slot]!,
        rules.filter((rule) => (state.matched[rule * state.words + (slot >>> 5)]! >>> (slot & 31)) & 1),
      ]),
    )
  }

  /** What the main thread would bring along after it has read these texts. */
  learn(
    texts: readonly (Texts & { slot: number; generation?: number; numbers?: readonly number[] })[],
  ): Learned {
    const { yes, known } = this.#texts.match(texts, Number.POSITIVE_INFINITY)
    const { numbers } = this.compiled.facts
    return {
      slots: Uint32Array.from(texts, ({ slot }) => slot),
      generations: Uint32Array.from(texts, ({ generation = 1 }) => generation),
      yes,
      known,
      numbers: Float64Array.from(
        texts.flatMap((text) => numbers.map((_, place) => text.numbers?.[place] ?? Number.NaN)),
      ),
    }
  }

  #grow(capacity: number): ShardState {
    const before = this.#state
    if (before !== undefined && before.capacity >= capacity) return before
    const rules = { plans: this.compiled.rules.map(() => ({ per: undefined })), match: this.#matcher.plan }
    const grown = mapState(rules, capacity)
    const same = Int32Array.from(rules.plans.keys())
    if (before !== undefined) carryState(before, rules, grown, rules, same, true)
    this.#state = grown
    return grown
  }
}

export const all = (...parts: Match[]): Match => ({ kind: 'all', parts })
export const any = (...parts: Match[]): Match => ({ kind: 'any', parts })
export const not = (part: Match): Match => ({ kind: 'not', part })
export const name = (pattern: string): Match => ({ kind: 'name', pattern })
export const text = (
  fact: 'commandLine' | 'exe' | 'cgroup' | 'unit' | 'container' | 'program',
  pattern: string,
) => ({ kind: 'text', fact, pattern }) as const
export const subtree = (pid: number, startTicks?: number): Match => ({ kind: 'subtree', pid, startTicks })
export const user = (who: string | number): Match => ({ kind: 'user', user: who })
export const pid = (number: number, startTicks?: number): Match => ({ kind: 'pid', pid: number, startTicks })
export const state = (states: string): Match => ({ kind: 'state', states })
export const session = (sid: number): Match => ({ kind: 'session', sid })
export const processGroup = (pgid: number): Match => ({ kind: 'processGroup', pgid })
export const kernelThread: Match = { kind: 'kernelThread' }
