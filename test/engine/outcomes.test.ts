import { describe, expect, it } from 'vitest'
import { type Ended, Outcomes } from '../../dist/engine/outcomes.js'
import { reliefOf, type Seen } from '../../dist/engine/relief_of.js'
import type { BreachedAgainBody, OutcomeBody } from '../../dist/journal/action_records.js'

const identity = (pid: number, startTicks = 1) => ({ pid, startTicks, settled: true })
const restarted: Ended = {
  ...{
    action: 'restart',
    actionId: 'a',
    rule: 'r',
    identity: identity(1),
    name: 'n',
    successor: identity(2),
  },
  ...{
    exitedInMs: 5,
    endedBy: 'SIGTERM',
    isAboutMemory: true,
    rssBeforeBytes: 1000,
    hostAvailableBeforeBytes: 50,
  },
}
const rss = (rssBytes: number) => () => ({ rssBytes, isZombie: false })

function follow(ended: Ended = restarted, passedMs = 0) {
  const told: OutcomeBody[] = []
  const again: BreachedAgainBody[] = []
  const outcomes = new Outcomes({
    windowMs: 100,
    onOutcome: (outcome) => told.push(outcome),
    onBreachedAgain: (body) => again.push(body),
    hostAvailableBytes: () => 90,
  })
  outcomes.track(ended, 0, passedMs)
  return { outcomes, told, again }
}

describe('the outcome of a restart', () => {
  it('says what the memory came to when the window is over', () => {
    const { outcomes, told } = follow()
    outcomes.tick(() => undefined, 0) // not in the sample that was under way
    outcomes.tick(rss(10), 50)
    expect(told).toEqual([])
    outcomes.tick(rss(20), 100)
    outcomes.tick(rss(30), 150)
    const { isAboutMemory: _, ...head } = restarted
    expect(told).toEqual([
      {
        ...{ type: 'outcome', ...head, rssAfterBytes: 20, hostAvailableAfterBytes: 90 },
        ...{ breachedAgain: false, successorGone: false, observedMs: 100, relieved: true },
        reasons: ['no breach for 100 ms', 'memory came back: 1000 B before, 20 B now'],
      },
    ])
  })

  it('counts no time in which the engine was stopped: nobody saw that the successor kept quiet', () => {
    const told: OutcomeBody[] = []
    const outcomes = new Outcomes({
      ...{ windowMs: 60_000, intervalMs: 1000, onOutcome: (outcome: OutcomeBody) => told.push(outcome) },
      ...{ onBreachedAgain: () => {}, hostAvailableBytes: () => 90 },
    })
    outcomes.tick(rss(10), 0)
    outcomes.track(restarted, 0)
    outcomes.tick(rss(10), 1000)
    outcomes.tick(rss(10), 600_000)
    expect(told).toEqual([])
    for (let atMs = 601_000; told.length === 0 && atMs < 700_000; atMs += 1000) outcomes.tick(rss(10), atMs)
    expect(told).toMatchObject([{ observedMs: 60_000, relieved: true }])
  })

  it('is told at once when the successor breaches the same rule again', () => {
    const { outcomes, told } = follow()
    outcomes.breached('another', identity(2), 5, 10)
    outcomes.breached('r', identity(2, 9), 5, 10)
    expect(told).toEqual([])
    outcomes.breached('r', identity(2), 990, 20)
    expect(told).toMatchObject([{ breachedAgain: true, rssAfterBytes: 990, observedMs: 20, relieved: false }])
    outcomes.tick(rss(990), 30)
    expect(told).toHaveLength(1)
  })

  it('is told when the successor ends, and when nobody can look any longer', () => {
    const gone = follow()
    gone.outcomes.tick(rss(10), 10)
    gone.outcomes.tick(() => undefined, 20)
    expect(gone.told).toEqual([])
    gone.outcomes.tick(() => undefined, 30)
    expect(gone.told).toMatchObject([{ successorGone: true, rssAfterBytes: 10, relieved: 'unknown' }])
    const closed = follow()
    closed.outcomes.tick(rss(10), 20)
    closed.outcomes.close(30)
    closed.outcomes.close(40)
    expect(closed.told).toMatchObject([{ observedMs: 30, relieved: 'unknown' }])
  })

  it('was not seen to keep quiet where no sample had the successor', () => {
    const closed = follow()
    closed.outcomes.close(30)
    const late = follow()
    late.outcomes.tick(() => undefined, 100)
    for (const { told } of [closed, late]) {
      expect(told).toMatchObject([{ successorGone: false, observedMs: 0, relieved: 'unknown' }])
    }
  })

  it('is followed on: a later breach is told once, with its time', () => {
    const { outcomes, told, again } = follow()
    outcomes.tick(rss(10), 100)
    outcomes.breached('r', identity(2), 990, 7000)
    outcomes.breached('r', identity(2), 990, 8000)
    expect(told).toHaveLength(1)
    expect(again).toEqual([
      { type: 'breached-again', actionId: 'a', rule: 'r', identity: identity(2), name: 'n', afterMs: 7000 },
    ])
  })
})

