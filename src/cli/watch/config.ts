import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import type { GovernorOptions } from '../../public/actions.js'
import { BUILTIN_RULES, type BuiltinRule } from '../../public/builtin.js'
import { parseDuration } from '../../public/language.js'
import {
  governorSchema,
  type NotifierSpec,
  notifierSchema,
  type Rule,
  ruleSchema,
  schemaFaults,
} from '../../public/schema.js'
import { insteadOf } from '../../public/text.js'
import { messageOf } from '../fault.js'
import { SAMPLE_SOURCES, type SampleSource } from '../source_option.js'
import { quoted } from '../values.js'
import { fileLabel, YamlFile } from '../yaml_file.js'

/** A number of seconds, as the flags have it, or a text with a unit, as the durations of rules. */
function seconds(min: number, max: number) {
  const text = z
    .string()
    .max(100)
    .superRefine((given, context) => {
      const outside = `${quoted(given)} is out of range; give ${min}s to ${max}s`
      try {
        const ms = parseDuration(given)
        if (ms < min * 1000 || ms > max * 1000) context.addIssue(outside)
      } catch (error) {
        context.addIssue(messageOf(error))
      }
    })
  return z.union([z.number().min(min).max(max), text], { error: 'give seconds, or a time such as 5s' })
}

const millisecondsOf = (given: number | string | undefined): number | undefined =>
  typeof given === 'string' ? parseDuration(given) : given && Math.round(given * 1000)

/** The form of a configuration file, whose rules are of a form of their own. */
export function configSchemaOf<R extends z.ZodType>(rule: R) {
  return z.strictObject({
    interval: seconds(0.1, 86_400).optional().describe('Between two looks at the host; a number is seconds'),
    directory: z.string().min(1).optional().describe('Where evidence goes; relative to the file'),
    journal: z.string().min(1).optional().describe('JSON Lines journal; relative to the file'),
    grace: seconds(0, 3600).optional().describe('Between SIGTERM and SIGKILL; a number is seconds'),
    outcome: seconds(0, 86_400)
      .optional()
      .describe('So long is a restarted process followed before the outcome is told; a number is seconds'),
    source: z.enum(SAMPLE_SOURCES).optional().describe('Where samples come from'),
    dryRun: z.boolean().optional().describe('Decide, touch no process'),
    environ: z.boolean().optional().describe('Evidence includes the environment'),
    governor: governorSchema.optional().describe('What keeps restarts in bounds, over all rules'),
    notify: z.array(notifierSchema).max(64).optional().describe('Whom to tell of alerts'),
    builtin: z.array(z.enum(BUILTIN_RULES)).optional().describe('Rules that come with the engine'),
    rules: z.array(rule).min(1).optional(),
  })
}

const configSchema = configSchemaOf(ruleSchema)

/** A checked configuration; paths are absolute. */
export interface WatchConfig {
  readonly intervalMs: number | undefined
  readonly directory: string | undefined
  readonly journal: string | undefined
  readonly graceMs: number | undefined
  readonly outcomeWindowMs: number | undefined
  readonly source: SampleSource | undefined
  readonly dryRun: boolean | undefined
  readonly environ: boolean | undefined
  readonly notifiers: readonly NotifierSpec[]
  readonly governor: GovernorOptions | undefined
  readonly builtin: readonly BuiltinRule[] | undefined
  readonly rules: readonly Rule[]
}

/** Reads and checks a YAML file; each fault is one line `file:line:column: reason`. */
export async function readConfig(file: string): Promise<WatchConfig> {
  const { written, checked } = await checkedFile(file, fileLabel('--config', file), configSchema, {
    isAlone: false,
  })
  return { ...withPaths(written, dirname(resolve(file))), governor: checked.governor }
}

/**
 * Reads a YAML file and checks it against the schema of a configuration.
 * @param isAlone no flags add rules to those of the file
 */
export async function checkedFile<S extends ReturnType<typeof configSchemaOf<z.ZodType>>>(
  file: string,
  label: string,
  schema: S,
  { isAlone }: { isAlone: boolean },
): Promise<{ written: z.input<S>; checked: z.output<S> }> {
  const yaml = await YamlFile.read(file, label)
  if (yaml.value === null) {
    yaml.add([], 'the file is empty; give rules (`muster watch --help` has an example)')
    yaml.throwIfAny()
  }
  const parsed = schema.safeParse(yaml.value, { reportInput: true })
  if (!parsed.success) {
    for (const { path, key, reason } of schemaFaults(parsed.error, schema)) {
      const where = path.length > 0 ? `${z.core.toDotPath(path)}: ` : ''
      yaml.add(path, where + reason, key)
    }
    yaml.throwIfAny()
    throw parsed.error
  }
  const { rules = [], builtin = [] } = parsed.data as { rules?: { name: string }[]; builtin?: string[] }
  if (rules.length + builtin.length === 0) yaml.add([], 'rules: missing; give a list')
  const names = new Set<string>()
  for (const [index, { name }] of rules.entries()) {
    if (builtin.includes(name)) {
      yaml.add(['rules', index, 'name'], `a built-in rule is named ${quoted(name)}; give another`)
    } else if (names.has(name)) {
      yaml.add(['rules', index, 'name'], `another rule is named ${quoted(name)}; give each its own`)
    }
    names.add(name)
  }
  if (isAlone) addUnheardOf(yaml, parsed.data.notify ?? [], [...builtin, ...names])
  yaml.throwIfAny()
  return { written: yaml.value as z.input<S>, checked: parsed.data as z.output<S> }
}

/** A notifier of a rule that there is not would never tell anything. */
function addUnheardOf(
  yaml: YamlFile,
  notify: readonly { rules?: string[] | undefined }[],
  names: string[],
): void {
  for (const [at, { rules = [] }] of notify.entries()) {
    for (const [place, name] of rules.entries()) {
      if (names.includes(name)) continue
      yaml.add(
        ['notify', at, 'rules', place],
        `notify[${at}].rules: there is no rule ${quoted(name)}${insteadOf(name, names)}`,
      )
    }
  }
}

function withPaths(config: z.input<typeof configSchema>, base: string): Omit<WatchConfig, 'governor'> {
  const path = (value: string | undefined): string | undefined => value && resolve(base, value)
  return {
    intervalMs: millisecondsOf(config.interval),
    directory: path(config.directory),
    journal: path(config.journal),
    graceMs: millisecondsOf(config.grace),
    outcomeWindowMs: millisecondsOf(config.outcome),
    source: config.source,
    dryRun: config.dryRun,
    environ: config.environ,
    notifiers: (config.notify ?? []).map((notifier) =>
      notifier.type === 'log' && notifier.path
        ? { ...notifier, path: resolve(base, notifier.path) }
        : notifier,
    ),
    builtin: config.builtin,
    rules: config.rules ?? [],
  }
}
