import { createHmac } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Alert } from '../alert.js'
import { payloadOf } from './payload.js'
import type { Deliver, Delivery } from './queue.js'
import type { WebhookSettings } from './spec.js'

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000
/** A server that asks for more time than this gets no less than this. */
const LONGEST_RETRY_AFTER_MS = 300_000
const MOST_REDIRECTS = 3
/** Read, so that the connection can be used again; what follows is not. */
const BODY_BYTES = 64 * 1024
const SHOWN_CHARACTERS = 200

interface WebhookParts {
  readonly now?: () => number
  /** From 0 to 1. */
  readonly random?: () => number
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>
}

/** How one attempt ended; without `failure` it succeeded. */
interface Attempt {
  readonly failure?: string
  /** Another one may succeed; not sooner than `afterMs`. */
  readonly again?: boolean
  readonly afterMs?: number | undefined
}

/** Posts alerts to a URL; tries again where that can help. */
export function webhookDelivery(settings: WebhookSettings, parts: WebhookParts = {}): Deliver {
  const { now = Date.now, random = Math.random } = parts
  const pause =
    parts.pause ?? ((ms: number, signal: AbortSignal) => sleep(ms, undefined, { signal, ref: false }))
  return async (alert, signal): Promise<Delivery> => {
    const body = payloadOf(alert)
    for (let attempts = 1; ; attempts++) {
      const { failure, again, afterMs = 0 } = await post(settings, alert, body, now, signal)
      if (failure === undefined) return { attempts }
      if (!again || attempts >= settings.attempts || signal.aborted) return { attempts, failure }
      // Full jitter: those who failed together do not come back together.
      const backoffMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempts - 1)) * random()
      try {
        await pause(Math.max(backoffMs, Math.min(afterMs, LONGEST_RETRY_AFTER_MS)), signal)
      } catch {
        return { attempts, failure }
      }
    }
  }
}

async function post(
  settings: WebhookSettings,
  alert: Alert,
  body: string,
  now: () => number,
  closing: AbortSignal,
): Promise<Attempt> {
  const timeout = AbortSignal.timeout(settings.timeoutMs)
  const signal = AbortSignal.any([timeout, closing])
  const headers = new Headers(settings.headers)
  headers.set('content-type', 'application/json')
  headers.set('idempotency-key', `${alert.id}:${alert.state}:${alert.repeats}`)
  if (settings.secret !== undefined) {
    headers.set('x-procmuster-signature', signature(settings.secret, Math.floor(now() / 1000), body))
  }
  try {
    const response = await follow(settings.url, { method: 'POST', body, headers, signal })
    if (response.ok) {
      // It was taken, whatever becomes of the rest of the answer: told once more, it would be told twice.
      await startOf(response).catch(() => {})
      return {}
    }
    const text = await startOf(response)
    const { status } = response
    const location = response.headers.get('location')
    if (status >= 300 && status < 400 && location !== null) {
      return { failure: `status ${status} points elsewhere, which is not followed: ${originOf(location)}` }
    }
    const shown = text.trim().slice(0, SHOWN_CHARACTERS)
    return {
      failure: `status ${status}${shown === '' ? '' : `: ${shown}`}`,
      again: status === 408 || status === 429 || status >= 500,
      afterMs: retryAfterMs(response.headers.get('retry-after'), now()),
    }
  } catch (error) {
    if (closing.aborted) return { failure: 'the engine closed first' }
    if (timeout.aborted) return { failure: `no answer within ${settings.timeoutMs} ms`, again: true }
    return { failure: reasonOf(error), again: true }
  }
}

/** Of redirects only those that keep the method, and lead to the same host, are followed. */
async function follow(start: string, request: RequestInit): Promise<Response> {
  let url = new URL(start)
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(url.href, { ...request, redirect: 'manual' })
    const location = response.headers.get('location')
    if ((response.status !== 307 && response.status !== 308) || location === null) return response
    if (redirects >= MOST_REDIRECTS || !URL.canParse(location, url.href)) return response
    const next = new URL(location, url)
    if (next.origin !== url.origin) return response
    await response.body?.cancel()
    url = next
  }
}

/** At most so much of the body; a server that sends without end is left. */
async function startOf(response: Response): Promise<string> {
  if (response.body === null) return ''
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    chunks.push(chunk)
    length += chunk.length
    // Leaving the loop cancels the rest.
    if (length >= BODY_BYTES) break
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** `t=SECONDS,v1=HEX`: HMAC-SHA256 over `SECONDS.BODY`. */
function signature(secret: string, seconds: number, body: string): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`
}

/** Seconds, or a date; RFC 9110, 10.2.3. */
function retryAfterMs(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs
  return Number.isFinite(ms) && ms > 0 ? ms : undefined
}

/** Paths and queries of webhooks are secrets often enough. */
function originOf(location: string): string {
  return URL.canParse(location) ? new URL(location).origin : 'another path'
}

/** fetch says `fetch failed`, and the reason in the cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error
  const { code, message: inner } = (cause ?? {}) as NodeJS.ErrnoException
  return cause === undefined ? message : `${message}: ${code ?? inner}`
}
