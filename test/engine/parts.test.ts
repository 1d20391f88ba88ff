import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EventQueue } from '../../dist/engine/event_queue.js'
import { HeldChildren } from '../../dist/engine/held_children.js'
import { Ticker } from '../../dist/engine/ticker.js'
import { WatchedProcesses } from '../../dist/engine/watched.js'
import type { Decision } from '../../dist/rules/decision.js'

/** Time that only moves when told to; timers run in order. */
class ManualClock {
  time = 0
  #timers: { at: number; callback: () => void }[] = []
  now = () => this.time
  setTimer = (callback: () => void, ms: number) => {
    const timer = { at: this.time + ms, callback }
    this.#timers.push(timer)
    return timer
  }
  clearTimer = (timer: unknown) => {
    this.#timers = this.#timers.filter((other) => other !== timer)
  }
  get pending() {
    return this.#timers.length
  }
  async runTo(time: number) {
    for (;;) {
      this.#timers.sort((a, b) => a.at - b.at)
      const next = this.#timers[0]
      if (next === undefined || next.at > time) break
      this.#timers.shift()
      this.time = Math.max(this.time, next.at)
      next.callback()
      await new Promise(setImmediate)
    }
    this.time = Math.max(this.time, time)
  }
}

describe('ticker', () => {
  it('keeps to whole intervals, however long a tick takes within one', async () => {
    const clock = new ManualClock()
    const begun: number[] = []
    const ticker = new Ticker(
      100,
      async () => {
        begun.push(clock.time)
        clock.time += 37
      },
      clock,
    )
    ticker.start()
    await clock.runTo(450)
    expect(begun).toEqual([0, 100, 200, 300, 400])
    expect({ ticks: ticker.ticks, missed: ticker.missed }).toEqual({ ticks: 5, missed: 0 })
  })

  it('skips and counts the ticks that fall into a long one, and never overlaps', async () => {
    const clock = new ManualClock()
    const begun: number[] = []
    let running = 0
    const ticker = new Ticker(
      100,
      async () => {
        expect(++running).toBe(1)
        begun.push(clock.time)
        if (begun.length === 2) clock.time += 330
        running--
      },
      clock,
    )
    ticker.start()
    await clock.runTo(700)
    expect(begun).toEqual([0, 100, 500, 600, 700])
    expect(ticker.missed).toBe(3)
  })

  it('tells how late a tick began', async () => {
    const clock = new ManualClock()
    const ticker = new Ticker(100, async () => {}, clock)
    ticker.start()
    await clock.runTo(50)
    clock.time = 130
    await clock.runTo(130)
    expect(ticker.latenessMs).toBe(30)
    await clock.runTo(200)
    expect([ticker.latenessMs, ticker.maxLatenessMs]).toEqual([0, 30])
  })

  it('takes an extra tick when asked to, not sooner than one makes sense, and keeps to its intervals', async () => {
    const clock = new ManualClock()
    const begun: number[] = []
    const ticker = new Ticker(
      2000,
      async () => {
        begun.push(clock.time)
        // Asked for in a tick: this one may come too early for what it is asked for.
        if (begun.length === 4) ticker.soon()
      },
      clock,
    )
    ticker.soon() // before the start: the first tick comes anyway
    ticker.start()
    await clock.runTo(100)
    ticker.soon()
    ticker.soon()
    await clock.runTo(900)
    ticker.soon() // at most one a second
    await clock.runTo(1900)
    ticker.soon() // the regular one at 2000 comes sooner
    await clock.runTo(4100)
    expect(begun).toEqual([0, 250, 1250, 2000, 2250, 4000])
    expect([ticker.ticks, ticker.extra, ticker.missed]).toEqual([6, 3, 0])
    await ticker.stop()
    ticker.soon()
    expect(clock.pending).toBe(0)
  })

  it('stops after the tick under way, and leaves no timer', async () => {
    const clock = new ManualClock()
    let end = () => {}
    const ticker = new Ticker(
      100,
      () =>
        new Promise((resolve) => {
          end = resolve
        }),
      clock,
    )
    ticker.start()
    await clock.runTo(0)
    let stopped = false
    const stop = ticker.stop().then(() => {
      stopped = true
    })
    await new Promise(setImmediate)
    expect(stopped).toBe(false)
    end()
    await stop
    expect(clock.pending).toBe(0)
  })
})

