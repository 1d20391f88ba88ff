import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Match } from '../../../dist/rules/match/ast.js'
import { type SyntheticProcess, SyntheticTable } from '../synthetic_table.js'
import { LocalMatcher } from './local_matcher.js'

const KERNEL_THREAD = 0x0020_0000
const CAPACITY = 70
const names = ['web', 'db', 'a b', 'elasticsearch-n']
const texts = ['/a', '/a/b', 'b', null, undefined] as const
type Text = (typeof texts)[number]
const globs = ['/a', '/a*', '*b', '*', '/b$/', '?', '[!/]'] as const
const facts = ['exe', 'unit', 'program'] as const

const leaf: fc.Arbitrary<Match> = fc.oneof(
  fc
    .constantFrom(...names, '/b$/', 'elasticsearch-node')
    .map((pattern): Match => ({ kind: 'name', pattern })),
  fc.record({
    kind: fc.constant('text' as const),
    fact: fc.constantFrom(...facts),
    pattern: fc.constantFrom(...globs),
  }),
  fc.constantFrom<string | number>('root', 1, 2).map((user): Match => ({ kind: 'user', user })),
  fc.integer({ min: 0, max: 2 }).map((sid): Match => ({ kind: 'session', sid })),
  fc.integer({ min: 0, max: 2 }).map((pgid): Match => ({ kind: 'processGroup', pgid })),
  fc.constantFrom('S', 'DZ', 'Z').map((states): Match => ({ kind: 'state', states })),
  fc.constant<Match>({ kind: 'kernelThread' }),
  fc
    .record({
      kind: fc.constantFrom('pid' as const, 'subtree' as const),
      slot: fc.nat(20),
      isLife: fc.boolean(),
    })
    .map(({ kind, slot, isLife }): Match => ({ kind, pid: 100 + slot, startTicks: isLife ? 1 : undefined })),
)
const { tree } = fc.letrec<{ tree: Match; node: Match }>((tie) => ({
  tree: fc.oneof({ depthSize: 'small' }, leaf, tie('node')),
  node: fc.oneof(
    fc
      .record({
        kind: fc.constantFrom('all' as const, 'any' as const),
        parts: fc.array(tie('tree'), { maxLength: 3 }),
      })
      .map((node) => node as Match),
    tie('tree').map((part): Match => ({ kind: 'not', part })),
  ),
}))

const cell = fc.integer({ min: 0, max: 2 })
const process = fc.record({
  lives: fc.nat(9).map((dice) => dice > 1),
  isReplaced: fc.nat(9).map((dice) => dice === 0),
  parent: fc.nat(20),
  name: fc.constantFrom(...names),
  isKernelThread: fc.nat(5).map((dice) => dice === 0),
  uid: cell,
  sid: cell,
  pgid: cell,
  state: fc.constantFrom('S', 'R', 'D', 'Z'),
  missing: fc.array(fc.constantFrom('uid' as const, 'sid' as const, 'state' as const), { maxLength: 1 }),
  learns: fc.nat(3).map((dice) => dice === 0),
  texts: fc.record({
    exe: fc.constantFrom(...texts),
    unit: fc.constantFrom(...texts),
    program: fc.constantFrom(...texts),
  }),
})
type Cast = Omit<typeof process extends fc.Arbitrary<infer T> ? T : never, never>

interface Being extends Cast {
  slot: number
  pid: number
  generation: number
  startTicks: number
  learned: Cast['texts'] | undefined
  /** By subtree leaf, decided at birth. */
  descends: Map<string, boolean>
}

/** The meaning of trees, written down a second time and in the plainest way. */
class NaiveMatcher {
  constructor(readonly beings: ReadonlyMap<number, Being>) {}

  truth(match: Match, being: Being): boolean | undefined {
    switch (match.kind) {
      case 'all':
      case 'any': {
        const truths = match.parts.map((part) => this.truth(part, being))
        const decisive = match.kind === 'any'
        if (truths.includes(decisive)) return decisive
        return truths.includes(undefined) ? undefined : !decisive
      }
      case 'not': {
        const truth = this.truth(match.part, being)
        return truth === undefined ? undefined : !truth
      }
      case 'name': {
        if (match.pattern === '/b$/') return being.name.endsWith('b')
        return match.pattern === being.name || match.pattern.slice(0, 15) === being.name
      }
      case 'text': {
        const text: Text = being.learned?.[match.fact as 'exe' | 'unit' | 'program']
        return text === undefined || text === null
          ? text === null
            ? false
            : undefined
          : fits(match.pattern, text)
      }
      case 'user':
        return being.missing.includes('uid')
          ? undefined
          : being.uid === (match.user === 'root' ? 0 : match.user)
      case 'session':
        return being.missing.includes('sid') ? undefined : being.sid === match.sid
      case 'processGroup':
        return being.pgid === match.pgid
      case 'state':
        return being.missing.includes('state') ? undefined : match.states.includes(being.state)
      case 'kernelThread':
        return being.isKernelThread
      case 'pid':
        return isRoot(match, being)
      case 'subtree': {
        const key = JSON.stringify(match)
        if (!being.descends.has(key)) {
          const parent = being.parent < being.slot ? this.beings.get(being.parent) : undefined
          const isBelow = parent !== undefined && this.truth(match, parent) === true
          being.descends.set(key, isRoot(match, being) || isBelow)
        }
        return being.descends.get(key)
      }
    }
  }
}

