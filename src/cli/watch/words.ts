import { totalmem } from 'node:os'
import {
  type ActionReport,
  type Alert,
  type Engine,
  type EngineStats,
  type NotifyFailedBody,
  type Rule,
  wordedBytes,
  wordedDuration,
} from '../../index.js'
import { escapeForTerminal } from '../terminal.js'
import type { WatchPlan, WatchTarget } from './plan.js'
import { restartsByGrace } from './plan_rules.js'

const MOST_LISTED = 10

/** What a watch is about to do, for a person and as a record. */
export function describePlan(
  plan: WatchPlan,
  engine: Engine,
): [text: string, data: { readonly type: 'watch-start' } & Readonly<Record<string, unknown>>] {
  const { target, rules, intervalMs, directory, journal, graceMs, dryRun } = plan
  const whom = target ? whomOf(target) : 'the host'
  const looks = plan.flags.once ? 'once' : `every ${wordedDuration(intervalMs)}`
  const total = rules.some(({ when }) => when.includes('%')) ? ` (memory: ${wordedBytes(totalmem())})` : ''
  const parts = [
    `watching ${whom} ${looks}: ${listed(rules.filter(isEnabled).map(ruleText), '; ')}${total}`,
    ...laterText(plan.notInOneLook),
    ...(directory === undefined ? [] : [`evidence in ${escapeForTerminal(directory)}`]),
    ...(journal === undefined ? [] : [`journal in ${escapeForTerminal(journal)}`]),
    ...(rules.some(restartsByGrace) ? [`restart with ${wordedDuration(graceMs)} of grace`] : []),
    ...(dryRun || engine.dryRun ? ['dry run, no process is touched'] : []),
    sourcesUsed(engine.stats).text,
  ]
  const data = { type: 'watch-start' as const, pid: target?.identity.pid ?? null, rules, intervalMs }
  return [
    parts.join('; '),
    {
      ...data,
      directory: directory ?? null,
      journal: journal ?? null,
      graceMs,
      dryRun,
      memTotalBytes: totalmem(),
      ...sourcesUsed(engine.stats).data,
    },
  ]
}

const isEnabled = ({ enabled }: Rule): boolean => enabled !== false

/** A rule of a flag is named after its condition. */
function ruleText({ name, when }: Rule): string {
  return escapeForTerminal(name === when.trim() || name === 'memory threshold' ? when : `${name}: ${when}`)
}

function laterText(rules: readonly string[]): string[] {
  if (rules.length === 0) return []
  return [`not decided by one look: ${listed(rules.map(escapeForTerminal))}`]
}

/** A thousand rules do not fit into a line. */
export function listed(parts: readonly string[], separator = ', '): string {
  const rest = parts.length - MOST_LISTED
  return [...parts.slice(0, MOST_LISTED), ...(rest > 0 ? [`${rest} more`] : [])].join(separator)
}

function whomOf({ identity, name, unfinished, successorOf }: WatchTarget): string {
  const process = `${identity.pid} ${escapeForTerminal(name)}`
  if (unfinished !== undefined) return `what takes the place of ${process}`
  return successorOf === undefined
    ? process
    : `${process}, which an earlier run started in place of ${successorOf},`
}

/** A notifier that was not told, for a person and as a record. */
export function notifyFailed(failure: NotifyFailedBody): [string, Omit<NotifyFailedBody, never>] {
  const { notifier, alertId, attempts, reason } = failure
  const tries = attempts > 1 ? ` after ${attempts} attempts` : ''
  const text = `notifier ${notifier} was not told of alert ${alertId}${tries}: ${reason}`
  return [escapeForTerminal(text), { ...failure }]
}

/** What a watch has seen and done, for its last line. */
export class Tally {
  readonly counts = { breaches: 0, evidence: 0, restarts: 0, otherActions: 0, notDone: 0 }

  alert({ kind, state, repeats }: Alert): void {
    if (kind === 'breach' && state === 'firing' && repeats === 0) this.counts.breaches++
  }

  action({ action, status }: ActionReport): void {
    const { counts } = this
    if (status === 'dry-run') return
    if (status !== 'done') counts.notDone++
    else if (action === 'evidence') counts.evidence++
    else if (action === 'restart') counts.restarts++
    else counts.otherActions++
  }

  text({ ticks, missedTicks }: Pick<EngineStats, 'ticks' | 'missedTicks'>): string {
    const { breaches, evidence, restarts, otherActions, notDone } = this.counts
    const parts = [
      breaches === 0 ? 'no breach' : counted(breaches, 'breach', 'breaches'),
      ...(evidence > 0 ? [`evidence kept ${counted(evidence, 'time', 'times')}`] : []),
      ...(restarts > 0 ? [counted(restarts, 'restart', 'restarts')] : []),
      ...(otherActions > 0 ? [counted(otherActions, 'other action', 'other actions')] : []),
      ...(notDone > 0 ? [`${counted(notDone, 'action', 'actions')} refused, failed or given up`] : []),
    ]
    const missed = missedTicks > 0 ? ` (${missedTicks} left out)` : ''
    return `${counted(ticks, 'look', 'looks')}${missed}: ${parts.join(', ')}`
  }
}

/** Where a watch learns what it knows, for a person and as a record. */
export function sourcesUsed({ sampler, lifecycle }: Pick<EngineStats, 'sampler' | 'lifecycle'>): {
  readonly text: string
  readonly data: Readonly<Record<string, unknown>>
} {
  const heard = lifecycle.source === 'off' ? 'from samples alone' : `by ${lifecycle.source}`
  const lost = lifecycle.lost > 0 ? ` (${counted(lifecycle.lost, 'event', 'events')} lost)` : ''
  return {
    text: `samples by ${sampler.source}, deaths ${heard}${lost}`,
    data: {
      source: sampler.source,
      sourceReason: sampler.reason,
      eventSource: lifecycle.source,
      eventSourceReason: lifecycle.reason,
    },
  }
}

const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`
