import { setPriority } from '../control/priority.js'
import type { ControlResult } from '../control/results.js'
import { setResourceLimit } from '../control/rlimit.js'
import { sendSignal } from '../control/signal.js'
import { ProcmusterError } from '../errors.js'
import type { ActionStatus, RecordedError } from '../journal/action_records.js'
import type { ActionSpec, Step } from '../rules/schema/rule.js'
import {
  type ActionContext,
  type ActionReport,
  type ActionTarget,
  note,
  record,
  recordIfPossible,
} from './context.js'
import { collectEvidence } from './evidence.js'
import { nudgeParent } from './nudge_parent.js'
import { LeftUnfinished, type ReplaceTrouble, replaceProcess } from './replace.js'

/** Codes of errors with which nothing has been done to the process. */
const REFUSALS = new Set([
  'PROCESS_GONE',
  'UNSETTLED',
  'PROTECTED',
  'ACCESS_DENIED',
  'INVALID_ARGUMENT',
  'UNSUPPORTED',
  'RESTART_REFUSED',
  'BUSY',
])

type Ending = Pick<ActionReport, 'status' | 'reason' | 'error' | 'successor' | 'result'>

/**
 * Does one action on one process: journal first (on disk), then the deed on the verified identity, then its result.
 * Never rejects. Undefined when it was left for the next start of an engine to finish.
 */
export async function runAction(
  context: ActionContext,
  actionId: string,
  target: ActionTarget,
  spec: Step,
  onTrouble: (trouble: ReplaceTrouble) => void,
): Promise<ActionReport | undefined> {
  const { rule, identity, name, decisionId, group } = target
  const action = spec.type
  const head = { actionId, decisionId, action, rule, identity, name }
  if (context.dryRun || target.dryRun) {
    const reason = `dry run: ${describeAction(spec)} would have been done`
    note(context, { type: 'action-done', ...head, status: 'dry-run', reason })
    return { ...head, status: 'dry-run', reason, atMs: Date.now() }
  }
  if (context.closing.aborted) return refuse(context, head, 'interrupted', 'the engine is closing')
  try {
    const { type: _, afterMs: __, ...parameters } = spec
    const { place } = context
    await record(context, { type: 'action-begun', ...head, place, parameters, group })
  } catch (error) {
    // Without the record a crash in the middle could not be told from an action never begun.
    const because = recordedError(error)
    const reason = `not done, because it could not be written to the journal first: ${because.message}`
    // Its line can be there all the same, or half of it: nobody shall take it for begun.
    note(context, { type: 'action-done', ...head, status: 'refused', reason, error: because })
    return { ...head, status: 'refused', reason, error: because, atMs: Date.now() }
  }
  const ending = await perform(context, actionId, target, spec, onTrouble)
  if (ending === undefined) return undefined
  await recordIfPossible(context, { type: 'action-done', ...head, ...ending })
  if (action === 'restart') await context.pending?.remove(actionId).catch(context.onError)
  await context.hooks.onDone?.(actionId)
  return { ...head, ...ending, atMs: Date.now() }
}

/** An action that is not even begun; said in the journal all the same. */
export function refuse(
  context: ActionContext,
  head: Pick<ActionReport, 'actionId' | 'decisionId' | 'action' | 'rule' | 'identity' | 'name'>,
  status: ActionStatus,
  reason: string,
): ActionReport {
  note(context, { type: 'action-done', ...head, status, reason })
  return { ...head, status, reason, atMs: Date.now() }
}

export function recordedError(error: unknown): RecordedError {
  if (error instanceof ProcmusterError) {
    const { code, message, errno, path } = error
    return { code, message, errno, path }
  }
  const { code = 'IO_ERROR', message = String(error) } = error as Partial<NodeJS.ErrnoException>
  return { code, message }
}

/** For people: `restart`, `SIGUSR1`, `nice 10`. */
function describeAction(spec: ActionSpec): string {
  switch (spec.type) {
    case 'signal':
      return `signal ${spec.signal}`
    case 'priority':
      return `nice ${spec.nice}`
    case 'limit':
      return `limit ${spec.resource}`
    case 'nudgeParent':
      return 'SIGCHLD to its parent'
    default:
      return spec.type
  }
}

async function perform(
  context: ActionContext,
  actionId: string,
  target: ActionTarget,
  spec: ActionSpec,
  onTrouble: (trouble: ReplaceTrouble) => void,
): Promise<Ending | undefined> {
  try {
    context.onBegin(target, spec)
    await context.hooks.onBegun?.(actionId)
    if (spec.type === 'restart') {
      const { successor, result } = await replaceProcess(context, actionId, target.identity, spec, onTrouble)
      const { rssBytes: rssBeforeBytes } = target
      return { status: 'done', successor, result: { ...result, rssBeforeBytes } }
    }
    return { status: 'done', ...(await simpleAction(context, target, spec)) }
  } catch (error) {
    if (error instanceof LeftUnfinished) {
      const who = context.journal ? 'the next engine with this journal does' : 'without a journal nobody does'
      const message = `the engine closes before the restart is done (${error.message}); ${who}`
      onTrouble({ message, error })
      return undefined
    }
    const recorded = recordedError(error)
    const closing = recorded.code === 'CLOSED'
    return {
      status: closing ? 'interrupted' : REFUSALS.has(recorded.code) ? 'refused' : 'failed',
      reason: recorded.message,
      error: recorded,
    }
  }
}

async function simpleAction(
  context: ActionContext,
  target: ActionTarget,
  spec: Exclude<ActionSpec, { type: 'restart' }>,
): Promise<Pick<Ending, 'result'>> {
  const targets = [target.identity]
  switch (spec.type) {
    case 'signal':
      check(await sendSignal(targets, spec.signal))
      return { result: { signal: spec.signal } }
    case 'priority':
      check(await setPriority(targets, spec.nice))
      return { result: { nice: spec.nice } }
    case 'limit': {
      const { soft, hard } = spec
      const limit = { ...(soft === undefined ? {} : { soft }), ...(hard === undefined ? {} : { hard }) }
      check(await setResourceLimit(targets, spec.resource, limit))
      return { result: { resource: spec.resource, ...limit } }
    }
    case 'nudgeParent':
      return { result: { ...(await nudgeParent(target.identity, { signal: context.closing })) } }
    case 'evidence': {
      const evidence = await collectEvidence(target.identity, {
        ...context.evidence!,
        procRoot: context.procRoot,
        rule: target.rule,
        reason: target.reason,
      })
      const { directory, bytes, files } = evidence
      return { result: { directory, bytes, files: files.length, errors: files.filter(hasError).length } }
    }
  }
}

function hasError(file: { readonly error?: unknown }): boolean {
  return file.error !== undefined
}

function check(results: readonly ControlResult[]): void {
  for (const result of results) if (!result.ok) throw result.error
}
