import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  currentPlace,
  Engine,
  explainTrace,
  type JournalBody,
  type JournalRecord,
  readAlerts,
  readJournal,
  recover,
  traceDecisions,
} from '../../dist/index.js'
import { waitFor } from '../fixtures/processes.js'

const place = await currentPlace()
/** Nobody's: the last pid that there can be. */
const identity = { pid: 4_194_303, startTicks: 1, settled: true }
const successor = { ...identity, startTicks: 2 }
const target = { rule: 'r', identity, name: 'n' }
const alert = {
  ...target,
  ...({ id: '0000000a-1', severity: 'warning', kind: 'breach', state: 'firing' } as const),
  ...{ values: [], message: 'm' },
  ...{ atMs: 1, repeats: 1, lastAtMs: 2, acknowledged: { by: 'me', atMs: 3, note: 'why' } },
} as const
const group = { kind: 'unit', key: 'u', count: 1, members: [{ identity, name: 'n', value: 1 }] } as const
const restart = { actionId: '0000000a-2', action: 'restart', ...target } as const
const untilMs = Date.now() + 3_600_000

const WHOLE: readonly JournalBody[] = [
  {
    ...{ type: 'engine-start', engine: identity, place, source: 'procfs', intervalMs: 1, dryRun: false },
    rules: ['r'],
  },
  {
    ...{ type: 'decision', decisionId: '0000000a-d1', ...target, kind: 'fire', severity: 'warning' },
    ...{ condition: 'rss > 1', clauses: [], excluded: [], cause: 'condition', sinceMs: 1 },
    ...{ steps: [{ action: 'restart', afterMs: 0 }], dryRun: false },
  } as JournalBody,
  { type: 'alert', alert },
  { type: 'alert', alert: { ...alert, id: '0000000a-9', identity: undefined, group } },
  { type: 'acknowledged', alert },
  {
    type: 'silence',
    silence: { id: 's', match: { name: '/^n/' }, by: 'me', note: 'w', sinceMs: 1, untilMs },
  },
  {
    type: 'silence',
    silence: { id: 't', match: { rule: 'r' }, by: 'me', sinceMs: 1, untilMs },
  },
  { type: 'unsilence', silenceId: 't', by: 'me' },
  { type: 'resume', rule: 'r', by: 'me' },
  { type: 'request-refused', reason: 'no', request: 'q' },
  { type: 'rules', added: ['s'], changed: [], removed: [] },
  { type: 'action-begun', ...restart, decisionId: '0000000a-d1', place, parameters: {}, group: 'unit:u' },
  { type: 'action-step', actionId: restart.actionId, step: 'exited', endedBy: 'SIGTERM', tookMs: 1 },
  { type: 'action-step', actionId: restart.actionId, step: 'ready', child: successor },
  { type: 'action-done', ...restart, status: 'done', successor, result: { exitedInMs: 1 } },
  {
    ...{ type: 'outcome', ...restart, successor, endedBy: 'SIGTERM', relieved: false },
    ...{ breachedAgain: true, successorGone: false, observedMs: 5, rssBeforeBytes: 2, rssAfterBytes: 1 },
  },
  {
    ...{ type: 'action-done', ...restart, decisionId: '0000000a-d1', actionId: '0000000a-4' },
    ...{ action: 'evidence', status: 'done', result: { directory: 'd', bytes: 1, files: 1, errors: 0 } },
  },
  {
    ...{ type: 'action-done', ...restart, decisionId: '0000000a-d1', actionId: '0000000a-5' },
    ...{ action: 'nudgeParent', status: 'done' },
    result: { parent: { pid: 1, name: 'p' }, reaped: true, tookMs: 1 },
  },
  { type: 'action-begun', ...restart, actionId: '0000000a-3', decisionId: 'd', place, parameters: {} },
  { type: 'suspended', scope: 'process', ...target, reason: 'flaps', untilMs },
  { type: 'resumed', scope: 'rule', rule: 'r', by: 'time' },
  { type: 'judging', state: 'failed', reason: 'x' },
  { type: 'judging', state: 'recovered', lastedMs: 1 },
  { type: 'alert-resolved', alert: { ...alert, state: 'resolved', resolvedAtMs: 9 } },
]
const headOf = (index: number) => ({ v: 1, seq: index + 1, atMs: 1000 + index, time: 'then' })

let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'procmuster-damage-'))
  path = join(directory, 'muster.jsonl')
})
afterEach(() => rm(directory, { recursive: true }))

const write = (records: readonly object[]): Promise<void> =>
  writeFile(path, records.map((record) => `${JSON.stringify(record)}\n`).join(''))

async function startAndClose(): Promise<Error[]> {
  const engine = await Engine.start({ rules: [], journal: path, intervalMs: 20, events: 'off' })
  const errors: Error[] = []
  engine.on('error', (error) => errors.push(error))
  try {
    await waitFor(() => engine.stats.ticks > 0)
    return errors
  } finally {
    await engine.close()
  }
}

