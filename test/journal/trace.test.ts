import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pid as ownPid } from 'node:process'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  explainTrace,
  type JournalBody,
  readAlerts,
  Sampler,
  type TraceQuery,
  traceDecisions,
} from '../../dist/index.js'

const UNSAFE = /[\p{Cc}\p{Cf}]/u
const MIB = 2 ** 20
const place = { bootId: 'boot-a', pidNamespace: 'pid:[1]@1' }

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'procmuster-trace-'))
})
afterAll(() => rm(directory, { recursive: true }))

type Body = JournalBody | (Record<string, unknown> & { readonly type: string })

let journals = 0
/** Records a second apart, from the epoch on. */
async function journalOf(bodies: readonly (Body | string)[]): Promise<string> {
  const path = join(directory, `journal-${++journals}.jsonl`)
  const lines = bodies.map((body, index) => {
    if (typeof body === 'string') return body
    const atMs = index * 1000
    return JSON.stringify({ v: 1, seq: index + 1, atMs, time: new Date(atMs).toISOString(), ...body })
  })
  await writeFile(path, `${lines.join('\n')}\n`)
  return path
}
const trace = async (bodies: readonly (Body | string)[], query: TraceQuery) =>
  traceDecisions(await journalOf(bodies), query)
const told = async (bodies: readonly (Body | string)[], query: TraceQuery) =>
  explainTrace(await trace(bodies, query)).join('\n')

const process = (pid: number, startTicks = 100) => ({ pid, startTicks, settled: true })
const start = (bootId = 'boot-a', rules = ['r']): Body => ({
  ...{ type: 'engine-start', engine: process(1), place: { ...place, bootId }, source: 'procfs' },
  ...{ intervalMs: 1000, dryRun: false, rules },
})
const rssClause = {
  ...{ text: 'rssBytes > 500MiB', operand: 'rssBytes', op: '>', unit: 'bytes' },
  ...{ value: 612.3 * MIB, threshold: 500 * MIB, truth: true },
}
const decision = (decisionId: string, about: object, rest: object = {}): Body => ({
  ...{ type: 'decision', decisionId, rule: 'r', name: 'node', kind: 'fire', severity: 'warning' },
  ...{ condition: 'rssBytes > 500MiB for 30s', clauses: [rssClause], excluded: [], cause: 'condition' },
  ...{ steps: [{ action: 'restart', afterMs: 0 }], dryRun: false },
  ...about,
  ...rest,
})
const alert = (id: string, identity: object, rest: object = {}): Body => ({
  type: 'alert',
  alert: {
    ...{ id, rule: 'r', severity: 'warning', kind: 'breach', state: 'firing', identity, name: 'node' },
    ...{ values: [], message: '', atMs: 0, repeats: 0, lastAtMs: 0 },
    ...rest,
  },
})
const action = (type: 'action-begun' | 'action-done', actionId: string, rest: object): Body => ({
  ...{ type, actionId, action: 'restart', rule: 'r', name: 'node', ...rest },
})

describe('a journal from before version 0.1', () => {
  const identity = process(12)
  const clauses = [
    { column: 'rssBytes', op: '>', threshold: 500 * MIB, value: 612.3 * MIB },
    { column: 'state', op: '==', threshold: 90, value: 90 },
  ]
  const older = { condition: undefined, excluded: undefined, steps: undefined, clauses }
  const journal = [
    start(),
    decision('00000001-d1', { identity }, { ...older, actions: ['evidence', 'restart'] }),
    alert('00000002-1', identity),
    action('action-done', '00000001-1', {
      identity,
      action: 'evidence',
      status: 'refused',
      reason: 'no room',
    }),
    action('action-begun', '00000001-2', { identity, decisionId: '00000001-d1', place, parameters: {} }),
    action('action-done', '00000001-2', { identity, status: 'done', successor: process(13), result: {} }),
    {
      type: 'alert-resolved',
      alert: { ...(alert('00000002-1', identity) as never as { alert: object }).alert, state: 'resolved' },
    },
    decision(
      '00000001-d2',
      { identity },
      { ...older, kind: 'clear', cause: 'gone', clauses: [{ ...clauses[0], value: undefined }] },
    ),
  ]

  it('is told like a newer one', async () => {
    const text = await told(journal, { pid: 12 })
    expect(text).toContain('warning breach of "r" (decision 00000001-d1, alert 00000002-1)')
    expect(text).toMatch(/yes +rssBytes 612\.3 MiB > 500 MiB/)
    expect(text).toMatch(/yes +state Z == Z/)
    expect(text).toContain('decided: evidence, restart')
    expect(text).toContain('evidence refused: no room')
    expect(text).toContain('restart done; pid 13 took its place')
    expect(text).toContain('over after 6 s: the process is gone')
  })

  it('is found by the ids of its parts, the refused action and the clear among them', async () => {
    for (const id of ['00000001-d1', '00000002-1', '00000001-1', '00000001-2', '00000001-d2']) {
      const { subjects } = await trace(journal, { id })
      expect(subjects.map(({ decisions }) => decisions.length)).toEqual([1])
    }
    expect((await trace(journal, { id: '00000001-9' })).subjects).toEqual([])
  })
})

