import { describe, expect, it } from 'vitest'
import type { Match } from '../../../dist/rules/match/ast.js'
import { planMatch } from '../../../dist/rules/match/plan.js'
import { carryMatchState, mapMatchState, matchStateBytes } from '../../../dist/rules/match/state.js'
import type { Texts } from '../../../dist/rules/match/text_matcher.js'
import { type SyntheticProcess, SyntheticTable } from '../synthetic_table.js'
import {
  all,
  any,
  kernelThread,
  LocalMatcher,
  name,
  not,
  pid,
  processGroup,
  session,
  state,
  subtree,
  text,
  user,
} from './local_matcher.js'

const KERNEL_THREAD = 0x0020_0000
const code = (letter: string): number => letter.charCodeAt(0)

/** Whether the tree matches a single process; with texts, once these have been learned. */
function matches(match: Match, process: Partial<SyntheticProcess>, texts?: Texts): boolean {
  const matcher = new LocalMatcher([{ match, kernelThreads: true }])
  const table = new SyntheticTable(4).fill([{ slot: 1, pid: 5, ...process }]).memory
  let found = matcher.tick(table)
  if (texts !== undefined) found = matcher.tick(table, { learned: matcher.learn([{ slot: 1, ...texts }]) })
  return found.get(5)!.length === 1
}

describe('a tree', () => {
  const unread = text('exe', '/bin/*')
  it.each<[string, Match, Partial<SyntheticProcess>, boolean]>([
    ['nothing is asked', all(), {}, true],
    ['one of nothing', any(), {}, false],
    ['a name', name('web'), { name: 'web' }, true],
    ['another name', name('web'), { name: 'web2' }, false],
    ['a pattern of a name', name('/^w.b\\d?$/'), { name: 'web2' }, true],
    ['a name that the kernel cut', name('elasticsearch-node'), { name: 'elasticsearch-n' }, true],
    ['a name cut elsewhere', name('elasticsearch-node'), { name: 'elasticsearch-' }, false],
    ['one of two names', any(name('a'), name('b')), { name: 'b' }, true],
    ['none of two names', not(any(name('a'), name('b'))), { name: 'c' }, true],
    ['a name and none', all(name('a'), not(name('a'))), { name: 'a' }, false],
    ['a user', user('daemon'), { cells: { uid: 1 } }, true],
    ['a uid', user(7), { cells: { uid: 7 } }, true],
    ['another uid', not(user(7)), { cells: { uid: 8 } }, true],
    ['an unknown uid', user(0), { missing: ['uid'] }, false],
    ['the contrary of an unknown uid', not(user(0)), { missing: ['uid'] }, false],
    ['a session', session(12), { cells: { sid: 12 } }, true],
    ['a process group', processGroup(13), { cells: { pgid: 13 } }, true],
    ['another process group', processGroup(13), { cells: { pgid: 12 } }, false],
    ['a state of some', state('DZ'), { cells: { state: code('Z') } }, true],
    ['another state', state('DZ'), { cells: { state: code('S') } }, false],
    ['an unknown state', not(state('DZ')), { missing: ['state'] }, false],
    ['a pid', any(pid(4), pid(5)), {}, true],
    ['a life', any(pid(5, 100), name('x')), {}, true],
    ['another life', any(pid(5, 99), name('x')), {}, false],
    ['a kernel thread', kernelThread, { flags: KERNEL_THREAD }, true],
    ['no kernel thread', kernelThread, {}, false],
    ['the contrary of one', not(kernelThread), {}, true],
    ['the root of a subtree', subtree(5), {}, true],
    ['another root', subtree(6), {}, false],
    ['what is unknown', unread, {}, false],
    ['its contrary', not(unread), {}, false],
    ['unknown and yes', all(unread, name('worker')), {}, false],
    ['not (unknown and no)', not(all(unread, name('x'))), {}, true],
    ['unknown or yes', any(unread, name('worker')), {}, true],
    ['unknown or no', any(unread, name('x')), {}, false],
    ['not (unknown or yes)', not(any(unread, name('worker'))), {}, false],
    ['unknown or its contrary', any(unread, not(unread)), {}, false],
  ])('%s', (_, match, process, expected) => {
    expect(matches(match, process)).toBe(expected)
  })

  it.each<[Match, Texts, boolean]>([
    [text('commandLine', 'kafka'), { commandLine: 'java kafka.Kafka' }, true],
    [text('commandLine', '^java .*Kafka$'), { commandLine: 'java kafka.Kafka' }, true],
    [text('commandLine', 'zookeeper'), { commandLine: 'java kafka.Kafka' }, false],
    [not(text('commandLine', 'zookeeper')), { commandLine: '' }, true],
    [text('exe', '/usr/bin/*'), { exe: '/usr/bin/node' }, true],
    [text('exe', '/usr/bin/su'), { exe: '/usr/bin/su' }, true],
    [text('exe', '/node$/'), { exe: '/usr/bin/node' }, true],
    [text('exe', '/(?i)NODE$/'), { exe: '/usr/bin/node' }, true],
    [text('exe', 'node'), { exe: '/usr/bin/node' }, false],
    [text('cgroup', '/web/*'), { cgroup: '/web/blue/1' }, true],
    [text('cgroup', '/web/*'), { cgroup: '/web' }, false],
    [text('unit', '*.service'), { unit: 'nginx.service' }, true],
    [text('unit', '*.service'), { unit: null }, false],
    [not(text('unit', '*.service')), { unit: null }, true],
    [not(text('unit', '*.service')), { unit: undefined }, false],
    [text('unit', 'a\\x2db.*'), { unit: 'a\\x2db.mount' }, true],
    [text('unit', 'web@[0-9].service'), { unit: 'web@7.service' }, true],
    [text('unit', 'web@[!0-9].service'), { unit: 'web@7.service' }, false],
    [text('unit', 'web@?.service'), { unit: 'web@\u{1f600}.service' }, true],
    [text('unit', '/^WEB@/i'), { unit: 'web@7.service' }, true],
    [text('container', '3f2a*'), { container: '3f2a00' }, true],
    [text('container', '*'), { container: null }, false],
    [text('program', 'node'), { program: 'node' }, true],
    [text('program', 'n*d?'), { program: 'node' }, true],
    [text('program', 'n.de'), { program: 'node' }, false],
    [text('program', '[]x]'), { program: ']' }, true],
    [text('program', '[^a]'), { program: '^' }, true],
    [text('program', 'a[b'), { program: 'a[b' }, true],
    [text('program', 'x[*]y'), { program: 'x*y' }, true],
    [text('program', 'a*b\nc'), { program: 'a\n\nb\nc' }, true],
  ])('%j of %j: %s', (match, texts, expected) => {
    expect(matches(match, {}, texts)).toBe(expected)
  })

  it('leaves kernel threads out unless they are asked for', () => {
    const matcher = new LocalMatcher([all(), { kernelThreads: true }, { match: kernelThread }])
    const table = new SyntheticTable(2).fill([{ slot: 0, pid: 2, flags: KERNEL_THREAD }])
    expect(matcher.tick(table.memory).get(2)).toEqual([1])
  })
})

