import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Alert } from '../alert.js'
import { payloadOf } from './payload.js'
import type { Deliver } from './queue.js'
import type { CommandSettings } from './spec.js'

const KEPT_STDERR_BYTES = 4096
const KILL_AFTER_MS = 2000
const LAST_WORDS_MS = 100
/** What of our environment a program needs to run at all. */
const KEPT_VARIABLES = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR']

/**
 * Runs a program for each alert, with the alert as JSON on its stdin. Names that processes chose are nowhere but in
 * that JSON. Alerts are rare, so that the fork of a large Node process, which child_process does on this thread, is borne.
 */
export function commandDelivery(settings: CommandSettings): Deliver {
  return async (alert, signal) => {
    const failure = await run(settings, alert, signal)
    return failure === undefined ? { attempts: 1 } : { attempts: 1, failure }
  }
}

/** What went wrong; undefined for exit code 0. */
function run(settings: CommandSettings, alert: Alert, closing: AbortSignal): Promise<string | undefined> {
  const [file, ...rest] = settings.command as [string, ...string[]]
  const [program, args] = settings.shell ? ['/bin/sh', ['-c', file, 'sh', ...rest]] : [file, rest]
  return new Promise((resolve) => {
    let child: ChildProcess
    try {
      child = spawn(program, args, {
        // A process group of its own, so that what it starts can be ended with it.
        detached: true,
        stdio: ['pipe', 'ignore', 'pipe'],
        env: environmentFor(alert),
      })
    } catch (error) {
      resolve((error as Error).message)
      return
    }
    const errors = new StartOfStream()
    // Without descriptors left there are no pipes, and an `error` follows.
    child.stderr?.on('data', (chunk: Buffer) => errors.add(chunk))
    // It need not read: EPIPE.
    child.stdin?.on('error', () => {})
    child.stdin?.end(payloadOf(alert))
    let ended: string | undefined
    let killTimer: NodeJS.Timeout | undefined
    const end = (why: string): void => {
      if (ended !== undefined) return
      ended = why
      signalGroup(child, 'SIGTERM')
      killTimer = setTimeout(() => signalGroup(child, 'SIGKILL'), KILL_AFTER_MS)
    }
    const timer = setTimeout(() => end(`not done within ${settings.timeoutMs} ms`), settings.timeoutMs)
    const onClosing = (): void => end('the engine closed first')
    closing.addEventListener('abort', onClosing, { once: true })
    const stopTimers = (): void => {
      clearTimeout(timer)
      clearTimeout(killTimer)
      closing.removeEventListener('abort', onClosing)
    }
    const finish = (failure: string | undefined): void => {
      stopTimers()
      // What it left running may hold its stderr; nobody reads that any more.
      child.stderr?.destroy()
      child.stdin?.destroy()
      resolve(failure)
    }
    child.once('error', (error) => finish(error.message))
    // Not `close`, which comes only when everything that it started has ended too.
    child.once('exit', (code, signal) => {
      stopTimers()
      // Of what it started, what does not hear SIGTERM.
      if (ended !== undefined) signalGroup(child, 'SIGKILL')
      void lastWords(child).then(() => {
        const how = ended ?? (signal === null ? `exit code ${code}` : `killed by ${signal}`)
        finish(ended === undefined && code === 0 ? undefined : how + errors.text)
      })
    })
  })
}

/** What it wrote can still be in the pipe; what it left running may hold that open. */
async function lastWords({ stderr }: ChildProcess): Promise<void> {
  if (!stderr || stderr.readableEnded) return
  await Promise.race([once(stderr, 'end').catch(() => {}), sleep(LAST_WORDS_MS)])
}

function environmentFor({ id, state, severity, kind, rule, identity }: Alert): NodeJS.ProcessEnv {
  const kept = KEPT_VARIABLES.flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return {
    ...Object.fromEntries(kept),
    MUSTER_ALERT_ID: id,
    MUSTER_STATE: state,
    MUSTER_SEVERITY: severity,
    MUSTER_KIND: kind,
    MUSTER_RULE: rule,
    ...(identity !== undefined && { MUSTER_PID: String(identity.pid) }),
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // Nobody is left in it.
  }
}

class StartOfStream {
  readonly #chunks: Buffer[] = []
  #length = 0

  add(chunk: Buffer): void {
    if (this.#length >= KEPT_STDERR_BYTES) return
    this.#chunks.push(chunk.subarray(0, KEPT_STDERR_BYTES - this.#length))
    this.#length += chunk.length
  }

  get text(): string {
    const text = Buffer.concat(this.#chunks).toString('utf8').trim()
    return text === '' ? '' : `: ${text}`
  }
}
