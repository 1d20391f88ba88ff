import { describe, expect, it } from 'vitest'
import { Ladder } from '../../dist/engine/ladder.js'
import { type Aim, targetsOf } from '../../dist/engine/targets.js'
import type { Step } from '../../dist/rules/schema/rule.js'

const steps: Step[] = [
  { type: 'evidence', afterMs: 0 },
  { type: 'signal', signal: 'SIGUSR1', afterMs: 100 },
  { type: 'evidence', afterMs: 300 },
  { type: 'restart', afterMs: 300 },
]

/** What a sequence of fires, clears and ticks comes to: `time: what was due`. */
function play(events: readonly (readonly ['fire' | 'clear' | 'tick', number])[]): string[] {
  const ladder = new Ladder<string>()
  const done: string[] = []
  const note = (atMs: number, due: readonly Step[]) => {
    if (due.length > 0) done.push(`${atMs}: ${due.map(({ type }) => type).join(' ')}`)
  }
  for (const [what, atMs] of events) {
    if (what === 'fire') note(atMs, ladder.fired('r', 's', steps, 'target', atMs).steps)
    else if (what === 'clear') ladder.cleared('r', 's')
    else for (const { steps: due } of ladder.tick(atMs)) note(atMs, due)
  }
  return done
}

it('goes on where an earlier run had come to: what is left of the time, and says so', () => {
  const ladder = new Ladder<string>()
  const { steps: atOnce, planned } = ladder.fired('r', 's', steps, 'target', 1000, 150)
  expect(atOnce.map(({ type }) => type)).toEqual(['evidence'])
  expect(planned.map(({ afterMs }) => afterMs)).toEqual([0, 1, 150, 150])
  expect(ladder.tick(1000).map(({ steps: due }) => due.map(({ type }) => type))).toEqual([['signal']])
  expect(ladder.tick(1149)).toEqual([])
  expect(ladder.tick(1150).map(({ steps: due }) => due.map(({ type }) => type))).toEqual([
    ['evidence', 'restart'],
  ])
})

describe('a ladder', () => {
  it.each<[string, Parameters<typeof play>[0], string[]]>([
    [
      'does the first step at once, the others while the breach lasts, in order',
      [
        ['fire', 0],
        ['tick', 0],
        ['tick', 99],
        ['tick', 100],
        ['tick', 101],
        ['tick', 300],
        ['tick', 900],
      ],
      ['0: evidence', '100: signal', '300: evidence restart'],
    ],
    [
      'makes up for ticks that were missed',
      [
        ['fire', 0],
        ['tick', 5000],
      ],
      ['0: evidence', '5000: signal evidence restart'],
    ],
    [
      'skips what is left once the breach is over',
      [
        ['fire', 0],
        ['tick', 100],
        ['clear', 200],
        ['tick', 900],
      ],
      ['0: evidence', '100: signal'],
    ],
    [
      'begins anew when the rule fires again after that',
      [
        ['fire', 0],
        ['clear', 50],
        ['fire', 80],
        ['tick', 179],
        ['tick', 180],
      ],
      ['0: evidence', '80: evidence', '180: signal'],
    ],
    [
      'keeps the time of later steps when the rule fires again meanwhile',
      [
        ['fire', 0],
        ['fire', 90],
        ['tick', 100],
        ['fire', 250],
        ['tick', 300],
      ],
      ['0: evidence', '90: evidence', '100: signal', '250: evidence', '300: evidence restart'],
    ],
    [
      'begins anew when the rule fires again after the last step',
      [
        ['fire', 0],
        ['tick', 300],
        ['fire', 400],
        ['tick', 499],
        ['tick', 500],
      ],
      ['0: evidence', '300: signal evidence restart', '400: evidence', '500: signal'],
    ],
    [
      'does nothing for what never fired',
      [
        ['clear', 0],
        ['tick', 900],
      ],
      [],
    ],
  ])('%s', (_, events, expected) => {
    expect(play(events)).toEqual(expected)
  })

  it('says what is still to come, each with its time from now', () => {
    const ladder = new Ladder<string>()
    const planned = (atMs: number) =>
      ladder.fired('r', 's', steps, 'target', atMs).planned.map(({ type, afterMs }) => `${type} ${afterMs}`)
    expect(planned(0)).toEqual(['evidence 0', 'signal 100', 'evidence 300', 'restart 300'])
    expect(planned(40)).toEqual(['evidence 0', 'signal 60', 'evidence 260', 'restart 260'])
    ladder.tick(100)
    expect(planned(250)).toEqual(['evidence 0', 'evidence 50', 'restart 50'])
    ladder.tick(300)
    expect(planned(400)).toEqual(['evidence 0', 'signal 100', 'evidence 300', 'restart 300'])
  })

  it('knows rules and subjects apart', () => {
    const ladder = new Ladder<number>()
    ladder.fired('r', 'a', steps, 1, 0)
    ladder.fired('r', 'b', steps, 2, 50)
    ladder.fired('q', 'a', steps, 3, 0)
    ladder.cleared('q', 'a')
    expect([ladder.lasts('r', 'a'), ladder.lasts('q', 'a'), ladder.lasts('r', 'c')]).toEqual([
      true,
      false,
      false,
    ])
    expect(ladder.tick(100).map(({ target }) => target)).toEqual([1])
    expect(ladder.tick(150).map(({ target }) => target)).toEqual([2])
  })
})

