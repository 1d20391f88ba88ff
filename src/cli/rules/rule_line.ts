import { allOperands, comparisonsOf, printDuration, printWhen } from '../../public/language.js'
import type { CheckedRule, Step } from '../../public/schema.js'
import { escapeForTerminal } from '../terminal.js'
import type { Matching } from './matching.js'

/** A rule in normal form, on one line: what it waits for with every name and unit written out, what follows, whom it is about. */
export function ruleLine(rule: CheckedRule): string {
  const { name, per, when, clear, severity, cooldown, actions, dryRun, enabled } = rule
  const parts = [
    `${escapeForTerminal(name)}: ${printWhen(when)}`,
    per && `per ${per}`,
    clear && `clear ${printWhen(clear)}`,
    severity,
    cooldown !== undefined && `cooldown ${printDuration(cooldown)}`,
    actions.length > 0 && actions.map(stepText).join(', '),
    dryRun && 'dry run',
    !enabled && 'not enabled',
  ]
  return parts.filter((part) => part).join('; ')
}

/** What a rule is about now: `matches 12 processes: 7 nginx, 8 nginx, ...`. */
export function matchLine({ count, processes }: Matching, { match }: Pick<CheckedRule, 'match'>): string {
  if (count === 0) {
    const hint = hasSlashes(match)
      ? '; a commandLine is a pattern without slashes around it, these are looked for themselves'
      : ''
    return `matches no process now${hint}`
  }
  const shown = processes.map(({ pid, name }) => `${pid} ${escapeForTerminal(name)}`).join(', ')
  const more = count > processes.length ? ', ...' : ''
  return `matches ${count} ${count === 1 ? 'process' : 'processes'} now: ${shown}${more}`
}

/** What a rule does not do, though it reads as if it did. */
export function trapOf(
  { per, when }: Pick<CheckedRule, 'per' | 'when'>,
  isOfEveryProcess: boolean,
): string | undefined {
  if (per === undefined) {
    const isOfHost = [...allOperands(when.condition)].every(({ kind }) => OF_NO_PROCESS.has(kind))
    return isOfEveryProcess && isOfHost
      ? "every process breaches it at the same time, each with its alert and actions: for one alert write 'per: all'"
      : undefined
  }
  if (per === 'all') return undefined
  const isTooFew = comparisonsOf(when.condition).some(
    (each) => each.kind !== 'leak' && each.left.kind === 'count' && each.op.startsWith('<'),
  )
  return isTooFew
    ? `a ${per} without any process is no group: to hear of none left, name it by 'match' and write 'per: all'`
    : undefined
}

// Those that are made of others ask nothing of a process by themselves.
const OF_NO_PROCESS: ReadonlySet<string> = new Set([
  'host',
  'constant',
  'memoryShare',
  'window',
  'timeTo',
  'arithmetic',
])

/** Whether a command line is looked for between slashes, as other texts are. */
function hasSlashes(match: CheckedRule['match']): boolean {
  switch (match.kind) {
    case 'all':
    case 'any':
      return match.parts.some(hasSlashes)
    case 'not':
      return hasSlashes(match.part)
    case 'text':
      return match.fact === 'commandLine' && /^\/.*\/$/s.test(match.pattern)
    default:
      return false
  }
}

/** A rule as `--json` gives it; every key is there. */
export function ruleRecord(rule: CheckedRule): Record<string, unknown> {
  const { per = null, when, clear, cooldown = null, ...rest } = rule
  return {
    ...rest,
    per,
    when: printWhen(when),
    clear: clear === undefined ? null : printWhen(clear),
    cooldownMs: cooldown,
  }
}

function stepText(step: Step): string {
  const after = step.afterMs === 0 ? '' : ` after ${printDuration(step.afterMs)}`
  switch (step.type) {
    case 'signal':
      return `signal ${step.signal}${after}`
    case 'priority':
      return `nice ${step.nice}${after}`
    case 'limit':
      return `limit ${step.resource}=${step.soft ?? ''}${step.hard === undefined ? '' : `:${step.hard}`}${after}`
    default:
      return `${step.type}${after}`
  }
}
