import { describe, expect, it } from 'vitest'
import { FIRES_AT_ONCE } from '../../dist/rules/judge/settle.js'
import type { Learned } from '../../dist/rules/match/learned.js'
import type { Rule } from '../../dist/rules/schema/rule.js'
import { brief, LocalJudge, MEMORY_BYTES } from './local_judge.js'
import { type SyntheticProcess, SyntheticTable } from './synthetic_table.js'

const MIB = 2 ** 20

/** One process whose memory is played through a rule, a sample per entry. */
class Play {
  readonly table = new SyntheticTable(64)
  readonly judge: LocalJudge

  constructor(...rules: Rule[]) {
    this.judge = new LocalJudge(rules)
  }

  /** `rss` in MiB; null: the cell is missing. */
  at(seconds: number, rss: number | null, process: Partial<SyntheticProcess> = {}): string[] {
    const cells = { ...process.cells, ...(rss === null ? {} : { rssBytes: rss * MIB }) }
    const row = { slot: 3, pid: 42, ...process, cells, missing: rss === null ? (['rssBytes'] as const) : [] }
    return this.judge.judge(this.table.fill([row]), seconds * 1000)!.map(brief)
  }

  without(seconds: number): string[] {
    return this.judge.judge(this.table.fill([]), seconds * 1000)!.map(brief)
  }
}

/** Verdicts on the one text that the rules ask for, of processes of generation 1. */
function learnedOf(...verdicts: [slot: number, fits: boolean][]): Learned {
  return {
    slots: Uint32Array.from(verdicts, ([slot]) => slot),
    generations: new Uint32Array(verdicts.length).fill(1),
    yes: Int32Array.from(verdicts, ([, fits]) => (fits ? 1 : 0)),
    known: new Int32Array(verdicts.length).fill(1),
    numbers: new Float64Array(),
  }
}

const big: Rule = { name: 'big', when: 'rss > 500MiB' }
const bigFor30s: Rule = { name: 'big', when: 'rss > 500MiB for 30s' }

describe('a rule', () => {
  it('fires once per breach and clears when it is over', () => {
    const play = new Play(big)
    expect(play.at(0, 400)).toEqual([])
    expect(play.at(1, 600)).toEqual(['big fire 42'])
    expect(play.at(2, 700)).toEqual([])
    expect(play.at(3, 500)).toEqual(['big clear condition 42'])
    expect(play.at(4, 501)).toEqual(['big fire 42'])
  })

  it('says who, since when, and which values it judged', () => {
    const play = new Play({ name: 'both', when: 'rss > 50% and threads >= 2 for 1s', severity: 'critical' })
    const process = { name: 'lea(k) y', startTicks: 7, cells: { threads: 5, pidfsInode: 99 } }
    play.at(10, 600, process)
    const table = play.table
    const row = { slot: 3, pid: 42, ...process, cells: { ...process.cells, rssBytes: 700 * MIB } }
    expect(play.judge.judge(table.fill([row]), 11_500)).toEqual([
      {
        rule: { index: 0, name: 'both', severity: 'critical' },
        kind: 'fire',
        cause: 'condition',
        slot: 3,
        group: undefined,
        identity: { pid: 42, startTicks: 7, pidfsInode: 99, settled: true },
        name: 'lea(k) y',
        clauses: [
          {
            ...{ text: 'rssBytes > 50%', operand: 'rssBytes', op: '>', unit: 'bytes' },
            ...{ threshold: MEMORY_BYTES / 2, value: 700 * MIB, truth: true },
          },
          {
            ...{ text: 'threads >= 2', operand: 'threads', op: '>=', unit: '' },
            ...{ threshold: 2, value: 5, truth: true },
          },
        ],
        sinceMs: 10_000,
        atMs: 11_500,
      },
    ])
  })

  it('keeps bytes of a name that are no UTF-8 apart from the rest', () => {
    const play = new Play(big)
    const table = play.table.fill([{ slot: 0, pid: 1, cells: { rssBytes: 1e9 } }])
    table.memory.names.set([0x61, 0xff, 0x1b, 0x62], 0)
    expect(play.judge.judge(table, 0)![0]!.name).toBe('a\ufffd\u001bber')
  })

  it.each([
    ['>', [false, false, true]],
    ['>=', [false, true, true]],
    ['<', [true, false, false]],
    ['<=', [true, true, false]],
    ['==', [false, true, false]],
    ['!=', [true, false, true]],
  ] as const)('compares by %s exactly at the limit', (op, expected) => {
    for (const limit of [500 * MIB, 0, 0.1, -3]) {
      const column = limit < 0 ? 'nice' : 'cpuPercent'
      const step = limit < 0 ? 1 : Math.max(Number.MIN_VALUE, limit * Number.EPSILON)
      for (const [index, value] of [limit - step, limit, limit + step].entries()) {
        const judge = new LocalJudge([{ name: 'r', when: `${column} ${op} ${limit}` }])
        const table = new SyntheticTable(1).fill([{ slot: 0, pid: 1, cells: { [column]: value } }])
        expect(judge.judge(table, 0)!.length, `${value} ${op} ${limit}`).toBe(expected[index] ? 1 : 0)
      }
    }
  })

  it('compares a state by its letter', () => {
    const play = new Play({ name: 'zombie', when: 'state == Z' })
    expect(play.at(0, 1, { cells: { state: 'S'.charCodeAt(0) } })).toEqual([])
    expect(play.at(1, 1, { cells: { state: 'Z'.charCodeAt(0) } })).toEqual(['zombie fire 42'])
  })
})

