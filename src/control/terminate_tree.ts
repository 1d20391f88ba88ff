import { checkIdentity, checkOptions, oneOf } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import { type ExitInfo, exitOfChild } from './children.js'
import { ProcessHandle } from './handle.js'
import { actOnMembers, type MembersOptions, Relation } from './members.js'
import { type SignalName, signalName, signalNumber } from './signal_names.js'
import { checkTimes, TERMINATE_CHECKS } from './terminate.js'

/** Options of `terminateTree`; times in milliseconds. */
export interface TerminateTreeOptions extends Pick<MembersOptions, 'order' | 'force'> {
  /** How long they may take to end by themselves after the first signal. */
  readonly graceMs: number
  /** The first signal; SIGTERM unless told otherwise. */
  readonly signal?: SignalName | number
  /** How long to wait for SIGKILL to work. Default 10 s. */
  readonly killWaitMs?: number
}

/** How one process of the tree came to its end. */
export interface TreeMemberEnd {
  readonly pid: number
  readonly identity: ProcessIdentity
  /** The signal that it ended after, as `signalName` calls it; undefined for one that is still there. */
  readonly endedBy?: string | undefined
  /** Known of children of this process only. */
  readonly exit: ExitInfo
  /** Why it got no signal, or is still there. */
  readonly error?: ProcmusterError | undefined
}

/** What became of the whole tree. */
export interface TreeTermination {
  readonly members: readonly TreeMemberEnd[]
  readonly tookMs: number
  /** Nobody of the tree is left. */
  readonly ended: boolean
}

/**
 * Ends a process and all its descendants: stops them all, SIGTERM to each, lets them go on, waits for their real ends,
 * and SIGKILL after the grace time to those that are still there and to what they have started meanwhile.
 * @throws ProcmusterError `PROCESS_GONE` when the root is, `INVALID_ARGUMENT`
 */
export async function terminateTree(
  root: ProcessIdentity,
  options: TerminateTreeOptions,
): Promise<TreeTermination> {
  checkOptions(options, { ...TERMINATE_CHECKS, order: oneOf(['children-first', 'children-last']) })
  checkIdentity(root)
  checkTimes(options)
  const startedAt = performance.now()
  const { order = 'children-first', force = false } = options
  const first = signalNumber(options.signal ?? 'SIGTERM')
  // Of the tree only the root can be a child of ours; asked before it can end, for it is forgotten soon after.
  const rootExit = exitOfChild(root)
  const { failures, result } = await actOnMembers(Relation.tree, [root], first, { order, force }, true)
  if (failures[0] !== undefined) throw failures[0]
  const members = new Map<number, TreeMemberEnd>()
  const end = (identity: ProcessIdentity, more: Partial<TreeMemberEnd>) =>
    members.set(identity.pid, { pid: identity.pid, identity, exit: {}, ...more })
  const reached = []
  for (const { identity, error } of result.members) {
    if (error === undefined || error.code === 'PROCESS_GONE') reached.push(identity)
    else end(identity, { error })
  }
  const left = await awaitEnds([...reached, ...result.missed], options.graceMs, (identity, exit) =>
    end(identity, { endedBy: signalName(first), exit }),
  )
  if (left.length > 0) {
    const killWaitMs = options.killWaitMs ?? 10_000
    const killed = (await actOnMembers(Relation.tree, left, 9, { order, force, waitMs: killWaitMs })).result
    const failed = new Map(killed.members.map(({ pid, error }) => [pid, error]))
    const all = [...killed.members.map(({ identity }) => identity), ...killed.missed]
    const still = await awaitEnds([...all, ...left], killWaitMs, (identity, exit) => {
      if (!members.has(identity.pid)) end(identity, { endedBy: 'SIGKILL', exit })
    })
    for (const identity of still) {
      const message = `process ${identity.pid} is still there ${killWaitMs} ms after SIGKILL; it waits uninterruptibly in the kernel, or its control group is frozen`
      const error = failed.get(identity.pid) ?? new ProcmusterError('TIMEOUT', { message, ...identity })
      end(identity, { error })
    }
  }
  const own = members.get(root.pid)
  if (own?.endedBy !== undefined && rootExit !== undefined) end(root, { ...own, exit: await rootExit })
  const ends = [...members.values()]
  return {
    members: ends,
    tookMs: performance.now() - startedAt,
    ended: ends.every(({ endedBy }) => endedBy !== undefined),
  }
}

/** Those that are still there after `waitMs`. */
async function awaitEnds(
  targets: readonly ProcessIdentity[],
  waitMs: number,
  onEnd: (identity: ProcessIdentity, exit: ExitInfo) => void,
): Promise<ProcessIdentity[]> {
  const left = new Map(targets.map((identity) => [identity.pid, identity]))
  const handles: ProcessHandle[] = []
  let isOver = false
  const ended = (identity: ProcessIdentity, exit: ExitInfo) => {
    if (!isOver && left.delete(identity.pid)) onEnd(identity, exit)
  }
  const ends = [...left.values()].map(async (identity) => {
    try {
      const handle = await ProcessHandle.open(identity)
      // Where many are ended at once it can come later than the grace time; the end that it would see is one by SIGKILL.
      if (isOver) return handle.close()
      handles.push(handle)
      ended(identity, await handle.exited)
    } catch (error) {
      // CLOSED: given up below.
      if (error instanceof ProcmusterError && error.code === 'PROCESS_GONE') ended(identity, {})
    }
  })
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, waitMs)
  })
  await Promise.race([Promise.all(ends), timeout])
  clearTimeout(timer)
  isOver = true
  for (const handle of handles) handle.close()
  return [...left.values()]
}
