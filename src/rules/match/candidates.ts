import { NAME_BYTES } from '../../table/columns.js'
import type { Leaf, Tree } from './compile.js'
import { type Gates, gatesOf, push } from './gates.js'
import { namePattern, type Pattern } from './pattern.js'
import { addLeaves, type MatchPlan } from './plan.js'
import { no, SETTLED_NO, SETTLED_YES, simplify, type Truth, unknown, yes } from './truth.js'

/** The kernel keeps 15 bytes of a user process's name. */
const COMM_BYTES = 15
/** Names seen are few next to processes; past so many entries in all their lists the host churns names on purpose. */
const REMEMBERED = 1 << 18

/** Rules that may match a process with some name. */
export interface Candidates {
  /** They match whatever else the process is. */
  readonly sure: Int32Array
  /** They match if the rest of their tree does, which many of them can have in common. */
  readonly open: Gates
  /** Rules of which the lists for other names do not hold for this one. */
  readonly except: ReadonlySet<number>
}

/**
 * Rules by name, so that a pattern runs once per name and not once per process. Most names fit no leaf: what the rules are then left
 * with is the same for all of these, and only the rules with a leaf that fits are looked at for a name.
 */
export class CandidateIndex {
  readonly #plan: MatchPlan
  /** Leaves by the plain name that they ask for. */
  readonly #plain = new Map<string, number[]>()
  readonly #patterns: { readonly leaf: number; readonly pattern: Pattern }[] = []
  /** Rules by the name leaves in their tree. */
  readonly #rulesOf = new Map<number, number[]>()
  /** When no leaf fits the name: for user processes, for kernel threads. */
  readonly #others: readonly [Candidates, Candidates]
  readonly #known = new Map<string, Candidates>()
  #remembered = 0

  constructor(plan: MatchPlan) {
    this.#plan = plan
    const used = new Set<number>()
    for (const [rule, { tree }] of plan.rules.entries()) {
      const leaves = new Set<number>()
      addLeaves(tree, leaves)
      for (const leaf of leaves) {
        used.add(leaf)
        if (plan.leaves[leaf]!.kind === 'name') push(this.#rulesOf, leaf, rule)
      }
    }
    for (const leaf of used) this.#addLeaf(leaf, plan.leaves[leaf]!)
    const rules = plan.rules.map((_, rule) => rule)
    const none = new Set<number>()
    this.#others = [this.#settle(rules, none, false, none), this.#settle(rules, none, true, none)]
  }

  /** What holds when no leaf fits the name, but for the rules in `except` of those of the name. */
  others(isKernelThread: boolean): Candidates {
    return this.#others[isKernelThread ? 1 : 0]
  }

  /** What the leaves that fit the name make of their rules. */
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
    const fitting = new Set(this.#plain.get(name))
    const text = Buffer.from(name, 'latin1').toString()
    for (const { leaf, pattern } of this.#patterns) if (pattern.test(text)) fitting.add(leaf)
    const rules = new Set([...fitting].flatMap((leaf) => this.#rulesOf.get(leaf)!))
    const found = this.#settle([...rules], fitting, isKernelThread, rules)
    this.#known.set(key, found)
    this.#remembered += 16 + rules.size
    return found
  }

  #addLeaf(id: number, leaf: Leaf): void {
    if (leaf.kind !== 'name') return
    const pattern = namePattern(leaf.pattern)
    if (pattern !== undefined) this.#patterns.push({ leaf: id, pattern })
    else for (const key of keysOf(leaf.pattern)) push(this.#plain, key, id)
  }

  #settle(
    rules: readonly number[],
    fitting: ReadonlySet<number>,
    isKernelThread: boolean,
    except: ReadonlySet<number>,
  ): Candidates {
    const { leaves, rules: matches } = this.#plan
    const leafTruth = (leaf: number): Truth => {
      const { kind } = leaves[leaf]!
      if (kind === 'kernelThread') return isKernelThread ? yes : no
      if (kind === 'name') return fitting.has(leaf) ? yes : no
      return unknown
    }
    const sure: number[] = []
    const open = new Map<string, { tree: Tree; rules: number[] }>()
    for (const rule of rules) {
      const { tree, kernelThreads } = matches[rule]!
      if (isKernelThread && !kernelThreads) continue
      const rest = simplify(tree, leafTruth)
      if (rest === SETTLED_YES) sure.push(rule)
      if (rest === SETTLED_YES || rest === SETTLED_NO) continue
      const key = typeof rest === 'number' ? String(rest) : JSON.stringify(rest)
      const equal = open.get(key)
      if (equal === undefined) open.set(key, { tree: rest, rules: [rule] })
      else equal.rules.push(rule)
    }
    const asked = [...open.values()].map((each) => ({
      ...each,
      asksTexts: asksTexts(each.tree, leaves),
      asksNumbers: each.rules.some((rule) => matches[rule]!.numbers.length > 0),
    }))
    return { sure: Int32Array.from(sure), open: gatesOf(asked, this.#plan), except }
  }
}

/** A longer name than the kernel keeps stands for its first bytes. */
function keysOf(name: string): string[] {
  const bytes = Buffer.from(name)
  const whole = bytes.toString('latin1')
  return bytes.length > COMM_BYTES ? [whole, whole.slice(0, COMM_BYTES)] : [whole]
}

function asksTexts(tree: Tree, leaves: readonly Leaf[]): boolean {
  if (typeof tree === 'number') return leaves[tree]!.kind === 'text'
  return tree.parts.some((part) => asksTexts(part, leaves))
}
