import { constants, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Document, isMap, isNode, isPair, LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import {
  BUILTIN_RULES,
  type BuiltinRule,
  type NotifierSpec,
  notifierSchema,
  type Rule,
  ruleSchema,
} from '../../index.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, messageOf } from '../fault.js'
import { SAMPLE_SOURCES, type SampleSource } from '../source_option.js'
import { didYouMean } from '../suggest.js'
import { escapeForTerminal } from '../terminal.js'
import { quoted } from '../values.js'

const MAX_BYTES = 1 << 20 // thousands of rules; a wrong path to something huge is refused, not read
const PIPE_WAIT_MS = 5000

const configSchema = z.strictObject({
  /** Seconds between two looks at the host. */
  interval: z.number().min(0.1).max(86_400).optional(),
  /** Where evidence goes; relative to the file. */
  directory: z.string().min(1).optional(),
  journal: z.string().min(1).optional(),
  /** Seconds between SIGTERM and SIGKILL. */
  grace: z.number().min(0).max(3600).optional(),
  /** Where samples come from. */
  source: z.enum(SAMPLE_SOURCES).optional(),
  dryRun: z.boolean().optional(),
  environ: z.boolean().optional(),
  /** Whom to tell of alerts. */
  notify: z.array(notifierSchema).max(64).optional(),
  /** Rules that come with the engine. */
  builtin: z.array(z.enum(BUILTIN_RULES)).optional(),
  rules: z.array(ruleSchema).min(1),
})

/** A checked configuration; paths are absolute. */
export interface WatchConfig {
  readonly intervalMs: number | undefined
  readonly directory: string | undefined
  readonly journal: string | undefined
  readonly graceMs: number | undefined
  readonly source: SampleSource | undefined
  readonly dryRun: boolean | undefined
  readonly environ: boolean | undefined
  readonly notifiers: readonly NotifierSpec[]
  readonly builtin: readonly BuiltinRule[] | undefined
  readonly rules: readonly Rule[]
}

/** Reads and checks a YAML file; each fault is one line `file:line:column: reason`. */
export async function readConfig(file: string): Promise<WatchConfig> {
  const faults = new FaultList()
  const text = await readText(file, faults)
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const add = (offset: number, reason: string): void => {
    const { line, col } = lines.linePos(offset)
    faults.add(EXIT.config, `${escapeForTerminal(file)}:${line}:${col}: ${escapeForTerminal(reason)}`)
  }
  for (const error of document.errors) add(error.pos[0], error.message)
  faults.throwIfAny()

  const written = plainValue(document, (reason) => add(0, reason)) as z.input<typeof configSchema>
  faults.throwIfAny()
  if (written === null || written === undefined) {
    add(0, 'the file is empty; give rules (`muster watch --help` has an example)')
    faults.throwIfAny()
  }
  const parsed = configSchema.safeParse(written, { reportInput: true })
  if (parsed.success) {
    for (const [index, { name }] of written.rules.entries()) {
      if (written.rules.findIndex((rule) => rule.name === name) === index) continue
      add(
        offsetOf(document, ['rules', index, 'name']),
        `another rule is named ${quoted(name)}; give each its own`,
      )
    }
    faults.throwIfAny()
    return withPaths(written, dirname(resolve(file)))
  }
  for (const issue of parsed.error.issues.map(nearest)) {
    if (issue.code === 'unrecognized_keys') {
      const known = knownKeys(issue.path)
      for (const key of issue.keys) {
        add(offsetOfKey(document, issue.path, key), `unknown key ${quoted(key)}${didYouMean(key, known)}`)
      }
    } else {
      const where = issue.path.length > 0 ? `${z.core.toDotPath(issue.path)}: ` : ''
      add(offsetOf(document, issue.path), where + plainReason(issue))
    }
  }
  faults.throwIfAny()
  throw parsed.error
}

/** One byte more than allowed at most. Neither a FIFO without a writer nor an endless device may keep us. */
async function readBounded(file: string): Promise<Buffer> {
  const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants
  const handle = await open(file, O_RDONLY | O_NONBLOCK | O_NOCTTY)
  try {
    const deadline = performance.now() + PIPE_WAIT_MS
    const buffer = Buffer.alloc(MAX_BYTES + 1)
    for (let length = 0; ; ) {
      try {
        const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null)
        length += bytesRead
        if (bytesRead === 0 || length === buffer.length) return buffer.subarray(0, length)
      } catch (error) {
        // A pipe, as of `--config <(command)`, whose other end has yet to write.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || performance.now() > deadline) throw error
        await sleep(20)
      }
    }
  } finally {
    await handle.close()
  }
}

