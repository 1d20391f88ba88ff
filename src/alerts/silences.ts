import { z } from 'zod'
import { ProcmusterError } from '../errors.js'
import { namePattern } from '../rules/match/pattern.js'
import type { Alert } from './alert.js'
import { subjectOf } from './alert_key.js'
import { checked, noteSchema, personSchema } from './checked.js'

/** Nobody means to silence for longer. */
const LONGEST_MS = 366 * 86_400_000
const MOST_SILENCES = 1000

export const silenceMatchSchema = z
  .strictObject({
    /** The rule's whole name. */
    rule: z.string().min(1).max(100).optional(),
    /** The whole name of the process, or a pattern between slashes: `/^worker/`. */
    name: z.string().min(1).max(256).refine(isName, { error: 'no pattern that is understood' }).optional(),
    pid: z.int().positive().optional(),
    /** The user that the process runs as: name or uid. */
    user: z.union([z.string().min(1).max(256), z.int().min(0)]).optional(),
    /** A group's key, alone or with its kind: `nginx.service`, `unit:nginx.service`. */
    group: z.string().min(1).max(4096).optional(),
    severity: z.enum(['info', 'warning', 'critical']).optional(),
  })
  .refine((match) => Object.values(match).some((value) => value !== undefined), {
    error: 'give at least one of rule, name, pid, user, group, severity',
  })

const silenceRequestSchema = z
  .strictObject({
    match: silenceMatchSchema,
    /** Epoch milliseconds. */
    untilMs: z.number().optional(),
    forMs: z.number().positive().max(LONGEST_MS).optional(),
    by: personSchema,
    note: noteSchema,
  })
  .refine((request) => (request.untilMs === undefined) !== (request.forMs === undefined), {
    error: 'give either untilMs or forMs',
  })

/** Which alerts a silence is about: those that fit everything that is given. */
export type SilenceMatch = z.output<typeof silenceMatchSchema>
/** What `engine.silence()` takes: until when (`untilMs`, epoch milliseconds) or for how long (`forMs`). */
export type SilenceRequest = z.input<typeof silenceRequestSchema>

/** For these alerts no notifier is told until then; they fire, and are listed and written down as ever. */
export interface Silence {
  readonly id: string
  readonly match: SilenceMatch
  readonly by: string
  readonly note?: string | undefined
  /** Epoch milliseconds. */
  readonly sinceMs: number
  /**
   * By the wall clock, which people think in: when it is set, the end of the silence moves with it, and of a time in which the host
   * was suspended all counts.
   */
  readonly untilMs: number
}

/** The user of a process, as far as it is known. */
export type UserOf = (alert: Alert) => { readonly uid: number; readonly user: string } | undefined

interface Active {
  readonly silence: Silence
  readonly fits: (alert: Alert) => boolean
}

/** The silences in force. The time is handed in; it is the wall clock's, since people think in it. */
export class Silences {
  readonly #active = new Map<string, Active>()
  readonly #userOf: UserOf

  constructor(userOf: UserOf = () => undefined) {
    this.#userOf = userOf
  }

  /**
   * Checks what a caller gave; nothing is in force yet.
   * @throws ProcmusterError `INVALID_ARGUMENT`, `OUT_OF_RANGE`
   */
  prepare(request: unknown, id: string, nowMs: number): Silence {
    const { match, by, note, ...time } = checked(silenceRequestSchema, request, 'silence')
    const untilMs = time.untilMs ?? nowMs + time.forMs!
    if (untilMs <= nowMs || untilMs > nowMs + LONGEST_MS) {
      throw new ProcmusterError('OUT_OF_RANGE', {
        message: `a silence until ${shownTime(untilMs)} is over already, or longer than 366 days`,
      })
    }
    this.#forget(nowMs)
    if (this.#active.size >= MOST_SILENCES && !this.#active.has(id)) {
      throw new ProcmusterError('OUT_OF_RANGE', {
        message: `${MOST_SILENCES} silences are in force; end some, or give one that fits more alerts`,
      })
    }
    return { id, match, by, ...(note !== undefined && { note }), sinceMs: nowMs, untilMs }
  }

  add(silence: Silence): void {
    this.#active.set(silence.id, { silence, fits: fitOf(silence.match, this.#userOf) })
  }

  /** False when it is not in force. */
  remove(id: string): boolean {
    return this.#active.delete(id)
  }

  /** Whether one has run out since `list` was called last. */
  hasEnded(nowMs: number): boolean {
    for (const { silence } of this.#active.values()) if (silence.untilMs <= nowMs) return true
    return false
  }

  list(nowMs: number): Silence[] {
    this.#forget(nowMs)
    return Array.from(this.#active.values(), ({ silence }) => silence)
  }

  /** The id of one that the alert fits; that by which it is silenced already, where it still does. */
  silencing(alert: Alert, nowMs: number): string | undefined {
    const before = alert.silencedBy === undefined ? undefined : this.#active.get(alert.silencedBy)
    // Of a process that is gone the user is no longer known.
    if (before !== undefined && before.silence.untilMs > nowMs) return before.silence.id
    for (const { silence, fits } of this.#active.values()) {
      if (silence.untilMs > nowMs && fits(alert)) return silence.id
    }
    return undefined
  }

  #forget(nowMs: number): void {
    for (const [id, { silence }] of this.#active) if (silence.untilMs <= nowMs) this.#active.delete(id)
  }
}

function fitOf(match: SilenceMatch, userOf: UserOf): (alert: Alert) => boolean {
  const { rule, name, pid, user, group, severity } = match
  const pattern = name === undefined ? undefined : namePattern(name)
  return (alert) =>
    (rule === undefined || alert.rule === rule) &&
    (severity === undefined || alert.severity === severity) &&
    (pid === undefined || alert.identity?.pid === pid) &&
    (name === undefined || (pattern === undefined ? alert.name === name : pattern.test(alert.name))) &&
    (group === undefined ||
      (alert.group !== undefined && (alert.group.key === group || subjectOf(alert) === group))) &&
    (user === undefined || runsAs(alert, user, userOf))
}

function runsAs(alert: Alert, user: string | number, userOf: UserOf): boolean {
  const known = userOf(alert)
  return known !== undefined && (known.user === user || String(known.uid) === String(user))
}

function isName(name: string): boolean {
  try {
    namePattern(name)
    return true
  } catch {
    return false
  }
}

function shownTime(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString()
}
