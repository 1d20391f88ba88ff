import type { Resource } from '../../control/rlimit.js'
import { ProcmusterError } from '../../errors.js'
import type { Steps } from '../../slices.js'
import type { GroupKind } from '../language/ast.js'
import type { Match, MatchLeaf, TextFact } from './ast.js'
import { namePattern, textPattern } from './pattern.js'

/** What a rule says about whom it is for. */
export interface MatchSource {
  /** Name of the rule, for errors and warnings. */
  readonly name: string
  readonly match: Match
  readonly kernelThreads: boolean
  /** Kinds of groups whose keys have to be known of the processes that match. */
  readonly groups?: readonly GroupKind[] | undefined
  /** Resources whose limits its condition reads. */
  readonly limits: readonly Resource[]
}

/** A leaf with its user looked up. */
export type Leaf =
  | Exclude<MatchLeaf, { kind: 'user' | 'session' | 'processGroup' }>
  | { readonly kind: 'cell'; readonly cell: WatchedCell; readonly value: number }

/** Columns that a tree may read: a change of one has the process matched again. */
const WATCHED_CELLS = ['uid', 'sid', 'pgid'] as const
export type WatchedCell = (typeof WATCHED_CELLS)[number]

/** A tree over leaves by their number. */
export type Tree = number | { readonly op: 'all' | 'any' | 'not'; readonly parts: readonly Tree[] }

export interface RuleMatch {
  readonly tree: Tree
  readonly kernelThreads: boolean
  /** Places in `FactSpec.numbers` of what the rule needs to know of the processes that match. */
  readonly numbers: readonly number[]
}

export interface TextLeaf {
  readonly fact: TextFact
  readonly pattern: string
  /** The first rule that has it. */
  readonly rule: string
}

/** Groups whose keys are texts; the workers know them as numbers. */
export const KEYED_GROUPS = ['unit', 'cgroup', 'container', 'program'] as const
export type KeyedGroup = (typeof KEYED_GROUPS)[number]

export type NumberFact =
  | { readonly kind: 'limit'; readonly resource: Resource }
  | { readonly kind: 'groupKey'; readonly of: KeyedGroup }

/** What has to be learned about processes for all rules together. */
export interface FactSpec {
  readonly texts: readonly TextLeaf[]
  readonly numbers: readonly NumberFact[]
}

/** The matching of all rules as plain data for the workers. */
export interface CompiledMatch {
  readonly rules: readonly RuleMatch[]
  /** Distinct: what a thousand rules ask is asked once. */
  readonly leaves: readonly Leaf[]
  /** By leaf, its place in `facts.texts`; -1 for the others. */
  readonly textOf: readonly number[]
  readonly facts: FactSpec
  /** Shared: by rule the pid and the start of the process that it is bound to, NaN for any. Written while the threads run. */
  readonly bound: SharedArrayBuffer
}

/**
 * @param uidOf the uid of a user's name, or undefined when there is none
 * @throws ProcmusterError INVALID_ARGUMENT for an unknown user, and for a pattern that cannot be understood
 */
export function* compileMatch(
  sources: readonly MatchSource[],
  uidOf: (user: string) => number | undefined,
): Steps<CompiledMatch> {
  const compiler = new MatchCompiler(uidOf)
  const bound = new SharedArrayBuffer(sources.length * 16)
  const pids = new Float64Array(bound).fill(Number.NaN)
  const rules: RuleMatch[] = []
  for (const [index, source] of sources.entries()) {
    yield
    const [named, match] = takePid(source.match)
    if (named !== undefined) pids.set([named.pid, named.startTicks ?? Number.NaN], index * 2)
    const numbers: NumberFact[] = source.limits.map((resource) => ({ kind: 'limit', resource }))
    for (const of of KEYED_GROUPS) if (source.groups?.includes(of)) numbers.push({ kind: 'groupKey', of })
    rules.push({
      tree: compiler.tree(match, source.name),
      kernelThreads: source.kernelThreads,
      numbers: numbers.map((fact) => compiler.number(fact)),
    })
  }
  const { leaves, textOf, facts } = compiler
  return { rules, leaves, textOf, facts, bound }
}

/** The process that a rule names as a whole, which `bind` may change, and the rest of what it asks. */
function takePid(match: Match): [named: (MatchLeaf & { kind: 'pid' }) | undefined, rest: Match] {
  if (match.kind === 'pid') return [match, { kind: 'all', parts: [] }]
  if (match.kind !== 'all') return [undefined, match]
  const named = match.parts.find((part) => part.kind === 'pid')
  return [named, { kind: 'all', parts: match.parts.filter((part) => part !== named) }]
}

class MatchCompiler {
  readonly leaves: Leaf[] = []
  readonly textOf: number[] = []
  readonly facts = { texts: [] as TextLeaf[], numbers: [] as NumberFact[] }
  readonly #uidOf: (user: string) => number | undefined
  readonly #leafIds = new Map<string, number>()
  readonly #numberIds = new Map<string, number>()

  constructor(uidOf: (user: string) => number | undefined) {
    this.#uidOf = uidOf
  }

  tree(match: Match, rule: string): Tree {
    switch (match.kind) {
      case 'all':
      case 'any':
        if (match.parts.length === 1) return this.tree(match.parts[0]!, rule)
        return { op: match.kind, parts: match.parts.map((part) => this.tree(part, rule)) }
      case 'not':
        return { op: 'not', parts: [this.tree(match.part, rule)] }
      default:
        return this.#leaf(this.#resolve(match, rule), rule)
    }
  }

  number(fact: NumberFact): number {
    return idOf(this.#numberIds, this.facts.numbers, fact)
  }

  #leaf(leaf: Leaf, rule: string): number {
    const id = idOf(this.#leafIds, this.leaves, leaf)
    if (id < this.textOf.length) return id
    checkPattern(leaf, rule)
    this.textOf.push(leaf.kind === 'text' ? this.facts.texts.length : -1)
    if (leaf.kind === 'text') this.facts.texts.push({ fact: leaf.fact, pattern: leaf.pattern, rule })
    return id
  }

  #resolve(leaf: MatchLeaf, rule: string): Leaf {
    switch (leaf.kind) {
      case 'session':
        return { kind: 'cell', cell: 'sid', value: leaf.sid }
      case 'processGroup':
        return { kind: 'cell', cell: 'pgid', value: leaf.pgid }
      case 'user': {
        const uid = typeof leaf.user === 'number' ? leaf.user : this.#uidOf(leaf.user)
        if (uid !== undefined) return { kind: 'cell', cell: 'uid', value: uid }
        throw new ProcmusterError('INVALID_ARGUMENT', {
          message: `rule ${JSON.stringify(rule)}: this host knows no user ${JSON.stringify(leaf.user)}; give the uid instead`,
        })
      }
      default:
        return leaf
    }
  }
}

/** A thread that judges could not tell anybody. */
function checkPattern(leaf: Leaf, rule: string): void {
  try {
    if (leaf.kind === 'name') namePattern(leaf.pattern)
    if (leaf.kind === 'text') textPattern(leaf.fact, leaf.pattern)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message: `rule ${JSON.stringify(rule)}: ${leaf.kind === 'text' ? leaf.fact : leaf.kind}: ${reason}`,
      cause,
    })
  }
}

function idOf<T extends object>(ids: Map<string, number>, all: T[], one: T): number {
  const key = JSON.stringify(Object.entries(one).sort())
  const known = ids.get(key)
  if (known !== undefined) return known
  ids.set(key, all.length)
  return all.push(one) - 1
}
