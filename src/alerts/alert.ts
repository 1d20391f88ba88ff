import type { ClauseValue } from '../journal/decision_records.js'
import type { Severity } from '../rules/schema/rule.js'
import type { GroupRef } from '../rules/subject.js'
import type { ProcessIdentity } from '../table/identity.js'

/** What an alert is about; see `Alert.kind`. */
export type AlertKind =
  | 'breach'
  | 'died'
  | 'restart-failed'
  | 'suspended'
  | 'gave-up'
  | 'host-stop'
  | 'judging-failed'

/** The rule of alerts about the judging itself: they need a name, and are about no rule of the user's. */
export const JUDGING_RULE = 'judging'

/**
 * How a process ended; what the source of events could not tell is missing. `exitCode` is missing when a signal ended it.
 * The sender is missing when it was the kernel itself, as for a fault.
 */
export interface ExitCause {
  readonly exitCode?: number | undefined
  readonly signal?: string | undefined
  readonly coreDumped?: boolean | undefined
  /** By the kernel, which was out of memory. */
  readonly oomKilled?: boolean | undefined
  readonly sender?: { readonly pid: number; readonly name: string | undefined } | undefined
  readonly cpuTimeNs?: number | undefined
  readonly peakRssBytes?: number | undefined
  readonly readBytes?: number | undefined
  readonly writeBytes?: number | undefined
  readonly lifetimeMs?: number | undefined
}

/** `pending`: the condition holds, and its `for` is not over. */
export type AlertState = 'pending' | 'firing' | 'resolved'

/** Something that somebody should know of, from when it began to fire until it is resolved. */
export interface Alert {
  /** Unique over all runs of all engines. */
  readonly id: string
  readonly rule: string
  readonly severity: Severity
  /**
   * `breach`: the rule's condition holds. `died`: a process watched by pid ended, and not by us. `suspended`, `gave-up`,
   * `host-stop`: no restarts of a rule, of a process, on the host for a while. `judging-failed`: no rule is judged.
   */
  readonly kind: AlertKind
  readonly state: AlertState
  /** Missing exactly for an alert about a group. */
  readonly identity?: ProcessIdentity | undefined
  readonly group?: GroupRef | undefined
  /** Of the process; of a group `unit nginx.service`. */
  readonly name: string
  /** The clauses that held, with their values; empty for kinds other than `breach`. */
  readonly values: readonly ClauseValue[]
  readonly message: string
  /** What can be done about it, a line each, where the engine knows: of zombies and stuck processes. */
  readonly advice?: readonly string[] | undefined
  /** Of a `died`: the cause, as far as it is known. */
  readonly exit?: ExitCause | undefined
  /** When it began to fire, epoch milliseconds. */
  readonly atMs: number
  /** How often it was raised again since, while it fired (see the rule's cooldown), and when last. */
  readonly repeats: number
  readonly lastAtMs: number
  readonly resolvedAtMs?: number | undefined
  readonly acknowledged?: Acknowledgement | undefined
  /** Id of the silence because of which no notifier is told. */
  readonly silencedBy?: string | undefined
}

/** Somebody has taken an alert up: notifiers are not told again while it lasts. */
export interface Acknowledgement {
  readonly by: string
  /** Epoch milliseconds. */
  readonly atMs: number
  readonly note?: string | undefined
}
