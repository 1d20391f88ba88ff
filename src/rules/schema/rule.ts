import { z } from 'zod'
import { refuse } from '../../arguments.js'
import { atOnce, type Steps } from '../../slices.js'
import { GROUP_KINDS, type GroupKind, type When } from '../language/ast.js'
import { scopeFault } from '../language/scope.js'
import type { Match } from '../match/ast.js'
import { type ActionSpec, type Step, stepSchema } from './actions.js'
import { firstFault } from './faults.js'
import { limitsSchema, type PerWindow, type RuleLimits } from './limits.js'
import { matchSchema, matchTree } from './match.js'
import { durationSchema, invalid, whenSchema } from './texts.js'

export type { ActionSpec, PerWindow, RuleLimits, Step }

const SEVERITIES = ['info', 'warning', 'critical'] as const
/** How bad a breach of a rule is: `info`, `warning` or `critical`. */
export type Severity = (typeof SEVERITIES)[number]
/** The worse, the higher. */
export const severityRank = (severity: Severity): number => SEVERITIES.indexOf(severity)

/** A rule that was found to be right, with its defaults filled in and its condition parsed. */
export interface CheckedRule {
  name: string
  /** No parts: every process. */
  match: Match
  /** Kernel threads are left out unless this is true. */
  kernelThreads: boolean
  /** Whom the rule is about: what the processes that match have in common; undefined: each process. */
  per: GroupKind | undefined
  when: When
  /** A fired alert clears only when this holds; without it, when `when` does not. */
  clear: When | undefined
  severity: Severity
  /** Milliseconds; see `Rule`. */
  cooldown: number | undefined
  /** In this order. */
  actions: readonly Step[]
  limits: RuleLimits
  /** Of a group, whom actions are for. */
  target: 'largest' | 'all'
  /** It decides, and touches no process. */
  dryRun: boolean
  /** False: it is checked, and never judged. */
  enabled: boolean
}

/**
 * A rule as people write it, in TypeScript or in YAML; parsing it gives a `CheckedRule`. Keys that are not known are
 * refused.
 */
export const ruleSchema = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(100)
      .regex(/^[^\p{Cc}]+$/u, { error: 'a name has no control characters' })
      .describe('One line, unique among the rules of an engine'),
    match: matchSchema.optional().describe('Which processes; without it every process'),
    per: z
      .enum(GROUP_KINDS)
      .optional()
      .describe('Judge what the processes that match have in common, instead of each process'),
    when: whenSchema.describe('The condition, for example: rss > 500MiB for 30s'),
    clear: whenSchema
      .optional()
      .describe('An alert ends only when this holds; without it, when the condition does not'),
    severity: z.enum(SEVERITIES).default('warning'),
    cooldown: durationSchema
      .optional()
      .describe('Fire again only after that time, also while the breach lasts; without it once per breach'),
    actions: z.array(stepSchema).max(16).default([]).describe('What to do, in this order'),
    limits: limitsSchema.optional().describe('What the rule may restart at most'),
    target: z.enum(['largest', 'all']).default('largest').describe('Of a group, whom actions are for'),
    dryRun: z.boolean().default(false).describe('Decide, touch no process'),
    enabled: z.boolean().default(true).describe('false: checked, never judged'),
  })
  .transform((rule, context): CheckedRule => {
    const refuse = (path: string[], message: string): void => {
      context.addIssue({ code: 'custom', path, message })
    }
    const { match = {}, per, when, clear } = rule
    for (const key of ['when', 'clear'] as const) {
      const condition = rule[key]
      const fault = condition && scopeFault(condition, per)
      if (fault !== undefined) refuse([key], fault)
    }
    if (per !== undefined && match.pid !== undefined) {
      refuse(['match', 'pid'], "a pid is one process; leave out 'per', or give a subtree")
    }
    return {
      name: rule.name,
      match: matchTree(match),
      kernelThreads: match.kernelThreads !== undefined && match.kernelThreads !== false,
      per,
      when,
      clear,
      severity: rule.severity,
      cooldown: rule.cooldown,
      actions: rule.actions,
      limits: rule.limits ?? {},
      target: rule.target,
      dryRun: rule.dryRun,
      enabled: rule.enabled,
    }
  })

/** What to watch and what to do about it. */
export type Rule = z.input<typeof ruleSchema>

/**
 * Checks rules as they come from a caller or a file.
 * @throws ProcmusterError INVALID_ARGUMENT that names the rule, the key and the reason
 */
export function checkRules(rules: readonly unknown[]): CheckedRule[] {
  return atOnce(checkingRules(rules))
}

/** As `checkRules`, rule by rule. */
export function* checkingRules(rules: readonly unknown[]): Steps<CheckedRule[]> {
  if (!Array.isArray(rules)) refuse('the rules', rules, 'a list')
  const names = new Set<string>()
  const checked: CheckedRule[] = []
  for (const [index, rule] of [...rules].entries()) {
    const result = parsed(rule, index)
    if (!result.success) {
      const { path, reason } = firstFault(result.error, ruleSchema)
      const where = path.length === 0 ? '' : `, ${z.core.toDotPath(path)}`
      throw invalid(`${nameOf(rule, index)}${where}: ${reason}`)
    }
    const { name } = result.data
    if (names.has(name)) throw invalid(`${nameOf(rule, index)}: another rule has this name`)
    names.add(name)
    checked.push(result.data)
    yield
  }
  return checked
}

/** The form of a rule as JSON Schema (draft 2020-12), for editors and other languages. */
export function ruleJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(ruleSchema, { io: 'input' }) as Record<string, unknown>
}

function parsed(rule: unknown, index: number) {
  try {
    return ruleSchema.safeParse(rule, { reportInput: true })
  } catch (cause) {
    // An object that holds itself, for example.
    if (cause instanceof RangeError) throw invalid(`${nameOf(rule, index)}: nested too deeply`)
    throw cause
  }
}

function nameOf(rule: unknown, index: number): string {
  const name = rule !== null && typeof rule === 'object' && 'name' in rule ? rule.name : undefined
  return typeof name === 'string' ? `rule ${JSON.stringify(name)}` : `rule ${index + 1}`
}
