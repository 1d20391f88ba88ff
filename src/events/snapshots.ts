import { Sampler } from '../sampler/sampler.js'
import { headerCell } from '../table/layout.js'
import type { ProcessRow } from '../table/process.js'
import type { Table } from '../table/table.js'
import type { LifecycleEvent, LifecycleEventType } from './event.js'
import type { EventFeed, FeedOptions } from './feed.js'

const ZOMBIE = 'Z'.charCodeAt(0)
const DEAD = 'X'.charCodeAt(0)
const TICK_MS = 10 // USER_HZ is 100 on x64 and arm64

/**
 * Compares samples. Whoever lives between two of them is never seen, so nothing counts as lost. A sample is taken only
 * while a reader waits: with nobody reading there is neither a timer nor a backlog, and the next sample still shows all
 * that is different by then.
 */
export class SnapshotFeed implements EventFeed {
  readonly source = 'snapshots'
  readonly lost = 0
  readonly #sampler: Sampler
  readonly #types: ReadonlySet<LifecycleEventType>
  readonly #intervalMs: number
  readonly #wake: () => void
  /** By slot, the generation whose end has been told: a zombie has ended, and is gone later. */
  #ended = new Uint32Array(0)
  #events: LifecycleEvent[] = []
  #failure: { readonly error: unknown } | undefined
  #nextAtMs = 0
  #armed = false
  #timer: NodeJS.Timeout | undefined
  #closed = false

  private constructor(sampler: Sampler, { types, intervalMs, wake }: FeedOptions) {
    this.#sampler = sampler
    this.#types = types
    this.#intervalMs = intervalMs
    this.#wake = wake
  }

  static async open(options: FeedOptions): Promise<SnapshotFeed> {
    const sampler = await Sampler.open()
    const feed = new SnapshotFeed(sampler, options)
    try {
      feed.#compare(await sampler.sample())
    } catch (error) {
      await sampler.close()
      throw error
    }
    feed.#events = [] // what was there before is no news
    return feed
  }

  take(): LifecycleEvent[] {
    if (this.#failure !== undefined) throw this.#failure.error
    const events = this.#events
    this.#events = []
    return events
  }

  arm(): void {
    if (this.#armed || this.#closed) return
    this.#armed = true
    this.#schedule()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#sampler.close()
  }

  #schedule(): void {
    this.#timer = setTimeout(() => void this.#tick(), Math.max(0, this.#nextAtMs - performance.now()))
  }

  async #tick(): Promise<void> {
    try {
      const table = await this.#sampler.sample()
      if (this.#closed) return
      this.#compare(table)
    } catch (error) {
      if (this.#closed) return
      this.#failure = { error }
    }
    if (this.#events.length === 0 && this.#failure === undefined) {
      this.#schedule()
      return
    }
    this.#armed = false
    this.#wake()
  }

  #compare(table: Table): void {
    this.#nextAtMs = performance.now() + this.#intervalMs
    const { state, generation } = table.columns
    if (this.#ended.length < state.length) {
      const longer = new Uint32Array(state.length)
      longer.set(this.#ended)
      this.#ended = longer
    }
    for (const row of table.gone) {
      if (this.#ended[row.slot] !== row.generation) this.#exit(row, false)
    }
    if (this.#types.has('fork')) {
      for (const row of table.born) this.#events.push({ type: 'fork', ...common(row) })
    }
    if (this.#types.has('exec')) {
      for (const slot of table.execedSlots) {
        this.#events.push({ type: 'exec', ...common(table.at(slot)) })
      }
    }
    for (const slot of table.slots) {
      if (state[slot] !== ZOMBIE && state[slot] !== DEAD) continue
      if (this.#ended[slot] === generation[slot]) continue
      this.#ended[slot] = generation[slot]!
      this.#exit(table.at(slot), true)
    }
  }

  /** `final`: the row is a zombie's, whose processor time grows no more. */
  #exit(row: ProcessRow, final: boolean): void {
    if (!this.#types.has('exit')) return
    const { userTimeNs, systemTimeNs, startTicks, table } = row
    const known = final && userTimeNs !== undefined && systemTimeNs !== undefined
    this.#events.push({
      type: 'exit',
      ...common(row),
      exitCode: undefined,
      signal: undefined,
      coreDumped: undefined,
      oomKilled: undefined,
      sender: undefined,
      cpuTimeNs: known ? userTimeNs + systemTimeNs : undefined,
      peakRssBytes: undefined,
      readBytes: undefined,
      writeBytes: undefined,
      lifetimeMs: (table.memory.header[headerCell.sampledTicks]! - startTicks) * TICK_MS,
    })
  }
}

function common(row: ProcessRow) {
  const { pid, startTicks, pidfsInode, ppid, name, table } = row
  return { pid, startTicks, pidfsInode, ppid, name, atMs: table.sampledAtMs }
}