describe('for', () => {
  it('counts the time that was handed in, not the ticks', () => {
    const play = new Play(bigFor30s)
    expect(play.at(0, 600)).toEqual([])
    for (let second = 1; second <= 29; second++) expect(play.at(second, 600)).toEqual([])
    expect(play.at(30, 600)).toEqual(['big fire 42'])
    const slow = new Play(bigFor30s)
    slow.at(0, 600)
    expect(slow.at(600, 600)).toEqual(['big fire 42'])
  })

  it('begins anew after a sample below', () => {
    const play = new Play(bigFor30s)
    play.at(0, 600)
    play.at(29, 499)
    play.at(30, 600)
    expect(play.at(59, 600)).toEqual([])
    expect(play.at(60, 600)).toEqual(['big fire 42'])
  })

  it('does not count time that was unknown, and does not forget the time before', () => {
    const play = new Play(bigFor30s)
    play.at(0, 600)
    play.at(20, 600)
    expect(play.at(25, null)).toEqual([]) // 5 s unknown
    expect(play.at(1000, null)).toEqual([]) // and 975 more
    expect(play.at(1009, 600)).toEqual([])
    expect(play.at(1010, 600)).toEqual(['big fire 42'])
  })

  it('keeps what had passed when the clock is set back', () => {
    const play = new Play(bigFor30s)
    play.at(1000, 600)
    play.at(1020, 600)
    expect(play.at(20, 600)).toEqual([])
    expect(play.at(29, 600)).toEqual([])
    expect(play.at(30, 600)).toEqual(['big fire 42'])
  })
})

describe('a missing cell', () => {
  it('never fires, whatever number is left in it', () => {
    const rules: Rule[] = ['rss > 0', 'rss < 1GB', 'rss != 5', 'nice < 5', 'nice >= 0', 'nice != 3'].map(
      (when) => ({
        name: when,
        when,
      }),
    )
    const judge = new LocalJudge(rules)
    const table = new SyntheticTable(4).fill([{ slot: 0, pid: 1 }])
    expect(judge.judge(table, 0)).toEqual([])
  })

  it('does not clear what fires', () => {
    const play = new Play(big)
    play.at(0, 600)
    expect(play.at(1, null)).toEqual([])
    expect(play.at(2, 600)).toEqual([])
    expect(play.at(3, 100)).toEqual(['big clear condition 42'])
  })

  it('does not matter where another clause is false', () => {
    const play = new Play({ name: 'r', when: 'rss > 500MiB and threads > 3' })
    play.at(0, 600, { cells: { threads: 5 } })
    expect(play.at(1, null, { cells: { threads: 1 } })).toEqual(['r clear condition 42'])
  })
})

describe('a cooldown', () => {
  it('lets a lasting breach fire again, and holds a new one back', () => {
    const play = new Play({ ...big, cooldown: '10s' })
    expect(play.at(0, 600)).toEqual(['big fire 42'])
    expect(play.at(9, 600)).toEqual([])
    expect(play.at(10, 600)).toEqual(['big fire 42'])
    expect(play.at(12, 100)).toEqual(['big clear condition 42'])
    expect(play.at(14, 600)).toEqual([])
    expect(play.at(15, 100)).toEqual([]) // it never fired, so that there is nothing to clear
    expect(play.at(16, 600)).toEqual([])
    expect(play.at(20, 600)).toEqual(['big fire 42'])
  })

  it('is none of a successor’s business', () => {
    const play = new Play({ ...big, cooldown: '1h' })
    expect(play.at(0, 600)).toEqual(['big fire 42'])
    expect(play.at(1, 600, { pid: 43, generation: 2 })).toEqual(['big clear gone 42', 'big fire 43'])
  })
})

