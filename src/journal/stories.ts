import type { Alert } from '../alerts/alert.js'
import { wordedDuration } from '../words.js'
import type { ActionBegunBody } from './action_records.js'
import type { RecordedDecision } from './decision_reading.js'
import type { TracedAction, TracedDecision, TracedNote } from './trace.js'

/** Of one decision; a rule that is put off again and again must not fill the memory. */
const MAX_NOTES = 64
const MAX_ACTIONS = 64

export type Writable<T> = { -readonly [Key in keyof T]: T[Key] }
export type ActionStory = Writable<Omit<TracedAction, 'steps'>> & { steps: TracedAction['steps'][number][] }
/** A decision, what was done because of it, and how it ended. */
export interface Story extends Writable<Pick<TracedDecision, 'decision' | 'alert' | 'end'>> {
  readonly actions: ActionStory[]
  readonly notes: TracedNote[]
  readonly subject: string
}

/** The stories of decisions, as many as the limit allows, and which of them a record goes on with. */
export class Stories {
  readonly #limit: number
  readonly #id: string | undefined
  /** Oldest first. */
  readonly #all: Story[] = []
  readonly #byDecision = new Map<string, Story>()
  readonly #byAction = new Map<string, { readonly story: Story; readonly action: ActionStory }>()
  /** By rule and subject: breaches that last, and the last one of all. */
  readonly #open = new Map<string, Story[]>()
  readonly #last = new Map<string, Story>()
  #leftOut = 0

  /** @param id of a decision, an alert or an action: its stories alone are asked for */
  constructor(limit: number, id: string | undefined) {
    this.#limit = limit
    this.#id = id
  }

  /** Those asked for, oldest first. */
  get told(): Story[] {
    const id = this.#id
    return id === undefined ? this.#all : this.#all.filter((story) => isAbout(story, id))
  }

  /** How many of those asked for are told no more. */
  get leftOut(): number {
    return this.#id === undefined ? this.#leftOut : 0
  }

  /** Of breaches that last. */
  get lasting(): Story[] {
    return [...this.#open.values()].flat()
  }

  isAnyOf(subject: string): boolean {
    return this.#all.some((story) => story.subject === subject)
  }

  ofDecision(decisionId: string): Story | undefined {
    return this.#byDecision.get(decisionId)
  }

  ofAction(actionId: string): Story | undefined {
    return this.#byAction.get(actionId)?.story
  }

  ofAlert(alert: Pick<Alert, 'id'>): Story | undefined {
    return this.#all.findLast((story) => story.alert?.id === alert.id)
  }

  last(subject: string | undefined, rule: string): Story | undefined {
    return subject === undefined ? undefined : this.#last.get(`${subject} ${rule}`)
  }

  action(actionId: string): ActionStory | undefined {
    return this.#byAction.get(actionId)?.action
  }

  /** @returns the subject of the story that had to make room */
  begin(subject: string, decision: RecordedDecision): string | undefined {
    const story: Story = { decision, alert: undefined, actions: [], notes: [], end: undefined, subject }
    const place = `${subject} ${decision.rule}`
    this.#all.push(story)
    this.#byDecision.set(decision.decisionId, story)
    this.#open.set(place, [...(this.#open.get(place) ?? []), story])
    this.#last.set(place, story)
    return this.#all.length > this.#limit ? this.#leaveOutOldest()?.subject : undefined
  }

  /** The rule's breaches by the subject are over. */
  end(subject: string, rule: string, end: NonNullable<Story['end']>): void {
    const place = `${subject} ${rule}`
    for (const story of this.#open.get(place) ?? []) story.end = end
    this.#open.delete(place)
  }

  /** Nobody watches any more: what lasted may be over, or not. */
  endAll(atMs: number): void {
    for (const story of this.lasting) story.end ??= { atMs, cause: 'engine-stop' }
    this.#open.clear()
  }

  /** Undefined when it has as many as are kept. */
  addAction(
    story: Story,
    {
      actionId,
      action: type,
      identity,
      name,
      atMs,
    }: Pick<ActionBegunBody, 'actionId' | 'action' | 'identity' | 'name'> & { readonly atMs: number },
  ): ActionStory | undefined {
    if (story.actions.length >= MAX_ACTIONS) return undefined
    const action: ActionStory = {
      ...{ actionId, action: type, identity, name, begunAtMs: atMs, parameters: {}, steps: [] },
      ...{ done: undefined, outcome: undefined },
    }
    story.actions.push(action)
    this.#byAction.set(actionId, { story, action })
    return action
  }

  #leaveOutOldest(): Story | undefined {
    const id = this.#id
    const at = id === undefined ? 0 : this.#all.findIndex((story) => !isAbout(story, id))
    const [story] = at < 0 ? [] : this.#all.splice(at, 1)
    if (story === undefined) return undefined
    this.#leftOut++
    this.#byDecision.delete(story.decision.decisionId)
    for (const { actionId } of story.actions) this.#byAction.delete(actionId)
    const place = `${story.subject} ${story.decision.rule}`
    const open = this.#open.get(place)?.filter((other) => other !== story) ?? []
    if (open.length > 0) this.#open.set(place, open)
    else this.#open.delete(place)
    if (this.#last.get(place) === story) this.#last.delete(place)
    return story
  }
}

export function addNote(story: Story, note: TracedNote): void {
  if (story.notes.length < MAX_NOTES) story.notes.push(note)
}

/** What a record says of itself. Nobody has looked at what is in one that is told by its type alone. */
export function noteText(body: Readonly<Record<string, unknown>>): string {
  const { type, identity, afterMs } = body
  if (type === 'breached-again' && typeof afterMs === 'number') {
    const { pid } = (identity ?? {}) as { readonly pid?: unknown }
    return `${typeof pid === 'number' ? `pid ${pid}, ` : ''}${wordedDuration(afterMs)} after the restart`
  }
  const said = [body.message, body.reason, body.why].find((each) => typeof each === 'string')
  return (said as string | undefined) ?? ''
}

function isAbout({ decision, alert, actions, end }: Story, id: string): boolean {
  return (
    decision.decisionId === id ||
    alert?.id === id ||
    end?.decisionId === id ||
    actions.some(({ actionId }) => actionId === id)
  )
}
