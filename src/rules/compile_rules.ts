import { ProcmusterError } from '../errors.js'
import { inSlices } from '../slices.js'
import type { OptionalGroup } from '../table/layout.js'
import { needsFacts } from './learning.js'
import { lookUpUsers } from './match/users.js'
import { checkMemory, compileProgram, type Program } from './program.js'
import type { RuleEngineSettings } from './rule_engine_options.js'
import { type CheckedRule, checkingRules, type Rule } from './schema/rule.js'

/**
 * Rules as their authors wrote them, checked and compiled for the threads, while other work goes on.
 * @param groups optional groups of columns that tables will have
 * @param before whose rules keep, where they are the same, what is remembered of them
 * @throws ProcmusterError INVALID_ARGUMENT for a rule that is not right, or that needs what the settings do not give; TIMEOUT where
 *   name services do not say who a user is
 */
export async function compileRules(
  texts: readonly Rule[],
  groups: readonly OptionalGroup[],
  settings: RuleEngineSettings,
  before: Program | undefined,
): Promise<{ rules: readonly CheckedRule[]; program: Program }> {
  const { memTotalBytes = 0, intervalMs, perGroup, workers: shards } = settings
  const rules = await inSlices(checkingRules(texts))
  checkMemory(rules, memTotalBytes)
  const enabled = rules.filter((rule) => rule.enabled)
  const users = settings.uidOf ? undefined : await lookUpUsers(enabled.map(({ match }) => match))
  const uidOf = settings.uidOf ?? ((user: string) => users?.get(user))
  const options = { groups, memTotalBytes, intervalMs, uidOf, perGroup, shards }
  const program = await inSlices(compileProgram(rules, options, before))
  const { facts } = program.data.match
  if (needsFacts(facts) && settings.readFacts === undefined) {
    const { rule, fact } = facts.texts[0] ?? { rule: undefined, fact: 'limits or groups' }
    const who = rule === undefined ? 'a rule' : `rule ${JSON.stringify(rule)}`
    throw new ProcmusterError('INVALID_ARGUMENT', { message: `${who} asks for ${fact}; give readFacts` })
  }
  return { rules, program }
}
