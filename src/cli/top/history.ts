import type { Table } from '../../public/table.js'

/** What a process used at each of the last ticks, oldest first; NaN where it was not there, or not read. */
export interface Course {
  readonly cpuPercent: Float32Array
  readonly rssBytes: Float32Array
}

interface Tick {
  readonly generations: Uint32Array
  readonly cpuPercent: Float32Array
  readonly rssBytes: Float32Array
}

/**
 * The last ticks of every process: whole columns by tick, so that keeping one is three copies, and only who is looked at
 * is put together.
 */
export class History {
  readonly #length: number
  readonly #ticks: Tick[] = []

  constructor(length = 60) {
    this.#length = length
  }

  keep({ columns }: Table): void {
    const capacity = columns.pid.length
    const oldest = this.#ticks.length < this.#length ? undefined : this.#ticks.shift()
    const tick =
      oldest?.generations.length === capacity
        ? oldest
        : {
            generations: new Uint32Array(capacity),
            cpuPercent: new Float32Array(capacity),
            rssBytes: new Float32Array(capacity),
          }
    tick.generations.set(columns.generation)
    tick.cpuPercent.set(columns.cpuPercent)
    tick.rssBytes.set(columns.rssBytes)
    this.#ticks.push(tick)
  }

  /** Of the process that has this slot in this generation: who had the slot before is another one. */
  of(slot: number, generation: number): Course {
    const read = (name: 'cpuPercent' | 'rssBytes') =>
      Float32Array.from(this.#ticks, (tick) =>
        tick.generations[slot] === generation ? tick[name][slot]! : Number.NaN,
      )
    return { cpuPercent: read('cpuPercent'), rssBytes: read('rssBytes') }
  }
}
