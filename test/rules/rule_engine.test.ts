import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { RuleEngine, type RuleEngineOptions, Sampler } from '../../dist/index.js'
import { type ProcessFacts, readProcessFacts } from '../../dist/inspect/process_facts.js'
import { JudgePool } from '../../dist/rules/pool.js'
import type { Rule } from '../../dist/rules/schema/rule.js'
import { brief } from './local_judge.js'
import { SyntheticTable } from './synthetic_table.js'

const open: RuleEngine[] = []

async function engineOf(rules: Rule[], options: Partial<RuleEngineOptions> = {}): Promise<RuleEngine> {
  const engine = await RuleEngine.open({ rules, workers: 2, ...options })
  open.push(engine)
  return engine
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((engine) => engine.close()))
})

function factsOf(commandLine: string | undefined): ProcessFacts | undefined {
  return commandLine === undefined ? undefined : { commandLine, exe: undefined, cgroup: undefined }
}

/** Threads of this process that the pool started. */
function threads(): number {
  return readdirSync('/proc/self/task').length
}

const big: Rule = { name: 'big', when: 'rss > 500MiB' }
const bigFor30s: Rule = { name: 'slow', when: 'rss > 500MiB for 30s' }
const row = { slot: 0, pid: 1, cells: { rssBytes: 1e9 } }

