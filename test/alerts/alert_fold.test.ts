import { expect, it } from 'vitest'
import { alertKey } from '../../dist/alerts/alert_key.js'
import type { Place } from '../../dist/journal/place.js'
import type { JournalBody, JournalRecord } from '../../dist/journal/records.js'
import { recover } from '../../dist/journal/recover.js'
import { alert, group, identity } from './alert.js'

const place: Place = { bootId: 'boot', pidNamespace: 'pid:[1]' }
const start = (where = place): JournalBody => ({
  type: 'engine-start',
  engine: identity(9),
  place: where,
  ...{ source: 'procfs', intervalMs: 1, dryRun: false, rules: [] },
})
const self = {
  type: 'self',
  userCpuMs: 1,
  systemCpuMs: 1,
  rssBytes: 1,
  ticks: 1,
  missedTicks: 0,
} as JournalBody
const fold = (...bodies: JournalBody[]) =>
  recover(bodies.map((body, i): JournalRecord => ({ v: 1, seq: i + 1, atMs: i, time: '', ...body }))).alerts
const silence = (id: string, untilMs = 1e9) => ({ id, match: { rule: 'r' }, by: 'me', sinceMs: 0, untilMs })

it('keeps silences that nobody has ended and that were not over at a start', () => {
  const { silences } = fold(
    { type: 'silence', silence: silence('a') },
    { type: 'silence', silence: silence('b') },
    { type: 'silence', silence: silence('over', 2) },
    { type: 'unsilence', silenceId: 'b', by: 'me' },
    start(),
  )
  expect(silences.map(({ id }) => id)).toEqual(['a'])
})

it('keeps what fires with its acknowledgement, over starts in the same place', () => {
  const acknowledged = { by: 'me', atMs: 1 }
  const bodies: JournalBody[] = [
    start(),
    { type: 'alert', alert: alert('a') },
    { type: 'alert', alert: alert('b', { identity: identity(2) }) },
    { type: 'alert', alert: alert('g', { identity: undefined, group: group('unit', 'u') }) },
    { type: 'acknowledged', alert: alert('a', { acknowledged }) },
    { type: 'alert-resolved', alert: alert('b', { identity: identity(2), state: 'resolved' }) },
    start(),
  ]
  expect(fold(...bodies).firing).toMatchObject([{ id: 'a', acknowledged }, { id: 'g' }])
  expect(fold(...bodies, start({ ...place, bootId: 'next' })).firing).toMatchObject([{ id: 'g' }])
  expect(fold(...bodies, { type: 'alert', alert: alert('a2') }).firing).toMatchObject([
    { id: 'a2' },
    { id: 'g' },
  ])
})

it('mixes no two subjects up, whatever they are called', () => {
  const keys = [
    alert('a', { rule: 'b:c', identity: undefined, group: group('unit', 'a') }),
    alert('a', { rule: 'c', identity: undefined, group: group('unit', 'a:b') }),
    alert('a', { rule: 'c', identity: undefined, group: group('unit', 'a\nb') }),
    alert('a', { rule: 'c' }),
    alert('a', { rule: 'c', kind: 'died' }),
  ].map(alertKey)
  expect(new Set(keys).size).toBe(keys.length)
})

it('does not keep all silences that ever were, however long a run is', () => {
  const bodies = Array.from(
    { length: 10_000 },
    (_, i): JournalBody => ({
      type: 'silence',
      silence: silence(`s${i}`, i + 10),
    }),
  )
  expect(fold(...bodies).silences.length).toBeLessThanOrEqual(2001)
  expect(fold(...bodies).silences.at(-1)?.id).toBe('s9999')
})

it('knows for how long each was seen to last since it was raised last, over starts that come soon', () => {
  const bodies: JournalBody[] = [
    ...[start(), { type: 'alert', alert: alert('a') }, self, self],
    ...[start(), { type: 'alert', alert: alert('a') }, self, start()],
  ] as JournalBody[]
  const key = alertKey(alert('a'))
  const after = (everyMs: number, more: JournalBody[] = []) =>
    recover(
      [...bodies, ...more].map(
        (body, i): JournalRecord => ({ v: 1, seq: i + 1, atMs: i * everyMs, time: '', ...body }),
      ),
    ).alerts.seenMs
  expect([...after(1000)]).toEqual([[key, 3000]])
  // No run writes that little: the clock was set, or the host suspended.
  expect([...after(200_000)]).toEqual([[key, 270_000]])
  expect([...after(400_000)]).toEqual([])
  // Raised again by the rule's cooldown, it begins anew.
  const again = { type: 'alert', alert: alert('a', { repeats: 1 }) } as JournalBody
  expect([...after(1000, [{ type: 'alert', alert: alert('a') }, self, again, self, start()])]).toEqual([
    [key, 1000],
  ])
  // Not found again by a run, resolved, or of another place, it is over.
  expect([...after(1000, [self, start()])]).toEqual([])
  const resolved = { type: 'alert-resolved', alert: alert('a', { state: 'resolved' }) } as JournalBody
  expect([...after(1000, [{ type: 'alert', alert: alert('a') }, resolved, start()])]).toEqual([])
  expect([...after(1000, [{ type: 'alert', alert: alert('a') }, start({ ...place, bootId: 'b' })])]).toEqual(
    [],
  )
})

it('keeps no more of a long run than the newest alerts, nor for how long they were seen', () => {
  const bodies = Array.from({ length: 30_000 }, (_, i): JournalBody => {
    return { type: 'alert', alert: alert(`${i}`, { kind: 'died', identity: identity(i + 1) }) }
  })
  const { firing, seenMs } = fold(start(), ...bodies, start())
  expect(firing.length).toBeLessThanOrEqual(12_000)
  expect(seenMs.size).toBe(firing.length)
  expect(firing.at(-1)!.id).toBe('29999')
})
