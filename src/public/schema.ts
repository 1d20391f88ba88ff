export { governorSchema } from '../actions/governor_schema.js'
export { type NotifierSpec, notifierSchema } from '../alerts/notifiers/spec.js'
export { type SchemaFault, schemaFaults } from '../rules/schema/faults.js'
export type { MatchSpec, RuleMatchSpec } from '../rules/schema/match.js'
export {
  type ActionSpec,
  type CheckedRule,
  checkRules,
  type Rule,
  type RuleLimits,
  ruleJsonSchema,
  ruleSchema,
  type Severity,
  type Step,
} from '../rules/schema/rule.js'
