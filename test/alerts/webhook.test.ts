import { createHmac } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { expect, it } from 'vitest'
import { checkNotifiers, type WebhookSettings } from '../../dist/alerts/notifiers/spec.js'
import { webhookDelivery } from '../../dist/alerts/notifiers/webhook.js'
import { alert } from './alert.js'
import { WebhookServer } from './webhook_server.js'

const never = new AbortController().signal
const settings = (url: string, changes: object = {}): WebhookSettings =>
  checkNotifiers([{ type: 'webhook', url, ...changes }], [])[0] as WebhookSettings

/** Delivers one alert with a clock that stands still; also gives the pauses between attempts. */
async function deliver(url: string, changes: object = {}, random = 1, signal = never) {
  const pauses: number[] = []
  const pause = async (ms: number) => void pauses.push(ms)
  const send = webhookDelivery(settings(url, changes), {
    now: () => 1_700_000_000_000,
    random: () => random,
    pause,
  })
  return { ...(await send(alert('a-1', { repeats: 2, name: '\u001b[31m\u202e' }), signal)), pauses }
}
const status =
  (code: number, headers: Record<string, string> = {}, body = '') =>
  (response: ServerResponse) =>
    response.writeHead(code, headers).end(body)

it('posts the alert, signed, with a key by which a receiver knows it again', async () => {
  await using server = await WebhookServer.open((_, response) => status(204)(response))
  expect(await deliver(server.url, { secret: 'key', headers: { authorization: 'Bearer x' } })).toEqual({
    attempts: 1,
    pauses: [],
  })
  const [{ headers, body }] = server.received as [(typeof server.received)[0]]
  expect(JSON.parse(body)).toMatchObject({
    ...{ version: 1, id: 'a-1', state: 'firing', rule: 'r', name: '\u001b[31m\u202e' },
    host: expect.any(String),
  })
  expect(body).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  const v1 = createHmac('sha256', 'key').update(`1700000000.${body}`).digest('hex')
  expect(headers).toMatchObject({
    'x-procmuster-signature': `t=1700000000,v1=${v1}`,
    'idempotency-key': 'a-1:firing:2',
    'content-type': 'application/json',
    authorization: 'Bearer x',
  })
})

it('tries again after 5xx, 429 and 408, with growing pauses and no sooner than it is told', async () => {
  const answers = [status(500), status(429, { 'retry-after': '7' }), status(503), status(408), status(200)]
  await using server = await WebhookServer.open((n, response) => answers[n - 1]!(response))
  expect(await deliver(server.url)).toEqual({ attempts: 5, pauses: [500, 7000, 2000, 4000] })
  expect(new Set(server.received.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
})

it('takes a date as Retry-After, and lets nobody put it off for days', async () => {
  const date = new Date(1_700_000_000_000 + 60_000).toUTCString()
  const answers = [
    status(429, { 'retry-after': date }),
    status(503, { 'retry-after': '999999' }),
    status(200),
  ]
  await using server = await WebhookServer.open((n, response) => answers[n - 1]!(response))
  expect(await deliver(server.url, {}, 0)).toEqual({ attempts: 3, pauses: [60_000, 300_000] })
})

it('gives up after so many attempts, and at once where another would not help', async () => {
  await using server = await WebhookServer.open((_, response, { path }) =>
    path === '/hook' ? status(500, {}, 'x'.repeat(1000))(response) : status(404, {}, 'nobody here')(response),
  )
  expect(await deliver(server.url, { attempts: 2 })).toEqual({
    attempts: 2,
    pauses: [500],
    failure: `status 500: ${'x'.repeat(200)}`,
  })
  expect(await deliver(server.url.replace('hook', 'gone'))).toEqual({
    attempts: 1,
    pauses: [],
    failure: 'status 404: nobody here',
  })
})

it('follows redirects that keep the method on the same host, and no others', async () => {
  await using other = await WebhookServer.open((_, response) => status(200)(response))
  await using server = await WebhookServer.open((_, response, { path }) => {
    const location = {
      '/hook': '/new',
      '/away': `${other.url}?token=secret`,
      '/get': '/new',
      '/loop': '/loop',
    }[path]
    if (location === undefined) status(200)(response)
    else status(path === '/get' ? 302 : 307, { location })(response)
  })
  const to = (path: string) => deliver(server.url.replace('/hook', path))
  expect(await to('/hook')).toMatchObject({ attempts: 1 })
  expect(server.received.map(({ path, body }) => [path, body !== ''])).toEqual([
    ['/hook', true],
    ['/new', true],
  ])
  for (const path of ['/away', '/get', '/loop']) {
    const { failure, attempts } = await to(path)
    expect(failure).toMatch(/^status 30[27] points elsewhere, which is not followed/)
    expect(failure).not.toContain('secret')
    expect(attempts).toBe(1)
  }
  expect(other.received).toEqual([])
})

it('does not wait for a server that never answers, or whose answer never ends', async () => {
  await using server = await WebhookServer.open((_, response, { path }) => {
    if (path === '/hook') return
    response.writeHead(500).write('x')
  })
  const failure = 'no answer within 100 ms'
  expect(await deliver(server.url, { timeoutMs: 100, attempts: 2 })).toMatchObject({ attempts: 2, failure })
  expect(await deliver(`${server.url}/endless`, { timeoutMs: 100, attempts: 1 })).toMatchObject({ failure })
})

it('reads no more of an answer than it needs', async () => {
  let sent = 0
  let closed = false
  await using server = await WebhookServer.open((_, response) => {
    response.writeHead(200)
    response.on('close', () => {
      closed = true
    })
    const more = (): void => {
      while (!closed && sent < 1 << 30) {
        sent += 65_536
        if (!response.write(Buffer.alloc(65_536))) return
      }
    }
    response.on('drain', more)
    more()
  })
  expect(await deliver(server.url, { timeoutMs: 20_000 })).toMatchObject({ attempts: 1 })
  expect(sent).toBeLessThan(1 << 26)
})

it('says why nobody was reached, and gives up when the engine closes', async () => {
  const gone = await WebhookServer.open(() => {})
  const { url } = gone
  await gone[Symbol.asyncDispose]()
  expect(await deliver(url, { attempts: 2 })).toEqual({
    attempts: 2,
    pauses: [500],
    failure: 'fetch failed: ECONNREFUSED',
  })
  await using hanging = await WebhookServer.open(() => closing.abort())
  const closing = new AbortController()
  expect(await deliver(hanging.url, {}, 1, closing.signal)).toEqual({
    attempts: 1,
    pauses: [],
    failure: 'the engine closed first',
  })
})

it('takes an alert for told when it was taken, however long the rest of the answer is in coming', async () => {
  let requests = 0
  await using server = await WebhookServer.open((_, response) => {
    requests++
    response.writeHead(200).write('x')
  })
  expect(await deliver(server.url, { timeoutMs: 100, attempts: 3 })).toEqual({ attempts: 1, pauses: [] })
  expect(requests).toBe(1)
})
