import type { FileHandle } from 'node:fs/promises'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkHas, TEXT, within } from './arguments.js'
import { errnoName, ProcmusterError } from './errors.js'
import { native } from './native.js'

const RETRY_MS = 20

/**
 * Locks an open file for this one alone until it is closed, or its process has ended. flock(2).
 * @returns false when another had it for all of `waitMs`
 * @throws ProcmusterError `IO_ERROR`
 */
export async function lockFile(file: FileHandle, path: string, waitMs: number): Promise<boolean> {
  checkHas('the file', file, ['fd'], 'an open one of fs/promises')
  TEXT('the path', path)
  within(0, Number.POSITIVE_INFINITY)('waitMs', waitMs)
  const giveUpAt = performance.now() + waitMs
  for (;;) {
    const errno = native.tryLockFile(file.fd)
    if (errno === 0) return true
    if (errno !== constants.errno.EWOULDBLOCK) {
      throw new ProcmusterError('IO_ERROR', {
        message: `${JSON.stringify(path)} cannot be locked (${errnoName(errno)})`,
        path,
        errno,
      })
    }
    if (performance.now() >= giveUpAt) return false
    await sleep(RETRY_MS)
  }
}
