import type { Logger } from 'pino'
import type { ActionStatus, ActionType, RecordedError, RestartStep } from '../journal/action_records.js'
import type { PendingStore } from '../journal/pending.js'
import type { Place } from '../journal/place.js'
import type { JournalBody } from '../journal/records.js'
import type { Journal } from '../journal/writer.js'
import type { ActionSpec } from '../rules/schema/rule.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { BackoffOptions } from './backoff.js'
import type { EvidenceOptions } from './evidence.js'

/** What actions are done with; one per engine. */
export interface ActionContext {
  readonly journal: Journal | undefined
  readonly pending: PendingStore | undefined
  readonly place: Place
  readonly procRoot: string
  readonly dryRun: boolean
  readonly graceMs: number
  readonly evidence: EvidenceSettings | undefined
  /** How long to wait between attempts to start a process again that we have ended, and how often to try. */
  readonly startBackoff: BackoffOptions
  readonly startAttempts: number
  readonly hooks: ActionHooks
  readonly log: Logger
  /** Aborts when the engine closes; what has not touched its process yet is given up then. */
  readonly closing: AbortSignal
  readonly onError: (error: unknown) => void
  /** An action is about to be done, so that its effects are known as ours. */
  readonly onBegin: (target: ActionTarget, action: ActionSpec) => void
  /** A successor is there and held before its exec; what watched the old process can turn to it before it runs. */
  readonly onSuccessor: (old: ProcessIdentity, successor: ProcessIdentity) => void
}

/** Where evidence goes, and how much; see `collectEvidence`. */
export type EvidenceSettings = Pick<
  EvidenceOptions,
  'directory' | 'environ' | 'maxBytes' | 'budgetBytes' | 'prune' | 'timeoutMs'
>

/** For tests: called, and awaited, when a step has been passed and journalled. */
export interface ActionHooks {
  readonly onBegun?: (actionId: string) => void | Promise<void>
  readonly onStep?: (step: RestartStep, actionId: string) => void | Promise<void>
  readonly onDone?: (actionId: string) => void | Promise<void>
}

/** Whom an action is for, and why. */
export interface ActionTarget {
  readonly rule: string
  readonly identity: ProcessIdentity
  readonly name: string
  readonly decisionId: string
  /** In words. */
  readonly reason: string
  /** Its memory when it was last looked at, where that could be read. */
  readonly rssBytes: number | undefined
  /** Whom the decision is about: the process itself, or a group that it is of. */
  readonly subject: string
  /** Since when the condition held, in the clock of the ticks. */
  readonly sinceMs: number
  /** Whether the breach is one of memory, so that a restart has to bring some back. */
  readonly isAboutMemory: boolean
  /** Only say what would be done. */
  readonly dryRun: boolean
  /** The group (`subject`) whose largest member it is, where only that is meant. */
  readonly largestOf?: string | undefined
  /** What it has in common with others, where the rule's limits go by that. */
  readonly group?: string | undefined
}

/** What an action came to: `engine.on('action')`. */
export interface ActionReport {
  readonly actionId: string
  /** The decision that it follows from. */
  readonly decisionId?: string | undefined
  readonly action: ActionType
  readonly rule: string
  readonly identity: ProcessIdentity
  readonly name: string
  readonly status: ActionStatus
  /** In words: why it was refused or given up, or what a dry run would have done. */
  readonly reason?: string | undefined
  readonly error?: RecordedError | undefined
  /** After a restart: the process that took its place. */
  readonly successor?: ProcessIdentity | undefined
  readonly result?: Readonly<Record<string, unknown>> | undefined
  /** True when an earlier run of the engine had begun it. */
  readonly recovered?: boolean | undefined
  readonly atMs: number
}

/** Writes what may be lost; nothing without a journal. */
export function note(context: ActionContext, body: JournalBody): void {
  context.journal?.append(body)
}

/** On disk before it resolves; a failure means that nothing that depends on it may be done. */
export async function record(context: ActionContext, body: JournalBody): Promise<void> {
  await context.journal?.commit(body)
}

/** For what has to go on whether it can be recorded or not: a process that we ended is started again all the same. */
export async function recordIfPossible(context: ActionContext, body: JournalBody): Promise<void> {
  try {
    await record(context, body)
  } catch (error) {
    context.onError(error)
  }
}