it.each<[Match, RegExp]>([
  [not(user('nobody-here')), /^rule "r0": this host knows no user "nobody-here"/],
  [text('commandLine', '(?=a)'), /^rule "r0": commandLine: error parsing regexp/],
  [text('unit', '[z-a]'), /^rule "r0": unit: error parsing regexp/],
  [name('/(/'), /^rule "r0": name: error parsing regexp/],
])('%j is refused', (match, reason) => {
  expect(() => new LocalMatcher([match])).toThrow(reason)
  expect(() => new LocalMatcher([any(match)])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
})

describe('equal leaves', () => {
  it('of all rules are one', () => {
    const one = all(name('/^w/'), any(text('exe', '/a/*'), user('root')))
    const { leaves, facts } = new LocalMatcher([one, not(one), user(0), text('exe', '/a/*')]).compiled
    expect(leaves).toHaveLength(3)
    expect(facts.texts).toEqual([{ fact: 'exe', pattern: '/a/*', rule: 'r0' }])
  })

  it('are shared among numbers as well', () => {
    const rules = [
      { groups: ['unit' as const], limits: ['nofile' as const] },
      { groups: ['unit' as const, 'user' as const] },
      { groups: ['user' as const] },
    ]
    const { facts, rules: compiled } = new LocalMatcher(rules).compiled
    expect(facts.numbers).toEqual([
      { kind: 'limit', resource: 'nofile' },
      { kind: 'groupKey', of: 'unit' },
    ])
    expect(compiled.map(({ numbers }) => numbers)).toEqual([[0, 1], [1], []])
  })
})

describe('a subtree', () => {
  const row = (slot: number, id: number, parent: number, more: Partial<SyntheticProcess> = {}) => ({
    slot,
    pid: id,
    ...more,
    cells: { ppid: parent, ...more.cells },
  })
  const pids = (found: Map<number, number[]>) =>
    [...found].filter(([, rules]) => rules.length > 0).map(([id]) => id)

  it('is the root and who descends from it when it is born, however they come to lie', () => {
    const matcher = new LocalMatcher([subtree(50)])
    const table = new SyntheticTable(200)
    // A child can have a lower pid than its parent.
    const rows = [row(3, 50, 1), row(0, 60, 50), row(150, 7, 60), row(9, 8, 1), row(10, 1, 0)]
    expect(pids(matcher.tick(table.fill(rows).memory))).toEqual([7, 50, 60])
    // The root and one between are gone, and the kernel has given its child to another.
    const orphaned = [row(150, 7, 1), row(10, 1, 0), row(9, 8, 1), row(4, 70, 7)]
    expect(pids(matcher.tick(table.fill(orphaned).memory))).toEqual([7, 70])
    // Also when it is matched anew.
    const execed = matcher.tick(table.fill(orphaned, 1e6, [150]).memory, { isRepeated: true })
    expect(pids(execed)).toEqual([7, 70])
  })

  it('with a start is that of no successor with the same pid', () => {
    const matcher = new LocalMatcher([subtree(50, 100)])
    const table = new SyntheticTable(8)
    expect(pids(matcher.tick(table.fill([row(0, 50, 1), row(1, 51, 50)]).memory))).toEqual([50, 51])
    const later = [row(0, 50, 1, { generation: 2, startTicks: 200 }), row(1, 51, 1), row(2, 52, 50)]
    expect(pids(matcher.tick(table.fill(later).memory))).toEqual([51])
  })

  it('is unknown below a parent that cannot be told', () => {
    const matcher = new LocalMatcher([subtree(50), not(subtree(50))])
    const rows = [{ slot: 0, pid: 60 }, row(1, 61, 60), row(2, 62, 99)]
    const found = matcher.tick(new SyntheticTable(8).fill(rows).memory)
    expect([...found.values()]).toEqual([[], [], [1]])
  })

  it('takes circles and long lines, in linear time', () => {
    const size = 20_000
    const matcher = new LocalMatcher([subtree(1), subtree(size + 500)])
    const line = Array.from({ length: size }, (_, at) => row(at, at + 1, at))
    const circle = [0, 1, 2].map((at) => row(size + at, size + 500 + at, size + 500 + ((at + 1) % 3)))
    const startedMs = performance.now()
    const found = matcher.tick(new SyntheticTable(size + 10).fill([...line, ...circle]).memory)
    expect(performance.now() - startedMs).toBeLessThan(10_000)
    expect(found.get(size)).toEqual([0])
    expect([0, 1, 2].map((at) => found.get(size + 500 + at))).toEqual(
      [[1], [1], [1]].map(() => expect.anything()),
    )
    expect(found.get(size + 500)).toEqual([1])
  })
})

describe('a change of', () => {
  const play = (...matches: Match[]) => {
    const matcher = new LocalMatcher(matches)
    const table = new SyntheticTable(64, ['kernel'])
    return {
      matcher,
      at: (process: Partial<SyntheticProcess>, options = {}) => {
        table.fill([{ slot: 40, pid: 5, ...process }])
        return matcher.tick(table.memory, options).get(5)!
      },
    }
  }

  it('the name matches it again', () => {
    const { at } = play(name('a'), name('b'))
    expect(at({ name: 'a' })).toEqual([0])
    expect(at({ name: 'b' })).toEqual([1])
  })

  it('a watched cell does, and of a missing one', () => {
    const { at } = play(user(1), session(2), processGroup(3), state('D'))
    expect(at({ cells: { uid: 0, sid: 0, pgid: 0, state: code('S') } })).toEqual([])
    expect(at({ cells: { uid: 1, sid: 0, pgid: 0, state: code('R') } })).toEqual([0])
    expect(at({ cells: { uid: 1, sid: 2, pgid: 3, state: code('D') } })).toEqual([0, 1, 2, 3])
    expect(at({ cells: { sid: 2, pgid: 3, state: code('S') }, missing: ['uid'] })).toEqual([1, 2])
  })

  it('a state asks for texts once they can decide, and once only', () => {
    const { at, matcher } = play(all(state('Z'), text('exe', '/a')))
    at({ cells: { state: code('S') } })
    expect(matcher.wanted).toEqual([])
    at({ cells: { state: code('Z') } })
    expect(matcher.wanted).toEqual([40])
    at({ cells: { state: code('S') } })
    at({ cells: { state: code('Z') } })
    expect(matcher.wanted).toEqual([])
    const learned = matcher.learn([{ slot: 40, exe: '/a' }])
    expect(at({ cells: { state: code('Z') } }, { learned })).toEqual([0])
    expect(at({ cells: { state: code('S') } })).toEqual([])
    expect(at({ cells: { state: code('Z') } })).toEqual([0])
    expect(matcher.wanted).toEqual([])
  })

  it('the control group has its texts read again', () => {
    const { at, matcher } = play(text('cgroup', '/a'))
    at({ cells: { cgroupId: 1 } })
    const learned = matcher.learn([{ slot: 40, cgroup: '/a' }])
    expect(at({ cells: { cgroupId: 1 } }, { learned })).toEqual([0])
    expect(matcher.wanted).toEqual([])
    expect(at({ cells: { cgroupId: 2 } })).toEqual([0])
    expect(matcher.wanted).toEqual([40])
    expect(at({ cells: { cgroupId: 2 } }, { learned: matcher.learn([{ slot: 40, cgroup: '/b' }]) })).toEqual(
      [],
    )
  })

  it('the program keeps what is known until the new one has been read, which may be nothing', () => {
    const { at, matcher } = play(text('exe', '/a'), not(text('exe', '/a')))
    at({})
    expect(at({}, { learned: matcher.learn([{ slot: 40, exe: '/a' }]) })).toEqual([0])
    expect(at({}, { rebound: [5] })).toEqual([0])
    expect(matcher.wanted).toEqual([40])
    expect(at({}, { learned: matcher.learn([{ slot: 40, exe: undefined }]) })).toEqual([])
    expect(at({}, { rebound: [5], learned: matcher.learn([{ slot: 40, exe: '/b' }]) })).toEqual([1])
    // What was learned for another in the slot has nothing to do with it.
    expect(at({ generation: 2 }, { learned: matcher.learn([{ slot: 40, exe: '/a' }]) })).toEqual([])
  })
})

it('numbers are known once learned, for that process', () => {
  const matcher = new LocalMatcher([{ limits: ['nofile'], match: name('a') }])
  const table = new SyntheticTable(8)
  const rows = [
    { slot: 0, pid: 1, name: 'a' },
    { slot: 1, pid: 2, name: 'b' },
  ]
  matcher.tick(table.fill(rows).memory)
  expect(matcher.wanted).toEqual([0])
  expect(matcher.state.match.numbers[0]![0]).toBeNaN()
  matcher.tick(table.fill(rows).memory, { learned: matcher.learn([{ slot: 0, numbers: [1024] }]) })
  expect(matcher.state.match.numbers[0]![0]).toBe(1024)
  matcher.tick(new SyntheticTable(100).fill(rows).memory)
  expect(matcher.state.match.numbers[0]![0]).toBe(1024)
  matcher.tick(table.fill([{ slot: 0, pid: 3, name: 'a', generation: 2 }]).memory)
  expect(matcher.state.match.numbers[0]![0]).toBeNaN()
})

it('a state of other rules takes over what both know', () => {
  const [before, after] = [
    [text('exe', '/a'), text('exe', '/b'), subtree(9), user(1)],
    [user(1), subtree(9), text('exe', '/c'), text('exe', '/b')],
  ].map((matches) => {
    const plan = planMatch(new LocalMatcher(matches).compiled, 0, matches.length)
    const state = mapMatchState(plan, 40, new SharedArrayBuffer(matchStateBytes(plan, 40)), 0)
    return { plan, state }
  })
  if (before === undefined || after === undefined) throw new Error('unreachable')
  before.state.yes.set([1, 0, 2, 3])
  before.state.subtreeYes[39] = 1
  before.state.asked[0] = 7
  before.state.shadows[0]![39] = 1
  carryMatchState(before.state, before.plan, after.state, after.plan, false)
  expect([...after.state.yes]).toEqual([0, 0, 2, 3])
  expect(after.state.subtreeYes[39]).toBe(1)
  expect(after.state.shadows[0]![39]).toBe(1)
  expect(after.state.asked[0]).toBe(0)
})

it('ten thousand rules on a thousand processes are matched in seconds', () => {
  const rules = Array.from({ length: 10_000 }, (_, rule): Match => {
    if (rule % 4 === 0) return all(name(`p${rule % 1000}`), any(user(0), text('exe', `/bin/${rule}`)))
    if (rule % 4 === 1) return all(user(rule % 7), not(name(`p${rule}`)))
    return rule % 4 === 2 ? name(`p${rule % 1000}`) : all(state('DZ'), session(rule % 5))
  })
  const matcher = new LocalMatcher(rules)
  const rows = Array.from({ length: 1000 }, (_, slot) => ({
    slot,
    pid: slot + 1,
    name: `p${slot}`,
    cells: { uid: slot % 7, sid: slot % 5, state: code('S') },
  }))
  const table = new SyntheticTable(1000).fill(rows)
  const startedMs = performance.now()
  const found = matcher.tick(table.memory)
  expect(performance.now() - startedMs).toBeLessThan(20_000)
  expect(found.get(3)!.filter((rule) => rule % 4 === 2)).toEqual(
    Array.from({ length: 10 }, (_, at) => at * 1000 + 2),
  )
})
