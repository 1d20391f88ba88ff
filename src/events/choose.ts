import { ProcmusterError } from '../errors.js'
import type { EventSource } from './event.js'
import type { EventFeed, FeedOptions } from './feed.js'
import { SnapshotFeed } from './snapshots.js'

/** Opens the source asked for, or the first that works; `reason` says why it is this one, in one line. */
export async function openFeed(
  source: 'auto' | EventSource,
  options: FeedOptions,
): Promise<{ feed: EventFeed; reason: string }> {
  if (source === 'bpf' || source === 'netlink') {
    throw new ProcmusterError('UNSUPPORTED', {
      message: `the event source ${source} is not built in; 'snapshots' works everywhere`,
    })
  }
  const feed = await SnapshotFeed.open(options)
  return { feed, reason: source === 'auto' ? 'snapshots: nothing else is built in' : 'snapshots: asked for' }
}
