import type { Logger } from 'pino'
import { ProcmusterError } from '../errors.js'
import type {
  AcknowledgedBody,
  JournalBody,
  NotifyFailedBody,
  ResumeBody,
  SilenceBody,
  UnsilenceBody,
} from '../journal/records.js'
import type { Journal } from '../journal/writer.js'
import type { Severity } from '../rules/schema/rule.js'
import { insteadOf } from '../spelling.js'
import { Alarms } from './alarms.js'
import { type Alert, JUDGING_RULE } from './alert.js'
import { type AlertQuery, isWanted } from './alert_book.js'
import type { FoldedAlerts } from './alert_fold.js'
import { type AlertSubject, subjectOf } from './alert_key.js'
import { checked, noteSchema, personSchema } from './checked.js'
import { type NotifierStats, Notifiers } from './notifiers/notifiers.js'
import type { CheckedNotifier } from './notifiers/spec.js'
import { RequestInbox } from './requests/inbox.js'
import type { CheckedRequest } from './requests/request.js'
import { type Silence, Silences, type UserOf } from './silences.js'

/** A condition that holds, and whose `for` is not over. */
export interface PendingBreach extends AlertSubject {
  readonly rule: string
  readonly severity: Severity
  readonly name: string
  readonly sinceMs: number
}

interface AlertingParts {
  readonly capacity: number
  readonly notifiers: readonly CheckedNotifier[]
  readonly log: Logger
  readonly note: (body: JournalBody) => void
  readonly tell: (alert: Alert) => void
  readonly onNotifyFailed: (failure: NotifyFailedBody) => void
  readonly onError: (error: unknown) => void
  readonly ruleNames: () => readonly string[]
  readonly pending: () => readonly PendingBreach[]
  readonly userOf: UserOf
  /** Lets restarts of a rule go on; false when none are suspended or given up. */
  readonly resume: (rule: string) => boolean
}

/** Who acknowledges or silences, and why. */
export interface AlertNote {
  readonly by: string
  readonly note?: string | undefined
}

/** All of an engine that is about alerts: raised, acknowledged, silenced, told to notifiers. */
export class Alerting {
  readonly alarms: Alarms
  readonly #parts: AlertingParts
  readonly #silences: Silences
  readonly #notifiers: Notifiers
  #inbox: RequestInbox | undefined
  #silenceCount = 0

