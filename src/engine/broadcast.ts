import type { EventEmitter } from 'node:events'
import type { Logger } from 'pino'
import { levelOf } from '../alerts/notifiers/log.js'
import { EventQueue, type LostEvents } from './event_queue.js'
import type { EngineEvent, EngineEvents } from './events.js'

type Publishable = Exclude<EngineEvent, LostEvents>

/** Tells an engine's log, its listeners and its `for await` readers what happens. */
export class Broadcast {
  readonly #emitter: EventEmitter<EngineEvents>
  readonly #capacity: number
  readonly #log: Logger
  readonly #streams = new Set<EventQueue<EngineEvent>>()
  #ended = false

  /** What happened before anybody could listen. */
  #held: Publishable[] | undefined = []

  constructor(emitter: EventEmitter<EngineEvents>, capacity: number, log: Logger) {
    this.#emitter = emitter
    this.#capacity = capacity
    this.#log = log
  }

  stream(signal: AbortSignal | undefined): EventQueue<EngineEvent> {
    const abort = () => stream.end()
    const stream = new EventQueue<EngineEvent>(this.#capacity, () => {
      this.#streams.delete(stream)
      signal?.removeEventListener('abort', abort)
    })
    this.#streams.add(stream)
    if (this.#ended || signal?.aborted) stream.end()
    else signal?.addEventListener('abort', abort, { once: true })
    return stream
  }

  /** From now on events are told at once; those of the start are told now. */
  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const event of held) this.#send(event)
  }

  publish(event: Publishable): void {
    logEvent(this.#log, event)
    this.#send(event)
  }

  /** Something went wrong that the engine goes on after. */
  failed(error: unknown): void {
    this.publish({ type: 'error', error: asError(error) })
  }

  #send(event: Publishable): void {
    if (this.#held !== undefined) {
      this.#held.push(event)
      return
    }
    for (const stream of this.#streams) stream.push(event)
    switch (event.type) {
      case 'alert':
        this.#tell('alert', event.alert)
        break
      case 'action':
        this.#tell('action', event.action)
        break
      case 'governed':
        this.#tell('governed', event.governed)
        break
      case 'outcome':
        this.#tell('outcome', event.outcome)
        break
      case 'tick':
        this.#tell('tick', event.tick)
        break
      case 'recovered':
        this.#tell('recovered', event.action)
        break
      case 'overrun':
        this.#tell('overrun', event.overrun)
        break
      case 'notify-failed':
        this.#tell('notify-failed', event.failure)
        break
      case 'rules':
        this.#tell('rules', event.change)
        break
      case 'error':
        this.#tell('error', event.error)
        break
    }
  }

  end(): void {
    this.#ended = true
    for (const stream of this.#streams) stream.end()
  }

  /** A listener that throws must not end the tick or the action chain that told it. */
  #tell<K extends keyof EngineEvents>(name: K, argument: EngineEvents[K][0]): void {
    if (name === 'error' && this.#emitter.listenerCount('error') === 0) return
    try {
      ;(this.#emitter as EventEmitter).emit(name, argument)
    } catch (error) {
      this.#log.error({ err: error }, `a listener of '${name}' threw`)
      if (name !== 'error') this.#send({ type: 'error', error: asError(error) })
    }
  }
}

function logEvent(log: Logger, event: Publishable): void {
  switch (event.type) {
    case 'alert':
      log[levelOf(event.alert)]({ alert: event.alert }, event.alert.message)
      break
    case 'action': {
      const { action } = event
      const isWell = action.status === 'done' || action.status === 'dry-run'
      log[isWell ? 'info' : 'warn']({ action }, `${action.action} ${action.status}`)
      break
    }
    case 'governed':
      log.info({ governed: event.governed }, `a restart was ${event.governed.verdict}`)
      break
    case 'outcome':
      log.info({ outcome: event.outcome }, 'outcome of an action')
      break
    case 'tick':
      break
    case 'recovered':
      log.info({ action: event.action }, 'recovered')
      break
    case 'overrun':
      log.warn(
        { overrun: event.overrun },
        'events of births and deaths were lost; the sample makes up for them',
      )
      break
    case 'notify-failed':
      log.warn({ failure: event.failure }, 'a notifier was not told')
      break
    case 'rules':
      log.info({ rules: event.change }, 'other rules')
      break
    case 'error':
      log.error({ err: event.error }, 'the engine goes on after an error')
      break
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
