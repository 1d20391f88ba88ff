import { checkOptions, ITERABLE, PATH } from '../arguments.js'
import { readProcFiles } from '../inspect/proc_files.js'
import type { TreeNode } from './node.js'

/** One thread besides the main one. */
export interface ThreadName {
  readonly tid: number
  /** proc_pid_comm(5) of the thread. It chooses it: escape it before it is shown. */
  readonly name: string
}

/** Threads besides the main one by pid, in ascending order of tid; undefined where they could not be read. */
export type ThreadNames = ReadonlyMap<number, readonly ThreadName[] | undefined>

const PROCESSES_AT_ONCE = 64
const THREADS_AT_ONCE = 1000

/**
 * Reads the names of the threads of these processes, off the main thread. Only processes that had several threads when the
 * table was sampled, or whose number is not known, are looked at. What ends meanwhile is left out.
 * @param nodes a tree, or some of its nodes
 */
export async function readThreadNames(
  nodes: Iterable<TreeNode>,
  options: { readonly procRoot?: string } = {},
): Promise<ThreadNames> {
  ITERABLE('the nodes', nodes)
  checkOptions(options, { procRoot: PATH })
  const { procRoot = '/proc' } = options
  const names = new Map<number, readonly ThreadName[] | undefined>()
  let some: TreeNode[] = []
  const read = async (): Promise<void> => {
    const found = await Promise.all(some.map((node) => threadsOf(node, procRoot)))
    for (const [index, { pid }] of some.entries()) names.set(pid, found[index])
    some = []
  }
  for (const node of nodes) {
    if (node.tree.ownAt('threads', node.place) === 1) continue
    some.push(node)
    if (some.length === PROCESSES_AT_ONCE) await read()
  }
  await read()
  return names
}

async function threadsOf(node: TreeNode, procRoot: string): Promise<ThreadName[] | undefined> {
  const { pid, startTicks } = node
  const target = { pid, startTicks }
  const [list] = await readProcFiles(target, { procRoot, files: ['task'] })
  if (list!.error !== undefined) return undefined
  const tids = list!.data
    .toString('latin1')
    .split('\n')
    .filter((line) => /^\d+$/.test(line) && Number(line) !== pid)
    .map(Number)
    .sort((a, b) => a - b)
  const threads: ThreadName[] = []
  for (let at = 0; at < tids.length; at += THREADS_AT_ONCE) {
    const some = tids.slice(at, at + THREADS_AT_ONCE)
    const files = await readProcFiles(target, {
      procRoot,
      files: some.map((tid) => `task/${tid}/comm`),
      maxBytesPerFile: 128,
    })
    for (const [index, { data, error }] of files.entries()) {
      if (error?.code === 'TIMEOUT') return undefined
      if (error === undefined)
        threads.push({ tid: some[index]!, name: data.toString('utf8').replace(/\n$/, '') })
    }
  }
  return threads
}