describe('a process', () => {
  it('is not acted on before its identity is settled', () => {
    const judge = new LocalJudge([big])
    const table = new SyntheticTable(4)
    const row = { slot: 0, pid: 9, startTicks: 1000, cells: { rssBytes: 1e9 } }
    expect(judge.judge(table.fill([row], 1000), 0)).toEqual([])
    expect(judge.judge(table.fill([row], 1001), 10)!.map(brief)).toEqual(['big fire 9'])
  })

  it('is cleared when it is gone, by the identity that fired', () => {
    const play = new Play(big)
    play.at(0, 600, { startTicks: 77, cells: { pidfsInode: 5 }, name: 'old' })
    const [decision] = play.judge.judge(play.table.fill([]), 1000)!
    expect(decision).toMatchObject({
      kind: 'clear',
      cause: 'gone',
      name: 'old',
      identity: { pid: 42, startTicks: 77, pidfsInode: 5 },
      clauses: [{ value: undefined }],
    })
    expect(play.without(2)).toEqual([])
  })

  it('is not called well for having no memory any more when it has ended', () => {
    const PF_EXITING = 4
    const play = new Play({ name: 'big', when: 'rss > 500MiB', clear: 'rss < 400MiB' })
    play.at(0, 600)
    expect(play.at(1, 0, { flags: PF_EXITING })).toEqual(['big clear ended 42'])
    expect(play.without(2)).toEqual([])
  })

  it('inherits nothing from the one before in its slot, though a sample was left out', () => {
    const play = new Play(bigFor30s)
    play.at(0, 600)
    expect(play.at(40, 600, { pid: 50, generation: 2 })).toEqual([])
    expect(play.at(69, 600, { pid: 50, generation: 2 })).toEqual([])
    expect(play.at(70, 600, { pid: 50, generation: 2 })).toEqual(['big fire 50'])
  })

  it('keeps its time while the table grows', () => {
    const judge = new LocalJudge([bigFor30s, { ...big, name: 'cool', cooldown: '50s' }])
    const row = { slot: 3, pid: 42, cells: { rssBytes: 1e9 } }
    expect(judge.judge(new SyntheticTable(8).fill([row]), 0)!.map(brief)).toEqual(['cool fire 42'])
    const larger = new SyntheticTable(200)
    const other = { slot: 150, pid: 7, cells: { rssBytes: 1e9 } }
    expect(judge.judge(larger.fill([row, other]), 20_000)!.map(brief)).toEqual(['cool fire 7'])
    expect(judge.judge(larger.fill([row, other]), 30_000)!.map(brief)).toEqual(['big fire 42'])
    expect(judge.judge(larger.fill([row, other]), 50_000)!.map(brief)).toEqual(['big fire 7', 'cool fire 42'])
  })
})

describe('match', () => {
  const matched = (match: Rule['match'], process: Partial<SyntheticProcess>): boolean => {
    const judge = new LocalJudge([{ name: 'r', match, when: 'rss > 1' }])
    const row = { slot: 1, pid: 5, ...process, cells: { rssBytes: 9, ...process.cells } }
    return judge.judge(new SyntheticTable(4).fill([row]), 0)!.length === 1
  }

  it.each([
    [{ name: 'nginx' }, { name: 'nginx' }, true],
    [{ name: 'nginx' }, { name: 'nginx2' }, false],
    [{ name: 'ngin' }, { name: 'nginx' }, false],
    [{ name: 'elasticsearch-node' }, { name: 'elasticsearch-n' }, true],
    [{ name: 'elasticsearch-node' }, { name: 'elasticsearch' }, false],
    [{ name: '/^ngin/' }, { name: 'nginx' }, true],
    [{ name: '/^NGIN/i' }, { name: 'nginx' }, true],
    [{ name: '/^gin/' }, { name: 'nginx' }, false],
    [{ name: 'a) b\n(' }, { name: 'a) b\n(' }, true],
    [{ pid: 5 }, {}, true],
    [{ pid: 6 }, {}, false],
    [{ pid: 5, startTicks: 100 }, {}, true],
    [{ pid: 5, startTicks: 101 }, {}, false],
    [{ user: 'root' }, {}, true],
    [{ user: 'daemon' }, {}, false],
    [{ user: 33 }, { cells: { uid: 33 } }, true],
    [{}, { flags: 0x0020_0000 }, false],
    [{ kernelThreads: true }, { flags: 0x0020_0000 }, true],
    [{ kernelThreads: true }, {}, true],
  ] as const)('%j of %j: %s', (match, process, expected) => {
    expect(matched(match, process)).toBe(expected)
  })

  it('is decided again after a change of the name', () => {
    const play = new Play({ name: 'r', match: { name: 'server' }, when: 'rss > 500MiB' })
    expect(play.at(0, 600, { name: 'sh' })).toEqual([])
    expect(play.at(1, 600, { name: 'server' })).toEqual(['r fire 42'])
    expect(play.at(2, 600, { name: 'other' })).toEqual(['r clear unmatched 42'])
  })

  it('follows an owner that changes', () => {
    const play = new Play({ name: 'r', match: { user: 'daemon' }, when: 'rss > 500MiB' })
    expect(play.at(0, 600, { cells: { uid: 0 } })).toEqual([])
    expect(play.at(1, 600, { cells: { uid: 1 } })).toEqual(['r fire 42'])
  })

  it('by command line waits for it, and asks once', () => {
    const judge = new LocalJudge([
      { name: 'r', match: { name: 'java', commandLine: 'kafka' }, when: 'rss > 1' },
    ])
    const table = new SyntheticTable(8)
    const rows = [
      { slot: 0, pid: 1, name: 'java', cells: { rssBytes: 9 } },
      { slot: 1, pid: 2, name: 'java', cells: { rssBytes: 9 } },
      { slot: 2, pid: 3, name: 'bash', cells: { rssBytes: 9 } },
    ]
    expect(judge.judge(table.fill(rows), 0)).toEqual([])
    expect(judge.wanted).toEqual([0, 1])
    expect(judge.judge(table.fill(rows), 1)).toEqual([])
    expect(judge.wanted).toEqual([])
    const learned = learnedOf([0, true], [1, false])
    expect(judge.judge(table.fill(rows), 2, { learned })!.map(brief)).toEqual(['r fire 1'])
    // After an exec the old verdict holds until the new one is there.
    expect(judge.judge(table.fill(rows, 1e6, [0]), 3)).toEqual([])
    expect(judge.wanted).toEqual([0])
    const relearned = learnedOf([0, false])
    expect(judge.judge(table.fill(rows), 4, { learned: relearned })!.map(brief)).toEqual([
      'r clear unmatched 1',
    ])
  })

  it('does not take the command line of the process before in the slot', () => {
    const judge = new LocalJudge([{ name: 'r', match: { commandLine: 'kafka' }, when: 'rss > 1' }])
    const table = new SyntheticTable(8)
    judge.judge(table.fill([{ slot: 0, pid: 1, cells: { rssBytes: 9 } }]), 0)
    const learned = learnedOf([0, true])
    const successor = { slot: 0, pid: 2, generation: 2, cells: { rssBytes: 9 } }
    expect(judge.judge(table.fill([successor]), 1, { learned })).toEqual([])
    expect(judge.wanted).toEqual([0])
  })
})

