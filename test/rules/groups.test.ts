import { describe, expect, it } from 'vitest'
import type { Rule } from '../../dist/rules/schema/rule.js'
import { brief, LocalJudge } from './local_judge.js'
import { type SyntheticProcess, SyntheticTable } from './synthetic_table.js'

function judgeOf(...rules: Rule[]) {
  const judge = new LocalJudge(rules, { intervalMs: 1000 })
  const table = new SyntheticTable(64)
  return (seconds: number, rows: SyntheticProcess[]) => judge.judge(table.fill(rows), seconds * 1000)!
}

const process = (slot: number, threads: number | undefined, more: Partial<SyntheticProcess> = {}) => ({
  slot,
  pid: 100 + slot,
  generation: 1,
  ...more,
  cells: { ...(threads === undefined ? {} : { threads }), ...more.cells },
})

describe('a rule per group', () => {
  it('adds up over members, leaves unknown ones out, and names the largest', () => {
    const at = judgeOf({ name: 'r', per: 'user', when: 'sum(threads) > 9' })
    const rows = [
      process(0, 4, { cells: { uid: 7 }, name: 'a' }),
      process(1, 6, { cells: { uid: 7 }, name: 'b' }),
      process(2, undefined, { cells: { uid: 7 }, name: 'c' }),
      process(3, 9, { cells: { uid: 8 } }),
    ]
    const [decision, ...others] = at(0, rows)
    expect(others).toEqual([])
    expect(decision).toMatchObject({
      kind: 'fire',
      slot: -1,
      identity: undefined,
      name: 'user 7',
      group: {
        kind: 'user',
        key: '7',
        count: 3,
        members: [
          { name: 'b', value: 6, identity: { pid: 101, settled: true } },
          { name: 'a', value: 4, identity: { pid: 100 } },
          { name: 'c', value: undefined, identity: { pid: 102 } },
        ],
      },
      clauses: [{ text: 'sum(threads) > 9', value: 10, threshold: 9, truth: true }],
    })
    expect(at(1, rows.slice(3)).map(brief)).toEqual(['r clear gone user:7'])
  })

  it('of all is there without a member', () => {
    const at = judgeOf({ name: 'few', per: 'all', match: { name: 'web' }, when: 'count() < 2 for 1s' })
    expect(at(0, [])).toEqual([])
    expect(at(1, []).map(brief)).toEqual(['few fire all:'])
    const rows = [process(0, 1, { name: 'web' }), process(1, 1, { name: 'web' }), process(2, 1)]
    expect(at(2, rows).map(brief)).toEqual(['few clear condition all:'])
  })

  it('follows a number of the group over time', () => {
    const at = judgeOf({ name: 'r', per: 'all', when: 'delta(sum(threads), 3s) >= 6' })
    const told = [1, 3, 5, 7].flatMap((threads, second) => at(second, [process(0, threads)]).map(brief))
    expect(told).toEqual(['r fire all:'])
  })

  it('counts members that end', () => {
    const at = judgeOf({ name: 'r', per: 'all', when: 'exitRate(4s) >= 0.4' })
    let generation = 1
    const told: string[] = []
    for (let second = 0; second < 8; second++) {
      if (second > 4) generation++
      told.push(
        ...at(second, [process(0, 1, { generation, startTicks: generation })]).map(
          (d) => `${second} ${brief(d)}`,
        ),
      )
    }
    expect(told).toEqual(['6 r fire all:'])
  })

  it('takes a subtree from its topmost match on', () => {
    const at = judgeOf({ name: 'r', per: 'subtree', match: { name: 'root' }, when: 'count() > 2' })
    const rows = [
      process(0, 1, { name: 'root', cells: { ppid: 1 } }),
      process(1, 1, { name: 'root', cells: { ppid: 100 } }),
      process(2, 1, { name: 'leaf', cells: { ppid: 101 } }),
      process(3, 1, { name: 'other', cells: { ppid: 1 } }),
    ]
    const [decision] = at(0, rows)
    expect(decision).toMatchObject({ name: 'subtree 100', group: { key: '100:100', count: 3 } })
  })
})

describe('rules that change', () => {
  const big: Rule = { name: 'big', when: 'threads > 5 for 3s' }
  const window: Rule = { name: 'window', when: 'avg(threads, 4s) > 5' }

  it('keep what is remembered where they stay the same', () => {
    const judge = new LocalJudge([big, window], { intervalMs: 1000 })
    const table = new SyntheticTable(8)
    const at = (second: number) => judge.judge(table.fill([process(0, 6)]), second * 1000)!.map(brief)
    at(0)
    at(1)
    judge.update([{ name: 'new', when: 'threads > 5 for 2s' }, window, { name: 'x', when: 'nice > 1' }, big])
    expect(at(2)).toEqual([])
    expect(at(3)).toEqual(['big fire 100'])
    expect(at(4).sort()).toEqual(['new fire 100', 'window fire 100'])
    judge.update([window])
    expect(at(5).sort()).toEqual(['big clear removed 100', 'new clear removed 100'])
    expect(at(6)).toEqual([])
  })

  it('match processes that were there before', () => {
    const judge = new LocalJudge([big])
    const table = new SyntheticTable(8)
    judge.judge(table.fill([process(0, 6)]), 0)
    judge.update([big, { name: 'now', match: { name: 'worker' }, when: 'threads > 1' }])
    expect(judge.judge(table.fill([process(0, 6)]), 1000)!.map(brief)).toEqual(['now fire 100'])
  })

  it('are not judged while they are not enabled', () => {
    const judge = new LocalJudge([{ name: 'r', when: 'threads > 1', enabled: false }])
    const table = new SyntheticTable(8).fill([process(0, 6)])
    expect(judge.judge(table, 0)).toEqual([])
    judge.update([{ name: 'r', when: 'threads > 1' }])
    expect(judge.judge(table, 1)!.map(brief)).toEqual(['r fire 100'])
  })

  it('of a tick that is repeated tell of the removed ones again', () => {
    const judge = new LocalJudge([{ name: 'r', when: 'threads > 1' }, big])
    const table = new SyntheticTable(8).fill([process(0, 6)])
    judge.judge(table, 0)
    judge.update([big])
    expect(judge.judge(table, 1000, { sequence: 0 })).toBeUndefined()
    expect(judge.judge(table, 1000)!.map(brief)).toEqual(['r clear removed 100'])
  })
})
