import type { Alert } from '../alerts/alert.js'
import { identityKey, type ProcessIdentity } from '../table/identity.js'
import { wordedDuration } from '../words.js'
import type { ActionBegunBody } from './action_records.js'
import { type RecordedDecision, readDecision } from './decision_reading.js'
import type { RecordedGroup } from './decision_records.js'
import { type Place, samePlace } from './place.js'
import type { JournalRecord } from './records.js'
import { type ActionStory, addNote, noteText, Stories, type Story, type Writable } from './stories.js'
import type { Trace, TracedOrigin, TracedRun } from './trace.js'

/** Of one subject. */
const MAX_ALERTS = 64
/** Lives of one pid that have nothing but an alert or an origin. */
const MAX_SUBJECTS = 1000

/** Which subjects to collect: those asked for by identity, or the one of a rule that an id is about. */
interface CollectorOptions {
  readonly isAsked?: (identity: ProcessIdentity | undefined) => boolean
  readonly rule?: string
  readonly key?: string
  readonly id?: string
  readonly limit: number
}

interface Subject {
  readonly identity: ProcessIdentity | undefined
  group: RecordedGroup | undefined
  name: string
  lastAtMs: number
  readonly alerts: Map<string, Alert>
  origin: TracedOrigin | undefined
}

/** Folds records, oldest first, into the stories of decisions, in memory bounded by the limit. */
export class TraceCollector {
  readonly #options: CollectorOptions
  readonly #subjects = new Map<string, Subject>()
  readonly #stories: Stories
  #run: Writable<TracedRun> | undefined
  #place: Place | undefined
  /** Counts places: a pid with its start ticks means somebody else after a reboot. */
  #boot = 0

  constructor(options: CollectorOptions) {
    this.#options = options
    this.#stories = new Stories(options.limit, options.id)
  }

  add(record: JournalRecord): void {
    switch (record.type) {
      case 'engine-start':
        this.#started(record)
        break
      case 'engine-stop':
        if (this.#run !== undefined) this.#run.stoppedAtMs = record.atMs
        this.#stories.endAll(record.atMs)
        break
      case 'decision':
        this.#decided(record)
        break
      case 'alert':
      case 'alert-resolved':
        this.#alerted(record.alert, record.atMs)
        break
      case 'action-begun':
        this.#begun(record)
        break
      case 'action-step': {
        const { atMs, step, child, endedBy, tookMs } = record
        this.#stories.action(record.actionId)?.steps.push({ step, atMs, child, endedBy, tookMs })
        break
      }
      case 'action-done':
        this.#done(record)
        break
      case 'outcome': {
        const action = this.#stories.action(record.actionId)
        if (action !== undefined) action.outcome = record
        break
      }
      case 'rules':
        this.#changed(record)
        break
      case 'judging':
        this.#judged(record)
        break
      case 'self':
      case 'overrun':
        break
      default:
        this.#noted(record)
    }
  }

  result(): Omit<Trace, 'query' | 'badLines'> {
    const { id } = this.#options
    const { told, leftOut } = this.#stories
    const subjects = [...this.#subjects]
      .map(([key, { alerts, ...subject }]) => ({
        ...subject,
        decisions: told
          .filter((story) => story.subject === key)
          .map(({ subject: _, ...story }) => story)
          .reverse(),
        alerts: [...alerts.values()].filter((alert) => id === undefined || alert.id === id),
      }))
      .filter(({ decisions, alerts, origin }) => decisions.length + alerts.length > 0 || origin !== undefined)
      .sort((a, b) => b.lastAtMs - a.lastAtMs)
    return { subjects, leftOut, run: this.#run }
  }

  #started(record: JournalRecord & { type: 'engine-start' }): void {
    const { place, rules, dryRun, atMs } = record
    this.#stories.endAll(atMs)
    if (this.#place !== undefined && !samePlace(this.#place, place)) this.#boot++
    this.#place = place
    this.#run = { startedAtMs: atMs, stoppedAtMs: undefined, rules, dryRun: dryRun === true }
  }

  #decided(record: JournalRecord & { type: 'decision' }): void {
    const key = this.#accepted(record)
    const decision = key === undefined ? undefined : readDecision(record)
    if (key === undefined || decision === undefined) return
    const { rule, atMs, cause, decisionId, kind } = decision
    if (kind === 'clear') {
      this.#stories.end(key, rule, { atMs, cause, decisionId })
      const subject = this.#subjects.get(key)
      if (subject !== undefined) subject.lastAtMs = atMs
      return
    }
    this.#subject(key, decision)
    const leftOut = this.#stories.begin(key, decision)
    if (leftOut === undefined || this.#stories.isAnyOf(leftOut)) return
    const subject = this.#subjects.get(leftOut)
    if (subject?.alerts.size === 0 && subject.origin === undefined) this.#subjects.delete(leftOut)
  }

  #alerted(alert: Alert, atMs: number): void {
    const key = this.#accepted(alert)
    if (key === undefined) return
    const story = this.#storyOf(alert, key)
    if (story !== undefined && alert.kind === 'breach') {
      story.alert = alert
      if (alert.state === 'resolved') story.end ??= { atMs, cause: 'resolved' }
    } else if (story !== undefined && alert.kind === 'restart-failed' && alert.state === 'firing') {
      addNote(story, { atMs, type: alert.kind, text: alert.message })
    } else if (alert.kind !== 'breach' && alert.kind !== 'restart-failed') {
      const { alerts } = this.#subject(key, { ...alert, atMs })
      if (alerts.size < MAX_ALERTS || alerts.has(alert.id)) alerts.set(alert.id, alert)
      // A watch of that process alone ends with it, and judges no more.
      if (alert.kind === 'died') this.#stories.end(key, alert.rule, { atMs, cause: 'gone' })
    }
    const subject = this.#subjects.get(key)
    if (subject !== undefined) subject.lastAtMs = atMs
  }

  /** An alert follows its decision at once; it keeps its id when the rule fires again while it lasts. */
  #storyOf(alert: Alert, key: string): Story | undefined {
    const last = this.#stories.last(key, alert.rule)
    const isIts = last?.alert === undefined || last.alert.id === alert.id || alert.kind !== 'breach'
    return isIts ? last : this.#stories.ofAlert(alert)
  }

  #begun(record: JournalRecord & ActionBegunBody): void {
    const story = this.#stories.ofDecision(record.decisionId)
    const action = story && this.#stories.addAction(story, record)
    if (action !== undefined) action.parameters = record.parameters
  }

