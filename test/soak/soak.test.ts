import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type ProcessRow, Sampler, type Table } from '../../dist/index.js'
import { compileFixture } from '../fixtures/compile.js'
import { openDescriptors } from '../fixtures/descriptors.js'
import { describeSources } from '../fixtures/sources.js'

// The full size: PROCMUSTER_SOAK_PROCESSES=20000 PROCMUSTER_SOAK_CHURN=500 PROCMUSTER_SOAK_TICKS=1000.
const size = (name: string, otherwise: number) => Number(process.env[`PROCMUSTER_SOAK_${name}`] ?? otherwise)
const PROCESSES = size('PROCESSES', 2000)
const CHURN = size('CHURN', 500)
const TICKS = size('TICKS', 150)
const TICK_MS = 50

/** Each child is named f<pid>.<order of birth>, so that a row tells whether it is what its columns say. */
async function startFleet() {
  const program = await compileFixture('../../bench/fleet.c')
  const fleet = spawn(program, [String(PROCESSES), String(CHURN)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(fleet, 'exit')
  const ready = once(createInterface({ input: fleet.stdout }), 'line')
  const [first] = await Promise.race([ready, ended])
  if (!String(first).startsWith('ready')) throw new Error(`${PROCESSES} processes could not be started`)
  return {
    pid: fleet.pid!,
    async stop() {
      fleet.stdin.end()
      await ended
    },
  }
}

interface Life {
  readonly name: string
  readonly slot: number
  readonly generation: number
  lastTick: number
}

/** Books of who was who, kept apart from the table under test. `mixed` says where they disagree. */
class Books {
  readonly mixed: string[] = []
  readonly #lives = new Map<string, Life>()
  readonly #starts: [order: number, startTicks: number][] = []
  readonly #parent: number
  #tick = 0
  births = 0
  deaths = 0

  constructor(parent: number) {
    this.#parent = parent
  }

  check(table: Table): void {
    const born = new Set(table.bornSlots)
    const pids = new Set<number>()
    let fleetSize = 0
    for (const row of table) {
      this.#must(!pids.has(row.pid), () => `pid ${row.pid} stands in two rows`)
      pids.add(row.pid)
      this.#must(table.get(row.pid)?.slot === row.slot, () => `get(${row.pid}) gives another row`)
      if (row.ppid !== this.#parent) continue
      fleetSize++
      this.#checkRow(row, born.has(row.slot))
    }
    this.#must(pids.size === table.size, () => `${pids.size} rows, size ${table.size}`)
    // Those that died during the scan, or were born behind it, are few.
    this.#must(fleetSize > PROCESSES * 0.9, () => `${fleetSize} of ${PROCESSES} are there`)
    for (const row of table.gone) {
      const key = `${row.pid}.${row.startTicks}`
      const last = this.#lives.get(key)?.lastTick ?? this.#tick - 1
      this.#must(last === this.#tick - 1, () => `${key} is told gone, and was seen last in tick ${last}`)
      this.#lives.delete(key)
      this.deaths++
    }
    for (const life of this.#lives.values()) {
      this.#must(life.lastTick === this.#tick, () => `${life.name} vanished without being told gone`)
    }
    if (this.#tick > 0) this.births += born.size
    this.#tick++
  }

  /** Who was born later started later: no start time belongs to another's name. */
  checkOrder(): void {
    this.#starts.sort(([a], [b]) => a - b)
    for (const [i, [order, startTicks]] of this.#starts.entries()) {
      const elder = this.#starts[i - 1]?.[1] ?? 0
      this.#must(
        startTicks >= elder,
        () => `birth ${order} has the start ${startTicks}, an elder one ${elder}`,
      )
    }
  }

  #checkRow(row: ProcessRow, isBorn: boolean): void {
    const name = /^f(\d+)\.(\d+)$/.exec(row.name)
    if (!name) return // between its fork and its naming
    this.#must(Number(name[1]) === row.pid, () => `pid ${row.pid} has the name ${row.name}`)
    const key = `${row.pid}.${row.startTicks}`
    const life = this.#lives.get(key)
    if (!life) {
      const { slot, generation } = row
      this.#lives.set(key, { name: row.name, slot, generation, lastTick: this.#tick })
      this.#starts.push([Number(name[2]), row.startTicks])
      return
    }
    this.#must(row.name === life.name, () => `${key} was ${life.name}, is ${row.name}`)
    const isSameSlot = row.slot === life.slot && row.generation === life.generation
    this.#must(isSameSlot, () => `${key} changed its slot`)
    this.#must(life.lastTick === this.#tick - 1, () => `${key} was gone since tick ${life.lastTick}`)
    this.#must(!isBorn, () => `${key} is born twice`)
    life.lastTick = this.#tick
  }

  #must(holds: boolean, complaint: () => string): void {
    if (!holds) this.mixed.push(`tick ${this.#tick}: ${complaint()}`)
  }
}

const title = `identities are never mixed: ${PROCESSES} processes, ${CHURN} births and deaths a second, ${TICKS} ticks`

describeSources('soak', (source) => {
  test(title, { timeout: 60_000 + TICKS * (TICK_MS + PROCESSES / 10) }, async () => {
    const fleet = await startFleet()
    const sampler = await Sampler.open({ source, capacity: 256 }) // it has to grow
    try {
      const books = new Books(fleet.pid)
      let settled = { rss: 0, descriptors: 0 }
      for (let tick = 0; tick < TICKS; tick++) {
        const began = performance.now()
        books.check(await sampler.sample())
        expect(books.mixed).toEqual([])
        if (tick === Math.floor(TICKS / 3))
          settled = { rss: process.memoryUsage.rss(), descriptors: openDescriptors().length }
        await sleep(Math.max(0, TICK_MS - (performance.now() - began)))
      }
      books.checkOrder()
      expect(books.mixed).toEqual([])
      expect(books.births).toBeGreaterThan(TICKS)
      expect(books.deaths).toBeGreaterThan(TICKS)
      expect(openDescriptors().length).toBeLessThanOrEqual(settled.descriptors + 2)
      // The test's own books grow a little; a table that leaked would grow by megabytes a tick.
      expect(process.memoryUsage.rss() - settled.rss).toBeLessThan(96 << 20)
    } finally {
      await sampler.close()
      await fleet.stop()
    }
  })
})