describe('event queue', () => {
  it('gives events in order and then ends', async () => {
    const stream = new EventQueue<number>(10, () => {})
    const waiting = stream.next()
    stream.push(1)
    expect((await waiting).value).toBe(1)
    stream.push(2)
    stream.end()
    stream.push(3)
    expect(await stream.next()).toEqual({ done: false, value: 2 })
    expect((await stream.next()).done).toBe(true)
  })

  it('drops the oldest and says how many, whatever the order of pushes and reads', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: -30, max: 30 })), async (steps) => {
        const capacity = 8
        const stream = new EventQueue<number>(capacity, () => {})
        let pushed = 0
        let next = 0
        const take = async () => {
          const { value } = await stream.next()
          if (typeof value === 'object') next += value.count
          else expect(value).toBe(next++)
        }
        for (const step of steps) {
          for (let i = 0; i < step; i++) stream.push(pushed++)
          for (let i = 0; i < -step && next < pushed; i++) await take()
        }
        let reads = 0
        while (next < pushed) {
          await take()
          expect(++reads).toBeLessThanOrEqual(capacity + 1)
        }
        expect(next).toBe(pushed)
      }),
    )
  })

  it('lets its reader leave', async () => {
    let ended = 0
    const stream = new EventQueue<number>(10, () => ended++)
    stream.push(1)
    for await (const _ of stream) break
    expect(ended).toBe(1)
    expect((await stream.next()).done).toBe(true)
  })
})

const identity = (pid: number, startTicks = 1) => ({ pid, startTicks, settled: true })

describe('watched processes', () => {
  const binding = { rule: 'r', name: 'n', state: 'alive' as const, samples: 0 }

  it('tells deaths that are not our doing, and follows successors', () => {
    const watched = new WatchedProcesses()
    watched.add({ ...binding, rule: 'a', identity: identity(5) })
    watched.add({ ...binding, rule: 'b', identity: identity(6) })
    expect(watched.ended(5, 2)).toEqual([]) // another process with that pid
    watched.expectEnd(identity(5))
    expect(watched.ended(5, 1)).toEqual([])
    expect(watched.follow(identity(5), identity(7)).map(({ rule }) => rule)).toEqual(['a'])
    expect(watched.expectLife(identity(7))).toEqual([])
    expect(watched.ended(7, 1)).toHaveLength(1)
    expect(watched.ended(7, 1)).toEqual([]) // once
    expect(watched.ended(6, 1).map(({ rule }) => rule)).toEqual(['b'])
  })

  it('tells a death that came while something was about to be done', () => {
    const watched = new WatchedProcesses()
    watched.add({ ...binding, identity: identity(5) })
    watched.expectEnd(identity(5))
    expect(watched.ended(5, 1)).toEqual([])
    expect(watched.expectLife(identity(5))).toHaveLength(1)
  })
})

describe('held children', () => {
  const decision = (pid: number, kind: Decision['kind'] = 'fire', index = 0): Decision => ({
    rule: { index, name: `r${index}`, severity: 'warning' },
    kind,
    cause: 'condition',
    slot: 0,
    identity: identity(pid),
    group: undefined,
    name: 'n',
    clauses: [],
    sinceMs: 0,
    atMs: 0,
  })

  it('are judged once a whole sample has seen them running, by what still holds then', () => {
    const children = new HeldChildren()
    children.hold(identity(1), identity(2))
    expect(children.keepsBack(decision(3))).toBe(false)
    for (const kept of [decision(2), decision(2, 'fire', 1), decision(2, 'clear')]) {
      expect(children.keepsBack(kept)).toBe(true)
    }
    children.beginSample()
    expect(children.endSample(() => false)).toEqual([])
    children.release(identity(2)) // while a sample is under way
    expect(children.endSample(() => false)).toEqual([])
    children.beginSample()
    expect(children.keepsBack(decision(2, 'fire', 2))).toBe(true)
    expect(children.endSample(() => true)).toEqual([]) // the sample still shows the copy
    expect(children.endSample(() => false).map(({ rule }) => rule.index)).toEqual([1, 2])
    expect(children.keepsBack(decision(2))).toBe(false)
  })

  it('are forgotten when no child comes of it', () => {
    const children = new HeldChildren()
    children.hold(identity(1), identity(2))
    children.hold(identity(2), identity(3)) // the second attempt
    expect(children.keepsBack(decision(2))).toBe(false)
    children.giveUp(identity(1))
    expect(children.keepsBack(decision(3))).toBe(false)
  })
})
