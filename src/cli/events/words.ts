import type { EventSource, LifecycleEventType } from '../../public/events.js'

export const EVENT_TYPES = ['fork', 'exec', 'exit', 'signal'] as const satisfies readonly LifecycleEventType[]
export const EVENT_SOURCES = ['auto', 'bpf', 'netlink', 'snapshots'] as const satisfies readonly (
  | EventSource
  | 'auto'
)[]
