import { describe, expect, it, vi } from 'vitest'
import type { ProcessFacts } from '../../../dist/inspect/process_facts.js'
import type { FactSpec } from '../../../dist/rules/match/compile.js'
import { type FactPool, Facts, type ReadFacts } from '../../../dist/rules/match/facts.js'
import { KeyTable } from '../../../dist/rules/match/keys.js'
import { programOf, textsOf } from '../../../dist/rules/match/process_texts.js'
import { TextMatcher } from '../../../dist/rules/match/text_matcher.js'

const exeLeaf = { fact: 'exe', pattern: '/bin/*', rule: 'bins' } as const
const unitLeaf = { fact: 'unit', pattern: '*.service', rule: 'services' } as const
const facts = (given: Partial<ProcessFacts>): ProcessFacts => ({
  commandLine: undefined,
  exe: undefined,
  cgroup: undefined,
  ...given,
})
const localPool = (spec: FactSpec): FactPool => {
  const matcher = new TextMatcher(spec.texts)
  return { run: async ({ texts, limitMs }) => matcher.match(texts, limitMs), close: async () => {} }
}
const generations = (size: number): Uint32Array => new Uint32Array(size).fill(1)

function open(spec: Partial<FactSpec>, read: ReadFacts, pool?: FactPool) {
  const whole = { texts: [], numbers: [], ...spec }
  const warnings: unknown[] = []
  const learner = new Facts(pool ?? localPool(whole), whole, read, (error) => warnings.push(error))
  return { learner, warnings }
}

