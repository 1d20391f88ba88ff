import { checkOptions } from '../arguments.js'
import { identify } from '../control/handle.js'
import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import { type OpenFile, readOpenFiles } from './open_files.js'
import { type Found, listPids, SEARCH_CHECKS, type SearchOptions, type UnreadableProcess } from './scan.js'

/** A process that holds files open which have no name any more. */
export interface DeletedFileUser {
  readonly identity: ProcessIdentity
  /** Of regular files alone; `sizeBytes` is what the file system gets back once the last holder has closed it. */
  readonly files: readonly OpenFile[]
}

// The addon has two reader threads, which one that stalls must not keep from all others.
const LANES = 4

/**
 * Which processes hold deleted files open, as `lsof +L1` tells: their space is free only when they close them, or end. Files
 * that are merely mapped are not among them, and memfd_create(2) deletes nothing. proc_pid_fd(5), statx(2) `stx_nlink`
 * Who ends meanwhile is left out.
 * @throws ProcmusterError `NOT_FOUND` where proc is not mounted
 */
export async function findDeleted(options: SearchOptions = {}): Promise<Found<DeletedFileUser>> {
  checkOptions(options, SEARCH_CHECKS)
  const { procRoot = '/proc', timeoutMs = 5000 } = options
  const left = (await listPids(procRoot)).sort((a, b) => b - a)
  const found: DeletedFileUser[] = []
  const unreadable: UnreadableProcess[] = []
  const lane = async () => {
    for (let pid = left.pop(); pid !== undefined; pid = left.pop()) {
      try {
        const identity = await identify(pid, { procRoot })
        const files = await readOpenFiles(identity, { procRoot, timeoutMs })
        const deleted = files.filter(({ kind, isDeleted }) => kind === 'file' && isDeleted)
        if (deleted.length > 0) found.push({ identity, files: deleted })
      } catch (error) {
        if (!(error instanceof ProcmusterError)) throw error
        if (error.code !== 'PROCESS_GONE') unreadable.push({ pid, error })
      }
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return {
    found: found.sort((a, b) => a.identity.pid - b.identity.pid),
    unreadable: unreadable.sort((a, b) => a.pid - b.pid),
  }
}
