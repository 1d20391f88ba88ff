export type { Detachment } from '../tree/parentage.js'
export { type RenderTreeOptions, renderTree } from '../tree/render.js'
export { readThreadNames, type ThreadName, type ThreadNames } from '../tree/threads.js'
export {
  type ProcessTree,
  type ProcessTreeOptions,
  type ProcessUse,
  processTree,
  type SubtreeUse,
  TREE_METRICS,
  type TreeMetric,
  type TreeNode,
} from '../tree/tree.js'
