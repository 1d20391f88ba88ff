import { existsSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readAlerts } from '../../dist/alerts/history.js'
import { sendRequest } from '../../dist/alerts/requests/send.js'
import { Bench, heard, MIB, nextTick } from '../engine/engines.js'
import { startProcess, waitFor } from '../fixtures/processes.js'
import { WebhookServer } from './webhook_server.js'

let bench: Bench
beforeEach(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clean())

const rule = (pid: number) => ({
  ...{ name: 'too big', match: { pid }, when: 'rss > 30MiB', cooldown: '100ms' },
  severity: 'critical' as const,
})
const alertsTold = (server: WebhookServer) =>
  server.received.map(({ body }) => JSON.parse(body) as { id: string; state: string; repeats: number })

it('a breach is told to a webhook, while another that hangs delays neither it nor the ticks', async () => {
  await using works = await WebhookServer.open((_, response) => response.end())
  await using hangs = await WebhookServer.open(() => {})
  const target = await startProcess('idle', { rss: 40 * MIB })
  const engine = await bench.start({
    rules: [rule(target.pid)],
    notifiers: [
      { type: 'webhook', name: 'hangs', url: hangs.url, concurrency: 1, attempts: 1, timeoutMs: 60_000 },
      { type: 'webhook', name: 'works', url: works.url },
    ],
  })
  await waitFor(() => hangs.received.length === 1 && alertsTold(works).some(({ repeats }) => repeats >= 2))
  const { ticks } = engine.stats
  await nextTick(engine, ({ tick }) => tick >= ticks + 5)
  expect(engine.stats.notifiers).toMatchObject([
    { name: 'hangs', underWay: 1, delivered: 0 },
    { name: 'works', failed: 0, dropped: 0 },
  ])
  await target.stop()
  await waitFor(() => alertsTold(works).some(({ state }) => state === 'resolved'))
  const ids = new Set(alertsTold(works).map(({ id }) => id))
  const [breach] = engine.alerts({ rule: 'too big', state: 'resolved', pid: target.pid })
  expect(ids).toContain(breach!.id)
  const failures: unknown[] = []
  engine.on('notify-failed', (failure) => failures.push(failure))
  await engine.close()
  const failed = await bench.recordsOf('notify-failed')
  expect(failed[0]).toMatchObject({
    notifier: 'hangs',
    alertId: breach!.id,
    reason: 'the engine closed first',
  })
  expect(failures).toHaveLength(failed.length)
})

it('an alert that was acknowledged goes on to fire, and notifiers hear of its end alone', async () => {
  const target = await startProcess('idle', { rss: 40 * MIB })
  const told: string[] = []
  const engine = await bench.start({
    rules: [rule(target.pid)],
    notifiers: [
      { type: 'callback', notify: ({ id, kind, state }) => kind === 'breach' && told.push(`${id} ${state}`) },
    ],
  })
  const { id } = await heard(engine, 'alert')
  await waitFor(() => told.length > 0)
  expect(engine.acknowledge(id, { by: 'me', note: 'known' })).toMatchObject({
    acknowledged: { by: 'me', note: 'known', atMs: expect.any(Number) },
  })
  const before = told.length
  const { repeats } = engine.alerts()[0]!
  await heard(engine, 'alert', (alert) => alert.repeats >= repeats + 3)
  // One that was handed over before can still arrive.
  expect(told.length).toBeLessThanOrEqual(before + 1)
  expect(engine.alerts({ state: 'firing' })).toMatchObject([{ id, acknowledged: { by: 'me' } }])
  await target.stop()
  await waitFor(() => told.at(-1) === `${id} resolved`)
  expect(() => engine.acknowledge(id, { by: 'me' })).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }))
  expect(() => engine.acknowledge('nope', { by: 'me' })).toThrow(/no alert "nope" fires; there is "/)
  expect(await bench.recordsOf('acknowledged')).toMatchObject([{ alert: { id, acknowledged: { by: 'me' } } }])
})

it('what fires again after a start is the same alert, and webhooks need not heed it twice', async () => {
  await using server = await WebhookServer.open((_, response) => response.end())
  const target = await startProcess('idle', { rss: 40 * MIB })
  const options = {
    rules: [{ ...rule(target.pid), cooldown: '1h' }],
    notifiers: [{ type: 'webhook' as const, name: 'w', url: server.url }],
  }
  for (const told of [1, 2]) {
    const engine = await bench.start(options)
    await waitFor(() => server.received.length === told)
    await engine.close()
  }
  const [first, again] = server.received
  expect(again!.headers['idempotency-key']).toBe(first!.headers['idempotency-key'])
  const [before, after] = await bench.recordsOf('alert')
  expect(after!.alert).toMatchObject({ id: before!.alert.id, atMs: before!.alert.atMs, repeats: 0 })
  expect(after!.alert.lastAtMs).toBeGreaterThan(before!.alert.lastAtMs)
  expect((await readAlerts(bench.journal)).alerts).toMatchObject([{ id: before!.alert.id, state: 'firing' }])
})