describe('whom actions are for', () => {
  const member = (pid: number) => ({
    identity: { pid, startTicks: 1, settled: true },
    name: `n${pid}`,
    value: 9 - pid,
  })
  const group = { kind: 'unit', key: 'a.service', count: 20, members: [1, 2, 3].map(member) } as const

  it('is the process, the largest member of a group, or all members that it names', () => {
    const why = {
      ...{ rule: 'r', decisionId: 'd', reason: '', subject: 's', sinceMs: 0 },
      ...{ isAboutMemory: false, dryRun: false },
    }
    const aimed = (aim: Pick<Aim, 'group' | 'target' | 'members'>) =>
      targetsOf({ why, ...aim }, ({ pid }) => pid * 100).map(({ identity: { pid }, rssBytes, largestOf }) => [
        ...[pid, rssBytes, largestOf],
      ])
    const { members } = group
    expect(aimed({ group: undefined, target: 'largest', members: [member(7)] })).toEqual([
      [7, 700, undefined],
    ])
    expect(aimed({ group, target: 'largest', members })).toEqual([[1, 100, 's']])
    expect(aimed({ group, target: 'largest', members: [] })).toEqual([])
    expect(aimed({ group, target: 'all', members })).toEqual(
      [1, 2, 3].map((pid) => [pid, pid * 100, undefined]),
    )
  })

  it('does later steps for whom it fires last', () => {
    const ladder = new Ladder<string>()
    ladder.fired('r', 's', steps, 'the largest then', 0)
    ladder.fired('r', 's', steps, 'the largest now', 50)
    expect(ladder.tick(100)).toMatchObject([{ target: 'the largest now' }])
  })

  it('counts one interval of a time in which nothing was seen', () => {
    const ladder = new Ladder<string>(1000)
    const later: Step[] = [{ type: 'restart', afterMs: 60_000 }]
    ladder.fired('r', 's', later, 'before the gap', 0)
    expect(ladder.tick(0)).toEqual([])
    expect(ladder.tick(1000)).toEqual([])
    ladder.fired('r', 't', later, 'after it', 900_000)
    expect(ladder.tick(900_000)).toEqual([]) // 2 s have been seen
    for (let atMs = 901_000; atMs < 958_000; atMs += 1000) expect(ladder.tick(atMs)).toEqual([])
    expect(ladder.tick(958_000)).toMatchObject([{ target: 'before the gap' }])
    expect(ladder.tick(959_000)).toEqual([])
    expect(ladder.tick(960_000)).toMatchObject([{ target: 'after it' }])
  })
})
