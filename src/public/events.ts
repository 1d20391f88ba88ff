export type {
  EventSource,
  ExecEvent,
  ExitEvent,
  ForkEvent,
  LifecycleEvent,
  LifecycleEventType,
  LostEvent,
  ProcessEvent,
  SignalEvent,
  SignalSender,
} from '../events/event.js'
export { EventStream, type EventStreamOptions } from '../events/stream.js'
