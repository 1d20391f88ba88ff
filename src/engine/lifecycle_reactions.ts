import type { ExecEvent, ExitEvent, LostEvent } from '../events/event.js'
import type { JournalBody } from '../journal/records.js'
import type { RuleEngine } from '../rules/rule_engine.js'
import type { Table } from '../table/table.js'
import type { Deaths } from './deaths.js'
import type { Overrun } from './events.js'
import type { LifecycleListeners } from './lifecycle.js'
import { ShortLived } from './short_lived.js'
import type { Ticker } from './ticker.js'
import type { WatchedProcesses } from './watched.js'

/** A tick waits no longer for the facts of programs that were just executed. */
const RELEARN_LIMIT_MS = 50

interface LifecycleParts {
  readonly watched: WatchedProcesses
  readonly deaths: Deaths
  readonly ticker: Ticker
  readonly note: (body: JournalBody) => void
  readonly tell: (overrun: Overrun) => void
  readonly onError: (error: unknown) => void
}

/** What an engine makes of execs, exits and overruns between its samples. */
export class LifecycleReactions implements LifecycleListeners {
  readonly shortLived = new ShortLived()
  readonly #parts: LifecycleParts
  /** Processes that have executed a program since the last sample began. */
  #execed = new Set<number>()
  #sampling = new Set<number>()
  #lost: Overrun | undefined
  #table: Table | undefined
  #rules: RuleEngine | undefined

  constructor(parts: LifecycleParts) {
    this.#parts = parts
  }

  use(rules: RuleEngine): void {
    this.#rules = rules
  }

  readonly onExec = ({ pid }: ExecEvent): void => {
    this.#execed.add(pid)
  }

  readonly onExit = (event: ExitEvent): void => {
    const { watched, deaths } = this.#parts
    this.#execed.delete(event.pid)
    this.shortLived.exited(event, this.#table)
    const identity = watched.identityOf(event) ?? deaths.awaited(event)
    if (identity === undefined) return
    deaths.exited(identity, event)
    deaths.ended(watched.ended(identity.pid, identity.startTicks))
  }

  readonly onLost = ({ count, atMs }: LostEvent): void => {
    this.#lost = { count: (this.#lost?.count ?? 0) + count, atMs }
    this.#parts.ticker.soon()
  }

  readonly onError = (error: unknown): void => this.#parts.onError(error)

  beginSample(): void {
    for (const pid of this.#execed) this.#sampling.add(pid)
    this.#execed = new Set()
  }

  /** Before the sample is judged: what it shows of processes that run another program by now. */
  async sampled(table: Table, nowMs: number): Promise<void> {
    this.#table = table
    this.shortLived.sampled(table)
    this.#tellLost()
    const rules = this.#rules!
    // Heard of while it was taken: the sample may show the new program, and the next one will.
    const slots = new Set(table.execedSlots)
    for (const pid of [...this.#sampling, ...this.#execed]) {
      const slot = table.slotOf(pid)
      if (slot === undefined) continue
      rules.rematch(pid)
      slots.add(slot)
    }
    this.#sampling = new Set()
    await rules.relearn(table.memory, Uint32Array.from(slots), nowMs, RELEARN_LIMIT_MS)
  }

  #tellLost(): void {
    if (this.#lost === undefined) return
    const { note, tell } = this.#parts
    note({ type: 'overrun', count: this.#lost.count })
    tell(this.#lost)
    this.#lost = undefined
  }
}
