import type { EventSource, LifecycleEvent, LifecycleEventType } from './event.js'

/** One source of events. It is pulled: what nobody reads stays where its size is bounded. */
export interface EventFeed {
  readonly source: EventSource
  /** Events lost so far. */
  readonly lost: number
  /** What has come since the last call, oldest first. Throws what the source failed of. */
  take(): LifecycleEvent[]
  /** Asks for one `wake` once `take` has something or fails; keeps the event loop alive until then. */
  arm(): void
  /** Idempotent. `wake` is not called any more. */
  close(): Promise<void>
}

export interface FeedOptions {
  readonly types: ReadonlySet<LifecycleEventType>
  readonly intervalMs: number
  readonly bufferBytes: number
  readonly wake: () => void
}
