import { describe, expect, it } from 'vitest'
import type { Rule } from '../../dist/rules/schema/rule.js'
import { brief, LocalJudge, type LocalJudgeOptions } from './local_judge.js'
import { type SyntheticProcess, SyntheticTable } from './synthetic_table.js'

const MIB = 2 ** 20

/** One process whose threads are played through rules, a sample per entry. */
class Play {
  readonly table = new SyntheticTable(64)
  readonly judge: LocalJudge

  constructor(rules: Rule[], options: LocalJudgeOptions = { intervalMs: 1000 }) {
    this.judge = new LocalJudge(rules, options)
  }

  at(seconds: number, threads: number | null, more: Partial<SyntheticProcess> = {}, execed: number[] = []) {
    const cells = { ...more.cells, ...(threads === null ? {} : { threads }) }
    const row = { slot: 3, pid: 42, ...more, cells }
    return this.judge.judge(this.table.fill([row], 1e6, execed), seconds * 1000)!
  }

  /** Whether the rule fires at each second. */
  fires(samples: readonly (number | null)[], start = 0): number[] {
    const fired: number[] = []
    for (const [index, sample] of samples.entries()) {
      if (this.at(start + index, sample).some(({ kind }) => kind === 'fire')) fired.push(start + index)
    }
    return fired
  }
}

const rule = (when: string, more: Partial<Rule> = {}): Rule => ({ name: 'r', when, ...more })

