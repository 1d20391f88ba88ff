import { constants } from 'node:os'
import { checkHas, checkOptions, FLAG, refuse } from '../arguments.js'
import { codeOfErrno, type ErrorCode, errnoName, ProcmusterError } from '../errors.js'
import { native } from '../native.js'
import { type IpcListing, listIpc } from './list.js'
import { IPC_KINDS, type IpcIdentity, type IpcKind, type IpcUser } from './sysv.js'

/** What became of one object; results come in the order of the targets. */
export type IpcResult = { readonly kind: IpcKind; readonly id: number } & (
  | { readonly ok: true }
  | { readonly ok: false; readonly error: ProcmusterError }
)

/** The order of `RemovalStep` in native/ipc/removal.h. */
enum RemovalStep {
  done = 0,
  stat = 1,
  mismatch = 2,
  inUse = 3,
  remove = 4,
}

/**
 * Removes System V IPC objects, as they were listed. An object in use stays (`BUSY`): a segment that is attached, a set of
 * semaphores that somebody waits for, one whose last known user still lives. An id that is another object's by now, and one
 * that is gone, is `NOT_FOUND`. One result per target; `ACCESS_DENIED` takes its owner, its creator or CAP_SYS_ADMIN.
 * @param options.force removes what is in use: whoever waits is woken with EIDRM; a segment goes with its last detachment
 * @throws ProcmusterError `INVALID_ARGUMENT` for a target that is no such object
 */
export async function removeIpc(
  targets: readonly IpcIdentity[],
  options: { readonly force?: boolean } = {},
): Promise<IpcResult[]> {
  if (!Array.isArray(targets)) refuse('the targets', targets, 'a list of what listIpc gave')
  checkOptions(options, { force: FLAG })
  const { force = false } = options
  for (const target of targets) {
    checkHas('one of the targets', target, ['kind', 'id'], 'what listIpc gave')
    check(target)
  }
  if (targets.length === 0) return []
  const listing = force ? undefined : await listIpc()
  const refusals = targets.map((target) => (listing === undefined ? undefined : liveUser(target, listing)))
  const free = targets.filter((_, index) => refusals[index] === undefined)
  const packed = Float64Array.from(
    free.flatMap(({ kind, id, key, changedAt }) => [IPC_KINDS.indexOf(kind), id, key, changedAt]),
  )
  const out = new Int32Array(free.length * 2)
  await native.removeIpc(packed, force, out)
  let next = 0
  return targets.map((target, index): IpcResult => {
    const { kind, id } = target
    const error = refusals[index] ?? stepError(target, out[next]!, out[next + 1]!)
    if (refusals[index] === undefined) next += 2
    return error === undefined ? { kind, id, ok: true } : { kind, id, ok: false, error }
  })
}

function check({ kind, id, key, changedAt }: IpcIdentity): void {
  const isInt = (value: number): boolean => Number.isInteger(value) && Math.abs(value) <= 2 ** 31
  if (IPC_KINDS.includes(kind) && isInt(id) && id >= 0 && isInt(key) && Number.isSafeInteger(changedAt))
    return
  throw new ProcmusterError('INVALID_ARGUMENT', {
    message: `${kind} ${id} (key ${key}, changed at ${changedAt}) is no IPC object; give what listIpc() gave`,
  })
}

function liveUser(target: IpcIdentity, listing: IpcListing): ProcmusterError | undefined {
  const user = usersOf(target, listing).find((each) => each?.identity !== undefined)
  if (user === undefined) return undefined
  return failure(
    target,
    'BUSY',
    `process ${user.pid}, its last user, still lives; give force to remove it all the same`,
  )
}

/** Of a set of semaphores the kernel's table names none. */
function usersOf({ kind, id }: IpcIdentity, listing: IpcListing): (IpcUser | undefined)[] {
  if (kind === 'messageQueue') {
    const queue = listing.messageQueues?.find((each) => each.id === id)
    return [queue?.lastSender, queue?.lastReceiver]
  }
  if (kind === 'sharedMemory') return [listing.sharedMemory?.find((each) => each.id === id)?.lastUser]
  return []
}

function stepError(target: IpcIdentity, errno: number, step: RemovalStep): ProcmusterError | undefined {
  const { EINVAL, EIDRM } = constants.errno
  switch (step) {
    case RemovalStep.done:
      return undefined
    case RemovalStep.mismatch:
      return failure(target, 'NOT_FOUND', 'that id is another object now; nothing was removed')
    case RemovalStep.inUse:
      return failure(target, 'BUSY', 'it is attached or waited for; give force to remove it all the same')
    default: {
      if (errno === EINVAL || errno === EIDRM) return failure(target, 'NOT_FOUND', 'it is gone', errno)
      const code = codeOfErrno(errno)
      const way = code === 'ACCESS_DENIED' ? '; run as its owner or creator, or with CAP_SYS_ADMIN' : ''
      return failure(target, code, `${errnoName(errno)}${way}`, errno)
    }
  }
}

function failure(
  { kind, id, key }: IpcIdentity,
  code: ErrorCode,
  why: string,
  errno?: number,
): ProcmusterError {
  const hex = `0x${(key >>> 0).toString(16).padStart(8, '0')}`
  return new ProcmusterError(code, { message: `${kind} ${id} (key ${hex}): ${why}`, errno })
}
