import type { Alert } from '../alert.js'

/** One delivery that was tried, and how often. */
export interface Delivery {
  readonly attempts: number
  /** Missing when it succeeded. */
  readonly failure?: string
}

/** Hands an alert over; gives up soon after the signal. */
export type Deliver = (alert: Alert, signal: AbortSignal) => Promise<Delivery>

/** What is given up at closing has so long to end: more than a command has between SIGTERM and SIGKILL. */
const LEAVE_AFTER_MS = 3000

interface QueueOptions {
  readonly deliver: Deliver
  /** Alerts that wait at most. */
  readonly limit: number
  /** Deliveries under way at the same time. */
  readonly concurrency: number
  readonly onDelivered?: (alert: Alert) => void
  /** Asked when its turn has come; by default all are. */
  readonly isWanted?: (alert: Alert) => boolean
  readonly onFailed: (alert: Alert, delivery: Required<Delivery>) => void
  /** The first that is dropped since the queue had room. */
  readonly onDrop: () => void
}

const unexpected = (error: unknown): Delivery => ({
  attempts: 1,
  failure: error instanceof Error ? error.message : String(error),
})

/** The alerts that wait for one notifier. Of one alert never two are under way, so that its end does not overtake it. */
export class DeliveryQueue {
  readonly counts = { delivered: 0, failed: 0, dropped: 0, retries: 0 }
  readonly #options: QueueOptions
  /** By alert and state, in the order in which they came: a repeat takes the place of what still waits. */
  readonly #waiting = new Map<string, Alert>()
  readonly #underWay = new Map<string, { readonly alert: Alert; readonly done: Promise<void> }>()
  readonly #giveUp = new AbortController()
  #isFull = false
  #closed = false

  constructor(options: QueueOptions) {
    this.#options = options
  }

  get waiting(): number {
    return this.#waiting.size
  }

  get underWay(): number {
    return this.#underWay.size
  }

  push(alert: Alert): void {
    if (this.#closed) return
    this.#waiting.set(`${alert.state}:${alert.id}`, alert)
    if (this.#waiting.size > this.#options.limit) this.#dropOldest()
    this.#startNext()
  }

  /** Takes no more; resolves when everything is delivered or given up, which begins after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true
    const giveUpTimer = setTimeout(() => this.#giveUp.abort(), graceMs)
    let leaveTimer: NodeJS.Timeout | undefined
    const leave = new Promise<void>((resolve) => {
      leaveTimer = setTimeout(resolve, graceMs + LEAVE_AFTER_MS)
    })
    await Promise.race([this.#drained(), leave])
    clearTimeout(giveUpTimer)
    clearTimeout(leaveTimer)
    // Deliveries that do not even hear that they are given up, as a write to a disk that hangs.
    const left = [...Array.from(this.#underWay.values(), ({ alert }) => alert), ...this.#waiting.values()]
    this.#waiting.clear()
    for (const alert of left) this.#failed(alert, { attempts: 0, failure: 'the engine closed first' })
  }

  async #drained(): Promise<void> {
    while (this.#underWay.size > 0) {
      await Promise.race(Array.from(this.#underWay.values(), ({ done }) => done))
    }
  }

  #dropOldest(): void {
    this.#waiting.delete(this.#waiting.keys().next().value!)
    this.counts.dropped++
    if (!this.#isFull) this.#options.onDrop()
    this.#isFull = true
  }

  #startNext(): void {
    while (this.#underWay.size < this.#options.concurrency) {
      const next = this.#nextWaiting()
      if (next === undefined) return
      const [key, alert] = next
      this.#waiting.delete(key)
      if (this.#options.isWanted?.(alert) === false) continue
      if (this.#waiting.size * 2 <= this.#options.limit) this.#isFull = false
      const done = this.#deliver(alert).finally(() => {
        this.#underWay.delete(alert.id)
        this.#startNext()
      })
      this.#underWay.set(alert.id, { alert, done })
    }
  }

  #nextWaiting(): [key: string, alert: Alert] | undefined {
    for (const entry of this.#waiting) if (!this.#underWay.has(entry[1].id)) return entry
    return undefined
  }

  async #deliver(alert: Alert): Promise<void> {
    const { signal } = this.#giveUp
    // Not in the turn of the loop in which it was raised, which is the tick's.
    await new Promise(setImmediate)
    const delivery: Delivery = signal.aborted
      ? { attempts: 0, failure: 'the engine closed first' }
      : await this.#options.deliver(alert, signal).catch(unexpected)
    this.counts.retries += Math.max(0, delivery.attempts - 1)
    const { attempts, failure } = delivery
    if (failure === undefined) {
      this.counts.delivered++
      this.#options.onDelivered?.(alert)
    } else {
      this.#failed(alert, { attempts, failure })
    }
  }

  #failed(alert: Alert, delivery: Required<Delivery>): void {
    this.counts.failed++
    this.#options.onFailed(alert, delivery)
  }
}
