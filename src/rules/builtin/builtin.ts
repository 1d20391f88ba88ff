import { checkOptions, ELSEWHERE } from '../../arguments.js'
import type { Rule, Severity } from '../schema/rule.js'

/** Rules that come with the engine, by their names. */
export const BUILTIN_RULES = ['zombies', 'stuck'] as const
export type BuiltinRule = (typeof BUILTIN_RULES)[number]

/** Settings of a built-in rule; what is left out is the rule's own. */
export interface BuiltinSettings {
  /** How long a process has to be found in the state by every sample. */
  readonly seconds?: number | undefined
  readonly severity?: Severity | undefined
  readonly actions?: Rule['actions']
}

/** Which built-in rules: those that are true or have settings. */
export type BuiltinOptions = { readonly [Name in BuiltinRule]?: boolean | BuiltinSettings | undefined }

const RULES: Readonly<Record<BuiltinRule, (settings: BuiltinSettings) => Rule>> = {
  zombies: ({ seconds = 60, severity = 'warning', actions = [] }) => ({
    ...{ name: 'zombies', when: `stateSeconds(Z) > ${seconds}`, severity, actions },
  }),
  stuck: ({ seconds = 120, severity = 'warning', actions = [] }) => ({
    ...{ name: 'stuck', when: `stateSeconds(D) > ${seconds}`, severity, actions },
  }),
}

/**
 * Built-in rules as rules: `zombies`, processes that have ended and that their parent has not waited for (more than 60 s), and `stuck`,
 * processes in an uninterruptible wait (more than 120 s). Their alerts have advice. Kernel threads are left out.
 *
 *     Engine.start({ rules: [...builtinRules({ zombies: { actions: ['nudgeParent'] }, stuck: true }), ...own] })
 */
export function builtinRules(options: BuiltinOptions): Rule[] {
  checkOptions(options, { zombies: ELSEWHERE, stuck: ELSEWHERE })
  return BUILTIN_RULES.flatMap((name) => {
    const wanted = options[name]
    if (wanted === undefined || wanted === false) return []
    return RULES[name](wanted === true ? {} : wanted)
  })
}
