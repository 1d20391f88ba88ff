import { NAME_BYTES } from '../../table/columns.js'
import type { Leaf, Tree } from './compile.js'
import { namePattern } from './pattern.js'
import { addLeaves, type MatchPlan } from './plan.js'
import { no, SETTLED_NO, SETTLED_YES, simplify, type Truth, unknown, yes } from './truth.js'

/** The kernel keeps 15 bytes of a user process's name. */
const COMM_BYTES = 15
/** Names seen are few next to processes; past so many entries in all their lists the host churns names on purpose. */
const REMEMBERED = 1 << 18

/** Rules that a process's name leaves in question. */
export interface Candidates {
  /** They match whatever else the process is. */
  readonly sure: Int32Array
  /** They match if the rest of their tree does. */
  readonly open: readonly OpenRule[]
}

export interface OpenRule {
  readonly rule: number
  /** Without leaves about names and kernel threads. */
  readonly tree: Tree
  readonly asksTexts: boolean
}

/** Rules by name, so that a pattern runs once per name and not once per process. */
export class CandidateIndex {
  readonly #plan: MatchPlan
  readonly #names: readonly ((name: string, text: string) => boolean)[]
  /** Rules that need one of some plain names, by name. */
  readonly #byName = new Map<string, number[]>()
  /** Other rules whose tree has a leaf about names. */
  readonly #byPattern: number[] = []
  /** Rules that do not ask for names: for user processes, for kernel threads. */
  readonly #nameless: readonly [Candidates, Candidates]
  readonly #known = new Map<string, Candidates>()
  #remembered = 0

  constructor(plan: MatchPlan) {
    this.#plan = plan
    this.#names = plan.leaves.map(nameTest)
    const nameless: number[] = []
    for (const [rule, { tree }] of plan.rules.entries()) {
      const plain = plainNames(tree, plan.leaves)
      if (plain !== undefined) {
        for (const name of new Set(plain.flatMap(keysOf))) this.#addPlain(name, rule)
      } else if (hasName(tree, plan.leaves)) {
        this.#byPattern.push(rule)
      } else {
        nameless.push(rule)
      }
    }
    this.#nameless = [this.#settle(nameless, '', false), this.#settle(nameless, '', true)]
  }

  /** Rules that do not ask for names. */
  nameless(isKernelThread: boolean): Candidates {
    return this.#nameless[isKernelThread ? 1 : 0]
  }

  /** Rules that ask for names, as far as this one lets them match. */
  named(names: Buffer, slot: number, isKernelThread: boolean): Candidates {
    const start = slot * NAME_BYTES
    let end = start
    while (end < start + NAME_BYTES && names[end] !== 0) end++
    const name = names.toString('latin1', start, end)
    const key = (isKernelThread ? 'k' : 'u') + name
    const known = this.#known.get(key)
    if (known !== undefined) return known
    if (this.#remembered >= REMEMBERED) {
      this.#known.clear()
      this.#remembered = 0
    }
    const plain = this.#byName.get(name) ?? []
    const found = this.#settle([...plain, ...this.#byPattern], name, isKernelThread)
    this.#known.set(key, found)
    this.#remembered += 16 + found.sure.length + found.open.length
    return found
  }

  #addPlain(name: string, rule: number): void {
    const rules = this.#byName.get(name)
    if (rules === undefined) this.#byName.set(name, [rule])
    else rules.push(rule)
  }

  #settle(rules: readonly number[], name: string, isKernelThread: boolean): Candidates {
    const { leaves, rules: matches } = this.#plan
    const text = Buffer.from(name, 'latin1').toString()
    const truths = new Map<number, Truth>()
    const leafTruth = (leaf: number): Truth => {
      const { kind } = leaves[leaf]!
      if (kind === 'kernelThread') return isKernelThread ? yes : no
      if (kind !== 'name') return unknown
      let truth = truths.get(leaf)
      if (truth === undefined) {
        truth = this.#names[leaf]!(name, text) ? yes : no
        truths.set(leaf, truth)
      }
      return truth
    }
    const sure: number[] = []
    const open: OpenRule[] = []
    for (const rule of rules) {
      const { tree, kernelThreads } = matches[rule]!
      if (isKernelThread && !kernelThreads) continue
      const rest = simplify(tree, leafTruth)
      if (rest === SETTLED_YES) sure.push(rule)
      else if (rest !== SETTLED_NO) open.push({ rule, tree: rest, asksTexts: hasText(rest, leaves) })
    }
    return { sure: Int32Array.from(sure), open }
  }
}

/** Names one of which a process must have for the tree to match; undefined when it could have another. */
function plainNames(tree: Tree, leaves: readonly Leaf[]): string[] | undefined {
  if (typeof tree === 'number') {
    const leaf = leaves[tree]!
    return leaf.kind === 'name' && namePattern(leaf.pattern) === undefined ? [leaf.pattern] : undefined
  }
  if (tree.op === 'not') return undefined
  const parts = tree.parts.map((part) => plainNames(part, leaves))
  if (tree.op === 'all') return parts.find((names) => names !== undefined)
  return parts.includes(undefined) ? undefined : parts.flatMap((names) => names!)
}

/** A longer name than the kernel keeps stands for its first bytes. */
function keysOf(name: string): string[] {
  const bytes = Buffer.from(name)
  const whole = bytes.toString('latin1')
  return bytes.length > COMM_BYTES ? [whole, whole.slice(0, COMM_BYTES)] : [whole]
}

function nameTest(leaf: Leaf): (name: string, text: string) => boolean {
  if (leaf.kind !== 'name') return () => false
  const pattern = namePattern(leaf.pattern)
  if (pattern !== undefined) return (_, text) => pattern.test(text)
  const keys = keysOf(leaf.pattern)
  return (name) => keys.includes(name)
}

function hasName(tree: Tree, leaves: readonly Leaf[]): boolean {
  return hasLeaf(tree, leaves, 'name')
}

function hasText(tree: Tree, leaves: readonly Leaf[]): boolean {
  return hasLeaf(tree, leaves, 'text')
}

function hasLeaf(tree: Tree, leaves: readonly Leaf[], kind: Leaf['kind']): boolean {
  const used = new Set<number>()
  addLeaves(tree, used)
  return [...used].some((leaf) => leaves[leaf]!.kind === kind)
}