describe('lives of one pid', () => {
  const [first, second] = [process(12, 100), process(12, 900)]
  const journal = [
    start(),
    decision('0000000a-d1', { identity: first }),
    decision('0000000a-d2', { identity: first }, { kind: 'clear', cause: 'gone' }),
    decision('0000000a-d3', { identity: second }),
    start('boot-b'),
    decision('0000000b-d1', { identity: first }),
  ]

  it('are told apart, after a reboot too, newest first', async () => {
    const { subjects } = await trace(journal, { pid: 12 })
    expect(
      subjects.map(({ identity, decisions }) => [identity?.startTicks, decisions[0]?.decision.decisionId]),
    ).toEqual([
      [100, '0000000b-d1'],
      [900, '0000000a-d3'],
      [100, '0000000a-d1'],
    ])
    expect(subjects.map(({ decisions }) => decisions[0]!.end?.cause)).toEqual([
      undefined,
      'engine-stop',
      'gone',
    ])
    const one = await trace(journal, { pid: 12, startTicks: 900 })
    expect(one.subjects).toHaveLength(1)
  })
})

describe('a group', () => {
  const members = [
    { identity: process(21), name: 'worker', value: 300 * MIB },
    { identity: process(22), name: 'w\u001b[31m', value: undefined },
  ]
  const group = { kind: 'unit', key: 'web.service', count: 5, members }
  const windowed = {
    ...{
      text: 'avg(cpuPercent, 1m) > 80%',
      operand: 'avg(cpuPercent, 1m)',
      op: '>',
      unit: '%',
      threshold: 80,
    },
    windowMs: 60_000,
  }
  const samples = [0, 30, 60].map((second) => ({ atMs: second * 1000, value: (400 + second) * MIB }))
  const time = {
    text: 'timeTo(rss, 2GiB) < 30m',
    operand: 'timeTo(rss, 2GiB)',
    op: '<',
    unit: 'ms',
    value: null,
    threshold: 1_800_000,
    truth: false,
  }
  const journal = [
    start(),
    decision(
      '0000000a-d1',
      { group, name: 'unit web.service' },
      {
        clauses: [{ ...rssClause, samples, windowMs: 60_000 }, windowed, time],
        excluded: [
          { what: 'clause', name: windowed.text, why: 'window' },
          { what: 'member', name: members[1]!.name, pid: 22, why: 'unreadable' },
        ],
        sinceMs: -29_000,
        steps: [
          { action: 'evidence', afterMs: 0 },
          { action: 'restart', afterMs: 300_000 },
        ],
      },
    ),
    {
      type: 'governed',
      decisionId: '0000000a-d1',
      rule: 'r',
      identity: process(21),
      reason: 'put off: two restarts are under way',
    },
    action('action-begun', '0000000a-1', {
      identity: process(21),
      decisionId: '0000000a-d1',
      place,
      parameters: { signal: 'SIGINT' },
    }),
    { type: 'action-step', actionId: '0000000a-1', step: 'exited', endedBy: 'SIGKILL', tookMs: 10_200 },
    { type: 'action-step', actionId: '0000000a-1', step: 'ready', child: process(31) },
    action('action-done', '0000000a-1', {
      identity: process(21),
      decisionId: '0000000a-d1',
      status: 'done',
      successor: process(31),
      result: { endedBy: 'SIGKILL', exitedInMs: 10_200, startAttempts: 2, warnings: ['its terminal'] },
    }),
    {
      type: 'outcome',
      actionId: '0000000a-1',
      rule: 'r',
      identity: process(21),
      name: 'worker',
      successor: process(31),
      endedBy: 'SIGKILL',
      rssBeforeBytes: 300 * MIB,
      rssAfterBytes: 30 * MIB,
      breachedAgain: false,
      successorGone: false,
      observedMs: 60_000,
    },
    {
      ...{ type: 'breached-again', actionId: '0000000a-1', rule: 'r', afterMs: 90_000 },
      ...{ identity: process(31), name: 'worker' },
    },
    {
      ...{ type: 'suspended', scope: 'rule', rule: 'r', group, untilMs: 1e6 },
      reason: 'three restarts without relief',
    },
  ]

  it.each([{ pid: 21 }, { id: '0000000a-d1' }, { id: '0000000a-1' }] as TraceQuery[])(
    'is told whole for %o',
    async (query) => {
      const text = await told(journal, query)
      expect(text).toMatch(/^unit web\.service, 5 processes\n/)
      for (const line of [
        'condition: rssBytes > 500MiB for 30s, which had held for 30 s',
        'yes      rssBytes 612.3 MiB > 500 MiB',
        '3 samples over 60 s: from 400 MiB to 460 MiB, at least 400 MiB, at most 460 MiB',
        'unknown  avg(cpuPercent, 1m) > 80%: not seen for so long yet, or samples are missing',
        'no       timeTo(rss, 2GiB) never < 30 min',
        'of "worker" (pid 21), "w\\u001b[31m" (pid 22) and 3 more',
        'left out: "w\\u001b[31m" (pid 22): its value could not be read',
        'decided: evidence, restart after 5 min if it lasts',
        'governed: put off: two restarts are under way',
        'restart (signal SIGINT) begun (0000000a-1)',
        'it ended by SIGKILL in 10.2 s',
        'pid 31 is there to take its place',
        'ended by SIGKILL in 10.2 s; pid 31 took its place at attempt 2; lacking: its terminal',
        'outcome of pid 31: memory came back: 300 MiB before, 30 MiB after (90 % less); no breach in the 60 s since',
        'breached-again: pid 31, 90 s after the restart',
        'suspended: three restarts without relief',
        'it lasts, as far as the journal goes',
      ])
        expect(text).toContain(line)
      const order = ['governed', 'begun', 'it ended by', 'took its place', 'outcome', 'suspended'].map(
        (word) => text.indexOf(word),
      )
      expect(order).toEqual([...order].sort((a, b) => a - b))
    },
  )

  it('tells of a signal in what time the process ended, or that it did not', async () => {
    const signalled = (seen: object) => [
      decision('0000000a-d1', { identity: process(21) }),
      action('action-begun', '0000000a-1', {
        ...{ identity: process(21), decisionId: '0000000a-d1', action: 'signal', place },
        parameters: { signal: 'SIGTERM' },
      }),
      {
        ...{ type: 'outcome', action: 'signal', actionId: '0000000a-1', rule: 'r', identity: process(21) },
        ...{ name: 'worker', endedBy: 'SIGTERM', breachedAgain: false, successorGone: false, ...seen },
      },
    ]
    expect(await told(signalled({ exitedInMs: 980, observedMs: 980 }), { pid: 21 })).toContain(
      'outcome: it ended within 980 ms',
    )
    expect(await told(signalled({ observedMs: 60_000 }), { pid: 21 })).toContain(
      'outcome: it had not ended after 60 s',
    )
  })

  it('says of a successor that no sample had that nothing was seen, not that it kept quiet', async () => {
    const unseen = journal.map((body) =>
      body.type === 'outcome' ? { ...body, rssAfterBytes: undefined, observedMs: 0 } : body,
    )
    expect(await told(unseen, { pid: 21 })).toContain(
      'outcome of pid 31: what memory came back is not known; what came of it was not seen',
    )
  })

  it('is over when no process of it is left', async () => {
    const gone = decision('0000000a-d2', { group }, { kind: 'clear', cause: 'gone' })
    expect(await told([...journal, gone], { id: '0000000a-d1' })).toContain(
      'over after 9 s: no process of the group is left',
    )
  })

  it('leads from a successor to the process whose place it took', async () => {
    const { subjects } = await trace(journal, { pid: 31 })
    expect(subjects).toMatchObject([
      { identity: { pid: 31 }, decisions: [], origin: { identity: { pid: 21 }, decisionId: '0000000a-d1' } },
    ])
    const text = await told(journal, { pid: 31 })
    expect(text).toContain('started in place of pid 21 by rule "r" (`muster why 0000000a-d1` tells why)')
    expect(text).toMatch(/nothing was decided about it since 1970-/)
  })
})

