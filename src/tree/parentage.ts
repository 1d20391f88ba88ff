/**
 * Why a process stands at the top although it names a parent: `absent`, no row has that pid (hidden by hidepid, or in an
 * outer pid namespace); `younger`, that pid has gone to a process that started later; `cycle`, it would be its own ancestor;
 * `unknown`, the parent's pid could not be read. The last but one come from a table that was read while processes ended.
 */
export type Detachment = 'absent' | 'younger' | 'cycle' | 'unknown'

/** Who is whose parent, by places in arrays that are sorted by pid. */
interface Parentage {
  /** Place of the parent, -1 for none. */
  readonly parents: Int32Array
  readonly detached: ReadonlyMap<number, Detachment>
}

/** What `linkParents` needs of each process, in ascending order of pid. */
interface Kinship {
  readonly pids: Int32Array
  /** -1 where it is not known, 0 for none. */
  readonly ppids: Int32Array
  readonly startTicks: Float64Array
}

/** Links every process to its parent so that there is no cycle, whatever the rows say. */
export function linkParents({ pids, ppids, startTicks }: Kinship): Parentage {
  const parents = new Int32Array(pids.length).fill(-1)
  const detached = new Map<number, Detachment>()
  for (let child = 0; child < pids.length; child++) {
    const ppid = ppids[child]!
    if (ppid === 0) continue
    const parent = placeOf(pids, ppid)
    if (ppid < 0) detached.set(child, 'unknown')
    else if (parent < 0) detached.set(child, 'absent')
    // Ancestors are never younger: who is orphaned goes to an ancestor, or to the init of its namespace.
    else if (startTicks[parent]! > startTicks[child]!) detached.set(child, 'younger')
    else parents[child] = parent
  }
  cutCycles(parents, detached)
  return { parents, detached }
}

/** Cycles can only be left among processes that started within one clock tick. */
function cutCycles(parents: Int32Array, detached: Map<number, Detachment>): void {
  const seenFrom = new Int32Array(parents.length).fill(-1)
  for (let start = 0; start < parents.length; start++) {
    let at = start
    while (at >= 0 && seenFrom[at] === -1) {
      seenFrom[at] = start
      at = parents[at]!
    }
    if (at < 0 || seenFrom[at] !== start) continue
    let lowest = at
    for (let member = parents[at]!; member !== at; member = parents[member]!) {
      if (member < lowest) lowest = member
    }
    parents[lowest] = -1
    detached.set(lowest, 'cycle')
  }
}

/** Place of a number in an ascending array, -1 if it is not there. */
export function placeOf(ascending: Int32Array, wanted: number): number {
  for (let low = 0, high = ascending.length - 1; low <= high; ) {
    const middle = (low + high) >>> 1
    const found = ascending[middle]!
    if (found === wanted) return middle
    if (found < wanted) low = middle + 1
    else high = middle - 1
  }
  return -1
}

/** Parents before their children, siblings in ascending order; with `root` only what descends from that place. */
export function preorder(parents: Int32Array, root?: number): Int32Array {
  const count = parents.length
  // Of `count`, an imagined parent of all that have none.
  const firstChild = new Int32Array(count + 1).fill(-1)
  const nextSibling = new Int32Array(count).fill(-1)
  for (let place = count - 1; place >= 0; place--) {
    const parent = parents[place]! < 0 ? count : parents[place]!
    nextSibling[place] = firstChild[parent]!
    firstChild[parent] = place
  }
  const order = new Int32Array(count)
  const top = root ?? count
  let length = 0
  if (root !== undefined) order[length++] = root
  // By links instead of by recursion: a chain of processes can be as long as pid_max.
  for (let at = firstChild[top]!; at >= 0; ) {
    order[length++] = at
    if (firstChild[at]! >= 0) {
      at = firstChild[at]!
      continue
    }
    while (at !== top && nextSibling[at]! < 0) at = parents[at]! < 0 ? count : parents[at]!
    at = at === top ? -1 : nextSibling[at]!
  }
  return order.subarray(0, length)
}
