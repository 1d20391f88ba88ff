import { z } from 'zod'
import { silenceMatchSchema } from '../alerts/silences.js'
import { JOURNAL_VERSION, type JournalBody, type JournalRecord } from './records.js'

/** Dates reach so far (ECMAScript, time values). */
const LAST_MS = 8.64e15
/** What the writer goes on from must leave it numbers to go on with. */
const SEQ_END = 1e15
/** PID_MAX_LIMIT of linux/threads.h. */
const MOST_PIDS = 2 ** 22

const time = z.number().min(-LAST_MS).max(LAST_MS)
const identity = z.object({
  pid: z.int().min(1).max(MOST_PIDS),
  startTicks: z.int().min(0),
  pidfsInode: z.number().optional(),
})
const place = z.object({ bootId: z.string(), pidNamespace: z.string() })
const names = z.array(z.string())
const group = z.object({
  kind: z.string(),
  key: z.string(),
  count: z.number(),
  members: z.array(z.object({ identity: z.object({ pid: z.number() }), name: z.string() })),
})

const alert = z
  .object({
    id: z.string(),
    rule: z.string(),
    severity: z.enum(['info', 'warning', 'critical']),
    kind: z.string(),
    state: z.enum(['firing', 'resolved']),
    identity: identity.optional(),
    group: group.optional(),
    name: z.string(),
    values: z.array(z.unknown()),
    message: z.string(),
    advice: names.optional(),
    atMs: time,
    // Those two are missing in journals of version 0.1.
    repeats: z.number().optional(),
    lastAtMs: time.optional(),
    resolvedAtMs: time.optional(),
    acknowledged: z.object({ by: z.string(), atMs: time, note: z.string().optional() }).optional(),
    silencedBy: z.string().optional(),
  })
  .refine((about) => about.identity !== undefined || about.group !== undefined)

const silence = z.object({
  id: z.string(),
  match: silenceMatchSchema,
  by: z.string(),
  note: z.string().optional(),
  sinceMs: time,
  untilMs: time,
})

const targeted = { actionId: z.string(), rule: z.string(), identity, name: z.string() }
const suspension = {
  scope: z.enum(['rule', 'process', 'host']),
  rule: z.string(),
  identity: identity.optional(),
  name: z.string().optional(),
}

/** What is relied on of a body, by the type of its record. Of other types nothing is: they are told as they are. */
const BODIES: Partial<Record<JournalBody['type'], z.ZodType>> = {
  'engine-start': z.object({ place, rules: names }),
  // `readDecision` looks at the rest, of those that are asked for.
  decision: z.object({
    decisionId: z.string(),
    rule: z.string(),
    name: z.string(),
    kind: z.enum(['fire', 'clear']),
  }),
  alert: z.object({ alert }),
  'alert-resolved': z.object({ alert }),
  acknowledged: z.object({ alert }),
  silence: z.object({ silence }),
  unsilence: z.object({ silenceId: z.string() }),
  resume: z.object({ rule: z.string() }),
  'request-refused': z.object({ reason: z.string() }),
  rules: z.object({ added: names, changed: names, removed: names }),
  'action-begun': z.object({
    ...targeted,
    decisionId: z.string(),
    action: z.string(),
    place,
    parameters: z.record(z.string(), z.unknown()),
    group: z.string().optional(),
  }),
  'action-step': z.object({
    actionId: z.string(),
    step: z.enum(['captured', 'terminating', 'exited', 'ready']),
    child: identity.optional(),
  }),
  'action-done': z.object({
    ...targeted,
    decisionId: z.string().optional(),
    action: z.string(),
    status: z.enum(['done', 'refused', 'failed', 'interrupted', 'dry-run']),
    successor: identity.optional(),
    reason: z.string().optional(),
    error: z.object({ code: z.string(), message: z.string() }).optional(),
    result: z.record(z.string(), z.unknown()).optional(),
  }),
  outcome: z.object({
    ...targeted,
    successor: identity.optional(),
    relieved: z.union([z.boolean(), z.literal('unknown')]).optional(),
    observedMs: z.number(),
  }),
  suspended: z.object({ ...suspension, reason: z.string(), untilMs: time }),
  resumed: z.object(suspension),
}
const bodies = new Map<string, z.ZodType>(Object.entries(BODIES))

/** Whether a line's value is a record of this version, with a body from which something can be concluded. */
export function isRecord(value: unknown): value is JournalRecord {
  if (typeof value !== 'object' || value === null) return false
  const { v, seq, type, atMs } = value as Partial<Record<keyof JournalRecord, unknown>>
  return (
    v === JOURNAL_VERSION &&
    typeof seq === 'number' &&
    Number.isInteger(seq) &&
    seq < SEQ_END &&
    typeof type === 'string' &&
    typeof atMs === 'number' &&
    Math.abs(atMs) <= LAST_MS &&
    bodies.get(type)?.safeParse(value).success !== false
  )
}
