import fc from 'fast-check'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import { Alarms } from '../../dist/alerts/alarms.js'
import type { Alert } from '../../dist/alerts/alert.js'
import { Alerting, type PendingBreach } from '../../dist/alerts/alerting.js'
import type { JournalBody } from '../../dist/journal/records.js'
import { recover } from '../../dist/journal/recover.js'
import { group, identity } from './alert.js'

const pending: PendingBreach[] = [
  { rule: 'r', severity: 'warning', name: 'a\nb', identity: identity(1), sinceMs: 5 },
  { rule: 'q', severity: 'critical', name: 'unit u', group: group('unit', 'u'), sinceMs: 9 },
]

it('lists what is pending only when asked, from its source', () => {
  const alerting = new Alerting({
    ...{ capacity: 10, notifiers: [], log: pino({ level: 'silent' }) },
    ...{ note: () => {}, tell: () => {}, onNotifyFailed: () => {}, onError: () => {} },
    ...{ ruleNames: () => ['r', 'q'], pending: () => pending, userOf: () => undefined, resume: () => false },
  })
  expect(alerting.list()).toEqual([])
  const listed = alerting.list({ state: 'pending' })
  expect(listed).toMatchObject([
    { state: 'pending', rule: 'q', group: { key: 'u' }, atMs: 9 },
    { state: 'pending', rule: 'r', identity: identity(1), message: expect.stringContaining('"a\\nb"') },
  ])
  expect(new Set(listed.map(({ id }) => id)).size).toBe(2)
  expect(alerting.list({ state: 'pending', severity: 'warning', limit: 1 })).toMatchObject([{ rule: 'r' }])
  expect(alerting.list({ state: 'pending', pid: 2 })).toEqual([])
})

type Step = { readonly do: 'raise' | 'resolve' | 'acknowledge'; readonly rule: string; readonly pid: number }

/** What has to be true, written apart: one alert per rule and process, from its first raise to its resolution. */
class NaiveAlarms {
  readonly firing = new Map<string, { repeats: number; acknowledged: boolean }>()
  begun = 0

  step({ do: what, rule, pid }: Step): void {
    const key = `${rule} ${pid}`
    const alert = this.firing.get(key)
    if (what === 'resolve') this.firing.delete(key)
    else if (what === 'acknowledge') alert && Object.assign(alert, { acknowledged: true })
    else if (alert) alert.repeats++
    else {
      this.firing.set(key, { repeats: 0, acknowledged: false })
      this.begun++
    }
  }
}

it('keeps the same alerts as a naive model, in the book and by the journal', () => {
  const step: fc.Arbitrary<Step> = fc.record({
    do: fc.constantFrom('raise', 'raise', 'resolve', 'acknowledge'),
    rule: fc.constantFrom('r', 'q'),
    pid: fc.integer({ min: 1, max: 4 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 8 }), (steps, capacity) => {
      const written: JournalBody[] = []
      const alarms = new Alarms(
        capacity,
        (body) => written.push(body),
        () => {},
      )
      const naive = new NaiveAlarms()
      const ids = new Map<string, string>()
      for (const each of steps) {
        const { rule, pid } = each
        const subject = { identity: identity(pid) }
        naive.step(each)
        if (each.do === 'resolve') alarms.resolve(rule, 'breach', subject)
        else if (each.do === 'raise') {
          alarms.raise({
            ...subject,
            rule,
            kind: 'breach',
            severity: 'info',
            name: 'n',
            values: [],
            message: '',
          })
          const { alert } = written.at(-1) as { alert: Alert }
          ids.set(`${rule} ${pid}`, alert.id)
        } else if (alarms.isFiring(rule, 'breach', subject)) {
          const alert = alarms.acknowledge(ids.get(`${rule} ${pid}`)!, { by: 'me', atMs: 1 })
          written.push({ type: 'acknowledged', alert })
        }
        expect(alarms.isFiring(rule, 'breach', subject)).toBe(naive.firing.has(`${rule} ${pid}`))
      }
      const { firing } = recover(
        written.map((body, seq) => ({ v: 1, seq, atMs: seq, time: '', ...body }) as const),
      ).alerts
      const shown = firing.map(({ rule, identity, repeats, acknowledged }) => [
        `${rule} ${identity!.pid}`,
        { repeats, acknowledged: acknowledged !== undefined },
      ])
      expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(naive.firing))
      expect(new Set(written.map((body) => (body as { alert: Alert }).alert.id)).size).toBe(naive.begun)
      expect(alarms.list().length).toBeLessThanOrEqual(capacity)
    }),
  )
})
