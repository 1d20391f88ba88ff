import type { LifecycleEvent } from '../../dist/index.js'
import { EventStream, type EventStreamOptions } from '../../dist/index.js'
import { waitFor } from '../fixtures/processes.js'

/** A stream with a reader that keeps all that it has told. */
interface Collected {
  readonly stream: EventStream
  readonly events: LifecycleEvent[]
  /** Ends with the reader's loop; rejects with what that threw. */
  readonly ended: Promise<void>
  /** The first event of that type and pid, also one still to come. */
  find<T extends LifecycleEvent['type']>(type: T, pid: number): Promise<Extract<LifecycleEvent, { type: T }>>
  all<T extends LifecycleEvent['type']>(type: T, pid: number): Extract<LifecycleEvent, { type: T }>[]
}

const open: Collected[] = []

export async function collect(options: EventStreamOptions = {}): Promise<Collected> {
  const stream = await EventStream.open(options)
  const events: LifecycleEvent[] = []
  const ended = (async () => {
    for await (const event of stream) events.push(event)
  })()
  ended.catch(() => {})
  const all = <T extends LifecycleEvent['type']>(type: T, pid: number) =>
    events.filter(
      (event): event is Extract<LifecycleEvent, { type: T }> =>
        event.type === type && 'pid' in event && event.pid === pid,
    )
  const collected: Collected = {
    stream,
    events,
    ended,
    all,
    find: (type, pid) => waitFor(() => all(type, pid)[0], { what: `${type} of ${pid} (${stream.source})` }),
  }
  open.push(collected)
  return collected
}

/** For `afterEach`. */
export async function closeAll(): Promise<void> {
  await Promise.all(open.splice(0).map(({ stream }) => stream.close()))
}
