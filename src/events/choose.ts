import { ProcmusterError } from '../errors.js'
import { bpfObstacle, namespacePlace, obstacleError } from '../system/kernel_support.js'
import type { EventSource } from './event.js'
import type { EventFeed, FeedOptions } from './feed.js'
import { NativeFeed } from './native_feed.js'
import { SnapshotFeed } from './snapshots.js'

const GAINS = {
  bpf: 'the kernel tells of every event, with who sent a signal',
  netlink: 'the kernel tells of every fork, exec and exit',
  snapshots: 'two samples are compared, so that short lives are missed',
} as const satisfies Record<EventSource, string>

/** Opens the source asked for, or the first that works; `reason` says why it is this one, in one line. */
export async function openFeed(
  source: 'auto' | EventSource,
  options: FeedOptions,
): Promise<{ feed: EventFeed; reason: string }> {
  if (source !== 'auto') {
    const feed = await openOne(source, options)
    return { feed, reason: `${source}, as asked for: ${GAINS[source]}` }
  }
  const refused: string[] = []
  for (const candidate of ['bpf', 'netlink'] as const) {
    try {
      const feed = await openOne(candidate, options)
      return { feed, reason: reason(candidate, refused) }
    } catch (error) {
      if (!(error instanceof ProcmusterError)) throw error
      refused.push(error.message)
    }
  }
  return { feed: await openOne('snapshots', options), reason: reason('snapshots', refused) }
}

function openOne(source: EventSource, options: FeedOptions): Promise<EventFeed> {
  if (source === 'snapshots') return SnapshotFeed.open(options)
  return source === 'bpf' ? openBpf(options) : openNetlink(options)
}

async function openBpf(options: FeedOptions): Promise<EventFeed> {
  const obstacle = bpfObstacle()
  if (obstacle !== undefined) throw obstacleError('no bpf events', obstacle)
  return open('bpf', options)
}

async function openNetlink(options: FeedOptions): Promise<EventFeed> {
  for (const namespace of ['pid', 'user'] as const) {
    if (namespacePlace(namespace) !== 'other') continue
    throw new ProcmusterError('UNSUPPORTED', {
      message: `no netlink events: this process is in a ${namespace} namespace of its own, and the process connector tells only the host's`,
    })
  }
  return open('netlink', options)
}

async function open(source: 'bpf' | 'netlink', options: FeedOptions): Promise<EventFeed> {
  try {
    return await NativeFeed.open(source, options)
  } catch (cause) {
    if (!(cause instanceof ProcmusterError)) throw cause
    const { code, errno, message } = cause
    throw new ProcmusterError(code === 'ACCESS_DENIED' ? code : 'UNSUPPORTED', {
      message: `no ${source} events: ${message}`,
      errno,
      cause,
    })
  }
}

function reason(source: EventSource, refused: readonly string[]): string {
  return [`${source}: ${GAINS[source]}`, ...refused].join('; ')
}
