import { totalmem } from 'node:os'
import type { Engine } from '../../index.js'
import { wordedBytes, wordedDuration } from '../quantities.js'
import { escapeForTerminal } from '../terminal.js'
import { hasAction, type WatchPlan } from './plan.js'

/** What a watch is about to do, for a person and as a record. */
export function describePlan(
  plan: WatchPlan,
  engine: Engine,
): [text: string, data: { readonly type: 'watch-start' } & Readonly<Record<string, unknown>>] {
  const { target, rules, intervalMs, directory, journal, graceMs, dryRun } = plan
  const whom = target ? `${target.identity.pid} ${escapeForTerminal(target.name)}` : 'the host'
  const looks = plan.flags.once ? 'once' : `every ${wordedDuration(intervalMs)}`
  const total = rules.some(({ when }) => when.includes('%')) ? ` (memory: ${wordedBytes(totalmem())})` : ''
  const parts = [
    `watching ${whom} ${looks}: ${rules.map(({ when }) => escapeForTerminal(when)).join('; ')}${total}`,
    ...(directory === undefined ? [] : [`evidence in ${escapeForTerminal(directory)}`]),
    ...(journal === undefined ? [] : [`journal in ${escapeForTerminal(journal)}`]),
    ...(rules.some((rule) => hasAction(rule, 'restart'))
      ? [`restart with ${wordedDuration(graceMs)} of grace`]
      : []),
    ...(dryRun || engine.dryRun ? ['dry run, no process is touched'] : []),
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
    },
  ]
}
