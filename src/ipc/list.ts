import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkOptions, PATH } from '../arguments.js'
import { identify } from '../control/handle.js'
import { codeOfErrno, type ErrorCode, errnoName, errnoOf } from '../errors.js'
import { parseStat } from '../system/stats/cpu.js'
import type { ProcessIdentity } from '../table/identity.js'
import {
  type FindUser,
  type MessageQueue,
  messageQueues,
  type SemaphoreSet,
  type SharedMemorySegment,
  semaphoreSets,
  sharedMemorySegments,
} from './sysv.js'

/** System V objects of this process's IPC namespace; undefined where the file is in `missing`. */
export interface IpcListing {
  readonly messageQueues: readonly MessageQueue[] | undefined
  readonly sharedMemory: readonly SharedMemorySegment[] | undefined
  readonly semaphores: readonly SemaphoreSet[] | undefined
  readonly missing: readonly { readonly path: string; readonly code: ErrorCode; readonly reason: string }[]
}

/** Lists the System V IPC objects, proc(5) `/proc/sysvipc`. Never rejects for a file that is not there. */
export async function listIpc(options: { readonly procRoot?: string } = {}): Promise<IpcListing> {
  checkOptions(options, { procRoot: PATH })
  const { procRoot = '/proc' } = options
  const missing: { path: string; code: ErrorCode; reason: string }[] = []
  const read = async (name: string): Promise<string | undefined> => {
    const path = join(procRoot, 'sysvipc', name)
    try {
      return await readFile(path, 'latin1')
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === undefined) throw error
      missing.push({ path, code: codeOfErrno(errno), reason: `${path}: ${errnoName(errno)}` })
      return undefined
    }
  }
  const [queues, segments, sets] = await Promise.all([read('msg'), read('shm'), read('sem')])
  const find = await userFinder(procRoot)
  return {
    messageQueues: queues === undefined ? undefined : await messageQueues(queues, find),
    sharedMemory: segments === undefined ? undefined : await sharedMemorySegments(segments, find),
    semaphores: sets === undefined ? undefined : semaphoreSets(sets),
    missing,
  }
}

const TICKS_PER_SECOND = 100 // USER_HZ
/** Both times are of whole seconds, cut off. */
const SLACK_SECONDS = 2

async function userFinder(procRoot: string): Promise<FindUser> {
  const stat = await readFile(join(procRoot, 'stat'), 'latin1').catch(() => '')
  const bootedAt = (parseStat(stat)?.bootedAtMs ?? 0) / 1000
  const found = new Map<number, Promise<ProcessIdentity | undefined>>()
  return async (pid, at) => {
    if (!found.has(pid))
      found.set(
        pid,
        identify(pid, { procRoot }).catch(() => undefined),
      )
    const identity = await found.get(pid)
    if (identity === undefined) return undefined
    const startedAt = bootedAt + identity.startTicks / TICKS_PER_SECOND
    return startedAt <= at + SLACK_SECONDS ? identity : undefined
  }
}
