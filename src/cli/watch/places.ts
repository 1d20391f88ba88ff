import { constants } from 'node:fs'
import { lstat, mkdir, mkdtemp, open, rmdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { EXIT } from '../exit_codes.js'
import { fail } from '../fault.js'
import { quoted } from '../values.js'

const GROUP_OR_OTHERS_WRITE = 0o022
const STICKY = 0o1000

/**
 * Makes sure that evidence can be written: an existing directory is tried out by making and removing one in
 * it (access(2) tells root nothing), a missing one is created 0700.
 */
export async function prepareDirectory(path: string, flag: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => error)
  if (found instanceof Error) {
    if (found.code !== 'ENOENT') return refuse(flag, path, found)
    return createDirectory(path, flag)
  }
  if (found.isSymbolicLink()) {
    const way = 'evidence follows no links; give the directory that it points to'
    return fail(EXIT.directory, `${flag} ${quoted(path)} is a symbolic link; ${way}`)
  }
  if (!found.isDirectory()) {
    return fail(
      EXIT.directory,
      `${flag} ${quoted(path)} is not a directory; give one, or a path that does not exist yet`,
    )
  }
  // Whoever can rename what lies in it can replace evidence; the library refuses such a directory too.
  if (found.uid !== process.geteuid?.() && found.uid !== 0) {
    const who = `belongs to user ${found.uid}, who could replace what is kept there`
    return fail(EXIT.directory, `${flag} ${quoted(path)} ${who}; give one of your own`)
  }
  if ((found.mode & GROUP_OR_OTHERS_WRITE) !== 0 && (found.mode & STICKY) === 0) {
    return fail(
      EXIT.directory,
      `${flag} ${quoted(path)} can be written to by others; take that away with chmod go-w`,
    )
  }
  try {
    await rmdir(await mkdtemp(join(path, '.muster-')))
  } catch (error) {
    refuse(flag, path, error)
  }
}

async function createDirectory(path: string, flag: string): Promise<void> {
  const parent = dirname(resolve(path))
  const found = await stat(parent).catch((error: NodeJS.ErrnoException) => error)
  if (found instanceof Error || !found.isDirectory()) {
    return fail(
      EXIT.directory,
      `${flag} ${quoted(path)} cannot be created: there is no directory ${quoted(parent)}; create that first`,
    )
  }
  await mkdir(path, { mode: 0o700 }).catch((error: unknown) => refuse(flag, path, error))
}

/** Makes sure that the journal can be appended to; a new file is made 0600. */
export async function prepareJournal(path: string, flag: string): Promise<void> {
  const parent = dirname(resolve(path))
  const found = await stat(parent).catch((error: NodeJS.ErrnoException) => error)
  if (found instanceof Error && found.code === 'ENOENT') {
    const what = `there is no directory ${quoted(parent)}; create that first`
    return fail(EXIT.directory, `${flag} ${quoted(path)} cannot be created: ${what}`)
  }
  try {
    const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
    const file = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
    const found = await file.stat()
    await file.close()
    if (!found.isFile()) fail(EXIT.directory, `${flag} ${quoted(path)} is not a regular file; give a file`)
  } catch (error) {
    if (error instanceof Error && 'code' in error) refuse(flag, path, error)
    throw error
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'is not writable for this user; give one that is, or run as its owner',
  EPERM: 'is not writable for this user; give one that is, or run as its owner',
  EROFS: 'is on a read-only file system; give one elsewhere',
  ENOSPC: 'is on a full file system; make room or give one elsewhere',
  EDQUOT: 'is over the disk quota; make room or give one elsewhere',
  ENOTDIR: 'has a part that is not a directory; correct the path',
  EISDIR: 'is a directory; give a file',
  ELOOP: 'is a symbolic link; give the file itself',
  ENXIO: 'is not a regular file; give a file',
  ENAMETOOLONG: 'is too long a path; give a shorter one',
}

function refuse(flag: string, path: string, error: unknown): never {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  const reason = REASONS[code]
  if (reason) fail(EXIT.directory, `${flag} ${quoted(path)} ${reason}`)
  // /proc and /sys answer the attempt to create something with ENOENT.
  fail(EXIT.directory, `${flag} ${quoted(path)} cannot be written to (${code}); give another`)
}
