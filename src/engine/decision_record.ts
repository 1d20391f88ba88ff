import type { ClauseValue, DecisionBody, Exclusion, PlannedStep, RecordedGroup } from '../journal/records.js'
import type { Decision } from '../rules/decision.js'
import { printWhen } from '../rules/language/print.js'
import type { CheckedRule } from '../rules/schema/rule.js'

/** The journal's record of a decision: all that it stood on, and what is to follow. */
export function decisionRecord(
  decisionId: string,
  decision: Decision,
  rule: CheckedRule | undefined,
  dryRun: boolean,
): DecisionBody {
  const { identity, group, name, kind, cause, sinceMs, clauses } = decision
  // Property by property: V8 takes ten times as long for what is spread together.
  return {
    type: 'decision',
    decisionId,
    rule: decision.rule.name,
    severity: decision.rule.severity,
    identity,
    group,
    name,
    kind,
    cause,
    sinceMs,
    condition: rule === undefined ? '' : printWhen(rule.when),
    clauses,
    excluded: exclusions(clauses, group, cause),
    steps: kind === 'fire' && rule !== undefined ? plannedSteps(rule) : [],
    dryRun: dryRun || (rule?.dryRun ?? false),
  }
}

const plannedSteps = ({ actions }: CheckedRule): PlannedStep[] =>
  actions.map(({ type, afterMs }) => ({ action: type, afterMs }))

/** What the decision could not take into account, and why. */
export function exclusions(
  clauses: readonly ClauseValue[],
  group: RecordedGroup | undefined,
  cause: DecisionBody['cause'],
): Exclusion[] {
  const unknown = clauses
    .filter(({ truth }) => truth === undefined)
    .map(({ text, windowMs }): Exclusion => {
      const why = cause === 'gone' ? 'gone' : windowMs === undefined ? 'unreadable' : 'window'
      return { what: 'clause', name: text, why }
    })
  const leftOut = (group?.members ?? [])
    .filter(({ value }) => value === undefined)
    .map(({ identity, name }): Exclusion => ({ what: 'member', name, pid: identity.pid, why: 'unreadable' }))
  return [...unknown, ...leftOut]
}