describe('facts', () => {
  it('are learned in the background: what holds, what could be told, and numbers', async () => {
    const all: Record<number, ProcessFacts> = {
      3: facts({ exe: '/bin/sh', cgroup: '0::/system.slice/a.service', limits: { nofile: 1024 } as never }),
      7: facts({ cgroup: '0::/x', limits: { nofile: Number.POSITIVE_INFINITY } as never }),
      9: facts({ exe: '/sbin/init (deleted)', cgroup: '0::/system.slice/a.service' }),
    }
    const asked: unknown[] = []
    const { learner } = open(
      {
        texts: [exeLeaf, unitLeaf],
        numbers: [
          { kind: 'groupKey', of: 'unit' },
          { kind: 'limit', resource: 'nofile' },
          { kind: 'groupKey', of: 'program' },
        ],
      },
      async (slots, needs) => {
        asked.push([[...slots], needs])
        return [...slots].map((slot) => all[slot])
      },
    )
    learner.want([Uint32Array.of(3, 7), Uint32Array.of(7, 9)], generations(10), 0)
    expect(learner.learned()).toBeUndefined()
    await learner.learnedSoFar
    const learned = learner.learned()!
    expect(asked).toEqual([[[3, 7, 9], { limits: true }]])
    expect([...learned.slots]).toEqual([3, 7, 9])
    expect([...learned.yes]).toEqual([0b11, 0, 0b10])
    // Whether the second is of some program cannot be told; that it has no unit can.
    expect([...learned.known]).toEqual([0b11, 0b10, 0b11])
    const [unit, , program] = learned.numbers
    expect([...learned.numbers]).toEqual([
      ...[unit, 1024, program],
      ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NaN],
      ...[unit, Number.NaN, expect.any(Number)],
    ])
    expect(learner.keyOf('unit', unit!)).toBe('a.service')
    expect(learner.keyOf('program', learned.numbers[8]!)).toBe('init')
    // A tick can fail: it is given again until one has taken it over.
    expect([...learner.learned()!.slots]).toEqual([3, 7, 9])
    learner.forget()
    expect(learner.learned()).toBeUndefined()
  })

  it('that took too long are read again later, of the same process only', async () => {
    const asked: number[][] = []
    const { learner } = open({ texts: [exeLeaf] }, async (slots) => {
      asked.push([...slots])
      return [...slots].map(() => undefined)
    })
    learner.want([Uint32Array.of(1, 2)], generations(4), 0)
    await learner.learnedSoFar
    learner.want([], generations(4), 9_000)
    await learner.learnedSoFar
    expect(asked).toEqual([[1, 2]])
    learner.want([], Uint32Array.of(1, 1, 2, 1), 10_000)
    await learner.learnedSoFar
    expect(asked).toEqual([[1, 2], [1]])
  })

  it('a read that fails is told and tried again', async () => {
    let fails = true
    const { learner, warnings } = open({ texts: [exeLeaf] }, async (slots) => {
      if (fails) throw new Error('no')
      return [...slots].map(() => facts({ exe: '/bin/a' }))
    })
    learner.want([Uint32Array.of(0)], generations(1), 0)
    await learner.learnedSoFar
    expect(warnings).toHaveLength(1)
    fails = false
    learner.want([], generations(1), 10_000)
    await learner.learnedSoFar
    expect([...learner.learned()!.yes]).toEqual([1])
  })

  it('many come in chunks, each done in as many steps as it takes', async () => {
    const matcher = new TextMatcher([exeLeaf])
    const sizes: number[] = []
    const pool: FactPool = {
      close: async () => {},
      run: async ({ texts }) => {
        sizes.push(texts.length)
        // As if the time had been over after 300.
        return { ...matcher.match(texts.slice(0, 300), Number.POSITIVE_INFINITY) }
      },
    }
    const { learner } = open(
      { texts: [exeLeaf] },
      async (slots) => [...slots].map((slot) => facts({ exe: slot % 3 === 0 ? '/bin/a' : '/x' })),
      pool,
    )
    learner.want([Uint32Array.from({ length: 1000 }, (_, slot) => slot)], generations(1000), 0)
    await learner.learnedSoFar
    const { slots, yes } = learner.learned()!
    expect(sizes).toEqual([512, 212, 488, 188])
    expect([...yes].every((bit, place) => bit === (slots[place]! % 3 === 0 ? 1 : 0))).toBe(true)
    expect(slots).toHaveLength(1000)
  })

  it('what was wanted so far is not waited for until there is nothing more to learn', async () => {
    const reads: (() => void)[] = []
    const { learner } = open({ texts: [exeLeaf] }, async (slots) => {
      await new Promise<void>((resolve) => reads.push(resolve))
      return [...slots].map(() => facts({ exe: '/bin/a' }))
    })
    learner.want([Uint32Array.of(0)], generations(3), 0)
    const { learnedSoFar } = learner
    learner.want([Uint32Array.of(1)], generations(3), 0)
    const both = learner.learnedSoFar
    reads[0]!()
    await learnedSoFar
    expect([...learner.learned()!.slots]).toEqual([0])
    await vi.waitFor(() => expect(reads).toHaveLength(2))
    reads[1]!()
    await both
    expect([...learner.learned()!.slots]).toEqual([0, 1])
  })

  it('nobody waits for what is left when it is closed', async () => {
    const { learner } = open({ texts: [exeLeaf] }, async () => {
      throw new Error('no')
    })
    learner.want([Uint32Array.from({ length: 2000 }, (_, slot) => slot)], generations(2000), 0)
    const { learnedSoFar } = learner
    await learner.close()
    await learnedSoFar
  })

  it('a slow pattern is named, once', async () => {
    let nowMs = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
    try {
      const matcher = new TextMatcher([exeLeaf, unitLeaf])
      const pool: FactPool = {
        close: async () => {},
        run: async ({ texts }) => {
          nowMs += 3000
          const one = matcher.match(texts.slice(0, 1), 1)
          return { ...one, spentMs: 3000, slowest: { leaf: 1, ms: 2900 } }
        },
      }
      const { learner, warnings } = open(
        { texts: [exeLeaf, unitLeaf] },
        async (slots) => [...slots].map(() => facts({ exe: '/bin/a' })),
        pool,
      )
      learner.want([Uint32Array.of(0, 1, 2)], generations(3), 0)
      await learner.learnedSoFar
      expect(warnings.map(String)).toEqual([
        expect.stringMatching(/2900 ms .*unit "\*\.service" of rule "services"/),
      ])
    } finally {
      clock.mockRestore()
    }
  })

  it('no pattern is blamed for a host on which tasks wait for their thread', async () => {
    let nowMs = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
    try {
      const matcher = new TextMatcher([exeLeaf])
      const pool: FactPool = {
        close: async () => {},
        run: async ({ texts, limitMs }) => {
          nowMs += 3000
          return matcher.match(texts, limitMs)
        },
      }
      const read: ReadFacts = async (slots) => [...slots].map(() => facts({ exe: '/bin/a' }))
      const { learner, warnings } = open({ texts: [exeLeaf] }, read, pool)
      learner.want([Uint32Array.of(0, 1, 2)], generations(3), 0)
      await learner.learnedSoFar
      expect(warnings).toEqual([])
    } finally {
      clock.mockRestore()
    }
  })

  it('a text keeps its number when the rules change', async () => {
    const spec: FactSpec = { texts: [], numbers: [{ kind: 'groupKey', of: 'unit' }] }
    const read: ReadFacts = async (slots) =>
      [...slots].map((slot) => facts({ cgroup: `0::/u${slot}.service` }))
    const first = new Facts(localPool(spec), spec, read, () => {})
    first.want([Uint32Array.of(1, 2)], generations(4), 0)
    await first.learnedSoFar
    const before = first.learned()!.numbers
    const next = new Facts(localPool(spec), spec, read, () => {}, first)
    next.want([Uint32Array.of(3, 2, 1)], generations(4), 0)
    await next.learnedSoFar
    const after = next.learned()!.numbers
    expect([after[2], after[1]]).toEqual([before[0], before[1]])
    expect(next.keyOf('unit', after[0]!)).toBe('u3.service')
  })
})