async function readText(file: string, faults: FaultList): Promise<string> {
  const flag = `--config ${quoted(file)}`
  const bytes = await readBounded(file).catch((error: NodeJS.ErrnoException) => {
    const reasons: Record<string, string> = {
      ENOENT: 'does not exist; correct the path',
      EISDIR: 'is a directory; give a YAML file',
      EACCES: 'is not readable for this user; correct its mode or run as its owner',
      EAGAIN: 'is a pipe into which nobody writes; give a YAML file',
    }
    faults.add(
      EXIT.config,
      `${flag} ${reasons[error.code ?? ''] ?? `cannot be read (${error.code ?? error.name})`}`,
    )
    return undefined
  })
  if (bytes && bytes.length > MAX_BYTES)
    faults.add(EXIT.config, `${flag} is larger than 1 MiB; is it the right file?`)
  faults.throwIfAny()
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    faults.add(EXIT.config, `${flag} is not UTF-8 text; is it the right file?`)
    faults.throwIfAny()
    throw new Error('unreachable')
  }
}

function plainValue(document: Document, refuse: (reason: string) => void): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    // Aliases of aliases, which would grow without end, are refused by an exception.
    return refuse(messageOf(error))
  }
}

function withPaths(config: z.input<typeof configSchema>, base: string): WatchConfig {
  const path = (value: string | undefined): string | undefined => value && resolve(base, value)
  const ms = (seconds: number | undefined): number | undefined => seconds && Math.round(seconds * 1000)
  return {
    intervalMs: ms(config.interval),
    directory: path(config.directory),
    journal: path(config.journal),
    graceMs: config.grace === 0 ? 0 : ms(config.grace),
    source: config.source,
    dryRun: config.dryRun,
    environ: config.environ,
    notifiers: (config.notify ?? []).map((notifier) =>
      notifier.type === 'log' && notifier.path
        ? { ...notifier, path: resolve(base, notifier.path) }
        : notifier,
    ),
    builtin: config.builtin,
    rules: config.rules,
  }
}

type Path = readonly PropertyKey[]

/** Where the value at `path` begins; of a missing one, where its parent does. */
function offsetOf(document: Document, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return document.contents?.range?.[0] ?? 0
}

function offsetOfKey(document: Document, path: Path, key: string): number {
  const parent = path.length === 0 ? document.contents : document.getIn(path, true)
  const pair = isMap(parent)
    ? parent.items.find((item) => isPair(item) && String(item.key) === key)
    : undefined
  return isNode(pair?.key) && pair.key.range ? pair.key.range[0] : offsetOf(document, path)
}

/** The keys that the schema has at a path, for suggestions. */
function knownKeys(path: Path): string[] {
  let schemas: z.core.$ZodType[] = [configSchema]
  for (const step of path) {
    schemas = schemas.flatMap(alternatives).flatMap((schema) => {
      if (schema instanceof z.ZodObject)
        return (schema.shape as Record<PropertyKey, z.core.$ZodType>)[step] ?? []
      return schema instanceof z.ZodArray ? schema.element : []
    })
  }
  return schemas
    .flatMap(alternatives)
    .flatMap((schema) => (schema instanceof z.ZodObject ? Object.keys(schema.shape) : []))
}

function alternatives(schema: z.core.$ZodType): z.core.$ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return alternatives(schema.unwrap())
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(alternatives)
  if (schema instanceof z.ZodPipe) return alternatives(schema.in)
  return [schema]
}

/** Of a value that may have several forms, what is wrong with the form that was meant. */
function nearest(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue
  for (const [first] of issue.errors) {
    if (first === undefined) continue
    // The value is of another form, or it is not known of which.
    const isOther = first.path.length === 0 && OTHER_FORM.has(first.code)
    if (isOther || first.path.at(-1) === 'type') continue
    const inner = nearest({ ...first, path: [...issue.path, ...first.path] } as z.core.$ZodIssue)
    if (inner.code !== 'invalid_union' || inner.path.length > issue.path.length) return inner
  }
  return issue
}

const OTHER_FORM = new Set<string | undefined>(['invalid_type', 'invalid_value', 'unrecognized_keys'])
const SHOWN_CHARACTERS = 60
/** The words of YAML for those of JavaScript. */
const WORDS: Readonly<Record<string, string>> = { array: 'list', object: 'mapping', int: 'whole number' }

function plainReason(issue: z.core.$ZodIssue): string {
  const { input } = issue
  const isPlain = typeof input === 'string' || typeof input === 'number' || typeof input === 'boolean'
  const value = isPlain ? JSON.stringify(input).slice(0, SHOWN_CHARACTERS) : ''
  const before = value === '' ? '' : `${value}: `
  switch (issue.code) {
    case 'invalid_type': {
      const wanted = WORDS[issue.expected] ?? issue.expected
      return `${input === undefined ? 'missing' : `${value || 'this'} is no ${wanted}`}; give a ${wanted}`
    }
    case 'invalid_value':
      return `${before}give one of ${issue.values.map((each) => String(each)).join(', ')}`
    case 'too_small':
      return `${before}give ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unitOf(issue)}`
    case 'too_big':
      return `${before}give ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${unitOf(issue)}`
    case 'invalid_union': {
      const reason = issue.message.replace(
        /^Invalid input$/,
        'not of a form that is known; see docs/rules.md',
      )
      return input === undefined ? 'missing; docs/rules.md has the forms' : before + reason
    }
    case 'custom':
      return issue.message // which names the value
    default:
      return before + issue.message
  }
}

const unitOf = ({ origin }: { origin: string }): string =>
  ({ string: ' characters', array: ' of them' })[origin] ?? ''
