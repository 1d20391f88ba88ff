import type { Alert } from '../alerts/alert.js'
import type { ProcessIdentity } from '../table/identity.js'
import { wordedDuration } from '../words.js'
import type { ActionBegunBody } from './action_records.js'
import { type RecordedDecision, readDecision } from './decision_reading.js'
import type { RecordedGroup } from './decision_records.js'
import type { Place } from './place.js'
import type { JournalRecord } from './records.js'
import type { Trace, TracedAction, TracedDecision, TracedNote, TracedOrigin, TracedRun } from './trace.js'

/** Of one decision or one subject; a rule that is put off again and again must not fill the memory. */
const MAX_NOTES = 64
const MAX_ALERTS = 64
const MAX_ACTIONS = 64
/** Lives of one pid that have nothing but an alert or an origin. */
const MAX_SUBJECTS = 1000

/** Which subjects to collect: those asked for by identity, or the one of a rule that an id is about. */
export interface CollectorOptions {
  readonly isAsked?: (identity: ProcessIdentity | undefined) => boolean
  readonly rule?: string
  readonly key?: string
  readonly id?: string
  readonly limit: number
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }
type Action = Writable<Omit<TracedAction, 'steps'>> & { steps: TracedAction['steps'][number][] }
interface Story extends Writable<Pick<TracedDecision, 'decision' | 'alert' | 'end'>> {
  readonly actions: Action[]
  readonly notes: TracedNote[]
  readonly subject: string
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
  /** Oldest first. */
  #stories: Story[] = []
  readonly #byDecision = new Map<string, Story>()
  readonly #byAction = new Map<string, { readonly story: Story; readonly action: Action }>()
  /** By rule and subject: breaches that last, and the last one of all. */
  readonly #open = new Map<string, Story[]>()
  readonly #last = new Map<string, Story>()
  #leftOut = 0
  #run: Writable<TracedRun> | undefined
  #place: Place | undefined
  /** Counts places: a pid with its start ticks means somebody else after a reboot. */
  #boot = 0

  constructor(options: CollectorOptions) {
    this.#options = options
  }

