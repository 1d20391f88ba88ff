import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { uptime } from 'node:os'
import { resolve } from 'node:path'
import { identify, ProcessHandle } from '../control/handle.js'
import { codeOfErrno, errnoName, errnoOf, ProcmusterError } from '../errors.js'
import { native } from '../native.js'
import type { ProcessIdentity } from '../table/identity.js'

const TICK_MS = 10
/** By so much the clock of a file system may lag, and a start be rounded. */
const SLACK_MS = 2000
const MOST_ROUNDS = 10

/**
 * Makes a file that names this process, whole from the first moment, where no living process has one.
 * @throws ProcmusterError `BUSY` when a process that lives is named there, or it holds no pid; what an errno stands for
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
export async function dropPidFile(path: string, { pid }: ProcessIdentity): Promise<void> {
  try {
    if ((await readFile(path, 'latin1')) === `${pid}\n`) await rm(path)
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
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  })
  if (file === undefined) return false
  try {
    if (native.tryLockFile(file.fd) !== 0) throw busy(path, 'another start has it at this moment')
    const [opened, there] = await Promise.all([file.stat(), stat(path).catch(() => undefined)])
    if (opened.dev !== there?.dev || opened.ino !== there.ino) return false
    const holder = await holderOf(file, path, opened.mtimeMs)
    if (holder !== undefined) throw busy(path, `process ${holder}, which it names, is running`)
    await rename(fresh, path)
    return true
  } finally {
    await file.close()
  }
}

/** Who it names, when that one lives. */
async function holderOf(file: FileHandle, path: string, writtenAtMs: number): Promise<number | undefined> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0)
  const [, digits] = /^\s*(\d{1,7})\s/.exec(`${buffer.toString('latin1', 0, bytesRead)}\n`) ?? []
  const pid = Number(digits ?? 0)
  if (pid === 0) throw busy(path, 'it holds no pid; remove it if nobody needs it')
  try {
    using handle = await ProcessHandle.open(await identify(pid))
    const startedAtMs = Date.now() - uptime() * 1000 + handle.identity.startTicks * TICK_MS
    // Who started after the file was written has the pid of the one that it names.
    return handle.hasExited || startedAtMs > writtenAtMs + SLACK_MS ? undefined : pid
  } catch (error) {
    if (!(error instanceof ProcmusterError) || error.code !== 'PROCESS_GONE') throw error
    return isHidden(pid) ? pid : undefined
  }
}

/** Where /proc does not show the processes of others (hidepid), one can be there all the same. */
function isHidden(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function busy(path: string, why: string): ProcmusterError {
  return new ProcmusterError('BUSY', {
    message: `the pid file ${JSON.stringify(path)} is taken: ${why}`,
    path,
  })
}
