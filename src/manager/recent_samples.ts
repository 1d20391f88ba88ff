import { setTimeout as sleep } from 'node:timers/promises'
import type { Sampler } from '../sampler/sampler.js'
import { RATE_WINDOW_MS } from '../table/rate_window.js'
import type { Table } from '../table/table.js'
import { Turns } from '../turns.js'

/** A rate since an older sample would tell of what has long passed. */
const MOST_AGE_MS = 1000

/** Samples whose rates are of the last moments, whenever the one before was taken. */
export class RecentSamples {
  readonly #sampler: Sampler
  #sampledAt = Number.NEGATIVE_INFINITY
  /** A table is good for two samples, so that one piece of work goes on at a time. */
  readonly #turns = new Turns()

  constructor(sampler: Sampler) {
    this.#sampler = sampler
  }

  /** Calls `work` with a new table, whose rates are over `RATE_WINDOW_MS` at least and about a second at most. */
  use<T>(work: (table: Table) => T | Promise<T>): Promise<T> {
    return this.#turns.take(async () => work(await this.#recent()))
  }

  async #recent(): Promise<Table> {
    if (performance.now() - this.#sampledAt > MOST_AGE_MS) await this.#sample()
    const waitMs = RATE_WINDOW_MS[this.#sampler.source] - (performance.now() - this.#sampledAt)
    if (waitMs > 0) await sleep(waitMs)
    return this.#sample()
  }

  async #sample(): Promise<Table> {
    const table = await this.#sampler.sample()
    this.#sampledAt = performance.now()
    return table
  }
}
