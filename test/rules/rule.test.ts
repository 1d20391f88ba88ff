import { describe, expect, it } from 'vitest'
import { checkRules, groupsNeeded, ruleSchema } from '../../dist/index.js'

const when = 'rss > 1GiB'

describe('a rule', () => {
  it('gets its defaults, and its condition parsed', () => {
    expect(checkRules([{ name: 'r', when }])).toEqual([
      {
        name: 'r',
        match: {},
        when: {
          clauses: [{ column: 'rssBytes', op: '>', threshold: 2 ** 30, ofMemory: false }],
          forMs: 0,
        },
        severity: 'warning',
        actions: [],
      },
    ])
  })

  it('takes actions by name and as objects', () => {
    const actions = [
      'evidence',
      'restart',
      { type: 'restart', graceMs: 500 },
      { type: 'signal', signal: 'SIGUSR1' },
      { type: 'signal', signal: 10 },
      { type: 'priority', nice: 10 },
      { type: 'limit', resource: 'nofile', soft: 100, hard: 'unlimited' },
    ] as const
    expect(checkRules([{ name: 'r', when, actions }])[0]!.actions).toEqual([
      { type: 'evidence' },
      { type: 'restart' },
      ...actions.slice(2),
    ])
  })

  it.each([
    ['5m', 300_000],
    [1500, 1500],
    ['0s', 0],
  ])('takes the cooldown %j', (cooldown, ms) => {
    expect(ruleSchema.parse({ name: 'r', when, cooldown }).cooldown).toBe(ms)
  })

  it.each([
    [{ name: 'r', when, wehn: 1 }, /rule "r".*wehn/],
    [{ when }, /rule 1, name/],
    [{ name: '', when }, /name/],
    [{ name: 'a\u001b[2J', when }, /no control characters/],
    [{ name: 'r' }, /rule "r", when/],
    [{ name: 'r', when: 5 }, /rule "r", when/],
    [{ name: 'r', when: 'rss > ' }, /rule "r", when: condition "rss > ", at the end: expected a number/],
    [{ name: 'r', when, cooldown: '5 minutes' }, /rule "r", cooldown/],
    [{ name: 'r', when, cooldown: -1 }, /cooldown/],
    [{ name: 'r', when, severity: 'bad' }, /severity/],
    [{ name: 'r', when, match: { pid: 0 } }, /match.pid/],
    [{ name: 'r', when, match: { startTicks: 5 } }, /startTicks needs a pid/],
    [{ name: 'r', when, match: { name: '/(/' } }, /match.name: error parsing regexp/],
    [{ name: 'r', when, match: { name: '/a/g' } }, /match.name: flags of a name pattern/],
    [{ name: 'r', when, match: { commandLine: '[' } }, /match.commandLine: error parsing regexp/],
    [{ name: 'r', when, match: { exe: 'x' } }, /exe/],
    [{ name: 'r', when, actions: ['reboot'] }, /actions.0: an action is 'evidence'/],
    [{ name: 'r', when, actions: [{ type: 'signal', signal: 'SIGFOO' }] }, /SIGFOO|an action is/],
    [{ name: 'r', when, actions: [{ type: 'priority', nice: 20 }] }, /actions/],
    [{ name: 'r', when, actions: [{ type: 'limit', resource: 'nofile' }] }, /actions/],
    [{ name: 'r', when, actions: [{ type: 'limit', resource: 'files', soft: 1 }] }, /actions/],
    [null, /rule 1/],
    ['rss > 5', /rule 1/],
  ])('%j is refused', (rule, reason) => {
    expect(() => checkRules([rule])).toThrow(reason)
    expect(() => checkRules([rule])).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })

  it('has a name of its own', () => {
    expect(() =>
      checkRules([
        { name: 'r', when },
        { name: 'r', when },
      ]),
    ).toThrow(/another rule has this name/)
  })
})

it('the groups that rules need are those of their columns', () => {
  expect(groupsNeeded([{ name: 'a', when: 'rss > 1' }])).toEqual([])
  const rules = [
    { name: 'a', when: 'rss > 1 and rchar > 5' },
    { name: 'b', when: 'swap > 1MB' },
  ]
  expect(groupsNeeded(rules).sort()).toEqual(['io', 'status'])
})
