import { describe, expect, it } from 'vitest'
import { Governor } from '../../dist/actions/governor.js'
import { checkGovernor, effectiveLimits, type GovernorOptions } from '../../dist/actions/governor_options.js'
import type { RestartRequest } from '../../dist/actions/governor_types.js'
import { GovernorReplay } from '../../dist/journal/governor_replay.js'
import type { JournalBody, JournalRecord } from '../../dist/journal/records.js'

const place = { bootId: 'boot', pidNamespace: 'pid:[1]' }
const life = (startTicks: number, pid = 7) => ({ pid, startTicks, settled: true })
const who = (startTicks: number) => ({ rule: 'r', identity: life(startTicks), name: 'n' })
const start = (bootId = 'boot'): JournalBody => ({
  ...{ type: 'engine-start', engine: { pid: 1, startTicks: 1 }, place: { ...place, bootId } },
  ...{ source: 'procfs', intervalMs: 1, dryRun: false, rules: [] },
})
const begun = (id: number, group?: string): JournalBody => ({
  ...{
    type: 'action-begun',
    actionId: `a${id}`,
    decisionId: 'd',
    action: 'restart',
    place,
    parameters: {},
    group,
  },
  ...who(id),
})
const done = (id: number): JournalBody => ({
  ...{ type: 'action-done', actionId: `a${id}`, action: 'restart', status: 'done', successor: life(id + 1) },
  ...who(id),
})
const outcome = (id: number, relieved: boolean): JournalBody => ({
  ...{
    type: 'outcome',
    actionId: `a${id}`,
    action: 'restart',
    successor: life(id + 1),
    endedBy: 'SIGTERM',
    relieved,
  },
  ...{ breachedAgain: !relieved, successorGone: false, observedMs: 1, ...who(id) },
})

/** The governor of a run that comes after these records, each written at the time before it. */
function startedAfter(
  timed: readonly (readonly [number, JournalBody])[],
  options: GovernorOptions = {},
  nowMs = 10_000,
  wallNowMs = nowMs,
) {
  const governor = new Governor(checkGovernor({ ...options, limits: { jitterMs: 0, ...options.limits } }), {
    members: () => undefined,
    onChange: () => {},
  })
  const replay = new GovernorReplay(governor)
  timed.forEach(([atMs, body], index) => {
    replay.add({ v: 1, seq: index + 1, atMs, time: '', ...body } as JournalRecord)
  })
  replay.finish(place, nowMs, wallNowMs)
  governor.tick(nowMs)
  const request = (startTicks: number, more: Partial<RestartRequest> = {}): RestartRequest => ({
    ...{
      ...who(startTicks),
      severity: 'warning',
      rssBytes: 1,
      sinceMs: nowMs,
      wantedMs: nowMs,
      group: undefined,
    },
    ...{ inBurst: false, limits: effectiveLimits({}, governor.settings.limits), ...more },
  })
  return {
    governor,
    admit: (startTicks: number, more?: Partial<RestartRequest>) =>
      governor.admit(request(startTicks, more), nowMs),
  }
}

