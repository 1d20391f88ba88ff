import { expect, it } from 'vitest'
import type { ActionTarget } from '../../dist/actions/context.js'
import { now } from '../../dist/engine/clock.js'
import { EarlierSteps } from '../../dist/engine/earlier_steps.js'
import type { JournalBody, JournalRecord } from '../../dist/journal/records.js'
import { recover } from '../../dist/journal/recover.js'
import type { CheckedRule, Step } from '../../dist/rules/schema/rule.js'
import { alert, identity } from '../alerts/alert.js'

const place = { bootId: 'boot', pidNamespace: 'pid:[1]' }
const start = { type: 'engine-start', place, rules: ['r'] } as unknown as JournalBody
const begun = (signal: string): JournalBody => ({
  ...{ type: 'action-begun', actionId: signal, decisionId: 'd', action: 'signal', rule: 'r', name: 'n' },
  ...{ identity: identity(1), place, parameters: { signal } },
})
const step = (signal: 'SIGHUP' | 'SIGUSR1'): Step => ({ type: 'signal', signal, afterMs: 0 })
const target = { rule: 'r', identity: identity(1), subject: '1:1' } as ActionTarget

/** After a journal whose records are ten seconds apart, the last of them some time ago. */
function earlierSteps(
  bodies: readonly JournalBody[],
  { cooldown, agoMs = 0, here = place }: { cooldown?: number; agoMs?: number; here?: typeof place } = {},
): EarlierSteps {
  const firstMs = Date.now() - agoMs - (bodies.length - 1) * 10_000
  const records = bodies.map(
    (body, i): JournalRecord => ({ v: 1, seq: i + 1, atMs: firstMs + i * 10_000, time: '', ...body }),
  )
  return new EarlierSteps(recover(records), here, {
    get: () => ({ checked: { cooldown } as CheckedRule }) as never,
  })
}
const lasting = [start, { type: 'alert', alert: alert('a') } as JournalBody, begun('SIGHUP')]

it('a step that was begun is not done again while the cooldown lasts; it is asked once', () => {
  const steps = earlierSteps([start, begun('SIGHUP')], { cooldown: 60_000 })
  expect(steps.whyNot(target, step('SIGUSR1'))).toBeUndefined()
  expect(steps.whyNot({ ...target, identity: identity(1, 2) }, step('SIGHUP'))).toBeUndefined()
  expect(steps.whyNot(target, step('SIGHUP'))).toMatch(
    /^an earlier run did it .* ago, and the cooldown is 60 s$/,
  )
  expect(steps.whyNot(target, step('SIGHUP'))).toBeUndefined()
})

it.each<[string, readonly JournalBody[], Parameters<typeof earlierSteps>[1]]>([
  ['the cooldown is over', lasting, { cooldown: 60_000, agoMs: 60_000 }],
  ['the breach was resolved', [...lasting, { type: 'alert-resolved', alert: alert('a') } as JournalBody], {}],
  ['the breach was seen too long ago', lasting, { agoMs: 3_600_000 }],
  ['the host was started anew', lasting, { here: { ...place, bootId: 'other' } }],
])('a step is done again when %s', (_, bodies, options) => {
  expect(earlierSteps(bodies, options).whyNot(target, step('SIGHUP'))).toBeUndefined()
})

it('a step is not done again while the breach is the same', () => {
  expect(earlierSteps(lasting).whyNot(target, step('SIGHUP'))).toMatch(/and the breach is the same$/)
})

it('a breach goes on where the start came soon, and the run finds it at once', () => {
  const self = { type: 'self' } as JournalBody
  expect(earlierSteps([...lasting, self, start]).seenMs('r', '1:1', now())).toBe(20_000)
  expect(earlierSteps([...lasting, self, start]).seenMs('r', '1:1', now() + 400_000)).toBe(0)
  expect(earlierSteps([...lasting, self, start]).seenMs('other', '1:1', now())).toBe(0)
})
