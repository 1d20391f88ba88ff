import type { ProcessIdentity } from '../table/identity.js'

/** The order of `IpcKind` in native/ipc/removal.h. */
export const IPC_KINDS = ['messageQueue', 'sharedMemory', 'semaphores'] as const
/** Kinds of System V objects, sysvipc(7). */
export type IpcKind = (typeof IPC_KINDS)[number]

/** Who an object is: an id is given out again, so key and time of the last change belong to it. */
export interface IpcIdentity {
  readonly kind: IpcKind
  readonly id: number
  /** As ftok(3) made it, signed; 0 is IPC_PRIVATE. */
  readonly key: number
  /** Epoch seconds: when it was made, or its owner or permissions were changed last. */
  readonly changedAt: number
}

/** A process that the kernel names as user of an object. */
export interface IpcUser {
  readonly pid: number
  /** Undefined when it has ended, or its pid belongs to one that is younger than that use. */
  readonly identity: ProcessIdentity | undefined
}

interface SysvObject extends IpcIdentity {
  /** Mode bits for owner, group and others. */
  readonly permissions: number
  readonly ownerUid: number
  readonly ownerGid: number
  readonly creatorUid: number
  readonly creatorGid: number
}

/** A line of `/proc/sysvipc/msg`; times are epoch seconds, undefined for never. */
export interface MessageQueue extends SysvObject {
  readonly kind: 'messageQueue'
  readonly bytes: number
  readonly messages: number
  readonly lastSender: IpcUser | undefined
  readonly lastReceiver: IpcUser | undefined
  readonly sentAt: number | undefined
  readonly receivedAt: number | undefined
}

/** A line of `/proc/sysvipc/shm`. */
export interface SharedMemorySegment extends SysvObject {
  readonly kind: 'sharedMemory'
  readonly sizeBytes: number
  /** Undefined before Linux 2.6.34. */
  readonly rssBytes: number | undefined
  readonly swapBytes: number | undefined
  readonly attached: number
  readonly creator: IpcUser | undefined
  /** Who attached or detached last. */
  readonly lastUser: IpcUser | undefined
  readonly attachedAt: number | undefined
  readonly detachedAt: number | undefined
  readonly isLocked: boolean
  /** It goes as soon as nobody has it attached. */
  readonly isRemoved: boolean
}

/** A line of `/proc/sysvipc/sem`: a set. */
export interface SemaphoreSet extends SysvObject {
  readonly kind: 'semaphores'
  readonly semaphores: number
  readonly usedAt: number | undefined
}

/** Finds the process that had a pid at a time, in epoch seconds. */
export type FindUser = (pid: number, at: number) => Promise<ProcessIdentity | undefined>

const SHM_DEST = 0o1000
const SHM_LOCKED = 0o2000

type Row = (field: string) => number | undefined

/** A table whose first line names its fields; more come with newer kernels. sysvipc(5) of proc. */
export function parseSysvTable(text: string): Row[] {
  const [head = '', ...lines] = text.split('\n')
  const fields = head.trim().split(/ +/)
  return lines.flatMap((line): Row[] => {
    const numbers = line.trim().split(/ +/).map(Number)
    if (numbers.length !== fields.length || numbers.some(Number.isNaN)) return []
    return [(field) => numbers[fields.indexOf(field)]]
  })
}

/** The one field that is written in octal. */
const modeOf = (row: Row): number => Number.parseInt(String(row('perms') ?? 0), 8)

function objectOf<K extends IpcKind>(row: Row, kind: K, idField: string): SysvObject & { readonly kind: K } {
  const get = (field: string): number => row(field) ?? 0
  return {
    kind,
    id: get(idField),
    key: get('key'),
    changedAt: get('ctime'),
    permissions: modeOf(row) & 0o777,
    ownerUid: get('uid'),
    ownerGid: get('gid'),
    creatorUid: get('cuid'),
    creatorGid: get('cgid'),
  }
}

const timeOf = (seconds: number | undefined): number | undefined => (seconds === 0 ? undefined : seconds)

async function userOf(
  pid: number | undefined,
  at: number | undefined,
  find: FindUser,
): Promise<IpcUser | undefined> {
  if (!pid) return undefined
  return { pid, identity: await find(pid, at ?? 0) }
}

export function messageQueues(text: string, find: FindUser): Promise<MessageQueue[]> {
  return Promise.all(
    parseSysvTable(text).map(async (row) => ({
      ...objectOf(row, 'messageQueue', 'msqid'),
      bytes: row('cbytes') ?? 0,
      messages: row('qnum') ?? 0,
      lastSender: await userOf(row('lspid'), row('stime'), find),
      lastReceiver: await userOf(row('lrpid'), row('rtime'), find),
      sentAt: timeOf(row('stime')),
      receivedAt: timeOf(row('rtime')),
    })),
  )
}

export function sharedMemorySegments(text: string, find: FindUser): Promise<SharedMemorySegment[]> {
  return Promise.all(
    parseSysvTable(text).map(async (row) => ({
      ...objectOf(row, 'sharedMemory', 'shmid'),
      sizeBytes: row('size') ?? 0,
      rssBytes: row('rss'),
      swapBytes: row('swap'),
      attached: row('nattch') ?? 0,
      creator: await userOf(row('cpid'), row('ctime'), find),
      lastUser: await userOf(row('lpid'), Math.max(row('atime') ?? 0, row('dtime') ?? 0), find),
      attachedAt: timeOf(row('atime')),
      detachedAt: timeOf(row('dtime')),
      isLocked: (modeOf(row) & SHM_LOCKED) !== 0,
      isRemoved: (modeOf(row) & SHM_DEST) !== 0,
    })),
  )
}

export function semaphoreSets(text: string): SemaphoreSet[] {
  return parseSysvTable(text).map((row) => ({
    ...objectOf(row, 'semaphores', 'semid'),
    semaphores: row('nsems') ?? 0,
    usedAt: timeOf(row('otime')),
  }))
}