describe('the rule engine', () => {
  it('judges by all rules, divided among threads', async () => {
    const rules = Array.from({ length: 7 }, (_, index) => ({
      name: `r${index}`,
      when: `rss > ${index * 100}MB`,
    }))
    const engine = await engineOf(rules, { workers: 3 })
    const table = new SyntheticTable(4).fill([{ ...row, cells: { rssBytes: 350e6 } }])
    const decisions = await engine.tick(table, 0)
    expect(decisions.map(brief).sort()).toEqual(['r0 fire 1', 'r1 fire 1', 'r2 fire 1', 'r3 fire 1'])
    expect(engine.lastTick.workMs).toBeGreaterThan(0)
  })

  it('works without rules, and without processes', async () => {
    expect(await (await engineOf([])).tick(new SyntheticTable(4).fill([row]), 0)).toEqual([])
    expect(await (await engineOf([big])).tick(new SyntheticTable(4).fill([]), 0)).toEqual([])
  })

  it('carries out ticks in order', async () => {
    const engine = await engineOf([big])
    const table = new SyntheticTable(4).fill([row])
    const ticks = await Promise.all([0, 1, 2].map((second) => engine.tick(table, second * 1000)))
    expect(ticks.map((decisions) => decisions.length)).toEqual([1, 0, 0])
  })

  it('keeps its memory while tables grow and alternate', async () => {
    const engine = await engineOf([bigFor30s, big])
    const small = new SyntheticTable(8)
    const large = [new SyntheticTable(500), new SyntheticTable(500)]
    expect((await engine.tick(small.fill([row]), 0)).map(brief)).toEqual(['big fire 1'])
    const rows = [row, { slot: 400, pid: 2, cells: { rssBytes: 1e9 } }]
    expect((await engine.tick(large[0]!.fill(rows), 10_000)).map(brief)).toEqual(['big fire 2'])
    expect((await engine.tick(large[1]!.fill(rows), 30_000)).map(brief)).toEqual(['slow fire 1'])
    expect((await engine.tick(large[0]!.fill(rows), 40_000)).map(brief)).toEqual(['slow fire 2'])
  })

  it('tells STALE_TABLE for an overwritten table, and judges the next', async () => {
    const engine = await engineOf([big])
    const table = new SyntheticTable(4).fill([row])
    const old = { memory: table.memory, sequence: table.sequence }
    table.fill([row])
    await expect(engine.tick(old, 0)).rejects.toMatchObject({ code: 'STALE_TABLE' })
    expect((await engine.tick(table, 1)).map(brief)).toEqual(['big fire 1'])
  })

  it('takes no group for too small while it learns who is in it', async () => {
    let release = (): void => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const few = (name: string, more: Partial<Rule> = {}): Rule => ({
      name,
      per: 'all',
      when: 'count() < 3',
      ...more,
    })
    const rules = [
      few('workers', { match: { commandLine: 'worker' } }),
      few('nobody of that name', { match: { name: 'nosuch', commandLine: 'worker' } }),
      few('missing', { match: { commandLine: 'nosuch' } }),
      few('by program', { match: { commandLine: 'worker' }, per: 'program' }),
      few('by name', { match: { name: 'nosuch' } }),
    ]
    const engine = await engineOf(rules, {
      readFacts: async (slots) => {
        await held
        return [...slots].map(() => ({ commandLine: 'worker', exe: '/usr/bin/worker', cgroup: undefined }))
      },
    })
    // More than are learned at once.
    const rows = Array.from({ length: 600 }, (_, slot) => ({ slot, pid: slot + 1, cells: {} }))
    const table = new SyntheticTable(600)
    // What needs no file is known at once.
    expect((await engine.tick(table.fill(rows), 0)).map(brief)).toEqual(['by name fire all:'])
    expect(await engine.tick(table.fill(rows), 1000)).toEqual([])
    release()
    await engine.factsLearned
    expect((await engine.tick(table.fill(rows), 2000)).map(brief).sort()).toEqual([
      'missing fire all:',
      'nobody of that name fire all:',
    ])
    expect((await engine.tick(table.fill(rows.slice(0, 2)), 3000)).map(brief).sort()).toEqual([
      'by program fire program:worker',
      'workers fire all:',
    ])
  })

  it('matches command lines in the background, and asks again when one could not be read', async () => {
    const asked: number[][] = []
    const texts = new Map<number, string | undefined>([
      [0, 'java -jar kafka.jar'],
      [1, `java ${'x'.repeat(5000)} kafka`],
      [2, undefined],
    ])
    const rules = [
      { name: 'kafka', match: { commandLine: 'kafka' }, when: 'rss > 1' },
      { name: 'other', match: { commandLine: '^java' }, when: 'rss > 1' },
      { name: 'plain', when: 'rss > 1GB' },
    ]
    const engine = await engineOf(rules, {
      readFacts: async (slots) => {
        asked.push([...slots])
        return [...slots].map((slot) => factsOf(texts.get(slot)))
      },
    })
    const rows = [0, 1, 2].map((slot) => ({ slot, pid: slot + 1, cells: { rssBytes: 9 } }))
    const table = new SyntheticTable(4)
    expect(await engine.tick(table.fill(rows), 0)).toEqual([])
    await engine.factsLearned
    const decisions = await engine.tick(table.fill(rows), 1000)
    // The second one says kafka only beyond the part that is looked at.
    expect(decisions.map(brief).sort()).toEqual(['kafka fire 1', 'other fire 1', 'other fire 2'])
    expect(asked).toEqual([[0, 1, 2]])
    texts.set(2, 'kafka')
    await engine.tick(table.fill(rows), 20_000)
    await engine.factsLearned
    expect(asked).toEqual([[0, 1, 2], [2]])
    expect((await engine.tick(table.fill(rows), 21_000)).map(brief)).toEqual(['kafka fire 3'])
  })

  it('survives a reader of command lines that fails', async () => {
    const warnings: unknown[] = []
    const rules = [{ name: 'r', match: { commandLine: 'x' }, when: 'rss > 1' }]
    const engine = await engineOf(rules, {
      readFacts: () => Promise.reject(new Error('no')),
      onWarning: (error) => warnings.push(error),
    })
    const table = new SyntheticTable(4).fill([row])
    await engine.tick(table, 0)
    await engine.factsLearned
    expect(warnings).toHaveLength(1)
    expect(await engine.tick(table, 1)).toEqual([])
  })

  it('is not held up by patterns that would backtrack without end elsewhere', async () => {
    const texts = ['good', `${'a'.repeat(4000)}!`, 'aaa', 'good']
    const warnings: unknown[] = []
    const rules = [
      { name: 'text', match: { commandLine: '^(a+)+$' }, when: 'rss > 1' },
      { name: 'name', match: { name: '/^(a+)+$/' }, when: 'rss > 1' },
    ]
    const engine = await engineOf(rules, {
      timeLimitMs: 5000,
      readFacts: async (slots) => [...slots].map((slot) => factsOf(texts[slot])),
      onWarning: (error) => warnings.push(error),
    })
    const names = [`${'a'.repeat(40)}!`, 'b', 'c', 'aaa']
    const rows = names.map((name, slot) => ({ slot, pid: slot + 1, name, cells: { rssBytes: 9 } }))
    const table = new SyntheticTable(4)
    expect((await engine.tick(table.fill(rows), 0)).map(brief)).toEqual(['name fire 4'])
    await engine.factsLearned
    expect((await engine.tick(table.fill(rows), 1)).map(brief)).toEqual(['text fire 3'])
    expect(warnings).toEqual([])
  })

  it('takes other rules while it runs, also from none, and keeps what the same ones remember', async () => {
    const engine = await engineOf([])
    const table = new SyntheticTable(4)
    expect(await engine.tick(table.fill([row]), 0)).toEqual([])
    await engine.update([bigFor30s])
    expect(await engine.tick(table.fill([row]), 1000)).toEqual([])
    expect(engine.pending()).toMatchObject([{ rule: 0, subject: '1:100', sinceMs: 1000 }])
    await engine.update([big, { ...big, name: 'other', match: { name: 'nobody' } }, bigFor30s])
    expect((await engine.tick(table.fill([row]), 31_000)).map(brief).sort()).toEqual([
      'big fire 1',
      'slow fire 1',
    ])
    expect(engine.matches().map((slots) => [...slots])).toEqual([[0], [], [0]])
    await expect(engine.update([{ name: 'r', when: 'rsss > 1' }])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    await engine.update([big])
    const [decision, ...more] = await engine.tick(table.fill([row]), 32_000)
    expect(more).toEqual([])
    expect(decision).toMatchObject({ cause: 'removed', kind: 'clear', rule: { index: -1, name: 'slow' } })
  })

  it('explains what a rule finds in a process, also where it does not fire', async () => {
    const rules: Rule[] = [
      { name: 'r', when: 'avg(threads, 2s) > 5 or nice > 3 or host.load1 > 2' },
      { name: 'g', per: 'all', match: { name: 'web' }, when: 'count() > 5' },
    ]
    const engine = await engineOf(rules, { intervalMs: 1000 })
    const table = new SyntheticTable(4)
    await expect(engine.explain(0, 0)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    const rows = [{ ...row, cells: { threads: 4 } }]
    for (let second = 0; second < 4; second++) await engine.tick(table.fill(rows), second * 1000)
    expect(await engine.explain(0, 0)).toMatchObject({
      matched: true,
      clauses: [
        { text: 'avg(threads, 2s) > 5', value: 4, threshold: 5, truth: false, samples: { length: 3 } },
        { text: 'nice > 3', value: undefined, truth: undefined },
        { text: 'host.load1 > 2', value: undefined, truth: undefined },
      ],
    })
    expect(await engine.explain(1, 0)).toMatchObject({ matched: false })
    expect(engine.memory).toMatchObject({ series: 1, refused: 0 })
    table.fill(rows)
    await expect(engine.explain(0, 0)).rejects.toMatchObject({ code: 'STALE_TABLE' })
  })

  it('takes ten thousand rules, and a change of them, without losing a thread', async () => {
    const rules = Array.from(
      { length: 10_000 },
      (_, index): Rule => ({ name: `r${index}`, when: `threads > ${index}` }),
    )
    const engine = await engineOf(rules)
    const table = new SyntheticTable(64)
    await engine.tick(table.fill([row]), 0)
    await engine.update([...rules.slice(1), { name: 'new', when: 'rss > 1' }])
    expect((await engine.tick(table.fill([row]), 1000)).map(brief)).toEqual(['new fire 1'])
    // All others: a thread has both for a moment.
    await engine.update(rules.map(({ name }, index) => ({ name, when: `threads > ${index + 1}` })))
    expect((await engine.tick(table.fill([row]), 2000)).map(brief)).toEqual(['new clear removed 1'])
    expect(engine.pool?.crashes).toBe(0)
  })

  it('closes twice, ends a tick under way, and leaves no thread', async () => {
    const before = threads()
    const engine = await engineOf([big])
    const table = new SyntheticTable(4).fill([row])
    await engine.tick(table, 0)
    expect(threads()).toBeGreaterThan(before)
    const underWay = engine.tick(table, 1).catch((error: unknown) => error)
    await Promise.all([engine.close(), engine.close()])
    const result = await underWay
    expect(Array.isArray(result) || (result as { code: string }).code === 'CLOSED').toBe(true)
    await expect(engine.tick(table, 2)).rejects.toMatchObject({ code: 'CLOSED' })
    expect(threads()).toBe(before)
  })

  it.each([
    [{ rules: [{ name: 'r', when: 'rsss > 1' }] }, /rule "r", when: condition .*did you mean 'rss'/],
    [{ rules: [big, big] }, /rule "big": another rule has this name/],
    [{ rules: [{ name: 'r', when: 'rchar > 1' }] }, /rule "r": rchar is not sampled; .*groups: \['io'\]/],
    [{ rules: [{ name: 'r', when: 'rss > 5%' }] }, /give memTotalBytes/],
    [
      { rules: [{ name: 'r', when: 'rss > 5', match: { commandLine: 'x' } }] },
      /asks for commandLine; give readFacts/,
    ],
    [
      { rules: [{ name: 'r', when: 'rss > 5', match: { user: 'nobody-here' } }] },
      /knows no user "nobody-here"/,
    ],
    [{ rules: [big], workers: 0 }, /workers is 0/],
  ])('refuses %j', async (options, reason) => {
    await expect(RuleEngine.open(options as RuleEngineOptions)).rejects.toThrow(reason)
    await expect(RuleEngine.open(options as RuleEngineOptions)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })
})

describe('when threads die', () => {
  it('a tick under way is repeated: no decision is lost, none is told twice', async () => {
    for (let round = 0; round < 10; round++) {
      const engine = await engineOf([big, bigFor30s])
      const pool = poolOf(engine)
      const table = new SyntheticTable(4)
      await engine.tick(table.fill([]), 0)
      const tick = engine.tick(table.fill([row]), 1000)
      for (const thread of pool.threads) void thread.terminate()
      expect((await tick).map(brief)).toEqual(['big fire 1'])
      expect(await engine.tick(table.fill([row]), 2000)).toEqual([])
      expect((await engine.tick(table.fill([row]), 31_000)).map(brief)).toEqual(['slow fire 1'])
      expect(pool.crashes).toBeGreaterThan(0)
    }
  })

  it('at rest, the next tick has new ones', async () => {
    const engine = await engineOf([big])
    const table = new SyntheticTable(4).fill([row])
    await engine.tick(table, 0)
    await Promise.all(poolOf(engine).threads.map((thread) => thread.terminate()))
    expect(await engine.tick(table.fill([row]), 1000)).toEqual([])
    expect((await engine.tick(table.fill([]), 2000)).map(brief)).toEqual(['big clear gone 1'])
  })
})

describe('on a live host', () => {
  it('fires for the process that a rule names, and clears when it ends', async () => {
    const child = spawn('sleep', ['300'])
    await once(child, 'spawn')
    const sampler = await Sampler.open()
    try {
      let table = await sampler.sample()
      const engine = await engineOf(
        [
          { name: 'mine', match: { pid: child.pid! }, when: 'rss > 0.0000001% and state != Z' },
          { name: 'command', match: { name: 'sleep', commandLine: '^sleep 300$' }, when: 'vsz > 4KiB' },
        ],
        {
          memTotalBytes: sampler.memTotalBytes,
          readFacts: (slots) => readProcessFacts([...slots].map((slot) => table.at(slot))),
        },
      )
      const seen = new Set<string>()
      const until = async (wanted: string[]): Promise<void> => {
        const deadlineMs = performance.now() + 20_000
        while (!wanted.every((text) => seen.has(text))) {
          if (performance.now() > deadlineMs) throw new Error(`only saw ${[...seen].join(', ')}`)
          table = await sampler.sample()
          for (const decision of await engine.tick(table, performance.now())) {
            if (decision.identity?.pid === child.pid) seen.add(brief(decision))
          }
          await engine.factsLearned
        }
      }
      await until([`mine fire ${child.pid}`, `command fire ${child.pid}`])
      child.kill('SIGKILL')
      await once(child, 'exit')
      await until([`mine clear gone ${child.pid}`, `command clear gone ${child.pid}`])
    } finally {
      child.kill('SIGKILL')
      await sampler.close()
    }
  })
})

describe('the end of the process', () => {
  const program = fileURLToPath(new URL('../../dist/rules/rule_engine.js', import.meta.url))
  const helper = `
    import { RuleEngine } from ${JSON.stringify(program)}
    const engine = await RuleEngine.open({ rules: [{ name: 'r', when: 'rss > 1' }], workers: 2 })
  `
  it.each([
    ['after open, not closed', ''],
    ['after close', 'await engine.close()'],
    ['closing, not awaited', 'void engine.close()'],
    ['by exit', 'process.exit(0)'],
  ])('%s, comes by itself and with status 0', async (_, end) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', helper + end], { stdio: 'inherit' })
    const timer = setTimeout(() => child.kill('SIGKILL'), 15_000)
    const [code, signal] = await once(child, 'exit')
    clearTimeout(timer)
    expect({ code, signal }).toEqual({ code: 0, signal: null })
  })
})

function poolOf(engine: RuleEngine): JudgePool {
  return engine.pool!
}

it('the pool gives up on a task that cannot be done, with the reason', async () => {
  const pool = new JudgePool({ threads: 1, timeLimitMs: 5000 })
  try {
    const broken = { type: 'judge', memory: {} } as unknown as Parameters<JudgePool['run']>[0]
    await expect(pool.run(broken as never)).rejects.toMatchObject({ code: 'IO_ERROR' })
  } finally {
    await pool.close()
  }
})
