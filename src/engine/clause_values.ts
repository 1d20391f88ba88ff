import type { ClauseValue, PlannedStep } from '../journal/records.js'
import type { Decision, DecisionClause } from '../rules/decision.js'
import { printCondition } from '../rules/parse.js'
import type { CheckedRule } from '../rules/rule.js'
import { COLUMNS } from '../table/columns.js'

const unitOf = new Map(COLUMNS.map(({ name, unit }) => [name, unit]))

/** What a decision stood on, as it is written down and told. */
export function clauseValues({ clauses }: Decision, { when }: CheckedRule): ClauseValue[] {
  return clauses.map((clause, index) => {
    const { column, op, threshold, value } = clause
    const text = printCondition({ clauses: [when.clauses[index]!], forMs: 0 })
    const unit = column === 'state' ? 'state' : (unitOf.get(column) ?? '')
    return { text, operand: column, op, unit, value, threshold, truth: truthOf(clause) }
  })
}

export const conditionText = ({ when }: CheckedRule): string => printCondition(when)

export const plannedSteps = ({ actions }: CheckedRule): PlannedStep[] =>
  actions.map(({ type }) => ({ action: type, afterMs: 0 }))

function truthOf({ op, value, threshold }: DecisionClause): boolean | undefined {
  if (value === undefined) return undefined
  switch (op) {
    case '>':
      return value > threshold
    case '>=':
      return value >= threshold
    case '<':
      return value < threshold
    case '<=':
      return value <= threshold
    case '==':
      return value === threshold
    case '!=':
      return value !== threshold
  }
}
