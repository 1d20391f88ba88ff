import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkOptions, PATH } from '../arguments.js'
import { codeOfErrno, type ErrorCode, errnoName, errnoOf } from '../errors.js'

/** A POSIX object: shm_overview(7), sem_overview(7), mq_overview(7). */
export interface PosixIpcObject {
  /** As shm_open(3), sem_open(3) or mq_open(3) take it, with its slash. Whoever made it chose it: escape it. */
  readonly name: string
  readonly path: string
  readonly ownerUid: number
  readonly ownerGid: number
  /** Mode bits for owner, group and others. */
  readonly permissions: number
  /** Of a queue: bytes of the messages in it. */
  readonly sizeBytes: number
  /** Memory that it takes; undefined for a queue. */
  readonly allocatedBytes: number | undefined
  /** Epoch milliseconds of the last change of its content. */
  readonly modifiedAtMs: number
}

/** POSIX objects by kind, undefined where their file system is not mounted: `/dev/shm`, mqueue of mq_overview(7). */
export interface PosixIpcListing {
  readonly sharedMemory: readonly PosixIpcObject[] | undefined
  readonly semaphores: readonly PosixIpcObject[] | undefined
  readonly messageQueues: readonly PosixIpcObject[] | undefined
  readonly missing: readonly { readonly path: string; readonly code: ErrorCode; readonly reason: string }[]
}

const BLOCK_BYTES = 512 // stat(2) st_blocks
const SEMAPHORE = 'sem.'

/** Lists POSIX objects, where their file systems are mounted; never rejects for one that is not. */
export async function listPosixIpc(
  options: { readonly sharedMemoryRoot?: string; readonly queueRoot?: string } = {},
): Promise<PosixIpcListing> {
  checkOptions(options, { sharedMemoryRoot: PATH, queueRoot: PATH })
  const { sharedMemoryRoot = '/dev/shm', queueRoot = '/dev/mqueue' } = options
  const missing: { path: string; code: ErrorCode; reason: string }[] = []
  const list = async (root: string, isQueue: boolean): Promise<PosixIpcObject[] | undefined> => {
    try {
      const names = (await readdir(root)).sort()
      const objects = await Promise.all(names.map((name) => objectOf(root, name, isQueue)))
      return objects.filter((each) => each !== undefined)
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === undefined) throw error
      missing.push({ path: root, code: codeOfErrno(errno), reason: `${root}: ${errnoName(errno)}` })
      return undefined
    }
  }
  const [files, messageQueues] = await Promise.all([list(sharedMemoryRoot, false), list(queueRoot, true)])
  const isSemaphore = ({ path }: PosixIpcObject): boolean =>
    path.startsWith(join(sharedMemoryRoot, SEMAPHORE))
  return {
    sharedMemory: files?.filter((each) => !isSemaphore(each)),
    semaphores: files
      ?.filter(isSemaphore)
      .map((each) => ({ ...each, name: `/${each.name.slice(1 + SEMAPHORE.length)}` })),
    messageQueues,
    missing,
  }
}

/** Undefined for what is no object, or has just gone. */
async function objectOf(root: string, name: string, isQueue: boolean): Promise<PosixIpcObject | undefined> {
  const path = join(root, name)
  const stat = await lstat(path).catch(() => undefined)
  if (!stat?.isFile()) return undefined
  return {
    name: `/${name}`,
    path,
    ownerUid: stat.uid,
    ownerGid: stat.gid,
    permissions: stat.mode & 0o777,
    sizeBytes: isQueue ? await queueBytes(path) : stat.size,
    allocatedBytes: isQueue ? undefined : stat.blocks * BLOCK_BYTES,
    modifiedAtMs: stat.mtimeMs,
  }
}

/** mq_overview(7): `QSIZE:129     NOTIFY:2    SIGNO:0    NOTIFY_PID:8260`. */
async function queueBytes(path: string): Promise<number> {
  const text = await readFile(path, 'latin1').catch(() => '')
  return Number(/^QSIZE:(\d+)/.exec(text)?.[1] ?? Number.NaN)
}