describe('the outcome of a restart of an earlier run', () => {
  it('counts from the restart when the successor breaches again in the window', () => {
    const { outcomes, told } = follow(restarted, 60)
    outcomes.breached('r', identity(2), 990, 30)
    expect(told).toMatchObject([{ breachedAgain: true, relieved: false, observedMs: 90 }])
    expect(told[0]!.reasons![0]).toBe('it breached the rule again after 90 ms')
  })

  it('is unknown at once when the window was over before this run; a breach is a later one', () => {
    const { outcomes, told, again } = follow(restarted, 5000)
    expect(told).toMatchObject([{ breachedAgain: false, relieved: 'unknown', observedMs: 0 }])
    outcomes.breached('r', identity(2), 990, 3)
    outcomes.tick(rss(10), 200)
    expect(told).toHaveLength(1)
    expect(again).toMatchObject([{ actionId: 'a', afterMs: 5003 }])
  })

  it('is of use only when the whole of a window was seen, and a breach after the window tells nothing', () => {
    const quiet = follow(restarted, 60)
    quiet.outcomes.tick(rss(10), 50)
    expect(quiet.told).toEqual([])
    quiet.outcomes.tick(rss(10), 100)
    expect(quiet.told).toMatchObject([{ relieved: true, observedMs: 100 }])
    const late = follow(restarted, 60)
    late.outcomes.breached('r', identity(2), 990, 50)
    expect(late.told).toMatchObject([{ breachedAgain: false, relieved: 'unknown', observedMs: 50 }])
    expect(late.again).toMatchObject([{ afterMs: 110 }])
  })

  it('is unknown when the successor has gone meanwhile, whenever that was', () => {
    const { outcomes, told } = follow(restarted, 60)
    outcomes.tick(() => undefined, 1)
    outcomes.tick(() => undefined, 2)
    expect(told).toMatchObject([{ successorGone: true, relieved: 'unknown' }])
    expect(told[0]!.reasons![0]).toBe('the successor had ended when it was looked for first')
  })
})

describe('the outcome of a signal', () => {
  const signalled: Ended = { ...restarted, action: 'signal', successor: undefined, exitedInMs: undefined }

  it.each([
    ['gone', () => undefined],
    ['a zombie', () => ({ rssBytes: 0, isZombie: true })],
  ])('says when the process ended: %s', (_, look) => {
    const { outcomes, told } = follow(signalled)
    outcomes.tick(rss(1000), 10)
    outcomes.tick(look, 30)
    expect(told).toMatchObject([{ exitedInMs: 30, rssAfterBytes: 0, relieved: true, successorGone: false }])
  })

  it('says that it did not', () => {
    const { outcomes, told } = follow(signalled)
    outcomes.tick(rss(1000), 100)
    expect(told).toMatchObject([
      { exitedInMs: undefined, relieved: false, reasons: ['it had not ended after 100 ms'] },
    ])
  })
})

describe('relief', () => {
  const seen: Seen = {
    ...{ action: 'restart', exitedInMs: 1, isAboutMemory: true, rssBeforeBytes: 100, rssAfterBytes: 90 },
    ...{ breachedAgain: false, successorGone: false, goneBeforeSeen: false },
    ...{ observedMs: 60, windowMs: 60 },
  }
  it.each<[Partial<Seen>, boolean | 'unknown']>([
    [{}, true],
    [{ rssAfterBytes: 91 }, 'unknown'],
    [{ rssAfterBytes: undefined }, 'unknown'],
    [{ rssBeforeBytes: undefined }, 'unknown'],
    [{ rssAfterBytes: 91, isAboutMemory: false }, true],
    [{ rssAfterBytes: undefined, isAboutMemory: false }, true],
    [{ breachedAgain: true, observedMs: 3 }, false],
    [{ successorGone: true, observedMs: 3 }, 'unknown'],
    [{ successorGone: true, goneBeforeSeen: true }, 'unknown'],
    [{ observedMs: 59 }, 'unknown'],
    [{ action: 'signal' }, true],
    [{ action: 'signal', exitedInMs: undefined }, false],
    [{ action: 'signal', exitedInMs: undefined, observedMs: 10 }, 'unknown'],
  ])('of %o: %s', (changes, expected) => {
    const { relieved, reasons } = reliefOf({ ...seen, ...changes })
    expect(relieved).toBe(expected)
    expect(reasons.length).toBeGreaterThan(0)
  })
})
