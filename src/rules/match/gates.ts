import type { Leaf, Tree, WatchedCell } from './compile.js'
import type { MatchPlan } from './plan.js'

/** Rules of which the same is left to ask. */
export interface OpenRules {
  /** Without leaves about names and kernel threads. */
  readonly tree: Tree
  readonly rules: readonly number[]
  readonly asksTexts: boolean
  /** Whether one of the rules needs numbers of what it matches. */
  readonly asksNumbers: boolean
}

/** Open rules by a leaf without which they cannot match: a process only meets those whose leaf it fits. */
export interface Gates {
  readonly cells: readonly (readonly [WatchedCell, ReadonlyMap<number, readonly OpenRules[]>])[]
  /** By row of the plan's subtrees. */
  readonly subtrees: ReadonlyMap<number, readonly OpenRules[]>
  readonly free: readonly OpenRules[]
  /** They need some text: of a process whose texts have not been read, none matches. */
  readonly texts: readonly OpenRules[]
}

export function gatesOf(open: Iterable<OpenRules>, { leaves, subtrees }: MatchPlan): Gates {
  const cells = new Map<WatchedCell, Map<number, OpenRules[]>>()
  const bySubtree = new Map<number, OpenRules[]>()
  const free: OpenRules[] = []
  const texts: OpenRules[] = []
  for (const each of open) {
    const required = requiredLeaves(each.tree)
    const find = (kind: Leaf['kind']) => required.find((leaf) => leaves[leaf]!.kind === kind)
    const subtree = find('subtree')
    const cell = leaves[find('cell') ?? -1]
    if (subtree !== undefined) {
      push(bySubtree, subtrees.indexOf(subtree), each)
    } else if (cell?.kind === 'cell') {
      const byValue = cells.get(cell.cell) ?? new Map<number, OpenRules[]>()
      cells.set(cell.cell, byValue)
      push(byValue, cell.value, each)
    } else {
      const isOfText = find('text') !== undefined
      ;(isOfText ? texts : free).push(each)
    }
  }
  return { cells: [...cells], subtrees: bySubtree, free, texts }
}

function requiredLeaves(tree: Tree): number[] {
  if (typeof tree === 'number') return [tree]
  return tree.op === 'all' ? tree.parts.filter((part) => typeof part === 'number') : []
}

/** Adds to the list of a key. */
export function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