describe('a governor after a start anew', () => {
  it('has the backoff of a lineage where it was', () => {
    const history = [
      [0, start()],
      [100, begun(1)],
      [200, done(1)],
      [300, begun(2)],
      [400, done(2)],
    ] as const
    const limits = { backoffFirstMs: 20_000, backoffMaxMs: 100_000 }
    expect(startedAfter(history, { limits }).admit(3)).toMatchObject({ bound: 'backoff', untilMs: 40_400 })
    expect(startedAfter(history, { limits }).admit(2)).toEqual({ kind: 'now' }) // nobody has that identity any more
  })

  it('counts what was restarted, on the host and in the group', () => {
    const history = [
      [0, start()],
      [9_000, begun(1, 'unit:a')],
      [9_100, done(1)],
    ] as const
    const options = { perWindow: { max: 1, windowMs: 5000 } }
    expect(startedAfter(history, options).admit(99)).toMatchObject({ bound: 'host-stop' })
    const limits = effectiveLimits({ perGroupWindow: { max: 1, windowMs: 5000 } }, checkGovernor().limits)
    expect(startedAfter(history).admit(99, { group: 'unit:a', limits })).toMatchObject({
      bound: 'group-window',
      untilMs: 14_000,
    })
    expect(startedAfter(history).admit(99, { group: 'unit:b', limits })).toEqual({ kind: 'now' })
  })

  it('counts a restart that is not over', () => {
    const { governor, admit } = startedAfter(
      [
        [0, start()],
        [100, begun(1)],
      ],
      { concurrent: 1 },
    )
    expect(admit(99)).toMatchObject({ bound: 'host-concurrent' })
    governor.ended(life(1), 'given-up', undefined, 10_000)
    expect(admit(99)).toEqual({ kind: 'now' })
  })

  it('goes on counting restarts without relief', () => {
    const two = [1, 2].flatMap(
      (id) =>
        [
          [id, begun(id)],
          [id, done(id)],
          [id, outcome(id, false)],
        ] as const,
    )
    const { governor, admit } = startedAfter([[0, start()], ...two, [3, begun(3)], [3, done(3)]])
    governor.judged('r', life(4), false, 1000, 10_000)
    expect(admit(99)).toMatchObject({ bound: 'suspended' })
  })

  it.each([
    ['still suspended', 20_000, [], 'suspended'],
    ['resumed by then', 9_000, [], undefined],
    [
      'resumed by request',
      20_000,
      [[6000, { type: 'resumed', scope: 'rule', rule: 'r', by: 'request' }]],
      undefined,
    ],
  ] as const)('has a rule %s', (_, untilMs, more, bound) => {
    const suspended: JournalBody = { type: 'suspended', scope: 'rule', rule: 'r', reason: 'x', untilMs }
    const verdict = startedAfter([
      [0, start()],
      [5000, suspended],
      ...more.map(([atMs, body]): [number, JournalBody] => [atMs, body]),
    ]).admit(1)
    expect('bound' in verdict ? verdict.bound : undefined).toBe(bound)
  })

  it('leaves alone what was given up, and lets the host rest', () => {
    const history = [
      [0, start()],
      [1, begun(1)],
      [2, done(1)],
    ] as const
    const gaveUp: JournalBody = {
      type: 'suspended',
      scope: 'process',
      reason: 'x',
      untilMs: 20_000,
      ...who(2),
    }
    expect(startedAfter([...history, [3, gaveUp]]).admit(2)).toMatchObject({
      bound: 'gave-up',
      untilMs: 20_000,
    })
    const stop: JournalBody = { type: 'suspended', scope: 'host', rule: 'r', reason: 'x', untilMs: 20_000 }
    expect(startedAfter([...history, [3, stop]]).admit(99)).toMatchObject({
      bound: 'host-stop',
      untilMs: 20_000,
    })
  })

  it('knows no process of an earlier boot', () => {
    const limits = { backoffFirstMs: 20_000 }
    const history = [
      [0, start('earlier')],
      [9_000, begun(1)],
      [9_000, done(1)],
      [9_100, begun(2)],
      [9_500, start()],
    ] as const
    const { governor, admit } = startedAfter(history, { limits })
    expect(governor.running).toBe(0)
    expect(admit(2)).toEqual({ kind: 'now' })
  })

  it('is not held up by times that lie ahead, when the clock was set back', () => {
    const history = [
      [1e12, start()],
      [1e12, begun(1)],
      [1e12, done(1)],
    ] as const
    const { admit } = startedAfter(history, {
      perWindow: { max: 1, windowMs: 5000 },
      coolMs: 0,
      limits: { backoffFirstMs: 100 },
    })
    expect(admit(2)).toMatchObject({ bound: 'backoff', untilMs: 10_100 })
    expect(admit(99)).toMatchObject({ bound: 'host-stop', untilMs: 15_000 })
    const suspended: JournalBody = {
      type: 'suspended',
      scope: 'rule',
      rule: 'r',
      reason: 'x',
      untilMs: 1e12 + 500,
    }
    expect(
      startedAfter([
        [1e12, start()],
        [1e12, suspended],
      ]).admit(1),
    ).toMatchObject({
      bound: 'suspended',
      untilMs: 10_500,
    })
  })

  const HOUR = 3_600_000
  const restarts = (...times: readonly number[]) =>
    times.flatMap(
      (atMs, index) =>
        [
          [atMs, begun(index + 1)],
          [atMs, done(index + 1)],
        ] as const,
    )
  const flaps = { limits: { flapMax: 3, flapWindowMs: HOUR, backoffFirstMs: 0, backoffMaxMs: 0 } }

  it('keeps the distances of times that lie ahead', () => {
    // Three within eight hours, of which the clock has been set back since: no three within an hour.
    const ahead = restarts(100 * HOUR, 104 * HOUR, 108 * HOUR)
    expect(startedAfter([[100 * HOUR, start()], ...ahead], flaps, 99 * HOUR).admit(4)).toEqual({
      kind: 'now',
    })
    const close = restarts(100 * HOUR, 100.2 * HOUR, 100.4 * HOUR)
    expect(startedAfter([[100 * HOUR, start()], ...close], flaps, 99 * HOUR).admit(4)).toMatchObject({
      bound: 'gave-up',
    })
  })

  it('keeps them too when the clock was set back while an engine ran', () => {
    const history = [[100 * HOUR, start()], ...restarts(100 * HOUR, 104 * HOUR, 10 * HOUR)] as const
    const { admit } = startedAfter(history, flaps, 10.1 * HOUR)
    expect(admit(4)).toEqual({ kind: 'now' })
    const close = [[100 * HOUR, start()], ...restarts(100 * HOUR, 100.2 * HOUR, 10 * HOUR)] as const
    expect(startedAfter(close, flaps, 10.1 * HOUR).admit(4)).toMatchObject({ bound: 'gave-up' })
  })

  it.each([
    ['back', 20 * HOUR, 10 * HOUR],
    ['forward', 10 * HOUR, 20 * HOUR],
  ])('has no other budget where the clock was set %s in the life of its process', (_, nowMs, wallNowMs) => {
    const history = [[wallNowMs - 2000, start()], ...restarts(wallNowMs - 1000)] as const
    const limits = effectiveLimits({ perWindow: { max: 1, windowMs: 5000 } }, checkGovernor().limits)
    const { admit } = startedAfter(history, {}, nowMs, wallNowMs)
    expect(admit(99, { limits })).toMatchObject({ bound: 'rule-window', untilMs: nowMs + 4000 })
    const suspended: JournalBody = {
      ...{ type: 'suspended', scope: 'rule', rule: 'r', reason: 'x', untilMs: wallNowMs + 500 },
    }
    expect(startedAfter([[wallNowMs, suspended]], {}, nowMs, wallNowMs).admit(1)).toMatchObject({
      bound: 'suspended',
      untilMs: nowMs + 500,
    })
  })
})
