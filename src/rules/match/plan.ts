import type { ColumnName } from '../../table/layout.js'
import type { CompiledMatch, Leaf, NumberFact, RuleMatch, TextLeaf, Tree } from './compile.js'

/** A column whose change has a process matched again. */
export interface Shadow {
  readonly column: ColumnName
  /** Its facts may be others now, and have to be learned again. */
  readonly refreshes: boolean
  /** Values that no tree tells apart have the same class, by value: a process that only sleeps and runs by turns stays as it is. */
  readonly classes: Uint8Array | undefined
}

/** What the rules of one shard have to know of a process, and in which order its state keeps it. */
export interface MatchPlan {
  readonly rules: readonly RuleMatch[]
  readonly leaves: readonly Leaf[]
  /** Text leaves of these rules, each with its place in `FactSpec.texts`. */
  readonly texts: readonly { readonly leaf: number; readonly text: number; readonly spec: TextLeaf }[]
  /** Ids of their subtree leaves. */
  readonly subtrees: readonly number[]
  readonly shadows: readonly Shadow[]
  /** Of all rules. */
  readonly numbers: readonly NumberFact[]
  /** Number of text leaves of all shards. */
  readonly textCount: number
  /** Of the shard's rules in turn: pid and start, NaN for any. */
  readonly bound: Float64Array
}

/** The plan of the shard that has `ruleCount` rules from `first` on. */
export function planMatch(compiled: CompiledMatch, first: number, ruleCount: number): MatchPlan {
  const { leaves, textOf, facts } = compiled
  const rules = compiled.rules.slice(first, first + ruleCount)
  const used = new Set<number>()
  for (const { tree } of rules) addLeaves(tree, used)
  const ids = [...used].sort((a, b) => a - b)
  const numbers = rules.some((rule) => rule.numbers.length > 0) ? facts.numbers : []
  const texts = ids
    .filter((leaf) => textOf[leaf]! >= 0)
    .map((leaf) => ({ leaf, text: textOf[leaf]!, spec: facts.texts[textOf[leaf]!]! }))
  return {
    rules,
    leaves,
    texts,
    subtrees: ids.filter((leaf) => leaves[leaf]!.kind === 'subtree'),
    shadows: shadowsOf(
      ids.map((id) => leaves[id]!),
      numbers,
    ),
    numbers,
    textCount: facts.texts.length,
    bound: new Float64Array(compiled.bound, first * 16, ruleCount * 2),
  }
}

export function addLeaves(tree: Tree, to: Set<number>): void {
  if (typeof tree === 'number') to.add(tree)
  else for (const part of tree.parts) addLeaves(part, to)
}

function shadowsOf(leaves: readonly Leaf[], numbers: readonly NumberFact[]): Shadow[] {
  const columns = new Set(leaves.flatMap((leaf) => (leaf.kind === 'cell' ? [leaf.cell] : [])))
  const shadows: Shadow[] = [...columns].map((column) => ({ column, refreshes: false, classes: undefined }))
  const states = leaves.flatMap((leaf) => (leaf.kind === 'state' ? [leaf.states] : []))
  if (states.length > 0) shadows.push({ column: 'state', refreshes: false, classes: stateClasses(states) })
  const isOfCgroup = (what: string) => what === 'cgroup' || what === 'unit' || what === 'container'
  const readsCgroup =
    leaves.some((leaf) => leaf.kind === 'text' && isOfCgroup(leaf.fact)) ||
    numbers.some((fact) => fact.kind === 'groupKey' && isOfCgroup(fact.of))
  if (readsCgroup) shadows.push({ column: 'cgroupId', refreshes: true, classes: undefined })
  return shadows
}

function stateClasses(sets: readonly string[]): Uint8Array {
  const classes = new Uint8Array(256)
  const known = new Map<string, number>()
  for (let code = 0; code < 256; code++) {
    const letter = String.fromCharCode(code)
    const key = sets.map((states) => (states.includes(letter) ? 1 : 0)).join('')
    if (!known.has(key)) known.set(key, known.size)
    classes[code] = known.get(key)!
  }
  return classes
}
