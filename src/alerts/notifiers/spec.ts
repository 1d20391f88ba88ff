import { z } from 'zod'
import { ProcmusterError } from '../../errors.js'
import { insteadOf } from '../../spelling.js'
import type { Alert } from '../alert.js'
import { checked } from '../checked.js'

const HOUR_MS = 3_600_000
/** Headers that are ours, or fetch's. */
const RESERVED_HEADERS = new Set([
  ...['content-length', 'content-type', 'host', 'idempotency-key', 'x-procmuster-signature'],
])

const common = {
  /** For messages, the journal and `engine.stats`; `webhook-1` and so on unless given. */
  name: z.string().min(1).max(100).optional(),
  /** Alerts of this severity and worse. */
  minSeverity: z.enum(['info', 'warning', 'critical']).default('info'),
  /** Only alerts of these rules. */
  rules: z.array(z.string().min(1)).min(1).optional(),
  /** Also told when an alert that it was told of is resolved. */
  resolved: z.boolean().default(true),
  /** Alerts that wait at most; the oldest makes room. */
  queueLimit: z.int().min(1).max(100_000).default(1000),
}
const timeoutMs = (usual: number) => z.number().min(1).max(HOUR_MS).default(usual)

const webhookSchema = z
  .strictObject({
    type: z.literal('webhook'),
    ...common,
    url: z.string().refine(isWebUrl, { error: 'give an http or https URL without user and password' }),
    /** Key of the signature, or the environment variable that has it. */
    secret: z.string().min(1).optional(),
    secretEnv: z.string().min(1).optional(),
    headers: z
      .record(z.string(), z.string())
      .refine(areHeaders, { error: 'not headers that may be set' })
      .optional(),
    /** For each attempt, the response's body included. */
    timeoutMs: timeoutMs(10_000),
    attempts: z.int().min(1).max(20).default(5),
    /** Requests under way at the same time. */
    concurrency: z.int().min(1).max(64).default(4),
  })
  .refine((webhook) => webhook.secret === undefined || webhook.secretEnv === undefined, {
    error: 'secret and secretEnv exclude each other',
    path: ['secretEnv'],
  })

const commandSchema = z.strictObject({
  type: z.literal('command'),
  ...common,
  /** Program and arguments; with `shell` a script for `/bin/sh -c` and its `$1`, `$2`, ... */
  command: z.array(z.string().refine((word) => !word.includes('\0'), { error: 'holds a NUL byte' })).min(1),
  shell: z.boolean().default(false),
  /** Then SIGTERM, and two seconds later SIGKILL, to its process group. */
  timeoutMs: timeoutMs(30_000),
})

const logSchema = z.strictObject({
  type: z.literal('log'),
  ...common,
  /** A file of JSON Lines; the engine's logger unless given. */
  path: z.string().min(1).optional(),
})

/** A notifier as a configuration file has it. */
export const notifierSchema = z.discriminatedUnion('type', [webhookSchema, commandSchema, logSchema])

const callbackSchema = z.strictObject({
  type: z.literal('callback'),
  ...common,
  notify: z.custom<(alert: Alert) => unknown>((value) => typeof value === 'function', {
    error: 'give a function',
  }),
  /** A promise that it returns may take so long. */
  timeoutMs: timeoutMs(30_000),
})
const anySchema = z.discriminatedUnion('type', [webhookSchema, commandSchema, logSchema, callbackSchema])

/** Whom to tell of alerts: a webhook, a command, a log or a function. */
export type NotifierSpec = z.input<typeof anySchema>
export type CheckedNotifier = z.output<typeof anySchema> & { readonly name: string }
export type WebhookSettings = z.output<typeof webhookSchema>
export type CommandSettings = z.output<typeof commandSchema>

/** @throws ProcmusterError `INVALID_ARGUMENT` that names the notifier, the key and the reason */
export function checkNotifiers(specs: readonly unknown[], ruleNames: readonly string[]): CheckedNotifier[] {
  const names = new Set<string>()
  return specs.map((given, index) => {
    const spec = checked(anySchema, given, `notifier ${index + 1}`)
    const name = spec.name ?? `${spec.type}-${index + 1}`
    const what = `notifier ${JSON.stringify(name)}`
    if (names.has(name)) throw invalid(`${what}: another one has this name`)
    names.add(name)
    for (const rule of spec.rules ?? []) {
      if (ruleNames.includes(rule)) continue
      throw invalid(`${what}: there is no rule ${JSON.stringify(rule)}${insteadOf(rule, ruleNames)}`)
    }
    return { ...withSecret(spec, what), name }
  })
}

/** The secret is read once, at the start: a variable that is missing is found out before it is needed. */
function withSecret<S extends z.output<typeof anySchema>>(spec: S, what: string): S {
  if (spec.type !== 'webhook' || spec.secretEnv === undefined) return spec
  const secret = process.env[spec.secretEnv]
  if (secret) return { ...spec, secret }
  throw invalid(
    `${what}: the environment variable ${spec.secretEnv}, which is to have its secret, is not set`,
  )
}

function isWebUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  return /^https?:$/.test(protocol) && username === '' && password === ''
}

function areHeaders(headers: Record<string, string>): boolean {
  try {
    return [...new Headers(headers).keys()].every((name) => !RESERVED_HEADERS.has(name))
  } catch {
    return false
  }
}

function invalid(message: string): ProcmusterError {
  return new ProcmusterError('INVALID_ARGUMENT', { message })
}
