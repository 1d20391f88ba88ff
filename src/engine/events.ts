import type { ActionReport } from '../actions/context.js'
import type { Alert } from '../alerts/alert.js'
import type { NotifierStats } from '../alerts/notifiers/notifiers.js'
import type { GovernedBody, OutcomeBody } from '../journal/action_records.js'
import type { LifecycleStats, NotifyFailedBody } from '../journal/records.js'
import type { Table } from '../table/table.js'
import type { LostEvents } from './event_queue.js'
import type { RulesChange } from './rulebook.js'

/** One turn: sample, judge, hand on. */
export interface TickReport {
  /** From 1. */
  readonly tick: number
  /** The sample judged, good as long as any table; `copy()` it to keep it. */
  readonly table: Table
  readonly decisions: number
  readonly sampleMs: number
  readonly judgeMs: number
  readonly totalMs: number
}

/** Events of births and deaths that came faster than they could be read. */
export interface Overrun {
  readonly count: number
  /** When that was found, epoch milliseconds; an extra sample followed. */
  readonly atMs: number
}

/** Events and their arguments. Without a listener `error` is only logged: it never ends the process. */
export interface EngineEvents {
  /** An alert began to fire, was raised again, or was resolved. */
  alert: [alert: Alert]
  action: [action: ActionReport]
  /** The governor put a restart off or refused it: once for each bound that holds it up. A refusal is an `action` too. */
  governed: [governed: GovernedBody]
  /** What became of a restart. */
  outcome: [outcome: OutcomeBody]
  tick: [tick: TickReport]
  /** What an earlier run had begun was finished, or given up. */
  recovered: [action: ActionReport]
  /** Births and deaths were missed; a sample made up for them. */
  overrun: [overrun: Overrun]
  /** A notifier was not told of an alert, after all attempts. */
  'notify-failed': [failure: NotifyFailedBody]
  /** The engine goes on with other rules. */
  rules: [change: RulesChange]
  /** Something went wrong that the engine goes on after: a sample, the journal, a listener. */
  error: [error: Error]
}

/** What `engine.events()` gives. */
export type EngineEvent =
  | { readonly type: 'alert'; readonly alert: Alert }
  | { readonly type: 'action'; readonly action: ActionReport }
  | { readonly type: 'governed'; readonly governed: GovernedBody }
  | { readonly type: 'outcome'; readonly outcome: OutcomeBody }
  | { readonly type: 'tick'; readonly tick: TickReport }
  | { readonly type: 'recovered'; readonly action: ActionReport }
  | { readonly type: 'overrun'; readonly overrun: Overrun }
  | { readonly type: 'notify-failed'; readonly failure: NotifyFailedBody }
  | { readonly type: 'rules'; readonly change: RulesChange }
  | { readonly type: 'error'; readonly error: Error }
  | LostEvents

/** Times in milliseconds. */
export interface EngineStats {
  readonly ticks: number
  /** Ticks left out because the one before was not over. */
  readonly missedTicks: number
  /** Ticks whose sample or judgement failed. */
  readonly failedTicks: number
  /** How late the last tick began, and the latest of all. */
  readonly latenessMs: number
  readonly maxLatenessMs: number
  readonly sampleMs: number
  readonly judgeMs: number
  readonly tickMs: number
  readonly processes: number
  /** Where samples come from, and in one line why. */
  readonly sampler: { readonly source: string; readonly reason: string }
  readonly lifecycle: LifecycleStats
  readonly notifiers: readonly NotifierStats[]
  /** Of the whole process that the engine runs in. */
  readonly userCpuMs: number
  readonly systemCpuMs: number
  readonly rssBytes: number
}
