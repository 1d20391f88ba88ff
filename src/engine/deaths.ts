import type { Alarms } from '../alerts/alarms.js'
import type { ExitCause } from '../alerts/alert.js'
import type { ExitEvent } from '../events/event.js'
import { identityKey, type ProcessIdentity } from '../table/identity.js'
import { deathMessage } from './messages.js'
import { type Binding, type EventIdentity, isOf } from './watched.js'

/** A binding as it was when its process ended. */
type Death = Pick<Binding, 'rule' | 'identity' | 'name'>

interface DeathParts {
  /** Whether exit records can come at all. */
  readonly listening: () => boolean
  readonly alarms: Alarms
  /** How long a death waits for its record. */
  readonly waitMs?: number
}

/** The record comes a moment after the process is seen to be gone, or before; on a busy host a little later. */
const WAIT_MS = 500
/** Records of processes that are watched and whose end is (so far) our own doing. */
const KEPT_LIMIT = 256

interface Waiting {
  readonly deaths: Death[]
  readonly timer: NodeJS.Timeout
}

/** Joins the end of a watched process with the record of why: whichever comes first waits for the other. */
export class Deaths {
  readonly #parts: DeathParts
  readonly #kept = new Map<string, ExitCause>()
  readonly #waiting = new Map<string, Waiting>()

  constructor(parts: DeathParts) {
    this.#parts = parts
  }

  /** A record of a process that is watched, or that a death waits for. */
  exited(identity: ProcessIdentity, event: ExitEvent): void {
    const key = identityKey(identity)
    const exit = causeOf(event)
    const waiting = this.#waiting.get(key)
    if (waiting !== undefined) {
      this.#stopWaiting(key, waiting, exit)
      return
    }
    if (this.#kept.size >= KEPT_LIMIT) this.#kept.delete(this.#kept.keys().next().value!)
    this.#kept.set(key, exit)
  }

  /** The identity of a death that waits for this record. */
  awaited(event: EventIdentity): ProcessIdentity | undefined {
    for (const { deaths } of this.#waiting.values()) {
      const { identity } = deaths[0]!
      if (isOf(event, identity)) return identity
    }
    return undefined
  }

  /** These bindings' process ended by itself, which has not been told yet. */
  ended(bindings: readonly Binding[]): void {
    for (const { rule, identity, name } of bindings) {
      const death: Death = { rule, identity, name }
      const key = identityKey(identity)
      const exit = this.#kept.get(key)
      const waiting = this.#waiting.get(key)
      if (exit !== undefined || !this.#parts.listening()) this.#tell(death, exit)
      else if (waiting !== undefined) waiting.deaths.push(death)
      else {
        const { waitMs = WAIT_MS } = this.#parts
        const timer = setTimeout(() => this.#stopWaiting(key, this.#waiting.get(key)!, undefined), waitMs)
        this.#waiting.set(key, { deaths: [death], timer })
      }
    }
  }

  /** Tells what still waits. */
  close(): void {
    for (const [key, waiting] of [...this.#waiting]) this.#stopWaiting(key, waiting, undefined)
  }

  #stopWaiting(key: string, { deaths, timer }: Waiting, exit: ExitCause | undefined): void {
    clearTimeout(timer)
    this.#waiting.delete(key)
    for (const death of deaths) this.#tell(death, exit)
  }

  #tell({ rule, identity, name }: Death, exit: ExitCause | undefined): void {
    const message = deathMessage(name, identity, rule, exit)
    const { alarms } = this.#parts
    alarms.raise({ rule, severity: 'critical', kind: 'died', identity, name, values: [], message, exit })
  }
}

function causeOf(event: ExitEvent): ExitCause {
  const { exitCode, signal, coreDumped, oomKilled, sender } = event
  const { cpuTimeNs, peakRssBytes, readBytes, writeBytes, lifetimeMs } = event
  return {
    ...{ exitCode, signal, coreDumped, oomKilled, sender },
    ...{ cpuTimeNs, peakRssBytes, readBytes, writeBytes, lifetimeMs },
  }
}
