import { escapeForTerminal } from '../printable.js'
import type { ThreadNames } from './threads.js'
import type { ProcessTree } from './tree.js'

/** A process or a thread as it is drawn. */
interface Item {
  readonly label: string
  readonly branches: readonly Branch[]
}

/** Items that look the same, drawn once. */
export interface Branch {
  readonly item: Item
  readonly count: number
}

interface LabelOptions {
  readonly pids: boolean
  readonly threads: ThreadNames | undefined
  readonly fold: boolean
  readonly commandLine: boolean
}

interface Child {
  readonly item: Item
  readonly name: string
  readonly uid: number
  readonly id: number
  /** Of those that look the same with all below them the same; undefined for what is not folded. */
  readonly likeness: number | undefined
}

/** What is drawn for each root. Children stand in the order of their names, as in pstree; then of user and pid. */
export function itemsOf(tree: ProcessTree, options: LabelOptions): Item[] {
  const foldsThreads = options.fold && !options.pids
  const foldsProcesses = foldsThreads && !options.commandLine
  const likenesses = new Map<string, number>()
  const likenessOf = (key: string): number => {
    const found = likenesses.get(key) ?? likenesses.size
    likenesses.set(key, found)
    return found
  }
  const childrenAt = new Map<number, Child[]>()
  const roots: Item[] = []
  // From the last to the first, children come before their parents.
  for (let place = tree.size - 1; place >= 0; place--) {
    const name = tree.nameAt(place)
    const pid = tree.pidAt(place)
    const uid = tree.uidAt(place) ?? -1
    const children = childrenAt.get(place) ?? []
    childrenAt.delete(place)
    for (const thread of options.threads?.get(pid) ?? []) {
      const label = threadLabel(thread.name, options.pids ? thread.tid : undefined, options.commandLine)
      children.push({
        item: { label, branches: [] },
        name: `{${thread.name}}`,
        uid,
        id: thread.tid,
        likeness: foldsThreads ? likenessOf(`{${thread.name}}`) : undefined,
      })
    }
    const { branches, key } = foldedOf(children.sort(compare))
    const item = { label: processLabel(name, pid, tree.argsAt(place), options), branches }
    const parent = tree.parentOf(place)
    if (parent < 0) {
      roots.push(item)
      continue
    }
    const child = {
      item,
      name,
      uid,
      id: pid,
      likeness: foldsProcesses ? likenessOf(`${name}\0${key}`) : undefined,
    }
    const siblings = childrenAt.get(parent)
    if (siblings === undefined) childrenAt.set(parent, [child])
    else siblings.push(child)
  }
  return roots.reverse()
}

function compare(a: Child, b: Child): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1
  return a.uid - b.uid || a.id - b.id
}

function foldedOf(children: readonly Child[]): { branches: Branch[]; key: string } {
  const branches: { item: Item; count: number }[] = []
  const byLikeness = new Map<number, { count: number }>()
  for (const { item, likeness } of children) {
    const same = likeness === undefined ? undefined : byLikeness.get(likeness)
    if (same !== undefined) {
      same.count++
      continue
    }
    const branch = { item, count: 1 }
    branches.push(branch)
    if (likeness !== undefined) byLikeness.set(likeness, branch)
  }
  return { branches, key: [...byLikeness].map(([likeness, { count }]) => `${count}*${likeness}`).join(' ') }
}

function threadLabel(name: string, tid: number | undefined, commandLine: boolean): string {
  const shown = `{${escapeForTerminal(name)}}`
  if (tid === undefined) return shown
  return commandLine ? `${shown},${tid}` : `${shown}(${tid})`
}

function processLabel(
  name: string,
  pid: number,
  args: readonly string[] | undefined,
  { pids, commandLine }: LabelOptions,
): string {
  const shown = escapeForTerminal(name)
  if (!commandLine) return pids ? `${shown}(${pid})` : shown
  const head = pids ? `${shown},${pid}` : shown
  if (args === undefined) return head
  return args.length === 0 ? `(${head})` : [head, ...args.slice(1).map(escapeForTerminal)].join(' ')
}
