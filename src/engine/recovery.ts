import { setTimeout as sleep } from 'node:timers/promises'
import { type ActionContext, type ActionReport, recordIfPossible } from '../actions/context.js'
import { recordedError } from '../actions/dispatch.js'
import { LeftUnfinished, type ReplaceTrouble, startUntilRunning } from '../actions/replace.js'
import type { RestartSpec } from '../actions/restart_spec.js'
import type { ActionRunner } from '../actions/runner.js'
import { ProcessHandle } from '../control/handle.js'
import { ProcmusterError } from '../errors.js'
import { planRecovery, type RecoveryPlan, type UnfinishedAction } from '../journal/recover.js'
import { isSameProcess, type ProcessIdentity } from '../table/identity.js'

/**
 * A successor that was held before its exec when the engine was killed ends by itself, but not at once on a busy host:
 * so long is one watched before it is taken for running.
 */
const ADOPTION_MS = 2_000

interface RecoveryOptions {
  readonly context: ActionContext
  readonly runner: ActionRunner
  readonly onReport: (report: ActionReport) => void
  readonly onTrouble: (action: UnfinishedAction, trouble: ReplaceTrouble) => void
}

/** A process that took the place of another. */
export interface Succession {
  readonly identity: ProcessIdentity
  readonly successor: ProcessIdentity
}

export interface Recovery {
  /** Successors that run, and whose end would still be made good. */
  readonly adopted: readonly Succession[]
  /**
   * Restarts that go on: the process ends, or has ended, by our doing. The successor is the last that was tried, and
   * the process itself while there was none.
   */
  readonly underway: readonly Succession[]
}

/**
 * Finishes, or reports, what an earlier run of the engine had begun. Resolves when each is over or, where it takes
 * time (a process that still ends, a start that failed at first), goes on in the runner's queue of that process.
 */
export async function recoverActions(
  unfinished: readonly UnfinishedAction[],
  options: RecoveryOptions,
): Promise<Recovery> {
  const underway = new Map<ProcessIdentity, ProcessIdentity>()
  const context: ActionContext = {
    ...options.context,
    onSuccessor: (old, successor) => {
      for (const [identity, last] of underway) {
        if (isSameProcess(last, old)) underway.set(identity, successor)
      }
      options.context.onSuccessor(old, successor)
    },
  }
  const { runner } = options
  if (context.dryRun) {
    for (const action of unfinished) options.onReport(reportOf(action, 'dry-run', 'dry run: left unfinished'))
    return { adopted: [], underway: [] }
  }
  await context.pending?.keepOnly(new Set(unfinished.map((action) => action.begun.actionId)))
  const adopted: Succession[] = []
  await Promise.all(
    unfinished.map(async (action) => {
      const { begun, child } = action
      const plan = await planFor(action, context)
      context.log.info({ actionId: begun.actionId, plan }, 'an earlier run left an action unfinished')
      if (plan.kind === 'adopt') adopted.push({ identity: begun.identity, successor: child! })
      if (begun.action === 'restart') underway.set(begun.identity, begun.identity)
      await new Promise<void>((resolve) => {
        const over = () => {
          underway.delete(begun.identity)
          resolve()
        }
        const onTrouble = (trouble: ReplaceTrouble) => {
          options.onTrouble(action, trouble)
          resolve()
        }
        runner.enqueue(begun.identity, () =>
          carryOut(action, plan, { ...options, context }, onTrouble).finally(over),
        )
        if (plan.kind === 'adopt' || plan.kind === 'await-exit') resolve()
      })
    }),
  )
  return { adopted, underway: Array.from(underway, ([identity, successor]) => ({ identity, successor })) }
}

async function planFor(action: UnfinishedAction, context: ActionContext): Promise<RecoveryPlan> {
  const { begun, child } = action
  const [oldAlive, childAlive, spec] = await Promise.all([
    isAlive(begun.identity),
    child === undefined ? false : isAlive(child),
    context.pending?.get(begun.actionId).catch(context.onError),
  ])
  return planRecovery(action, { place: context.place, oldAlive, childAlive, specKept: spec !== undefined })
}

