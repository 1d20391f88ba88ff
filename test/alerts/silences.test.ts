import { describe, expect, it } from 'vitest'
import { Alarms } from '../../dist/alerts/alarms.js'
import type { Alert } from '../../dist/alerts/alert.js'
import { type SilenceMatch, Silences } from '../../dist/alerts/silences.js'
import type { JournalBody } from '../../dist/journal/records.js'
import { alert, group, identity } from './alert.js'

const HOUR = 3_600_000

describe('a silence', () => {
  const unit = alert('g', { identity: undefined, group: group('unit', 'a.service'), name: 'unit a.service' })
  const users = new Map([[1, { uid: 33, user: 'www-data' }]])

  it.each<[string, SilenceMatch, Alert, boolean]>([
    ['of a rule', { rule: 'r' }, alert('a'), true],
    ['of another rule', { rule: 'R' }, alert('a'), false],
    ['of a name', { name: 'n' }, alert('a'), true],
    ['of a part of a name', { name: 'n' }, alert('a', { name: 'nn' }), false],
    ['of a pattern', { name: '/^N/i' }, alert('a', { name: 'nn' }), true],
    ['of a pid', { pid: 1 }, alert('a'), true],
    ['of another pid', { pid: 2 }, alert('a'), false],
    ['of a pid, a group', { pid: 1 }, unit, false],
    ['of a user', { user: 'www-data' }, alert('a'), true],
    ['of a uid', { user: 33 }, alert('a'), true],
    ['of a uid as text', { user: '33' }, alert('a'), true],
    ['of another user', { user: 'root' }, alert('a'), false],
    ['of a user, a process that is not known', { user: 33 }, alert('a', { identity: identity(2) }), false],
    ['of a group', { group: 'a.service' }, unit, true],
    ['of a group with its kind', { group: 'unit:a.service' }, unit, true],
    ['of a group of another kind', { group: 'cgroup:a.service' }, unit, false],
    ['of a group, a process', { group: 'a.service' }, alert('a'), false],
    ['of a severity', { severity: 'warning' }, alert('a'), true],
    ['of another severity', { severity: 'critical' }, alert('a'), false],
    ['of several things', { rule: 'r', pid: 1, severity: 'warning' }, alert('a'), true],
    ['of several things, one of which is not', { rule: 'r', pid: 2 }, alert('a'), false],
  ])('%s', (_, match, of, fits) => {
    const silences = new Silences(({ identity }) => users.get(identity?.pid ?? 0))
    silences.add(silences.prepare({ match, forMs: HOUR, by: 'me' }, 's', 0))
    expect(silences.silencing(of, 1) === 's').toBe(fits)
  })

  it('ends at its time, and when it is removed', () => {
    const silences = new Silences()
    silences.add(silences.prepare({ match: { rule: 'r' }, forMs: HOUR, by: 'me', note: 'n' }, 'a', 1000))
    silences.add(silences.prepare({ match: { rule: 'r' }, untilMs: 2 * HOUR, by: 'me' }, 'b', 1000))
    expect(silences.silencing(alert('x'), 1001)).toBe('a')
    expect(silences.hasEnded(HOUR)).toBe(false)
    expect(silences.hasEnded(HOUR + 1000)).toBe(true)
    expect(silences.silencing(alert('x'), HOUR + 1000)).toBe('b')
    expect(silences.list(HOUR + 1000).map(({ id }) => id)).toEqual(['b'])
    expect(silences.remove('b')).toBe(true)
    expect(silences.remove('b')).toBe(false)
    expect(silences.silencing(alert('x'), HOUR + 1000)).toBeUndefined()
  })

  it.each<[string, unknown, string]>([
    ['without a match', { match: {}, forMs: 1, by: 'me' }, 'INVALID_ARGUMENT'],
    ['without a time', { match: { pid: 1 }, by: 'me' }, 'INVALID_ARGUMENT'],
    ['with two times', { match: { pid: 1 }, forMs: 1, untilMs: 2, by: 'me' }, 'INVALID_ARGUMENT'],
    ['of nobody', { match: { pid: 1 }, forMs: 1 }, 'INVALID_ARGUMENT'],
    ['with an unknown key', { match: { pod: 1 }, forMs: 1, by: 'me' }, 'INVALID_ARGUMENT'],
    ['with a broken pattern', { match: { name: '/(/' }, forMs: 1, by: 'me' }, 'INVALID_ARGUMENT'],
    ['that is over', { match: { pid: 1 }, untilMs: 5, by: 'me' }, 'OUT_OF_RANGE'],
    ['for ever', { match: { pid: 1 }, untilMs: 1e300, by: 'me' }, 'OUT_OF_RANGE'],
    ['that is NaN', { match: { pid: 1 }, untilMs: Number.NaN, by: 'me' }, 'INVALID_ARGUMENT'],
  ])('%s is refused', (_, request, code) => {
    expect(() => new Silences().prepare(request, 's', 10)).toThrow(expect.objectContaining({ code }))
  })

  it('is refused in words that name the key and the way out', () => {
    const refused = (request: unknown) => () => new Silences().prepare(request, 's', 10)
    expect(refused({ match: { pid: 1 }, forMs: 1 })).toThrow('silence, by: missing; give a string')
    expect(refused({ match: { pid: 1 }, forMs: '1h', by: 'me' })).toThrow(
      'forMs: "1h" is no number; give a number',
    )
    expect(refused({ match: { rules: 'r' }, forMs: 1, by: 'me' })).toThrow(
      /unknown key "rules" \(did you mean "rule"/,
    )
  })

  it('is one of a bounded number', () => {
    const silences = new Silences()
    for (let i = 0; i < 1000; i++) {
      silences.add(silences.prepare({ match: { pid: 1 }, forMs: HOUR, by: 'me' }, `s${i}`, 0))
    }
    const one = { match: { pid: 1 }, forMs: HOUR, by: 'me' }
    expect(() => silences.prepare(one, 'more', 0)).toThrow(/1000 silences/)
    expect(silences.prepare(one, 'more', HOUR).id).toBe('more')
  })
})

describe('alarms', () => {
  const raised = {
    rule: 'r',
    severity: 'warning',
    kind: 'breach',
    name: 'n',
    values: [],
    message: 'm',
  } as const
  const make = () => {
    const clock = { nowMs: 1000 }
    const silences = new Silences()
    const written: JournalBody[] = []
    const told: Alert[] = []
    const after: Alert[] = []
    const alarms = new Alarms(
      10,
      (body) => written.push(body),
      (alert) => told.push(alert),
      { silences, onSilenceOver: (alert) => after.push(alert), now: () => clock.nowMs },
    )
    return { clock, silences, written, told, after, alarms }
  }

  it('say which silence an alert is under, also in the journal, and hand it on when that is over', () => {
    const { clock, silences, written, told, after, alarms } = make()
    alarms.raise({ ...raised, identity: identity(1) })
    silences.add(silences.prepare({ match: { rule: 'r' }, forMs: HOUR, by: 'me' }, 's', 1000))
    alarms.silencesChanged()
    expect(alarms.list()).toMatchObject([{ silencedBy: 's', state: 'firing' }])
    alarms.raise({ ...raised, identity: identity(1) })
    alarms.raise({ ...raised, identity: identity(2) })
    alarms.resolve('r', 'breach', { identity: identity(2) })
    expect(told.map(({ silencedBy }) => silencedBy)).toEqual([undefined, 's', 's', 's'])
    expect(written).toMatchObject([
      { type: 'alert' },
      { type: 'alert', alert: { silencedBy: 's', repeats: 1 } },
      { type: 'alert', alert: { silencedBy: 's' } },
      { type: 'alert-resolved', alert: { silencedBy: 's' } },
    ])
    clock.nowMs += HOUR
    alarms.silencesChanged()
    expect(after).toMatchObject([{ identity: identity(1), repeats: 1 }])
    expect(after[0]!.silencedBy).toBeUndefined()
    alarms.silencesChanged()
    expect(after).toHaveLength(1)
  })

  it('keep an acknowledgement until the alert is resolved', () => {
    const { told, alarms } = make()
    alarms.raise({ ...raised, identity: identity(1) })
    const { id } = told[0]!
    expect(alarms.acknowledge(id, { by: 'me', atMs: 5, note: 'x' })).toMatchObject({ id, state: 'firing' })
    alarms.raise({ ...raised, identity: identity(1) })
    alarms.resolve('r', 'breach', { identity: identity(1) })
    alarms.raise({ ...raised, identity: identity(1) })
    expect(told.map(({ state, repeats, acknowledged }) => [state, repeats, acknowledged?.by])).toEqual([
      ['firing', 0, undefined],
      ['firing', 1, 'me'],
      ['resolved', 1, 'me'],
      ['firing', 0, undefined],
    ])
    expect(() => alarms.acknowledge(id, { by: 'me', atMs: 6 })).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND', message: expect.stringContaining('did you mean') }),
    )
  })

  it('take over the acknowledgement of an earlier run once, and not for ever', () => {
    const { clock, told, alarms } = make()
    const acknowledged = { by: 'me', atMs: 5 }
    alarms.continueFrom([
      alert('old', { acknowledged }),
      alert('late', { acknowledged, identity: identity(2) }),
      alert('asked', { identity: identity(3) }),
      alert('plain', { identity: identity(4) }),
    ])
    alarms.acknowledge('asked', { by: 'you', atMs: 6 })
    for (const pid of [1, 3, 4]) alarms.raise({ ...raised, identity: identity(pid) })
    expect(told.map((alert) => alert.acknowledged?.by)).toEqual(['me', 'you', undefined])
    alarms.resolve('r', 'breach', { identity: identity(1) })
    alarms.raise({ ...raised, identity: identity(1) })
    clock.nowMs += HOUR + 1
    alarms.raise({ ...raised, identity: identity(2) })
    expect(told.slice(-2).map((alert) => alert.acknowledged)).toEqual([undefined, undefined])
  })
})