it('an engine starts over lines with a good head and no body: they are skipped, counted, told; nothing else is lost', async () => {
  const good = WHOLE.map((body, index) => ({ ...headOf(index * 2 + 1), ...body }))
  await write(good)
  const { alerts } = await readAlerts(path)
  const decisions = await traceDecisions(path, { pid: identity.pid })
  const folded: JournalRecord[] = []
  for await (const record of readJournal(path)) folded.push(record)
  const types = [...new Set(WHOLE.map(({ type }) => type))].filter((type) => type !== 'decision')
  const damaged = good.flatMap((record, index) => {
    const type = types[index]
    return type === undefined ? [record] : [{ ...headOf(index * 2), type }, record]
  })
  await write(damaged)
  const reader = readJournal(path)
  const read: JournalRecord[] = []
  for await (const record of reader) read.push(record)
  expect([reader.badLines, reader.firstBad]).toEqual([types.length, { line: 1, byte: 0 }])
  expect(recover(read)).toEqual(recover(folded))
  expect((await readAlerts(path)).alerts).toEqual(alerts)
  const traced = await traceDecisions(path, { pid: identity.pid })
  expect(traced).toEqual({ ...decisions, badLines: types.length })
  expect(explainTrace(traced).at(-1)).toMatch(`${types.length} lines of the journal could not be read`)
  const [error] = await startAndClose()
  expect(error!.message).toBe(
    `The journal ${path} is damaged: ${types.length} lines cannot be read and are left out, the first of them line 1 (byte 0)`,
  )
})

it('one bad line in the middle is named by its line and byte', async () => {
  const records = WHOLE.map((body, index) => ({ ...headOf(index), ...body }))
  const before = Buffer.byteLength(
    records
      .slice(0, 5)
      .map((record) => `${JSON.stringify(record)}\n`)
      .join(''),
  )
  await write([
    ...records.slice(0, 5),
    { ...headOf(5), type: 'silence', silence: { id: 'x' } },
    ...records.slice(5),
  ])
  const [error] = await startAndClose()
  expect(error!.message).toMatch(`line 6 (byte ${before}) cannot be read and is left out`)
  // Nothing of it is lost, and what follows goes on from its number.
  const silences = (await readAlerts(path)).silences.map(({ id }) => id)
  expect(silences).toEqual(['s'])
})

const damage = fc.record({
  index: fc.nat(WHOLE.length - 1),
  /** Which of the keys, at each depth; taken modulo their number. */
  way: fc.array(fc.nat(20), { minLength: 1, maxLength: 5 }),
  value: fc.option(
    fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom(-1, 0, 1.5, 1e15, 2 ** 53 - 1, 1e300, -1e300, '', '../x', '/(/', [null], { pid: 1 }),
    ),
    { nil: undefined },
  ),
})
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never

/** The record with the part that the way leads to put in another's place, or removed. */
function damagedBy({ way, value }: Damage, record: object): object {
  const copy = structuredClone(record) as Record<string, unknown>
  let at: Record<string, unknown> = copy
  for (const [depth, step] of way.entries()) {
    const keys = Object.keys(at)
    const key = keys[step % keys.length]
    if (key === undefined) break
    const next = at[key]
    if (depth < way.length - 1 && typeof next === 'object' && next !== null) {
      at = next as Record<string, unknown>
      continue
    }
    if (value === undefined) delete at[key]
    else at[key] = value
    break
  }
  return copy
}

function damagedJournal(damages: readonly Damage[]): object[] {
  const records: object[] = WHOLE.map((body, index) => ({ ...headOf(index), ...body }))
  for (const each of damages) records[each.index] = damagedBy(each, records[each.index]!)
  return records
}
const damages = fc.array(damage, { minLength: 1, maxLength: 4 })

/** Ways to all parts of a value. */
function waysInto(value: unknown): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, part]) => [
    [key],
    ...waysInto(part).map((way) => [key, ...way]),
  ])
}

it('each part of each record may be of another type: what is told of the rest is told', async () => {
  const records = WHOLE.map((body, index) => ({ ...headOf(index), ...body }))
  for (const [index, record] of records.entries()) {
    for (const way of waysInto(record)) {
      for (const value of [null, 'x', {}]) {
        const copy: object = structuredClone(record)
        const inner = way.slice(0, -1).reduce((at, key) => at[key as never] as object, copy)
        Object.assign(inner, { [way.at(-1)!]: value })
        await write(records.with(index, copy as (typeof records)[number]))
        const told = explainTrace(await traceDecisions(path, { pid: identity.pid }))
        expect(told.length, `${index} ${way.join('.')} ${JSON.stringify(value)}`).toBeGreaterThan(0)
      }
    }
  }
}, 60_000)

it('whatever is missing or of another type, nothing that reads a journal throws', async () => {
  await fc.assert(
    fc.asyncProperty(damages, async (each) => {
      await write(damagedJournal(each))
      const records: JournalRecord[] = []
      for await (const record of readJournal(path)) records.push(record)
      recover(records)
      await readAlerts(path, { pid: identity.pid })
      await readAlerts(path)
      for (const query of [{ pid: identity.pid }, { id: alert.id }, { id: restart.actionId }])
        explainTrace(await traceDecisions(path, query))
    }),
    { numRuns: 200 },
  )
}, 60_000)

it('whatever is missing or of another type, an engine starts', async () => {
  await fc.assert(
    fc.asyncProperty(damages, async (each) => {
      await write(damagedJournal(each))
      await startAndClose()
    }),
    { numRuns: 20 },
  )
}, 60_000)
