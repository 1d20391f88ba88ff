import { ProcmusterError } from '../errors.js'
import type { ExecEvent, ExitEvent, LifecycleEvent, LifecycleEventType, LostEvent } from '../events/event.js'
import { EventStream, type EventStreamOptions } from '../events/stream.js'
import type { LifecycleStats } from '../journal/records.js'

/** Which record of births and deaths an engine reads. */
export const EVENT_SOURCES = ['auto', 'bpf', 'netlink', 'off'] as const
export type EngineEventSource = (typeof EVENT_SOURCES)[number]

/** The events that an engine asks for. */
const TYPES: readonly LifecycleEventType[] = ['fork', 'exec', 'exit']
/** What an engine needs of a stream; a parameter, so that a test needs no kernel. */
type LifecycleStream = Pick<EventStream, 'sourceReason' | 'close'> & AsyncIterable<LifecycleEvent>
type OpenLifecycle = (options: EventStreamOptions) => Promise<LifecycleStream>

/** What is counted of a stream. */
type HeardCounts = Omit<LifecycleStats, 'rescans' | 'shortLived'>

export interface LifecycleListeners {
  readonly onExec: (event: ExecEvent) => void
  readonly onExit: (event: ExitEvent) => void
  readonly onLost: (event: LostEvent) => void
  /** The stream failed; the engine goes on with its samples alone. */
  readonly onError: (error: unknown) => void
}

/**
 * The births, execs and deaths of the host as an engine hears them. Without a source nothing is heard, and samples tell
 * what they can; comparing snapshots would bring an engine nothing that its own samples do not.
 */
export class Lifecycle {
  #stream: LifecycleStream | undefined
  #source: HeardCounts['source'] = 'off'
  #reason = 'not opened'
  #forks = 0
  #execs = 0
  #exits = 0
  #lost = 0
  #reading: Promise<void> = Promise.resolve()

  get listening(): boolean {
    return this.#stream !== undefined
  }

  get stats(): HeardCounts {
    return {
      ...{ source: this.#source, reason: this.#reason, lost: this.#lost },
      ...{ forks: this.#forks, execs: this.#execs, exits: this.#exits },
    }
  }

  /**
   * @throws ProcmusterError when a source is asked for that cannot be had; `auto` goes on without
   */
  async open(
    wanted: EngineEventSource,
    listeners: LifecycleListeners,
    open: OpenLifecycle = EventStream.open,
  ): Promise<void> {
    if (wanted === 'off') {
      this.#reason = 'switched off'
      return
    }
    const refused: string[] = []
    for (const source of wanted === 'auto' ? (['bpf', 'netlink'] as const) : [wanted]) {
      try {
        this.#stream = await open({ source, types: TYPES })
        this.#source = source
        break
      } catch (error) {
        if (wanted !== 'auto' || !(error instanceof ProcmusterError)) throw error
        refused.push(error.message)
      }
    }
    const chosen =
      wanted === 'auto' ? `${this.#source}: the best that works here` : this.#stream?.sourceReason
    this.#reason = [...(this.#stream === undefined ? [] : [chosen]), ...refused].join('; ')
    if (this.#stream !== undefined) this.#reading = this.#read(this.#stream, listeners)
  }

  async close(): Promise<void> {
    const stream = this.#stream
    this.#stream = undefined
    await stream?.close()
    await this.#reading
  }

  async #read(stream: LifecycleStream, listeners: LifecycleListeners): Promise<void> {
    try {
      for await (const event of stream) this.#heard(event, listeners)
    } catch (error) {
      if (this.#stream !== undefined) listeners.onError(error)
    }
    if (this.#stream !== stream) return
    // It ended by itself: nobody may wait for records that will not come.
    this.#stream = undefined
    this.#reason = `${this.#source} ended; ${this.#reason}`
    this.#source = 'off'
  }

  #heard(event: LifecycleEvent, { onExec, onExit, onLost }: LifecycleListeners): void {
    switch (event.type) {
      case 'fork':
        this.#forks++
        break
      case 'exec':
        this.#execs++
        onExec(event)
        break
      case 'exit':
        this.#exits++
        onExit(event)
        break
      case 'lost':
        this.#lost += event.count
        onLost(event)
        break
    }
  }
}