describe('texts of a process', () => {
  const asked = new Set(['commandLine', 'exe', 'cgroup', 'unit', 'container', 'program'] as const)

  it('come from what was read, and say what it has none of', () => {
    expect(
      textsOf(facts({ commandLine: 'x'.repeat(5000), exe: '/a/b (deleted)', cgroup: '0::/c' }), asked),
    ).toEqual({
      commandLine: 'x'.repeat(4096),
      exe: '/a/b (deleted)',
      cgroup: '/c',
      unit: null,
      container: null,
      program: 'b',
    })
    const unread = textsOf(facts({}), asked)
    expect(Object.values(unread).every((text) => text === undefined)).toBe(true)
    expect(textsOf(facts({ exe: '/a', commandLine: 'a' }), new Set(['exe']))).toEqual({ exe: '/a' })
  })

  it.each([
    ['/usr/bin/node', 'node'],
    ['/usr/bin/node (deleted)', 'node'],
    ['/memfd:x (deleted)', 'memfd:x'],
    ['/', ''],
    ['relative', 'relative'],
  ])('%s is the program %s', (exe, program) => {
    expect(programOf(exe)).toBe(program)
  })
})

describe('a table of keys', () => {
  it('forgets what nobody has had for an hour, and gives no number twice', () => {
    const keys = new KeyTable()
    for (let slot = 0; slot < 1000; slot++) keys.assign(slot, 1, `old ${slot}`, 0)
    const kept = keys.assign(0, 1, 'old 0', 0)
    for (let slot = 1; slot < 1000; slot++) keys.assign(slot, 1, undefined, 1000)
    const young: number[] = []
    for (let slot = 1000; slot < 1100; slot++) young.push(keys.assign(slot, 1, `young ${slot}`, 1000))
    expect(keys.size).toBe(1100) // too early
    for (let slot = 2000; slot < 5000; slot++) keys.assign(slot, 1, `new ${slot}`, 4_000_000)
    expect(keys.size).toBe(1 + 100 + 3000)
    expect(keys.keyOf(kept)).toBe('old 0')
    expect(keys.keyOf(young[0]!)).toBe('young 1000')
    expect(keys.assign(9999, 1, 'old 5', 4_000_000)).toBeGreaterThan(young.at(-1)!)
    expect(keys.assign(9998, 1, 'old 0', 4_000_000)).toBe(kept)
  })

  it('tells the text of the process that it was read of, and of no other in its slot', () => {
    const keys = new KeyTable()
    expect(keys.textOf(3, 7)).toBeUndefined()
    keys.assign(3, 7, 'a', 0)
    keys.assign(4, 7, undefined, 0)
    expect([keys.textOf(3, 7), keys.textOf(4, 7), keys.textOf(3, 8)]).toEqual(['a', null, undefined])
    keys.assign(3, 7, 'b', 0) // it executed another program, or went to another control group
    expect(keys.textOf(3, 7)).toBe('b')
    keys.assign(3, 8, 'c', 0)
    expect([keys.textOf(3, 7), keys.textOf(3, 8)]).toEqual([undefined, 'c'])
  })
})
