import { setTimeout as sleep } from 'node:timers/promises'
import { ProcessHandle } from '../control/handle.js'
import { type Termination, terminate } from '../control/terminate.js'
import { ProcmusterError } from '../errors.js'
import type { ActionSpec } from '../rules/schema/rule.js'
import type { ProcessIdentity } from '../table/identity.js'
import { backoffMs } from './backoff.js'
import { type ActionContext, note, record, recordIfPossible } from './context.js'
import { startAgain } from './restart.js'
import { captureRestart } from './restart_capture.js'
import type { RestartSpec } from './restart_spec.js'
import { releaseRestart } from './restart_stdio.js'

/** The engine closes before the new process could be started: the next start of an engine finishes it. */
export class LeftUnfinished extends Error {}

/** `result` of the report of a restart. */
export interface RestartResult {
  readonly endedBy: string
  readonly exitedInMs: number
  readonly startAttempts: number
  /** What the new process lacks of what the old one had. */
  readonly warnings: readonly string[]
  readonly rssBeforeBytes?: number | undefined
}

/** Told while it goes on, since a host without its service should not learn of it only at the end. */
export interface ReplaceTrouble {
  readonly message: string
  readonly error: unknown
}

/**
 * Restarts a process so that a crash of the engine at any point leaves either the old process or one new one: what is
 * needed to start it is on disk before the old one is touched, and the new one runs only once its identity is on disk.
 * Up to the step `terminating` every failure refuses the restart; after it, every failure is gone past.
 * @throws ProcmusterError with nothing done to the process, or `RESTART_FAILED`; LeftUnfinished when the engine closes.
 */
export async function replaceProcess(
  context: ActionContext,
  actionId: string,
  identity: ProcessIdentity,
  spec: Extract<ActionSpec, { type: 'restart' }>,
  onTrouble: (trouble: ReplaceTrouble) => void,
): Promise<{ successor: ProcessIdentity; result: RestartResult }> {
  const { allowReplacedExecutable = false } = spec
  const restart = await captureRestart(identity, { allowReplacedExecutable })
  let handle: ProcessHandle | undefined
  try {
    handle = await ProcessHandle.open(identity)
    // Two engines that both ended it would start it twice.
    if (handle.lock() === false) throw takenByAnother(identity)
    await context.pending?.put(actionId, restart)
    note(context, { type: 'action-step', actionId, step: 'captured' })
    await context.hooks.onStep?.('captured', actionId)
    if (context.closing.aborted) throw closing()
    await record(context, { type: 'action-step', actionId, step: 'terminating' })
    await context.hooks.onStep?.('terminating', actionId)

    const graceMs = spec.graceMs ?? context.graceMs
    const signal = spec.signal === undefined ? {} : { signal: spec.signal }
    const ended = await end(context, handle, { graceMs, ...signal }, onTrouble)
    // Nobody asked for its end but itself, and whoever did may start it again: we would make a second one.
    if (ended.endedBy === 'itself') throw endedByItself(identity)
    const { endedBy, tookMs } = ended
    note(context, { type: 'action-step', actionId, step: 'exited', endedBy, tookMs })
    await context.hooks.onStep?.('exited', actionId)

    const started = await startUntilRunning(context, actionId, identity, restart, onTrouble)
    const { successor, ...rest } = started
    return { successor, result: { endedBy, exitedInMs: tookMs, ...rest } }
  } finally {
    handle?.close()
    releaseRestart(restart)
  }
}

async function end(
  context: ActionContext,
  handle: ProcessHandle,
  options: Parameters<typeof terminate>[1],
  onTrouble: (trouble: ReplaceTrouble) => void,
): Promise<Pick<Termination, 'endedBy' | 'tookMs'>> {
  const startedAt = performance.now()
  try {
    return await terminate(handle, options)
  } catch (error) {
    if (!(error instanceof ProcmusterError) || error.code !== 'TIMEOUT') throw error
    // SIGKILL is pending: it will end as soon as the kernel lets it, and then somebody has to start it again.
    onTrouble({ message: error.message, error })
    await exitOrClosing(handle, context.closing)
    return { endedBy: 'SIGKILL', tookMs: performance.now() - startedAt }
  }
}

async function exitOrClosing(handle: ProcessHandle, closing: AbortSignal): Promise<void> {
  const stop = new AbortController()
  const aborted = new Promise<never>((_, reject) => {
    const leave = () => reject(new LeftUnfinished('the process has not ended yet'))
    if (closing.aborted) leave()
    else closing.addEventListener('abort', leave, { once: true, signal: stop.signal })
  })
  try {
    await Promise.race([handle.exited, aborted])
  } finally {
    stop.abort()
  }
}

/**
 * Starts a process that we have ended, again and again with growing pauses until it runs.
 * @throws ProcmusterError of the last attempt; LeftUnfinished when the engine closes in a pause.
 */
export async function startUntilRunning(
  context: ActionContext,
  actionId: string,
  old: ProcessIdentity,
  restart: RestartSpec,
  onTrouble: (trouble: ReplaceTrouble) => void,
): Promise<{ successor: ProcessIdentity; startAttempts: number; warnings: readonly string[] }> {
  let last = old
  for (let attempt = 1; ; attempt++) {
    try {
      const { warnings, ...successor } = await startAgain(restart, {
        onReady: async (child) => {
          context.onSuccessor(last, child)
          last = child
          await recordIfPossible(context, { type: 'action-step', actionId, step: 'ready', child })
          await context.hooks.onStep?.('ready', actionId)
        },
      })
      return { successor, startAttempts: attempt, warnings }
    } catch (error) {
      if (attempt >= context.startAttempts) throw error
      const pauseMs = backoffMs(attempt, context.startBackoff)
      const reason = error instanceof Error ? error.message : String(error)
      onTrouble({
        message: `attempt ${attempt} of ${context.startAttempts} to start it again failed: ${reason}`,
        error,
      })
      await pause(pauseMs, context.closing)
    }
  }
}

async function pause(ms: number, closing: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal: closing })
  } catch {
    throw new LeftUnfinished('it could not be started again yet')
  }
}

function closing(): ProcmusterError {
  return new ProcmusterError('CLOSED', { message: 'The engine is closing; nothing was done to the process' })
}

function takenByAnother({ pid, startTicks }: ProcessIdentity): ProcmusterError {
  return new ProcmusterError('BUSY', {
    message: `restart: another engine is restarting process ${pid} (started at tick ${startTicks}); nothing was done to it`,
    pid,
    startTicks,
  })
}

function endedByItself({ pid, startTicks }: ProcessIdentity): ProcmusterError {
  return new ProcmusterError('PROCESS_GONE', {
    message: `restart: process ${pid} (started at tick ${startTicks}) ended by itself; nothing was sent, nothing started`,
    pid,
    startTicks,
  })
}
