import { describe, expect, it } from 'vitest'
import { Advisor, stateAsked } from '../../dist/engine/advisor.js'
import { exclusions } from '../../dist/engine/decision_record.js'
import type { Alert, ClauseValue } from '../../dist/index.js'
import { identify, Sampler } from '../../dist/index.js'
import { waitFor } from '../fixtures/processes.js'

const clause = (rest: Partial<ClauseValue>): ClauseValue => ({
  ...{ text: 'x', operand: 'rssBytes', op: '>', unit: 'bytes', value: 1, threshold: 0, truth: true },
  ...rest,
})
const inState = (letter: string) =>
  clause({ operand: 'state', op: '==', unit: 'state', value: letter.charCodeAt(0) })

describe('advice', () => {
  it('is for rules that ask for a state that there is advice about, by the clauses that held', () => {
    const cases: [ClauseValue[], 'Z' | 'D' | undefined][] = [
      [[], undefined],
      [[clause({})], undefined],
      [[inState('Z')], 'Z'],
      [[inState('D')], 'D'],
      [[inState('R')], undefined],
      [[{ ...inState('Z'), truth: false }], undefined],
      [[{ ...inState('Z'), op: '!=' }], undefined],
      [[clause({}), clause({ operand: 'stateSeconds(D)', unit: 's' })], 'D'],
      [[clause({ operand: 'stateSeconds(DZ)', unit: 's' })], undefined],
      [[clause({ operand: 'stateSeconds(Z)', unit: 's', truth: undefined })], undefined],
    ]
    for (const [clauses, state] of cases) expect(stateAsked(clauses)).toBe(state)
  })

  it('is waited for, but not past the end of the breach or of the engine; each alert is raised once', async () => {
    const identity = await identify(process.pid)
    const raised: Pick<Alert, 'rule' | 'advice'>[] = []
    const advisor = new Advisor({ raise: (alert) => raised.push(alert) })
    const sampler = await Sampler.open({ source: 'procfs' })
    try {
      const table = await sampler.sample()
      const breach = (rule: string, values: ClauseValue[]) =>
        advisor.raise(
          { rule, severity: 'warning', kind: 'breach', identity, name: 'n', values, message: '' },
          table,
        )
      const rules = () => raised.map(({ rule }) => rule)
      breach('plain', [clause({})])
      expect(rules()).toEqual(['plain'])
      breach('advised', [inState('D')])
      breach('over', [inState('D')])
      breach('closed', [inState('Z')])
      advisor.settle('over', { identity, group: undefined })
      expect(rules()).toEqual(['plain', 'over'])
      await waitFor(() => rules().includes('advised'))
      expect(raised.find(({ rule }) => rule === 'advised')?.advice?.length).toBeGreaterThan(0)
      breach('gone', [inState('D')])
      advisor.settleGone(identity.pid, identity.startTicks)
      breach('last', [inState('D')])
      advisor.close()
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(rules().sort()).toEqual(['advised', 'closed', 'gone', 'last', 'over', 'plain'])
    } finally {
      await sampler.close()
    }
  })
})

describe('the record of a decision', () => {
  it('says what could not be taken into account, and why', () => {
    const unknown = { truth: undefined, value: undefined }
    const identity = { pid: 3, startTicks: 4, settled: true }
    const group = {
      ...({ kind: 'unit', key: 'web.service', count: 2 } as const),
      members: [
        { identity, name: 'read', value: 1 },
        { identity, name: 'unread', value: undefined },
      ],
    } as const
    const clauses = [
      clause({}),
      clause({ ...unknown, text: 'a' }),
      clause({ ...unknown, text: 'b', windowMs: 60_000 }),
    ]
    expect(exclusions(clauses, group, 'condition')).toEqual([
      { what: 'clause', name: 'a', why: 'unreadable' },
      { what: 'clause', name: 'b', why: 'window' },
      { what: 'member', name: 'unread', pid: 3, why: 'unreadable' },
    ])
    expect(exclusions(clauses, undefined, 'gone').map(({ why }) => why)).toEqual(['gone', 'gone'])
  })
})
