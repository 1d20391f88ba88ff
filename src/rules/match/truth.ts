import type { Tree } from './compile.js'

/** Numbers, because they are kept in arrays. */
export type Truth = 0 | 1 | 2
export const no = 0
export const yes = 1
export const unknown = 2

/** What a tree says, given what its leaves say: three-valued, so that what may be either way stays unknown. */
export function truthOf(tree: Tree, leafTruth: (leaf: number) => Truth): Truth {
  if (typeof tree === 'number') return leafTruth(tree)
  if (tree.op === 'not') return negated(truthOf(tree.parts[0]!, leafTruth))
  const decisive = tree.op === 'all' ? no : yes
  let result: Truth = tree.op === 'all' ? yes : no
  for (const part of tree.parts) {
    const truth = truthOf(part, leafTruth)
    if (truth === decisive) return decisive
    if (truth === unknown) result = unknown
  }
  return result
}

/** What is left to be asked when some leaves are settled: `yes` or `no`, or a tree over the leaves that are unknown so far. */
export function simplify(
  tree: Tree,
  leafTruth: (leaf: number) => Truth,
): Tree | typeof SETTLED_YES | typeof SETTLED_NO {
  if (typeof tree === 'number') {
    const truth = leafTruth(tree)
    return truth === unknown ? tree : truth === yes ? SETTLED_YES : SETTLED_NO
  }
  const parts: Tree[] = []
  const decisive = tree.op === 'all' ? SETTLED_NO : SETTLED_YES
  for (const part of tree.parts) {
    const rest = simplify(part, leafTruth)
    if (tree.op === 'not') {
      if (rest === SETTLED_YES) return SETTLED_NO
      if (rest === SETTLED_NO) return SETTLED_YES
      return { op: 'not', parts: [rest] }
    }
    if (rest === decisive) return decisive
    if (rest !== SETTLED_YES && rest !== SETTLED_NO) parts.push(rest)
  }
  if (parts.length === 0) return tree.op === 'all' ? SETTLED_YES : SETTLED_NO
  return parts.length === 1 ? parts[0]! : { op: tree.op, parts }
}

export const SETTLED_YES = 'yes'
export const SETTLED_NO = 'no'

function negated(truth: Truth): Truth {
  return truth === unknown ? unknown : truth === yes ? no : yes
}