function isRoot(
  { pid, startTicks }: { pid: number; startTicks?: number | undefined },
  being: Being,
): boolean {
  return being.pid === pid && (startTicks === undefined || startTicks === being.startTicks)
}

function fits(pattern: string, text: string): boolean {
  const tests: Record<(typeof globs)[number], boolean> = {
    '/a': text === '/a',
    '/a*': text.startsWith('/a'),
    '*b': text.endsWith('b'),
    '*': true,
    '/b$/': text.endsWith('b'),
    '?': text.length === 1,
    '[!/]': text.length === 1 && text !== '/',
  }
  return tests[pattern as (typeof globs)[number]]
}

it('agrees with an evaluator written apart, over random lives, trees and unknowns', () => {
  let matched = 0
  let unknowns = 0
  const scene = fc
    .integer({ min: 1, max: 20 })
    .chain((slots) =>
      fc.array(fc.array(process, { minLength: slots, maxLength: slots }), { minLength: 1, maxLength: 6 }),
    )
  const rules = fc.array(
    fc.record({ match: tree, kernelThreads: fc.boolean() }).map((rule) => rule),
    { minLength: 1, maxLength: 8 },
  )
  fc.assert(
    fc.property(rules, scene, (sources, ticks) => {
      const matcher = new LocalMatcher(sources)
      const table = new SyntheticTable(CAPACITY)
      const beings = new Map<number, Being>()
      const naive = new NaiveMatcher(beings)
      const subtrees = sources.flatMap(({ match }) => subtreesOf(match))
      const asked = new Set<number>()
      let generation = 0
      for (const casts of ticks) {
        const learning: Being[] = []
        for (const [slot, cast] of casts.entries()) {
          const before = beings.get(slot)
          beings.delete(slot)
          if (!cast.lives) continue
          const isNew = before === undefined || cast.isReplaced
          if (isNew) asked.delete(slot)
          // A kernel thread stays one, a parent may change.
          const being: Being = isNew
            ? {
                ...cast,
                slot,
                pid: 100 + slot,
                generation: ++generation,
                startTicks: generation,
                learned: undefined,
                descends: new Map(),
              }
            : { ...before, ...cast, isKernelThread: before.isKernelThread }
          beings.set(slot, being)
          if (cast.learns) {
            being.learned = cast.texts
            learning.push(being)
          }
        }
        for (const being of beings.values()) for (const match of subtrees) naive.truth(match, being)
        table.fill([...beings.values()].map(rowOf))
        const learned =
          learning.length === 0
            ? undefined
            : matcher.learn(
                learning.map(({ slot, generation, learned }) => ({ slot, generation, ...learned })),
              )
        const found = matcher.tick(table.memory, { learned })
        for (const slot of matcher.wanted) asked.add(slot)
        for (const being of beings.values()) {
          const truths = sources.map(({ match, kernelThreads }) =>
            being.isKernelThread && !kernelThreads ? false : naive.truth(match, being),
          )
          const expected = truths.flatMap((truth, rule) => (truth === true ? [rule] : []))
          expect(found.get(being.pid)).toEqual(expected)
          matched += expected.length
          // Only a cell can be unknown and not be asked for.
          const mayLackText = being.missing.length === 0 && truths.includes(undefined)
          if (!mayLackText || being.learned !== undefined) continue
          unknowns++
          expect(asked).toContain(being.slot)
        }
      }
    }),
    { numRuns: 1500 },
  )
  expect(matched).toBeGreaterThan(1000)
  expect(unknowns).toBeGreaterThan(100)
})

function rowOf(being: Being): SyntheticProcess {
  const { slot, pid, generation, startTicks, name, isKernelThread, missing, parent, uid, sid, pgid } = being
  const ppid = parent < slot ? 100 + parent : 1
  const cells = { ppid, uid, sid, pgid, state: being.state.charCodeAt(0) }
  return {
    slot,
    pid,
    generation,
    startTicks,
    name,
    flags: isKernelThread ? KERNEL_THREAD : 0,
    missing,
    cells,
  }
}

function subtreesOf(match: Match): Match[] {
  if (match.kind === 'all' || match.kind === 'any') return match.parts.flatMap(subtreesOf)
  if (match.kind === 'not') return subtreesOf(match.part)
  return match.kind === 'subtree' ? [match] : []
}
