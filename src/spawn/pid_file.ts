import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, lstat, open, rename, rm, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { checkIdentity, PATH } from '../arguments.js'
import { identify, ProcessHandle } from '../control/handle.js'
import { codeOfErrno, errnoName, errnoOf, ProcmusterError } from '../errors.js'
import { lockFile } from '../file_lock.js'
import type { ProcessIdentity } from '../table/identity.js'

const MOST_ROUNDS = 10
const LOCK_WAIT_MS = 1000

/**
 * Makes a file that names this process, whole from the first moment, where no living process has one.
 * @throws ProcmusterError `BUSY` when a process that lives, or may, is named there, or it holds no pid; what an errno stands for
 */
export async function takePidFile(path: string, { pid }: ProcessIdentity): Promise<void> {
  const absolute = resolve(path)
  const fresh = `${absolute}.${randomUUID()}`
  try {
    await writeFile(fresh, `${pid}\n`, { flag: 'wx', mode: 0o644 })
    for (let round = 0; round < MOST_ROUNDS; round++) {
      if (await linked(fresh, absolute)) return
      if (await replaced(fresh, absolute)) return
    }
    throw busy(absolute, 'others write it all the time')
  } catch (cause) {
    const errno = errnoOf(cause)
    if (errno === undefined || cause instanceof ProcmusterError) throw cause
    throw new ProcmusterError(codeOfErrno(errno), {
      message: `the pid file ${JSON.stringify(absolute)} cannot be written (${errnoName(errno)}); give one in a directory that is there and may be written to`,
      path: absolute,
      errno,
      cause,
    })
  } finally {
    await rm(fresh, { force: true })
  }
}

/**
 * Removes a pid file when it still names this process, once that has ended: of a detached one whose starter has gone nobody else does it. What
 * goes wrong leaves a file that the next start finds stale.
 */
export async function dropPidFile(path: string, identity: ProcessIdentity): Promise<void> {
  PATH('the pid file', path)
  checkIdentity(identity)
  const { pid } = identity
  const absolute = resolve(path)
  try {
    const file = await openExisting(absolute)
    try {
      if ((await isLocked(file, absolute)) && (await pidIn(file)) === pid) await rm(absolute)
    } finally {
      await file.close()
    }
  } catch {}
}

async function linked(fresh: string, path: string): Promise<boolean> {
  try {
    await link(fresh, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

// Of two that find the same stale file one waits for the other: whoever has the lock of what the path leads to now.
async function replaced(fresh: string, path: string): Promise<boolean> {
  const file = await openExisting(path).catch((error) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  })
  if (file === undefined) return false
  try {
    if (!(await isLocked(file, path))) return false
    const pid = await pidIn(file)
    if (pid === undefined) throw busy(path, 'it holds no pid; remove it if nobody needs it')
    if (await mayRun(pid)) {
      throw busy(
        path,
        `process ${pid}, which it names, is running; remove it if another one has that pid by now`,
      )
    }
    await rename(fresh, path)
    return true
  } finally {
    await file.close()
  }
}

// O_NONBLOCK: a FIFO there would keep us.
const openExisting = (path: string): Promise<FileHandle> =>
  open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)

/** Whether it is ours alone now, and still what the path leads to. */
async function isLocked(file: FileHandle, path: string): Promise<boolean> {
  if (!(await lockFile(file, path, LOCK_WAIT_MS))) throw busy(path, 'another start has it at this moment')
  const [opened, there] = await Promise.all([file.stat(), lstat(path).catch(() => undefined)])
  return opened.dev === there?.dev && opened.ino === there.ino
}

async function pidIn(file: FileHandle): Promise<number | undefined> {
  if (!(await file.stat()).isFile()) return undefined
  const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0)
  const [, digits] = /^\s*(\d{1,7})\s/.exec(`${buffer.toString('latin1', 0, bytesRead)}\n`) ?? []
  return Number(digits) || undefined
}

/**
 * False only when it certainly does not. That it started after the file was written would be told by a clock, and a clock that is set forward
 * makes every process look so.
 */
async function mayRun(pid: number): Promise<boolean> {
  try {
    using handle = await ProcessHandle.open(await identify(pid))
    return !handle.hasExited
  } catch (error) {
    if (!(error instanceof ProcmusterError)) throw error
    return error.code !== 'PROCESS_GONE'
  }
}

function busy(path: string, why: string): ProcmusterError {
  return new ProcmusterError('BUSY', {
    message: `the pid file ${JSON.stringify(path)} is taken: ${why}`,
    path,
  })
}
