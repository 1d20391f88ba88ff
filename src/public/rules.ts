export type {
  Decision,
  DecisionClause,
} from '../rules/decision.js'
export type { Match } from '../rules/match/ast.js'
export type { FactNeeds, ReadFacts } from '../rules/match/facts.js'
export type { PendingSubject } from '../rules/remembered.js'
export { type Explanation, groupsNeeded, RuleEngine, type RuleTable } from '../rules/rule_engine.js'
export type { RuleEngineOptions } from '../rules/rule_engine_options.js'
export type { RuleMemory } from '../rules/shards.js'
export { type GroupMember, type GroupRef, type Subject, subjectKey } from '../rules/subject.js'