it('a silence holds over a restart of the engine; what outlasts it is told then', async () => {
  const target = await startProcess('idle', { rss: 40 * MIB })
  const told: string[] = []
  const options = {
    rules: [rule(target.pid)],
    notifiers: [{ type: 'callback' as const, notify: ({ state }: { state: string }) => told.push(state) }],
  }
  const first = await bench.start(options)
  const { username } = userInfo()
  expect(() => first.silence({ match: { rule: 'to big', user: username }, forMs: 60_000, by: 'me' })).toThrow(
    expect.objectContaining({ code: 'NOT_FOUND', message: expect.stringMatching(/did you mean "too big"/) }),
  )
  await waitFor(() => told.length > 0)
  const kept = first.silence({ match: { user: username }, forMs: 600_000, by: 'me', note: 'n' })
  expect(first.alerts({ state: 'firing' })).toMatchObject([{ silencedBy: kept.id }])
  first.acknowledge(first.alerts({ state: 'firing' })[0]!.id, { by: 'you' })
  await first.close()
  told.length = 0

  const second = await bench.start(options)
  expect(second.silences()).toMatchObject([{ id: kept.id, match: { user: username }, by: 'me', note: 'n' }])
  const again = await heard(second, 'alert', ({ repeats }) => repeats >= 2)
  expect(again).toMatchObject({ silencedBy: kept.id, acknowledged: { by: 'you' } })
  expect(told).toEqual([])
  second.unsilence(kept.id, { by: 'me' })
  expect(() => second.unsilence(kept.id)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }))
  await second.close()

  const third = await bench.start({ ...options, rules: [{ ...rule(target.pid), name: 'other' }] })
  expect(third.silences()).toEqual([])
  await waitFor(() => told.length > 0)
  const silenced = (await bench.recordsOf('alert')).filter(({ alert }) => alert.silencedBy === kept.id)
  expect(silenced.length).toBeGreaterThan(0)
})

it('requests from outside are answered in the journal, also when they came before the start', async () => {
  const target = await startProcess('idle', { rss: 40 * MIB })
  const first = await bench.start({ rules: [rule(target.pid)] })
  const { id } = await heard(first, 'alert')
  await first.close()
  // The run that raised it is over: what it said goes for the same breach in the next.
  const early = await sendRequest(bench.journal, { type: 'acknowledge', alertId: id, by: 'root' })
  expect(early).toMatchObject({ isRunning: false, answer: undefined })

  const engine = await bench.start({ rules: [{ ...rule(target.pid), when: 'rss > 30MiB for 1s' }] })
  await waitFor(async () => (await bench.recordsOf('acknowledged')).length > 0)
  expect(await heard(engine, 'alert')).toMatchObject({ acknowledged: { by: 'root' } })
  const match = { pid: target.pid }
  const silence = { type: 'silence', match, untilMs: Date.now() + 60_000, by: 'root' } as const
  const { id: request, answer } = await sendRequest(bench.journal, silence)
  expect(answer).toMatchObject({ type: 'silence', request, silence: { id: request, match } })
  expect(engine.silences()).toMatchObject([{ id: request }])
  const end = { type: 'unsilence', silenceId: request, by: 'root' } as const
  expect((await sendRequest(bench.journal, end)).answer).toMatchObject({ type: 'unsilence' })
  expect((await sendRequest(bench.journal, end)).answer).toMatchObject({
    type: 'request-refused',
    reason: expect.stringContaining(request),
  })

  // Its directory replaced by a file: said once, and nothing ends.
  const inbox = `${bench.journal}.requests`
  await rm(inbox, { recursive: true })
  writeFileSync(inbox, '')
  await heard(engine, 'error', ({ message }) => message.includes('mode 0700'))
  await rm(inbox)
  const after = await sendRequest(bench.journal, { ...silence, untilMs: Date.now() + 60_000 })
  expect(after.answer).toMatchObject({ type: 'silence' })
})

it('a request that was carried out, and left by a crash, changes nothing when it is taken again', async () => {
  const rules = [{ name: 'r', when: 'rss > 1000TiB' }]
  const first = await bench.start({ rules })
  const untilMs = Date.now() + 600_000
  const silence = { type: 'silence', match: { rule: 'r' }, untilMs, by: 'root' } as const
  const { id } = await sendRequest(bench.journal, silence)
  await first.close()
  // As a kill between the answer in the journal and the end of the file leaves it.
  const path = `${bench.journal}.requests/${id}.json`
  writeFileSync(path, JSON.stringify(silence), { mode: 0o600 })
  const second = await bench.start({ rules })
  await waitFor(() => !existsSync(path))
  expect(second.silences()).toMatchObject([{ id, untilMs }])
})

it('a notifier that is not right ends the start', async () => {
  const notifiers = [{ type: 'webhook' as const, url: 'nowhere' }]
  await expect(bench.start({ rules: [rule(process.pid)], notifiers })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('notifier 1'),
  })
})