  add(record: JournalRecord): void {
    switch (record.type) {
      case 'engine-start':
        this.#started(record)
        break
      case 'engine-stop':
        if (this.#run !== undefined) this.#run.stoppedAtMs = record.atMs
        this.#closeOpen(record.atMs)
        break
      case 'decision':
        this.#decided(record)
        break
      case 'alert':
      case 'alert-resolved':
        if (isAlert(record.alert)) this.#alerted(record.alert, record.atMs)
        break
      case 'action-begun':
        this.#begun(record)
        break
      case 'action-step': {
        const { atMs, step, child, endedBy, tookMs } = record
        const known = { step, atMs, child: identityOrNone(child), endedBy, tookMs }
        this.#byAction.get(record.actionId)?.action.steps.push(known)
        break
      }
      case 'action-done':
        this.#done(record)
        break
      case 'outcome': {
        const found = this.#byAction.get(record.actionId)
        if (found !== undefined && identityOrNone(record.successor)) found.action.outcome = record
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
    const told = id === undefined ? this.#stories : this.#stories.filter((story) => isAbout(story, id))
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
    return { subjects, leftOut: id === undefined ? this.#leftOut : 0, run: this.#run }
  }

  #started(record: JournalRecord & { type: 'engine-start' }): void {
    const { place, rules, dryRun, atMs } = record
    this.#closeOpen(atMs)
    const same = place?.bootId === this.#place?.bootId && place?.pidNamespace === this.#place?.pidNamespace
    if (!same && this.#place !== undefined) this.#boot++
    this.#place = place
    this.#run = {
      startedAtMs: atMs,
      stoppedAtMs: undefined,
      rules: Array.isArray(rules) ? rules : [],
      dryRun: dryRun === true,
    }
  }

  /** Nobody watches any more: what lasted may be over, or not. */
  #closeOpen(atMs: number): void {
    for (const stories of this.#open.values())
      for (const story of stories) story.end ??= { atMs, cause: 'engine-stop' }
    this.#open.clear()
  }

  #decided(record: JournalRecord & { type: 'decision' }): void {
    const key = this.#accepted(record)
    const decision = key === undefined ? undefined : readDecision(record)
    if (key === undefined || decision === undefined) return
    const { rule, atMs, cause, decisionId, kind } = decision
    const ruleKey = `${key} ${rule}`
    if (kind === 'clear') {
      for (const story of this.#open.get(ruleKey) ?? []) story.end = { atMs, cause, decisionId }
      this.#open.delete(ruleKey)
      const subject = this.#subjects.get(key)
      if (subject !== undefined) subject.lastAtMs = atMs
      return
    }
    this.#subject(key, decision)
    const story: Story = { decision, alert: undefined, actions: [], notes: [], end: undefined, subject: key }
    this.#stories.push(story)
    this.#byDecision.set(decisionId, story)
    this.#open.set(ruleKey, [...(this.#open.get(ruleKey) ?? []), story])
    this.#last.set(ruleKey, story)
    if (this.#stories.length > this.#options.limit) this.#leaveOutOldest()
  }

  #leaveOutOldest(): void {
    const { id } = this.#options
    const at = id === undefined ? 0 : this.#stories.findIndex((story) => !isAbout(story, id))
    const [story] = at < 0 ? [] : this.#stories.splice(at, 1)
    if (story === undefined) return
    this.#leftOut++
    this.#byDecision.delete(story.decision.decisionId)
    for (const { actionId } of story.actions) this.#byAction.delete(actionId)
    const ruleKey = `${story.subject} ${story.decision.rule}`
    const open = this.#open.get(ruleKey)?.filter((other) => other !== story) ?? []
    if (open.length > 0) this.#open.set(ruleKey, open)
    else this.#open.delete(ruleKey)
    if (this.#last.get(ruleKey) === story) this.#last.delete(ruleKey)
    if (!this.#stories.some(({ subject }) => subject === story.subject)) {
      const subject = this.#subjects.get(story.subject)
      if (subject?.alerts.size === 0 && subject.origin === undefined) this.#subjects.delete(story.subject)
    }
  }

  #alerted(alert: Alert, atMs: number): void {
    const key = this.#accepted(alert)
    if (key === undefined) return
    const story = this.#storyOf(alert, key)
    if (story !== undefined && alert.kind === 'breach') {
      story.alert = alert
      if (alert.state === 'resolved') story.end ??= { atMs, cause: 'resolved' }
    } else if (story !== undefined && alert.kind === 'restart-failed' && alert.state === 'firing') {
      note(story, { atMs, type: alert.kind, text: alert.message })
    } else if (alert.kind !== 'breach' && alert.kind !== 'restart-failed') {
      const { alerts } = this.#subject(key, { ...alert, atMs })
      if (alerts.size < MAX_ALERTS || alerts.has(alert.id)) alerts.set(alert.id, alert)
    }
    const subject = this.#subjects.get(key)
    if (subject !== undefined) subject.lastAtMs = atMs
  }

  /** An alert follows its decision at once; it keeps its id when the rule fires again while it lasts. */
  #storyOf(alert: Alert, key: string): Story | undefined {
    const ruleKey = `${key} ${alert.rule}`
    const last = this.#last.get(ruleKey)
    const isIts = last?.alert === undefined || last.alert.id === alert.id || alert.kind !== 'breach'
    if (isIts) return last
    return this.#stories.findLast((story) => story.alert?.id === alert.id)
  }

  #begun(record: JournalRecord & ActionBegunBody): void {
    const story = this.#byDecision.get(record.decisionId)
    if (story === undefined || story.actions.length >= MAX_ACTIONS) return
    this.#addAction(story, record).parameters = record.parameters ?? {}
  }

  #addAction(
    story: Story,
    {
      actionId,
      action: type,
      identity,
      name,
      atMs,
    }: Pick<ActionBegunBody, 'actionId' | 'action' | 'identity' | 'name'> & { readonly atMs: number },
  ): Action {
    const action: Action = {
      ...{ actionId, action: type, identity, name, begunAtMs: atMs, parameters: {}, steps: [] },
      ...{ done: undefined, outcome: undefined },
    }
    story.actions.push(action)
    this.#byAction.set(actionId, { story, action })
    return action
  }