describe('a tick', () => {
  const row = { slot: 0, pid: 1, cells: { rssBytes: 1e9 } }

  it('decides nothing over a table that is being written, and loses nothing', () => {
    const judge = new LocalJudge([big])
    const table = new SyntheticTable(4).fill([row])
    expect(judge.judge(table, 0, { sequence: table.sequence - 1 })).toBeUndefined()
    Atomics.store(table.memory.control, 0, 99)
    expect(judge.judge(table, 0)).toBeUndefined()
    expect(judge.judge(table.fill([row]), 1)!.map(brief)).toEqual(['big fire 1'])
  })

  it('that is repeated says the same again, and only then', () => {
    const judge = new LocalJudge([big, { ...bigFor30s, name: 'long' }])
    const table = new SyntheticTable(4)
    const first = judge.judge(table.fill([row]), 0, { tick: 1 })
    expect(first!.map(brief)).toEqual(['big fire 1'])
    expect(judge.judge(table, 0, { tick: 1 })).toEqual(first)
    const second = judge.judge(table.fill([]), 1000, { tick: 2 })
    expect(second!.map(brief)).toEqual(['big clear gone 1'])
    expect(judge.judge(table, 1000, { tick: 2 })).toEqual(second)
    expect(judge.judge(table.fill([]), 2000, { tick: 3 })).toEqual([])
  })

  it('that is repeated asks for command lines again', () => {
    const judge = new LocalJudge([{ name: 'r', match: { commandLine: 'x' }, when: 'rss > 1' }])
    const table = new SyntheticTable(4).fill([row])
    judge.judge(table, 0, { tick: 1 })
    judge.judge(table, 0, { tick: 1 })
    expect(judge.wanted).toEqual([0])
  })

  it('leaves what fires beyond its limit to the next ones', () => {
    const rows = Array.from({ length: FIRES_AT_ONCE + 10 }, (_, slot) => ({
      slot,
      pid: slot + 1,
      cells: { rssBytes: 1e9 },
    }))
    const judge = new LocalJudge([big])
    const table = new SyntheticTable(rows.length)
    const first = judge.judge(table.fill(rows), 0)!
    const second = judge.judge(table.fill(rows), 1000)!
    expect(first.length).toBe(FIRES_AT_ONCE)
    expect(second.length).toBe(10)
    expect(new Set([...first, ...second].map(({ slot }) => slot)).size).toBe(rows.length)
    expect(second.every(({ sinceMs }) => sinceMs === 0)).toBe(true)
    expect(judge.judge(table.fill(rows), 2000)).toEqual([])
  })
})