describe('many decisions', () => {
  const identity = process(12)
  const journal = [
    start(),
    ...Array.from({ length: 500 }, (_, index) => [
      decision(`0000000a-d${index + 1}`, { identity }),
      alert('0000000b-1', identity, { repeats: index }),
    ]).flat(),
    { type: 'engine-stop', ticks: 1, missedTicks: 0, unfinished: 0 },
  ]

  it('are told up to the limit, the newest first, and the rest is counted', async () => {
    const { subjects, leftOut } = await trace(journal, { pid: 12, limit: 3 })
    expect(leftOut).toBe(497)
    expect(subjects[0]!.decisions.map(({ decision }) => decision.decisionId)).toEqual([
      '0000000a-d500',
      '0000000a-d499',
      '0000000a-d498',
    ])
    expect(await told(journal, { pid: 12, limit: 3 })).toMatch(
      /the watch ended; .*; raised 500 times in all[\s\S]*\n497 older decisions left out/,
    )
  })

  it('are found by id, however old', async () => {
    const { subjects } = await trace(journal, { id: '0000000a-d1', limit: 3 })
    expect(subjects[0]!.decisions.map(({ decision }) => decision.decisionId)).toEqual(['0000000a-d1'])
  })
})

it('a pid about which nothing was decided: what was watched then', async () => {
  const died = alert('0000000b-1', process(50), {
    kind: 'died',
    message: '"x" (pid 50) ended: exit code 1',
    severity: 'critical',
  })
  const journal = [start('boot-a', ['old']), start('boot-a', ['memory', 'e\u202ev']), died]
  expect(await told(journal, { pid: 12 })).toBe(
    `nothing was decided about pid 12\nthe last watch began ${new Date(1000).toISOString()} and has no end in the journal: it runs, or crashed; its rules:\n    memory\n    e\\u{202e}v`,
  )
  expect(await told(journal, { pid: 50 })).toMatch(
    /"node", pid 50[\s\S]*critical alert 0000000b-1 \(died\): "x" \(pid 50\) ended: exit code 1/,
  )
  // The watch ends with it, and judges no more: what became of the breach is known all the same.
  const breach = decision('0000000b-d1', { identity: process(50) })
  expect(await told([start(), breach, died, { type: 'engine-stop' }], { pid: 50 })).toMatch(
    /over after .*: the process is gone$/m,
  )
})