  #done(record: JournalRecord & { type: 'action-done' }): void {
    const { actionId, decisionId, rule, atMs } = record
    const [identity, successor] = [identityOrNone(record.identity), identityOrNone(record.successor)]
    const action = this.#byAction.get(actionId)?.action ?? this.#neverBegun(record)
    if (action !== undefined) action.done = { ...record, successor, result: record.result ?? undefined }
    const { isAsked } = this.#options
    if (identity !== undefined && successor !== undefined && isAsked?.(successor)) {
      const key = `${this.#boot} ${subjectKey({ identity: successor })}`
      const subject = this.#subject(key, { identity: successor, name: record.name, atMs })
      subject.origin = { identity, rule, actionId, decisionId, atMs }
    }
  }

  /** Refused, or only said: there is no record of its beginning. */
  #neverBegun(record: JournalRecord & { type: 'action-done' }): Action | undefined {
    const { decisionId, rule } = record
    const story =
      decisionId === undefined
        ? this.#last.get(`${this.#accepted(record)} ${rule}`)
        : this.#byDecision.get(decisionId)
    if (story === undefined || story.actions.length >= MAX_ACTIONS) return undefined
    const action = this.#addAction(story, record)
    action.begunAtMs = undefined
    return action
  }

  /** Breaches of these rules lasted until then; a rule that has changed has begun anew under its name. */
  #changed(record: JournalRecord & { type: 'rules' }): void {
    const [added = [], changed = [], removed = []] = [record.added, record.changed, record.removed].map(
      (names): readonly string[] => (Array.isArray(names) ? names : []),
    )
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
    for (const story of [...this.#open.values()].flat()) {
      const text = textOf(story.decision)
      if (text !== undefined) note(story, { atMs, type, text })
    }
  }

  /** A record of a kind that is told in its own words. */
  #noted(record: JournalRecord): void {
    const { atMs } = record
    const body = record as unknown as Readonly<Record<string, unknown>>
    const { type, decisionId, actionId, rule } = body
    const key = this.#accepted(body)
    const story =
      this.#byDecision.get(String(decisionId)) ??
      this.#byAction.get(String(actionId))?.story ??
      (key === undefined ? undefined : this.#last.get(`${key} ${String(rule)}`))
    if (story === undefined) return
    const text = [body.message, body.reason, body.why].find((each) => typeof each === 'string')
    note(story, { atMs, type: String(type), text: (text as string | undefined) ?? '' })
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
      const idle = [...this.#subjects.keys()].find(
        (other) => other !== key && !this.#stories.some(({ subject }) => subject === other),
      )
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
  return known && `${known.pid}:${known.startTicks}`
}

function identityOrNone(value: Partial<ProcessIdentity> | null | undefined): ProcessIdentity | undefined {
  const isOne = typeof value?.pid === 'number' && typeof value.startTicks === 'number'
  return isOne ? (value as ProcessIdentity) : undefined
}

function isAlert(value: unknown): value is Alert {
  const { id, rule, kind, advice } = (value ?? {}) as Partial<Record<keyof Alert, unknown>>
  const isTold = advice === undefined || Array.isArray(advice)
  return typeof id === 'string' && typeof rule === 'string' && typeof kind === 'string' && isTold
}

function isAbout({ decision, alert, actions, end }: Story, id: string): boolean {
  return (
    decision.decisionId === id ||
    alert?.id === id ||
    end?.decisionId === id ||
    actions.some(({ actionId }) => actionId === id)
  )
}

function note(story: Story, said: TracedNote): void {
  if (story.notes.length < MAX_NOTES) story.notes.push(said)
}