describe('a window', () => {
  it.each([
    ['avg(threads, 5s) >= 3', [1, 2, 3, 4, 5, 6, 6], [5]],
    ['min(threads, 3s) > 2', [9, 1, 3, 3, 3, 3, 3, 3], [5]],
    ['max(threads, 3s) < 9', [9, 1, 1, 1, 1, 1], [4]],
    ['delta(threads, 3s) >= 6', [0, 2, 4, 6, 8], [3]],
    ['rate(threads, 2s) == 2', [0, 2, 4], [2]],
    ['p50(threads, 4s) > 1', [0, 0, 2, 2, 2], [4]],
    ['avg(threads, 1h) > 0', [1, 1, 1, 1], []],
  ] as const)('%s over %j fires at %j', (when, samples, expected) => {
    expect(new Play([rule(when)]).fires(samples)).toEqual(expected)
  })

  it.each([1, 2, 3, 7, 16, 60])(
    'of %i buckets finds what is in it, whoever is followed beside',
    (seconds) => {
      const shapes: ((second: number, slot: number) => number)[] = [
        (second) => second % 11,
        (second) => 10 - (second % 11),
        (second, slot) => (second * 7919 + slot * 31 + ((second * second) % 13)) % 11,
      ]
      const sampleOf = (second: number, slot: number) => shapes[slot % 3]!(second, slot)
      // Every value that there can be has a rule of its own.
      const functions = ['max', 'min', 'delta', 'avg'] as const
      const values = Array.from({ length: 21 }, (_, index) => index - 10)
      const judge = new LocalJudge(
        functions.flatMap((name) =>
          values.map((value) => {
            const rest = name === 'avg' ? ` * ${seconds + 1} / 11 >= ${value}` : ` == ${value}`
            return { name: `${name} ${value}`, when: `${name}(threads, ${seconds}s)${rest}` }
          }),
        ),
        { intervalMs: 1000 },
      )
      const table = new SyntheticTable(64)
      const holding = new Set<string>()
      for (let second = 0; second < 3 * seconds + 40; second++) {
        const rows = Array.from({ length: 40 }, (_, slot) => ({
          slot,
          pid: slot + 1,
          cells: { threads: sampleOf(second, slot) },
        }))
        for (const { kind, rule: at, identity } of judge.judge(table.fill(rows), second * 1000)!) {
          if (kind === 'fire') holding.add(`${at.name} of ${identity!.pid}`)
          else holding.delete(`${at.name} of ${identity!.pid}`)
        }
        if (second < seconds) continue
        const expected = rows.flatMap(({ pid, slot }) => {
          const seen = Array.from({ length: seconds + 1 }, (_, back) => sampleOf(second - back, slot))
          const sum = seen.reduce((a, b) => a + b, 0)
          return [
            `max ${Math.max(...seen)} of ${pid}`,
            `min ${Math.min(...seen)} of ${pid}`,
            `delta ${seen[0]! - seen.at(-1)!} of ${pid}`,
            ...values.filter((value) => sum / 11 >= value).map((value) => `avg ${value} of ${pid}`),
          ]
        })
        expect([...holding].sort()).toEqual(expected.sort())
      }
    },
  )

  it('of less time than the samples are apart tells no change, not even that there is none', () => {
    for (const when of [
      'delta(threads, 400ms) == 0',
      'not (delta(threads, 400ms) > 1)',
      'rate(threads, 400ms) == 0',
    ]) {
      expect(new Play([rule(when)]).fires([1, 5, 9, 13])).toEqual([])
    }
    expect(new Play([rule('max(threads, 400ms) > 4')]).fires([1, 5, 9])).toEqual([1])
  })

  it('leaves missing samples out, and is unknown while the newest is missing', () => {
    const play = new Play([rule('avg(threads, 3s) == 4')])
    expect(play.fires([4, null, 4, null, 4])).toEqual([4])
  })

  it('begins anew after a hole, and after the program was replaced', () => {
    const play = new Play([rule('max(threads, 10s) > 8')])
    play.fires([9, 9, 9])
    // A hole of 7 s, more than half of the window.
    expect(play.fires(new Array(12).fill(9), 10)).toEqual([20])
    const other = new Play([rule('max(threads, 3s) > 8')])
    other.fires([9, 9])
    other.at(2, 9, {}, [3])
    expect(other.fires([9, 9, 9, 9], 3)).toEqual([5])
  })

  it('is told with what is behind it', () => {
    const play = new Play([rule('avg(threads, 5s) >= 3 or nice > 5')])
    for (const [second, threads] of [1, 2, 3, 4, 5].entries()) play.at(second, threads)
    const [decision] = play.at(5, 6)
    expect(decision!.clauses).toEqual([
      {
        text: 'avg(threads, 5s) >= 3',
        operand: 'avg(threads, 5s)',
        op: '>=',
        unit: '',
        value: 3.5,
        threshold: 3,
        truth: true,
        windowMs: 5000,
        samples: [1, 2, 3, 4, 5, 6].map((value, index) => ({
          atMs: Math.min((index + 1) * 1000, 5000),
          value,
        })),
      },
      {
        text: 'nice > 5',
        operand: 'nice',
        op: '>',
        unit: '',
        value: undefined,
        threshold: 5,
        truth: undefined,
      },
    ])
  })

  it('takes no more memory than it may, and goes on when there is room', () => {
    const judge = new LocalJudge([rule('avg(threads, 1m) > 0 or nice == 3')], {
      intervalMs: 1000,
      maxBytes: 40_000,
    })
    const table = new SyntheticTable(500)
    const rows = Array.from({ length: 500 }, (_, slot) => ({
      slot,
      pid: slot + 1,
      cells: { threads: 1, nice: slot === 499 ? 3 : 0 },
    }))
    expect(judge.judge(table.fill(rows), 0)!.map(brief)).toEqual(['r fire 500'])
    const { series, refused, bytes } = judge.shard.use
    expect(series).toBeGreaterThan(0)
    expect(series + refused).toBe(500)
    expect(bytes).toBeLessThan(400_000)
    for (let second = 1; second < 60; second++) judge.judge(table.fill(rows.slice(490)), second * 1000)
    expect(judge.shard.use).toMatchObject({ series: 10, refused: 0 })
    let fired = 0
    for (let second = 60; second <= 130; second++)
      fired += judge.judge(table.fill(rows.slice(490)), second * 1000)!.length
    expect(fired).toBe(9)
  })
})

describe('a gap that nobody saw', () => {
  it('counts as one interval for a for', () => {
    const play = new Play([rule('threads > 5 for 10s')])
    play.at(0, 6)
    play.at(1, 6)
    expect(play.at(1000, 6)).toEqual([])
    expect(play.fires(new Array(12).fill(6), 1001)).toEqual([1008])
  })

  it('does not count for the seconds in a state', () => {
    const play = new Play([rule('stateSeconds(D) >= 5')])
    const stuck = { cells: { state: 'D'.charCodeAt(0) } }
    play.at(0, 1, stuck)
    expect(play.at(500, 1, stuck)).toEqual([])
    for (let second = 501; second < 504; second++) expect(play.at(second, 1, stuck)).toEqual([])
    expect(play.at(504, 1, stuck).map(brief)).toEqual(['r fire 42'])
  })
})

