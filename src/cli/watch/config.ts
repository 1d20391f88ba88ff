import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type Document, isMap, isNode, isPair, LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { type Rule, ruleSchema } from '../../index.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, messageOf } from '../fault.js'
import { didYouMean } from '../suggest.js'
import { escapeForTerminal } from '../terminal.js'
import { quoted } from '../values.js'

const MAX_BYTES = 1 << 20 // thousands of rules; a wrong path to something huge is refused, not read

const configSchema = z.strictObject({
  /** Seconds between two looks at the host. */
  interval: z.number().min(0.1).max(86_400).optional(),
  /** Where evidence goes; relative to the file. */
  directory: z.string().min(1).optional(),
  journal: z.string().min(1).optional(),
  /** Seconds between SIGTERM and SIGKILL. */
  grace: z.number().min(0).max(3600).optional(),
  dryRun: z.boolean().optional(),
  environ: z.boolean().optional(),
  rules: z.array(ruleSchema).min(1),
})

/** A checked configuration; paths are absolute. */
export interface WatchConfig {
  readonly intervalMs: number | undefined
  readonly directory: string | undefined
  readonly journal: string | undefined
  readonly graceMs: number | undefined
  readonly dryRun: boolean | undefined
  readonly environ: boolean | undefined
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
  const parsed = configSchema.safeParse(written)
  if (parsed.success) return withPaths(written, dirname(resolve(file)))
  for (const issue of parsed.error.issues) {
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

async function readText(file: string, faults: FaultList): Promise<string> {
  const flag = `--config ${quoted(file)}`
  const bytes = await readFile(file, { signal: AbortSignal.timeout(5000) }).catch(
    (error: NodeJS.ErrnoException) => {
      const reasons: Record<string, string> = {
        ENOENT: 'does not exist; correct the path',
        EISDIR: 'is a directory; give a YAML file',
        EACCES: 'is not readable for this user; correct its mode or run as its owner',
      }
      faults.add(
        EXIT.config,
        `${flag} ${reasons[error.code ?? ''] ?? `cannot be read (${error.code ?? error.name})`}`,
      )
      return undefined
    },
  )
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
    dryRun: config.dryRun,
    environ: config.environ,
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

function plainReason(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.input === undefined)
    return `missing; give ${article(issue.expected)}`
  return issue.message.replace(/^Invalid input: /, '')
}

const article = (type: string): string => `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`