it('a process is a query: an identity, and a row of a table, whatever else they have', async () => {
  await using sampler = await Sampler.open({ source: 'procfs' })
  const row = (await sampler.sample()).get(ownPid)!
  const path = await journalOf([
    start(),
    decision('b-1', { identity: row.identity }),
    alert('a-1', row.identity),
  ])
  for (const query of [row, row.identity, { ...row.identity, limit: 5 }, { pid: row.pid }]) {
    const { subjects } = await traceDecisions(path, query)
    expect(subjects).toMatchObject([{ identity: { pid: row.pid, startTicks: row.startTicks } }])
  }
  const another = { ...row.identity, startTicks: row.startTicks + 1 }
  expect((await traceDecisions(path, another)).subjects).toEqual([])
  expect((await readAlerts(path, row.identity)).found).toBe(1)
  expect((await readAlerts(path, another)).found).toBe(0)
  await expect(traceDecisions(path, { ...row.identity, limit: 0 })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
  await expect(traceDecisions(path, { pid: 1, startTicks: 1, limt: 5 } as never)).rejects.toThrow(
    'did you mean limit?',
  )
})

it('errors name the way out', async () => {
  await expect(traceDecisions(join(directory, 'none.jsonl'), { pid: 1 })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  })
  await expect(trace([], { pid: 1, limit: 0 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

it('whatever a journal holds, it is told in lines that a terminal can show', async () => {
  const identity = process(12)
  const whole: readonly Body[] = [
    start(),
    decision('0000000a-d1', { identity }),
    alert('0000000b-1', identity),
    action('action-begun', '0000000a-1', { identity, decisionId: '0000000a-d1', place, parameters: {} }),
    { type: 'action-step', actionId: '0000000a-1', step: 'ready', child: process(13) },
    action('action-done', '0000000a-1', { identity, status: 'done', successor: process(13), result: {} }),
    { type: 'outcome', actionId: '0000000a-1', identity, successor: process(13), observedMs: 1 },
  ]
  const broken = fc.record({
    index: fc.nat(whole.length - 1),
    key: fc.constantFrom(
      'identity',
      'clauses',
      'alert',
      'result',
      'successor',
      'steps',
      'name',
      'rules',
      'place',
      'group',
      'parameters',
      'child',
      'excluded',
    ),
    value: fc.oneof(
      fc.constant(null),
      fc.string({ unit: 'binary' }),
      fc.integer(),
      fc.constant({}),
      fc.constant([{}]),
      fc.constant({ members: [null] }),
    ),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(broken, { maxLength: 4 }),
      fc.array(fc.string({ unit: 'binary' }), { maxLength: 3 }),
      async (breaks, lines) => {
        const bodies: Record<string, unknown>[] = whole.map((body) => ({ ...body }))
        for (const { index, key, value } of breaks) bodies[index]![key] = value
        for (const query of [{ pid: 12 }, { id: '0000000b-1' }, { pid: 13 }])
          for (const line of explainTrace(await trace([...(bodies as Body[]), ...lines], query)))
            expect(line).not.toMatch(UNSAFE)
      },
    ),
    { numRuns: 150 },
  )
})

describe('what concerns breaches that last', () => {
  const lasting = (rules: object, clear = false): Body[] => [
    start(),
    decision('d1', { identity: process(7) }),
    alert('a1', process(7)),
    { type: 'judging', state: 'failed', reason: 'a thread died' },
    { type: 'judging', state: 'recovered', lastedMs: 2000 },
    { type: 'rules', added: [], changed: [], removed: [], ...rules },
    ...(clear ? [decision('d2', { identity: process(7) }, { kind: 'clear', cause: 'removed' })] : []),
  ]

  it('is told with them: nobody judged, and the rule was changed or removed', async () => {
    const changed = await told(lasting({ changed: ['r'] }, true), { id: 'a1' })
    expect(changed).toMatch(/judging: no rule is judged, nobody sees whether it lasts: a thread died/)
    expect(changed).toMatch(/judging: rules are judged again, after 2 s/)
    expect(changed).toMatch(/rules: the rule was changed, and begins anew/)
    expect(await told(lasting({ removed: ['r'] }), { pid: 7 })).toMatch(/rules: the rule was removed/)
    expect(await told(lasting({ changed: ['other'], added: ['new'] }), { pid: 7 })).not.toMatch(/ rules:/)
  })

  it('is not told with what was over before', async () => {
    const over = decision('d2', { identity: process(7) }, { kind: 'clear' })
    const [begin, fire] = lasting({})
    const later = { type: 'judging', state: 'failed', reason: 'a thread died' }
    expect(await told([begin!, fire!, over, later], { pid: 7 })).not.toMatch(/judging/)
  })

  it('changes what the run watched for', async () => {
    const { run } = await trace(lasting({ added: ['new'], removed: ['r'] }), { pid: 7 })
    expect(run!.rules).toEqual(['new'])
  })
})
