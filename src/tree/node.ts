import type { ProcessIdentity } from '../table/identity.js'
import type { Detachment } from './parentage.js'
import type { ProcessTree } from './tree.js'
import { type ProcessUse, type SubtreeUse, TREE_METRICS, type TreeMetric } from './use.js'

/** One process of a tree. */
export class TreeNode {
  readonly tree: ProcessTree
  /** Where it stands among all: parents before children, a subtree in one piece. */
  readonly place: number

  /** @internal */
  constructor(tree: ProcessTree, place: number) {
    this.tree = tree
    this.place = place
  }

  get pid(): number {
    return this.tree.pidAt(this.place)
  }

  /** Clock ticks since boot, proc_pid_stat(5) field 22. */
  get startTicks(): number {
    return this.identity.startTicks
  }

  /** What an action on it takes. */
  get identity(): ProcessIdentity {
    return this.tree.identityAt(this.place)
  }

  /** Name as the kernel keeps it (comm). A process chooses it: escape it before it is shown. */
  get name(): string {
    return this.tree.nameAt(this.place)
  }

  /** Effective user id. */
  get uid(): number | undefined {
    return this.tree.uidAt(this.place)
  }

  /** Undefined unless the tree was made with `commandLines` from a table that has them. */
  get args(): readonly string[] | undefined {
    return this.tree.argsAt(this.place)
  }

  get parent(): TreeNode | undefined {
    const place = this.tree.parentOf(this.place)
    return place < 0 ? undefined : this.tree.at(place)
  }

  /** In ascending order of pid. */
  get children(): TreeNode[] {
    const children: TreeNode[] = []
    const end = this.place + this.tree.processesAt(this.place)
    for (let place = this.place + 1; place < end; place += this.tree.processesAt(place)) {
      children.push(this.tree.at(place))
    }
    return children
  }

  /** Number of ancestors in the tree. */
  get depth(): number {
    return this.tree.depthAt(this.place)
  }

  /** Why its parent is not in the tree although it names one; undefined with a parent, and without one by nature. */
  get detached(): Detachment | undefined {
    return this.tree.detachedAt(this.place)
  }

  /** What it uses itself. */
  get use(): ProcessUse {
    return byMetric((metric) => this.tree.ownAt(metric, this.place))
  }

  /** What it and all its descendants use together. */
  get subtree(): SubtreeUse {
    const { tree, place } = this
    return {
      processes: tree.processesAt(place),
      ...byMetric((metric) => tree.sumAt(metric, place)),
      missing: byMetric((metric) => tree.missingAt(metric, place)),
    }
  }

  /** This process and all its descendants, parents before children. */
  *descend(): Generator<TreeNode> {
    const end = this.place + this.tree.processesAt(this.place)
    for (let place = this.place; place < end; place++) yield this.tree.at(place)
  }
}

function byMetric<T>(read: (metric: TreeMetric) => T): Record<TreeMetric, T> {
  return Object.fromEntries(TREE_METRICS.map((metric) => [metric, read(metric)])) as Record<TreeMetric, T>
}
