import { z } from 'zod'
import { RESOURCES } from '../control/rlimit.js'
import { type SignalName, signalNumber } from '../control/signal_names.js'
import { ProcmusterError } from '../errors.js'
import { namePattern, textPattern } from './match/pattern.js'
import { type Condition, MAX_DURATION_MS, parseCondition, parseDuration } from './parse.js'

const limitValue = z.union([z.int().min(0), z.literal('unlimited')])

/** A name as `sendSignal` takes it: `SIGTERM`, `TERM`, `SIGRTMIN+3`. */
const signalSchema = z
  .string()
  .refine(...compiles((name) => signalNumber(name as SignalName)))
  .transform((name) => name as SignalName)

/** Ends a process and starts it again. */
interface RestartAction {
  type: 'restart'
  graceMs?: number | undefined
  signal?: SignalName | number | undefined
  allowReplacedExecutable?: boolean | undefined
}

const actionSchema = z.union(
  [
    z.literal('evidence').transform(() => ({ type: 'evidence' as const })),
    z.literal('restart').transform((type): RestartAction => ({ type })),
    z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('evidence') }),
      z.strictObject({
        type: z.literal('restart'),
        /** How long it may take to end before SIGKILL; the engine's unless given. */
        graceMs: z.number().min(0).max(MAX_DURATION_MS).optional(),
        /** What it is asked to end by; SIGTERM unless given. */
        signal: z.union([z.int().min(1).max(64), signalSchema]).optional(),
        /** Also when its executable was deleted or replaced since it was started. */
        allowReplacedExecutable: z.boolean().optional(),
      }),
      z.strictObject({
        type: z.literal('signal'),
        signal: z.union([z.int().min(1).max(64), signalSchema]),
      }),
      z.strictObject({ type: z.literal('priority'), nice: z.int().min(-20).max(19) }),
      z
        .strictObject({
          type: z.literal('limit'),
          resource: z.enum(RESOURCES),
          soft: limitValue.optional(),
          hard: limitValue.optional(),
        })
        .refine((limit) => limit.soft !== undefined || limit.hard !== undefined, {
          error: 'give soft, hard or both',
        }),
    ]),
  ],
  {
    error:
      "an action is 'evidence', 'restart' or an object with a type: evidence, restart, signal, priority, limit",
  },
)

const matchSchema = z
  .strictObject({
    pid: z.int().positive().optional(),
    /** With the pid: that very process and no successor. */
    startTicks: z.number().min(0).optional(),
    /** The whole process name, or a pattern between slashes: `/^worker/`, `/^java$/i`. */
    name: z
      .string()
      .min(1)
      .max(256)
      .refine(...compiles(namePattern))
      .optional(),
    /** A user's name or uid. */
    user: z.union([z.string().min(1).max(256), z.int().min(0)]).optional(),
    /** Source of a regular expression as RE2 has them, tried on the first 4096 characters of the arguments joined by spaces. */
    commandLine: z
      .string()
      .min(1)
      .max(1024)
      .refine(...compiles((source) => textPattern('commandLine', source)))
      .optional(),
    /** Kernel threads are left out unless this is true. */
    kernelThreads: z.boolean().optional(),
  })
  .refine((match) => match.startTicks === undefined || match.pid !== undefined, {
    error: 'startTicks needs a pid',
    path: ['startTicks'],
  })

/**
 * A rule as people write it, in TypeScript or in YAML; parsing it gives a `CheckedRule`. Keys that are not known are
 * refused.
 */
export const ruleSchema = z.strictObject({
  /** One line, unique among the rules of an engine. */
  name: z
    .string()
    .min(1)
    .max(100)
    .regex(/^[^\p{Cc}]+$/u, { error: 'a name has no control characters' }),
  match: matchSchema.optional().transform((match) => match ?? {}),
  /** The condition, for example `rss > 500MiB for 30s`; see `parseCondition`. */
  when: z.string().min(1).max(1000).transform(asCondition),
  /**
   * Milliseconds or a duration text. The rule fires again for a process only after that time: also when the breach
   * lasts. Without it the rule fires once per breach.
   */
  cooldown: z.union([z.number().min(0).max(MAX_DURATION_MS), z.string().transform(asDuration)]).optional(),
  severity: z.enum(['info', 'warning', 'critical']).default('warning'),
  /** In this order. */
  actions: z.array(actionSchema).max(16).default([]),
})

/** What to watch and what to do about it. */
export type Rule = z.input<typeof ruleSchema>
/** A rule that was found to be right, with its defaults filled in and its condition parsed. */
export type CheckedRule = z.output<typeof ruleSchema>
/** How bad a breach of a rule is: `info`, `warning` or `critical`. */
export type Severity = CheckedRule['severity']
/** An action of a checked rule. */
export type ActionSpec = CheckedRule['actions'][number]

/**
 * Checks rules as they come from a caller or a file.
 * @throws ProcmusterError INVALID_ARGUMENT that names the rule, the key and the reason
 */
export function checkRules(rules: readonly unknown[]): CheckedRule[] {
  const names = new Set<string>()
  return rules.map((rule, index) => {
    const result = ruleSchema.safeParse(rule)
    if (!result.success) {
      const issue = result.error.issues[0]!
      const where = issue.path.length === 0 ? '' : `, ${issue.path.join('.')}`
      throw invalid(`${nameOf(rule, index)}${where}: ${issue.message}`)
    }
    const { name } = result.data
    if (names.has(name)) throw invalid(`${nameOf(rule, index)}: another rule has this name`)
    names.add(name)
    return result.data
  })
}

function compiles(build: (text: string) => unknown) {
  const reasonOf = (text: string): string | undefined => {
    try {
      build(text)
      return undefined
    } catch (cause) {
      return cause instanceof Error ? cause.message : String(cause)
    }
  }
  return [
    (text: string) => reasonOf(text) === undefined,
    { error: (issue: { input?: unknown }) => reasonOf(String(issue.input)) ?? 'invalid pattern' },
  ] as const
}

function asCondition(text: string, context: z.RefinementCtx): Condition {
  return orIssue(() => parseCondition(text), context)
}

function asDuration(text: string, context: z.RefinementCtx): number {
  return orIssue(() => parseDuration(text), context)
}

function orIssue<T>(read: () => T, context: z.RefinementCtx): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof ProcmusterError)) throw cause
    context.addIssue({ code: 'custom', message: cause.message })
    return z.NEVER
  }
}

function nameOf(rule: unknown, index: number): string {
  const name = rule !== null && typeof rule === 'object' && 'name' in rule ? rule.name : undefined
  return typeof name === 'string' ? `rule ${JSON.stringify(name)}` : `rule ${index + 1}`
}

function invalid(message: string): ProcmusterError {
  return new ProcmusterError('INVALID_ARGUMENT', { message })
}
