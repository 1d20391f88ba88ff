import { existsSync, type FSWatcher, watch } from 'node:fs'
import { codeOfErrno, errnoName, ProcmusterError } from '../errors.js'
import { type NativePidHandle, native } from '../native.js'
import { controlError } from './files.js'
import type { FindPlace } from './limits.js'
import { type CgroupEventCounts, readEventCounts } from './use.js'

/** Ends with `close()`; until then it keeps the event loop alive, unless `unref` is called. */
export interface CgroupWatch extends Disposable {
  close(): void
}

// The kernel tells of an out-of-memory situation of version 1 before it has ended anyone and counted that.
const SETTLE_MS = [0, 5, 20, 80, 300]

/**
 * Calls `listener` with the counts each time one of them has grown, told by the kernel: of version 2 by inotify on its files of
 * events, of version 1 by an eventfd on `memory.oom_control`.
 */
export async function watchEventCounts(
  find: FindPlace,
  listener: (counts: CgroupEventCounts) => void,
): Promise<CgroupWatch> {
  let last = await readEventCounts(find)
  let closed = false
  const timers = new Set<NodeJS.Timeout>()
  const look = async () => {
    const counts = await readEventCounts(find)
    if (closed || !grew(last, counts)) return
    last = counts
    listener(counts)
  }
  const toldOf = () => {
    for (const ms of SETTLE_MS) {
      const timer = setTimeout(() => {
        timers.delete(timer)
        void look()
      }, ms)
      timers.add(timer)
    }
  }
  const closers: (() => void)[] = []
  const memory = find('memory')
  const pids = find('pids')
  if (memory?.version === 1) closers.push(watchOom(memory.directory, toldOf))
  for (const [place, file] of [
    [memory, 'memory.events'],
    [pids, 'pids.events'],
  ] as const) {
    if (place === undefined || !existsSync(`${place.directory}/${file}`)) continue
    closers.push(watchFile(place.directory, file, () => void look()))
  }
  const close = () => {
    closed = true
    for (const timer of timers) clearTimeout(timer)
    for (const each of closers.splice(0)) each()
  }
  // What happened between the first look and the watch.
  await look()
  return { close, [Symbol.dispose]: close }
}

function grew(before: CgroupEventCounts, now: CgroupEventCounts): boolean {
  return (['oomKills', 'memoryMaxHits', 'memoryHighHits', 'pidsMaxHits'] as const).some(
    (name) => (now[name] ?? 0) > (before[name] ?? 0),
  )
}

/** Calls `changed` each time the kernel says that the file has changed. */
export function watchFile(directory: string, file: string, changed: () => void): () => void {
  let watcher: FSWatcher
  try {
    watcher = watch(`${directory}/${file}`, changed)
  } catch (error) {
    throw controlError(`watch ${file}`, directory, error)
  }
  // The group has been removed.
  watcher.on('error', () => watcher.close())
  return () => watcher.close()
}

function watchOom(directory: string, happened: () => void): () => void {
  const event = native.cgroups.openOomEvent(directory)
  if (typeof event === 'number') {
    throw new ProcmusterError(codeOfErrno(event), {
      message: `the events of ${JSON.stringify(directory)} cannot be watched (${errnoName(event)})`,
      path: directory,
      errno: event,
    })
  }
  let id = -1
  const arm = (handle: NativePidHandle) => {
    // The exit watch waits for any descriptor that becomes readable once.
    id = native.control.watchExit(handle, false, true, () => {
      native.cgroups.drainEvent(handle)
      // Removing the group counts as an event, and is the last one.
      if (existsSync(directory)) arm(handle)
      happened()
    })
  }
  arm(event)
  return () => {
    if (id >= 0) native.control.unwatchExit(id)
    native.control.closeHandle(event)
  }
}