/** Whether this very process runs. By now its start lies further back than a clock tick, so its identity is settled. */
async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  try {
    const handle = await ProcessHandle.open({ ...identity, settled: true })
    const alive = !handle.hasExited
    handle.close()
    return alive
  } catch (error) {
    if (error instanceof ProcmusterError && error.code === 'PROCESS_GONE') return false
    throw error
  }
}

async function carryOut(
  action: UnfinishedAction,
  plan: RecoveryPlan,
  options: RecoveryOptions,
  onTrouble: (trouble: ReplaceTrouble) => void,
): Promise<void> {
  const { context } = options
  try {
    const report =
      (await withoutStart(action, plan, context)) ?? (await startNow(action, plan, context, onTrouble))
    await conclude(report, options)
  } catch (error) {
    if (error instanceof LeftUnfinished) return
    const recorded = recordedError(error)
    await conclude({ ...reportOf(action, 'failed', recorded.message), error: recorded }, options)
  }
}

/** Undefined when the process has to be started again. */
async function withoutStart(
  action: UnfinishedAction,
  plan: RecoveryPlan,
  context: ActionContext,
): Promise<ActionReport | undefined> {
  const { begun, child } = action
  switch (plan.kind) {
    case 'drop':
      return reportOf(action, 'interrupted', plan.reason)
    case 'adopt':
      if (await exitsWithin(child!, ADOPTION_MS, context)) return undefined
      return { ...reportOf(action, 'done', plan.reason), successor: child }
    case 'await-exit':
      // A SIGTERM of the earlier run may still be at work.
      if (await exitsWithin(begun.identity, context.graceMs, context)) return undefined
      return reportOf(action, 'interrupted', 'the engine ended while it was ending the process; left alone')
    case 'finish':
      return undefined
  }
}

async function startNow(
  action: UnfinishedAction,
  plan: RecoveryPlan,
  context: ActionContext,
  onTrouble: (trouble: ReplaceTrouble) => void,
): Promise<ActionReport> {
  const { begun, child } = action
  const spec = await context.pending?.get(begun.actionId)
  if (spec === undefined) {
    return reportOf(action, 'interrupted', 'what is needed to start it again is no longer there')
  }
  const last = plan.kind === 'adopt' ? child! : begun.identity
  const start = startUntilRunning(context, begun.actionId, last, spec as RestartSpec, onTrouble)
  const { successor, ...result } = await start
  const reason = 'an earlier run had ended the process; it was started again now'
  return { ...reportOf(action, 'done', reason), successor, result }
}

async function exitsWithin(identity: ProcessIdentity, ms: number, context: ActionContext): Promise<boolean> {
  const stop = new AbortController()
  const handle = await ProcessHandle.open({ ...identity, settled: true }).catch(() => undefined)
  if (handle === undefined) return true
  try {
    const signal = AbortSignal.any([stop.signal, context.closing])
    const timedOut = sleep(ms, false, { signal }).catch(() => false)
    const exited = await Promise.race([handle.exited.then(() => true), timedOut])
    if (!exited && context.closing.aborted) throw new LeftUnfinished('it is not known yet whether it ends')
    return exited
  } finally {
    stop.abort()
    handle.close()
  }
}

async function conclude(report: ActionReport, options: RecoveryOptions): Promise<void> {
  const { context, onReport } = options
  const { atMs: _, ...body } = report
  await recordIfPossible(context, { type: 'action-done', ...body })
  await context.pending?.remove(report.actionId).catch(context.onError)
  onReport(report)
}

function reportOf(action: UnfinishedAction, status: ActionReport['status'], reason: string): ActionReport {
  const { actionId, decisionId, action: type, rule, identity, name } = action.begun
  const head = { actionId, decisionId, action: type, rule, identity, name }
  return { ...head, status, reason, recovered: true, atMs: Date.now() }
}
