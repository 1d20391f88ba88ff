import { silenceMatchSchema } from '../alerts/silences.js'
import { JOURNAL_VERSION, type JournalBody, type JournalRecord } from './records.js'

/** Dates reach so far (ECMAScript, time values). */
const LAST_MS = 8.64e15
/** What the writer goes on from must leave it numbers to go on with. */
const SEQ_END = 1e15
/** PID_MAX_LIMIT of linux/threads.h. */
const MOST_PIDS = 2 ** 22

// Not by zod, which copies what it looks at: of a start on a journal of some 100 MB it was a fifth of the time.
type Is = (value: unknown) => boolean

const text: Is = (value) => typeof value === 'string'
const number: Is = (value) => Number.isFinite(value)
const time: Is = (value) => typeof value === 'number' && Math.abs(value) <= LAST_MS
const values: Is = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
const whole =
  (least: number, most: number): Is =>
  (value) =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most
const oneOf =
  (...words: readonly unknown[]): Is =>
  (value) =>
    words.includes(value)
const optional =
  (is: Is): Is =>
  (value) =>
    value === undefined || is(value)
const listOf =
  (is: Is): Is =>
  (value) =>
    Array.isArray(value) && value.every(is)

function object(keys: Readonly<Record<string, Is>>): Is {
  const entries = Object.entries(keys)
  return (value) => {
    if (typeof value !== 'object' || value === null) return false
    for (const [key, is] of entries) if (!is((value as Record<string, unknown>)[key])) return false
    return true
  }
}

const identity = object({
  pid: whole(1, MOST_PIDS),
  startTicks: whole(0, Number.MAX_SAFE_INTEGER),
  pidfsInode: optional(number),
})
const place = object({ bootId: text, pidNamespace: text })
const names = listOf(text)
const group = object({
  kind: text,
  key: text,
  count: number,
  members: listOf(object({ identity: object({ pid: number }), name: text })),
})

const alertFields = object({
  id: text,
  rule: text,
  severity: oneOf('info', 'warning', 'critical'),
  kind: text,
  state: oneOf('firing', 'resolved'),
  identity: optional(identity),
  group: optional(group),
  name: text,
  values: Array.isArray,
  message: text,
  advice: optional(names),
  atMs: time,
  // Those two are missing in journals from before version 0.1.
  repeats: optional(number),
  lastAtMs: optional(time),
  resolvedAtMs: optional(time),
  acknowledged: optional(object({ by: text, atMs: time, note: optional(text) })),
  silencedBy: optional(text),
})
const alert: Is = (value) => {
  if (!alertFields(value)) return false
  const { identity: process, group: members } = value as { identity?: unknown; group?: unknown }
  return process !== undefined || members !== undefined
}

const silence = object({
  id: text,
  match: (value) => silenceMatchSchema.safeParse(value).success,
  by: text,
  note: optional(text),
  sinceMs: time,
  untilMs: time,
})

const targeted = { actionId: text, rule: text, identity, name: text }
const suspension = {
  scope: oneOf('rule', 'process', 'host'),
  rule: text,
  identity: optional(identity),
  name: optional(text),
}

/** What is relied on of a body, by the type of its record. Of other types nothing is: they are told as they are. */
const BODIES: Partial<Record<JournalBody['type'], Is>> = {
  'engine-start': object({ place, rules: names }),
  // `readDecision` looks at the rest, of those that are asked for.
  decision: object({ decisionId: text, rule: text, name: text, kind: oneOf('fire', 'clear') }),
  alert: object({ alert }),
  'alert-resolved': object({ alert }),
  acknowledged: object({ alert }),
  silence: object({ silence }),
  unsilence: object({ silenceId: text }),
  resume: object({ rule: text }),
  'request-refused': object({ reason: text }),
  rules: object({ added: names, changed: names, removed: names }),
  'action-begun': object({
    ...targeted,
    decisionId: text,
    action: text,
    place,
    parameters: values,
    group: optional(text),
  }),
  'action-step': object({
    actionId: text,
    step: oneOf('captured', 'terminating', 'exited', 'ready'),
    child: optional(identity),
    endedBy: optional(text),
    tookMs: optional(number),
  }),
  'action-done': object({
    ...targeted,
    decisionId: optional(text),
    action: text,
    status: oneOf('done', 'refused', 'failed', 'interrupted', 'dry-run'),
    successor: optional(identity),
    reason: optional(text),
    error: optional(object({ code: text, message: text })),
    result: optional(values),
  }),
  outcome: object({
    ...targeted,
    successor: optional(identity),
    relieved: optional(oneOf(true, false, 'unknown')),
    exitedInMs: optional(number),
    observedMs: number,
    rssBeforeBytes: optional(number),
    rssAfterBytes: optional(number),
  }),
  suspended: object({ ...suspension, reason: text, untilMs: time }),
  resumed: object(suspension),
  judging: object({
    state: oneOf('failed', 'recovered'),
    reason: optional(text),
    lastedMs: optional(number),
  }),
}
const bodies = new Map<string, Is>(Object.entries(BODIES))

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
    time(atMs) &&
    bodies.get(type)?.(value) !== false
  )
}
