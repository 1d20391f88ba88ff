import { setTimeout as sleep } from 'node:timers/promises'
import { ABORT_SIGNAL, checkIdentity, checkOptions, MILLISECONDS } from '../arguments.js'
import { identify, ProcessHandle } from '../control/handle.js'
import { ProcmusterError } from '../errors.js'
import { readStat } from '../inspect/stat.js'
import type { ProcessIdentity } from '../table/identity.js'

export interface NudgeOptions {
  /** How long to wait for the zombie to be reaped; default 2000. */
  readonly waitMs?: number
  /** Ends the wait early. */
  readonly signal?: AbortSignal
}

/** What came of a nudge. */
export interface Nudge {
  readonly parent: { readonly pid: number; readonly startTicks: number; readonly name: string }
  /** The zombie is gone. */
  readonly reaped: boolean
  /** How long that took, or was waited for. */
  readonly tookMs: number
}

const FIRST_LOOK_MS = 2
const LONGEST_PAUSE_MS = 100

/**
 * Sends SIGCHLD to the parent of a zombie, through a pidfd of the parent, and sees whether the zombie is reaped: a parent that
 * missed the signal, or lost it among others, gets another chance.
 * @throws ProcmusterError `PROCESS_GONE`, `INVALID_ARGUMENT` (it is no zombie), `PROTECTED` (its parent is pid 1, a kernel
 * thread or this process), `ACCESS_DENIED`, `UNSUPPORTED` (its parent is not in this PID namespace); nothing is sent then
 */
export async function nudgeParent(identity: ProcessIdentity, options: NudgeOptions = {}): Promise<Nudge> {
  checkIdentity(identity)
  checkOptions(options, { waitMs: MILLISECONDS, signal: ABORT_SIGNAL })
  const { pid, startTicks } = identity
  const { ppid } = await zombieStat(identity)
  if (ppid === 0) {
    throw new ProcmusterError('UNSUPPORTED', {
      message: `nudgeParent: the parent of process ${pid} is in another PID namespace; nothing was sent`,
      ...{ pid, startTicks },
    })
  }
  const parent = await identify(ppid)
  using handle = await ProcessHandle.open(parent)
  // Only now is it certain whose child it is: a parent that ended in between has left it to another one.
  const { ppid: still } = await zombieStat(identity)
  if (still !== ppid) {
    throw new ProcmusterError('PROCESS_GONE', {
      message: `nudgeParent: process ${ppid}, the parent of ${pid}, has ended; nothing was sent`,
      ...{ pid, startTicks },
    })
  }
  const name = (await readStat(ppid))?.name ?? ''
  handle.signal('SIGCHLD')
  const sentAt = performance.now()
  const reaped = await isReaped(identity, options)
  const tookMs = Math.round(performance.now() - sentAt)
  return { parent: { pid: ppid, startTicks: parent.startTicks, name }, reaped, tookMs }
}

async function zombieStat(identity: ProcessIdentity): Promise<{ readonly ppid: number }> {
  const { pid, startTicks } = identity
  const stat = await readStat(pid)
  const fail = (code: 'PROCESS_GONE' | 'INVALID_ARGUMENT', what: string): ProcmusterError =>
    new ProcmusterError(code, { message: `nudgeParent: ${what}; nothing was sent`, pid, startTicks })
  if (stat?.startTicks !== startTicks) {
    throw fail('PROCESS_GONE', `process ${pid} (started at tick ${startTicks}) is gone: it was reaped`)
  }
  if (stat.state !== 'Z') throw fail('INVALID_ARGUMENT', `process ${pid} is no zombie (state ${stat.state})`)
  if (stat.threads > 1) {
    throw fail('INVALID_ARGUMENT', `only the main thread of process ${pid} has ended, others still run`)
  }
  return stat
}

async function isReaped({ pid, startTicks }: ProcessIdentity, options: NudgeOptions): Promise<boolean> {
  const { waitMs = 2000, signal } = options
  const deadline = performance.now() + waitMs
  for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    if ((await readStat(pid))?.startTicks !== startTicks) return true
    const leftMs = deadline - performance.now()
    if (leftMs <= 0 || signal?.aborted) return false
    await sleep(Math.min(pauseMs, leftMs), undefined, { ...(signal && { signal }) }).catch(() => {})
  }
}
