import type { Logger } from 'pino'
import { ProcmusterError } from '../../errors.js'
import type { NotifyFailedBody } from '../../journal/records.js'
import { severityRank } from '../../rules/schema/rule.js'
import type { Alert } from '../alert.js'
import { callbackDelivery } from './callback.js'
import { commandDelivery } from './command.js'
import { logDelivery } from './log.js'
import { type Deliver, DeliveryQueue } from './queue.js'
import type { CheckedNotifier } from './spec.js'
import { webhookDelivery } from './webhook.js'

/** What is still to be delivered when an engine closes has so long. */
const FLUSH_MS = 5000
const MOST_TOLD = 10_000

/** A notifier in `engine.stats`. */
export interface NotifierStats {
  readonly name: string
  readonly type: CheckedNotifier['type']
  /** Alerts that wait, and that are being delivered now. */
  readonly waiting: number
  readonly underWay: number
  readonly delivered: number
  /** Given up, after all attempts. */
  readonly failed: number
  /** Further attempts after the first. */
  readonly retries: number
  /** The oldest that waited, when the queue was full. */
  readonly dropped: number
  readonly lastFailure?: string | undefined
}

interface NotifierParts {
  readonly log: Logger
  readonly onFailed: (failure: NotifyFailedBody) => void
  readonly onError: (error: Error) => void
}

interface Notifier {
  readonly spec: CheckedNotifier
  readonly queue: DeliveryQueue
  /** Alerts that fire and that it was told of. */
  readonly told: Set<string>
  /** Of these it has heard: what was dropped or could not be delivered it was not told of, nor is it of the end. */
  readonly heard: Set<string>
  lastFailure: string | undefined
}

/** Tells others of alerts, each through a queue of its own: none waits for another, and nobody for them. */
export class Notifiers {
  readonly #notifiers: readonly Notifier[]
  readonly #parts: NotifierParts

  constructor(specs: readonly CheckedNotifier[], parts: NotifierParts) {
    this.#parts = parts
    this.#notifiers = specs.map((spec) => this.#make(spec))
  }

  /** Hands the alert to those whom it concerns. */
  offer(alert: Alert): void {
    for (const { spec, queue, told, heard } of this.#notifiers) {
      if (alert.state === 'resolved') {
        // Nobody needs to hear of the end of what he never heard of.
        const isKnown = told.delete(alert.id)
        if (isKnown && spec.resolved && alert.silencedBy === undefined) queue.push(alert)
        else heard.delete(alert.id)
      } else if (
        alert.silencedBy === undefined &&
        alert.acknowledged === undefined &&
        concerns(spec, alert)
      ) {
        remember(told, alert.id)
        queue.push(alert)
      }
    }
  }

  get stats(): NotifierStats[] {
    return this.#notifiers.map(({ spec: { name, type }, queue, lastFailure }) => ({
      ...{ name, type, waiting: queue.waiting, underWay: queue.underWay },
      ...queue.counts,
      ...(lastFailure !== undefined && { lastFailure }),
    }))
  }

  /** Delivers what it can in a few seconds; says what it could not. */
  async close(): Promise<void> {
    await Promise.all(this.#notifiers.map(({ queue }) => queue.close(FLUSH_MS)))
  }

  #make(spec: CheckedNotifier): Notifier {
    const { name } = spec
    const queue = new DeliveryQueue({
      deliver: deliveryOf(spec, this.#parts.log),
      limit: spec.queueLimit,
      concurrency: spec.type === 'webhook' ? spec.concurrency : 1,
      onFailed: ({ id: alertId, state }, { attempts, failure: reason }) => {
        notifier.lastFailure = reason
        this.#parts.onFailed({ type: 'notify-failed', alertId, state, notifier: name, attempts, reason })
      },
      onDelivered: ({ id, state }) => {
        if (state !== 'resolved') remember(notifier.heard, id)
      },
      // By now what came before it of this alert was delivered or is lost.
      isWanted: ({ id, state }) => state !== 'resolved' || notifier.heard.delete(id),
      onDrop: () => {
        const message = `notifier ${JSON.stringify(name)} cannot keep up: more than ${spec.queueLimit} alerts wait, and the oldest are dropped`
        this.#parts.onError(new ProcmusterError('BUSY', { message }))
      },
    })
    const notifier: Notifier = { spec, queue, told: new Set(), heard: new Set(), lastFailure: undefined }
    return notifier
  }
}

/** Some kinds of alerts are never resolved, so that the oldest have to be forgotten. */
function remember(told: Set<string>, id: string): void {
  if (told.size >= MOST_TOLD) told.delete(told.values().next().value!)
  told.add(id)
}

function concerns({ minSeverity, rules }: CheckedNotifier, { severity, rule }: Alert): boolean {
  return severityRank(severity) >= severityRank(minSeverity) && (rules === undefined || rules.includes(rule))
}

function deliveryOf(spec: CheckedNotifier, log: Logger): Deliver {
  switch (spec.type) {
    case 'webhook':
      return webhookDelivery(spec)
    case 'command':
      return commandDelivery(spec)
    case 'log':
      return logDelivery(spec.path, log)
    case 'callback':
      return callbackDelivery(spec.notify, spec.timeoutMs)
  }
}
