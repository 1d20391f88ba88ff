import { constants } from 'node:fs'
import { checkIdentity, checkOptions, MILLISECONDS, PATH } from '../arguments.js'
import type { ProcessIdentity } from '../table/identity.js'
import { mapParts } from './map_parts.js'
import { accessOf, namesOfFlags } from './open_flags.js'
import { readUnchecked } from './proc_files.js'

/** What a descriptor stands for. `anonymous` is any other object of the kernel that has no name, `unknown` one that may not be seen. */
export type OpenFileKind =
  | 'file'
  | 'directory'
  | 'device'
  | 'pipe'
  | 'fifo'
  | 'socket'
  | 'memfd'
  | 'eventfd'
  | 'eventpoll'
  | 'timerfd'
  | 'signalfd'
  | 'inotify'
  | 'fanotify'
  | 'pidfd'
  | 'io_uring'
  | 'namespace'
  | 'anonymous'
  | 'unknown'

/** One open descriptor. What could not be read is undefined; proc_pid_fd(5), proc_pid_fdinfo(5), statx(2). */
export interface OpenFile {
  readonly fd: number
  readonly kind: OpenFileKind
  /** Path, or `socket:[42]`, with control characters as `\xNN` and backslashes as `\x5c`. The kernel appends ` (deleted)`. */
  readonly target: string
  /** Whether the file has no name any more. */
  readonly isDeleted: boolean
  readonly access: 'read' | 'write' | 'both' | 'path' | undefined
  /** Other flags of open(2) by name, such as `O_APPEND`, `O_CLOEXEC`; unknown bits as one octal number. */
  readonly flags: readonly string[] | undefined
  /** Offset in bytes, lseek(2). */
  readonly position: number | undefined
  /** `major:minor` in decimal, of the file system. */
  readonly device: string | undefined
  /** Also of a socket or pipe: its number in brackets. */
  readonly inode: number | undefined
  /** `major:minor` of the device that it is, for `kind` device. */
  readonly specialDevice?: string
  readonly sizeBytes: number | undefined
}

/** Options of `readOpenFiles`. */
export interface OpenFilesOptions {
  readonly procRoot?: string
  /** Default 10,000: of 100,000 descriptors the kernel is asked four questions each. */
  readonly timeoutMs?: number
}

const KIND_OF_MODE: ReadonlyMap<number, OpenFileKind> = new Map([
  [constants.S_IFREG, 'file'],
  [constants.S_IFDIR, 'directory'],
  [constants.S_IFCHR, 'device'],
  [constants.S_IFBLK, 'device'],
  [constants.S_IFIFO, 'fifo'],
  [constants.S_IFSOCK, 'socket'],
])
const KIND_OF_ANONYMOUS: Readonly<Record<string, OpenFileKind>> = {
  '[eventfd]': 'eventfd',
  '[eventpoll]': 'eventpoll',
  '[timerfd]': 'timerfd',
  '[signalfd]': 'signalfd',
  inotify: 'inotify',
  '[fanotify]': 'fanotify',
  '[pidfd]': 'pidfd',
  '[io_uring]': 'io_uring',
}

/**
 * The open descriptors of a process in ascending order, read off the main thread and without asking any file server. Empty for a
 * zombie and a kernel thread; of a process whose first thread has ended while others live on, those of the others.
 * @throws ProcmusterError `PROCESS_GONE`, `ACCESS_DENIED`, `TIMEOUT`
 */
export async function readOpenFiles(
  target: Pick<ProcessIdentity, 'pid' | 'startTicks'>,
  options: OpenFilesOptions = {},
): Promise<OpenFile[]> {
  checkIdentity(target)
  checkOptions(options, { procRoot: PATH, timeoutMs: MILLISECONDS })
  const { procRoot = '/proc', timeoutMs = 10_000 } = options
  const [file] = await readUnchecked(target, { procRoot, timeoutMs, files: ['fd:details'] })
  // A zombie has no table of descriptors any more, and the kernel says that the directory is not there.
  if (file!.error?.code === 'NOT_FOUND') return []
  if (file!.error !== undefined) throw file!.error
  return mapParts(file!.data, '\n', parseOpenFile)
}

/** A line of native/inspect/descriptors.h. */
function parseOpenFile(line: string): OpenFile {
  const words = line.split(' ', 9)
  const [fd, flagsWord, position, modeWord, device, inode, special, size, links] = words
  const target = line.slice(words.join(' ').length + 1)
  const known = (word: string | undefined) => (word === '?' ? undefined : word)
  const number = (word: string | undefined, base = 10) =>
    word === undefined || word === '?' ? undefined : Number.parseInt(word, base)
  const flags = number(flagsWord, 8)
  const mode = number(modeWord, 8)
  const kind = kindOf(target, mode)
  return {
    fd: Number(fd),
    kind,
    target,
    isDeleted: isNamed(kind) && links === '0',
    access: flags === undefined ? undefined : accessOf(flags),
    flags: flags === undefined ? undefined : namesOfFlags(flags),
    position: number(position),
    device: known(device),
    inode: number(inode),
    ...(kind === 'device' ? { specialDevice: special! } : {}),
    sizeBytes: number(size),
  }
}

const isNamed = (kind: OpenFileKind) =>
  kind === 'file' || kind === 'directory' || kind === 'device' || kind === 'fifo'

function kindOf(target: string, mode: number | undefined): OpenFileKind {
  if (target.startsWith('anon_inode:')) {
    return KIND_OF_ANONYMOUS[target.slice('anon_inode:'.length)] ?? 'anonymous'
  }
  // A file of any name can lie below the root; these have no path at all.
  if (target.startsWith('pipe:[')) return 'pipe'
  if (target.startsWith('pidfd:[')) return 'pidfd'
  if (/^[a-z_]+:\[\d+\]$/.test(target)) return target.startsWith('socket:') ? 'socket' : 'namespace'
  if (target.startsWith('/memfd:') && target.endsWith(' (deleted)')) return 'memfd'
  return mode === undefined ? 'unknown' : (KIND_OF_MODE.get(mode & constants.S_IFMT) ?? 'unknown')
}