  #done(record: JournalRecord & { type: 'action-done' }): void {
    const { actionId, decisionId, rule, identity, successor, atMs } = record
    const action = this.#stories.action(actionId) ?? this.#neverBegun(record)
    if (action !== undefined) action.done = record
    if (successor !== undefined && this.#options.isAsked?.(successor)) {
      const key = `${this.#boot} ${identityKey(successor)}`
      const subject = this.#subject(key, { identity: successor, name: record.name, atMs })
      subject.origin = { identity, rule, actionId, decisionId, atMs }
    }
  }

  /** Refused, or only said: there is no record of its beginning. */
  #neverBegun(record: JournalRecord & { type: 'action-done' }): ActionStory | undefined {
    const { decisionId, rule } = record
    const story =
      decisionId === undefined
        ? this.#stories.last(this.#accepted(record), rule)
        : this.#stories.ofDecision(decisionId)
    const action = story && this.#stories.addAction(story, record)
    if (action !== undefined) action.begunAtMs = undefined
    return action
  }

  /** Breaches of these rules lasted until then; a rule that has changed has begun anew under its name. */
  #changed(record: JournalRecord & { type: 'rules' }): void {
    const { added, changed, removed } = record
    this.#noteLasting(record, ({ rule }) => {
      if (changed.includes(rule)) return 'the rule was changed, and begins anew'
      return removed.includes(rule) ? 'the rule was removed' : undefined
    })
    if (this.#run === undefined) return
    this.#run.rules = [...this.#run.rules.filter((rule) => !removed.includes(rule)), ...added]
  }

  #judged(record: JournalRecord & { type: 'judging' }): void {
    const { state, reason = '', lastedMs = 0 } = record
    const text =
      state === 'failed'
        ? `no rule is judged, nobody sees whether it lasts: ${reason}`
        : `rules are judged again, after ${wordedDuration(lastedMs)}`
    this.#noteLasting(record, () => text)
  }

  /** What concerns breaches that last. */
  #noteLasting(
    { atMs, type }: JournalRecord,
    textOf: (decision: RecordedDecision) => string | undefined,
  ): void {
    for (const story of this.#stories.lasting) {
      const text = textOf(story.decision)
      if (text !== undefined) addNote(story, { atMs, type, text })
    }
  }

  /** A record of a kind that is told in its own words. */
  #noted(record: JournalRecord): void {
    const { atMs } = record
    const body = record as unknown as Readonly<Record<string, unknown>>
    const { type, decisionId, actionId, rule } = body
    const story =
      this.#stories.ofDecision(String(decisionId)) ??
      this.#stories.ofAction(String(actionId)) ??
      this.#stories.last(this.#accepted(body), String(rule))
    if (story === undefined) return
    addNote(story, { atMs, type: String(type), text: noteText(body) })
  }

  /** The key of the subject that a record is about, where that was asked for. */
  #accepted(record: object): string | undefined {
    const { isAsked, key, rule } = this.#options
    const own = subjectKey(record)
    if (own === undefined) return undefined
    const {
      identity,
      group,
      rule: itsRule,
    } = record as Partial<Pick<Alert, 'identity' | 'rule'>> & {
      readonly group?: RecordedGroup
    }
    const members = Array.isArray(group?.members) ? group.members : []
    const asked =
      isAsked === undefined
        ? own === key && itsRule === rule
        : isAsked(identity) || members.some((member) => isAsked(member?.identity))
    return asked ? `${this.#boot} ${own}` : undefined
  }

  #subject(
    key: string,
    {
      identity,
      group,
      name,
      atMs,
    }: Partial<Pick<RecordedDecision, 'identity' | 'group'>> & {
      readonly name: string
      readonly atMs: number
    },
  ): Subject {
    const found = this.#subjects.get(key) ?? {
      ...{ identity, group, name, lastAtMs: atMs, alerts: new Map<string, Alert>(), origin: undefined },
    }
    Object.assign(found, { group, name, lastAtMs: atMs })
    this.#subjects.set(key, found)
    if (this.#subjects.size > MAX_SUBJECTS) {
      const idle = [...this.#subjects.keys()].find((other) => other !== key && !this.#stories.isAnyOf(other))
      if (idle !== undefined) this.#subjects.delete(idle)
    }
    return found
  }
}

/** `pid:startTicks` of a process, `kind:key` of a group; undefined for what is about neither. */
export function subjectKey(record: object): string | undefined {
  const { identity, group } = record as {
    readonly identity?: Partial<ProcessIdentity> | null
    readonly group?: Partial<RecordedGroup> | null
  }
  if (typeof group?.key === 'string') return `${group.kind}:${group.key}`
  const known = identityOrNone(identity)
  return known && identityKey(known)
}

function identityOrNone(value: Partial<ProcessIdentity> | null | undefined): ProcessIdentity | undefined {
  const isOne = typeof value?.pid === 'number' && typeof value.startTicks === 'number'
  return isOne ? (value as ProcessIdentity) : undefined
}