  constructor(parts: AlertingParts) {
    this.#parts = parts
    this.#silences = new Silences(parts.userOf)
    this.#notifiers = new Notifiers(parts.notifiers, {
      log: parts.log,
      onFailed: (failure) => {
        parts.note(failure)
        parts.onNotifyFailed(failure)
      },
      onError: parts.onError,
    })
    const tell = (alert: Alert): void => {
      parts.tell(alert)
      this.#notifiers.offer(alert)
    }
    this.alarms = new Alarms(parts.capacity, parts.note, tell, {
      silences: this.#silences,
      onSilenceOver: (alert) => this.#notifiers.offer(alert),
    })
  }

  /** Goes on from what the journal says, and begins to take requests. */
  open(journal: Journal, { firing, silences }: FoldedAlerts): void {
    const nowMs = Date.now()
    for (const silence of silences) if (silence.untilMs > nowMs) this.#silences.add(silence)
    this.alarms.continueFrom(firing)
    this.#inbox = new RequestInbox(journal.path, {
      carryOut: (request, id) => journal.commit(this.#carryOut(request, id)),
      refuse: (request, reason) => journal.commit({ type: 'request-refused', request, reason }),
      onError: this.#parts.onError,
    })
    this.#inbox.start()
  }

  /** Once a tick: silences end. */
  tick(): void {
    const nowMs = Date.now()
    if (!this.#silences.hasEnded(nowMs)) return
    this.#silences.list(nowMs)
    this.alarms.silencesChanged()
  }

  get notifierStats(): NotifierStats[] {
    return this.#notifiers.stats
  }

  list(query: AlertQuery = {}): Alert[] {
    if (query.state !== 'pending') return this.alarms.list(query)
    const pending = this.#parts.pending().map(pendingAlert)
    const wanted = pending.filter((alert) => isWanted(alert, query)).sort((a, b) => b.atMs - a.atMs)
    return wanted.slice(0, query.limit)
  }

  acknowledge(alertId: string, note: AlertNote): Alert {
    const body = this.#acknowledge(alertId, note)
    this.#parts.note(body)
    return body.alert
  }

  silence(request: unknown): Silence {
    const body = this.#silence(request, `${this.alarms.run}-s${++this.#silenceCount}`)
    this.#parts.note(body)
    return body.silence
  }

  silences(): Silence[] {
    return this.#silences.list(Date.now())
  }

  unsilence(id: string, by: string): void {
    this.#parts.note(this.#unsilence(id, by))
  }

  async close(): Promise<void> {
    await this.#inbox?.close()
    await this.#notifiers.close()
  }

  #carryOut(asked: CheckedRequest, request: string): JournalBody {
    switch (asked.type) {
      case 'acknowledge':
        return { ...this.#acknowledge(asked.alertId, { by: asked.by, note: asked.note }), request }
      case 'silence': {
        const { type: _, ...silence } = asked
        return { ...this.#silence(silence, request), request }
      }
      case 'unsilence':
        return { ...this.#unsilence(asked.silenceId, asked.by), request }
      case 'resume':
        return { ...this.#resume(asked.rule, asked.by), request }
    }
  }

  #acknowledge(alertId: string, given: AlertNote): AcknowledgedBody {
    const by = checked(personSchema, given.by, 'acknowledge, by')
    const note = checked(noteSchema, given.note, 'acknowledge, note')
    const atMs = Date.now()
    const alert = this.alarms.acknowledge(alertId, { by, atMs, ...(note !== undefined && { note }) })
    return { type: 'acknowledged', alert }
  }

  #silence(request: unknown, id: string): SilenceBody {
    const silence = this.#silences.prepare(request, id, Date.now())
    const { rule = JUDGING_RULE } = silence.match
    const unknown = rule === JUDGING_RULE ? undefined : this.#unknownRule(rule)
    if (unknown !== undefined) throw new ProcmusterError('NOT_FOUND', { message: unknown })
    this.#silences.add(silence)
    this.alarms.silencesChanged()
    return { type: 'silence', silence }
  }

  #unsilence(silenceId: string, by: string): UnsilenceBody {
    if (!this.#silences.remove(silenceId)) {
      throw new ProcmusterError('NOT_FOUND', {
        message: `no silence ${JSON.stringify(silenceId)} is in force; engine.silences() or \`muster alerts\` lists those that are`,
      })
    }
    this.alarms.silencesChanged()
    return { type: 'unsilence', silenceId, by }
  }

  #resume(rule: string, by: string): ResumeBody {
    if (!this.#parts.resume(rule)) {
      const why = `no restarts of rule ${JSON.stringify(rule)} are suspended or given up`
      throw new ProcmusterError('NOT_FOUND', { message: this.#unknownRule(rule) ?? why })
    }
    return { type: 'resume', rule, by }
  }

  #unknownRule(rule: string): string | undefined {
    const names = this.#parts.ruleNames()
    if (names.includes(rule)) return undefined
    return `there is no rule ${JSON.stringify(rule)}${insteadOf(rule, names)}`
  }
}

function pendingAlert(breach: PendingBreach): Alert {
  const { rule, severity, name, sinceMs, identity, group } = breach
  return {
    id: `pending:${subjectOf(breach)}:${rule}`,
    ...{ rule, severity, kind: 'breach', state: 'pending', identity, group, name, values: [] },
    message: `${JSON.stringify(name)}: the condition of ${JSON.stringify(rule)} holds, its time is not over`,
    ...{ atMs: sinceMs, repeats: 0, lastAtMs: sinceMs },
  }
}