describe('clear', () => {
  it('ends a breach, and nothing else does', () => {
    const play = new Play([rule('threads > 10', { clear: 'threads < 5 for 2s' })])
    const told = [11, 8, 12, 4, 8, 4, 4, 4, 4, 11].flatMap((threads, second) =>
      play.at(second, threads).map((decision) => `${second} ${brief(decision)}`),
    )
    expect(told).toEqual(['0 r fire 42', '7 r clear condition 42', '9 r fire 42'])
  })

  it('waits while it is unknown', () => {
    const play = new Play([rule('threads > 10', { clear: 'nice < 5' })])
    play.at(0, 11)
    expect(play.at(1, 1)).toEqual([])
    expect(play.at(2, 1, { cells: { nice: 1 } }).map(brief)).toEqual(['r clear condition 42'])
  })
})

describe('growth', () => {
  it('is a leak after three analyses in a row, and not while it is steady', () => {
    const rules = [{ name: 'leak', when: 'leak(rss, 10m)' }]
    const leaking = new LocalJudge(rules, { intervalMs: 5000 })
    const steady = new LocalJudge(rules, { intervalMs: 5000 })
    const table = new SyntheticTable(4)
    const play = (judge: LocalJudge, rssAt: (second: number) => number) => {
      for (let second = 0; second < 3600; second += 5) {
        const row = { slot: 0, pid: 1, cells: { rssBytes: rssAt(second) } }
        const [decision] = judge.judge(table.fill([row]), second * 1000)!
        if (decision !== undefined) return { second, clause: decision.clauses[0]! }
      }
      return undefined
    }
    const noise = (second: number) => ((second * 7919) % 13) * 0.1 * MIB
    const found = play(leaking, (second) => (100 + second / 20) * MIB + noise(second))!
    expect(found.second).toBeGreaterThan(600)
    expect(found.second).toBeLessThan(900)
    expect(found.clause).toMatchObject({ op: 'leak', truth: true, windowMs: 600_000, threshold: undefined })
    expect(found.clause.samples!.length).toBeLessThanOrEqual(16)
    expect(play(steady, (second) => 100 * MIB + noise(second))).toBeUndefined()
  })

  it('tells how long it lasts until a limit', () => {
    const judge = new LocalJudge([{ name: 'full', when: 'timeTo(rss, 2GiB) < 1h' }], { intervalMs: 5000 })
    const table = new SyntheticTable(4)
    let at: number | undefined
    // 1 MiB in 4 s: 2 GiB in 8192 s less what there is at the start.
    for (let second = 0; second < 8000 && at === undefined; second += 5) {
      const row = { slot: 0, pid: 1, cells: { rssBytes: (second / 4) * MIB } }
      if (judge.judge(table.fill([row]), second * 1000)!.length > 0) at = second
    }
    expect(at).toBeGreaterThan(4400)
    expect(at).toBeLessThan(4800)
  })
})

it('decides the same when recorded tables are played again', () => {
  const rules: Rule[] = [
    rule('avg(threads, 5s) > 3 or stateSeconds(R) > 4', { cooldown: '3s' }),
    { name: 'g', per: 'user', when: 'sum(threads) > 6 for 2s', clear: 'max(threads) < 4' },
    { name: 'l', when: 'leak(rss, 30s)' },
  ]
  const play = () => {
    const judge = new LocalJudge(rules, { intervalMs: 1000 })
    const table = new SyntheticTable(16)
    return Array.from({ length: 200 }, (_, second) => {
      const rows = Array.from({ length: 12 }, (_, slot) => ({
        slot,
        pid: slot + 1,
        generation: 1 + Math.floor((second + slot * 5) / 60),
        cells: {
          threads: (second * (slot + 3)) % 7,
          uid: slot % 3,
          state: second % 9 < 6 ? 82 : 83,
          rssBytes: MIB * (100 + second * slot),
        },
      }))
      return judge.judge(table.fill(rows), second * 1000)!
    })
  }
  const first = play()
  expect(first.flat().length).toBeGreaterThan(50)
  expect(play()).toEqual(first)
})
