import type { CheckedRule, Step } from '../../index.js'
import { printDuration, printWhen } from '../../index.js'
import { escapeForTerminal } from '../terminal.js'

/** A rule in normal form, on one line: what it waits for with every name and unit written out, what follows, whom it is about. */
export function ruleLine(rule: CheckedRule, matches: number | undefined): string {
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
    matches !== undefined && `matches ${matches} ${matches === 1 ? 'process' : 'processes'} now`,
  ]
  return parts.filter((part) => part).join('; ')
}

/** A rule as `--json` gives it; every key is there. */
export function ruleRecord(rule: CheckedRule, matches: number | undefined): Record<string, unknown> {
  const { per = null, when, clear, cooldown = null, ...rest } = rule
  return {
    ...rest,
    per,
    when: printWhen(when),
    clear: clear === undefined ? null : printWhen(clear),
    cooldownMs: cooldown,
    matchesNow: matches ?? null,
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
      return `limit ${step.resource}${after}`
    default:
      return `${step.type}${after}`
  }
}
