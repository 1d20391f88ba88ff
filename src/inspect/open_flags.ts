import { constants } from 'node:fs'
import type { OpenFile } from './open_files.js'

// fcntl-linux.h of glibc; what Node does not name is the same on x64 and arm64.
const O_ACCMODE = 3
const O_CLOEXEC = 0o2000000
const O_PATH = 0o10000000
// Set by the kernel for every 64-bit program, and of no meaning there.
const O_LARGEFILE = 0o100000
// O_TMPFILE holds O_DIRECTORY, and O_SYNC holds O_DSYNC: so these come first.
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY

const NAMES: readonly (readonly [string, number])[] = [
  ['O_TMPFILE', O_TMPFILE],
  ['O_SYNC', constants.O_SYNC],
  ['O_DSYNC', constants.O_DSYNC],
  ['O_CREAT', constants.O_CREAT],
  ['O_EXCL', constants.O_EXCL],
  ['O_NOCTTY', constants.O_NOCTTY],
  ['O_TRUNC', constants.O_TRUNC],
  ['O_APPEND', constants.O_APPEND],
  ['O_NONBLOCK', constants.O_NONBLOCK],
  ['O_ASYNC', 0o20000],
  ['O_DIRECT', constants.O_DIRECT],
  ['O_DIRECTORY', constants.O_DIRECTORY],
  ['O_NOFOLLOW', constants.O_NOFOLLOW],
  ['O_NOATIME', constants.O_NOATIME],
  ['O_CLOEXEC', O_CLOEXEC],
]

/** What the descriptor may be used for: read, write, both, or as a mere path (O_PATH). */
export function accessOf(flags: number): NonNullable<OpenFile['access']> {
  if ((flags & O_PATH) !== 0) return 'path'
  const mode = flags & O_ACCMODE
  // 3 is for ioctl(2) alone, which checks both.
  return mode === constants.O_RDONLY ? 'read' : mode === constants.O_WRONLY ? 'write' : 'both'
}

/** Flags of open(2) by name, without the access mode. */
export function namesOfFlags(flags: number): string[] {
  let left = flags & ~(O_ACCMODE | O_PATH | O_LARGEFILE)
  const names: string[] = []
  for (const [name, bits] of NAMES) {
    if ((left & bits) !== bits) continue
    names.push(name)
    left &= ~bits
  }
  return left === 0 ? names : [...names, `0${(left >>> 0).toString(8)}`]
}
