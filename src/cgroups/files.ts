import { constants } from 'node:fs'
import { open, readdir, readFile, realpath } from 'node:fs/promises'
import { codeOfErrno, type ErrorCode, errnoName, errnoOf, ProcmusterError } from '../errors.js'

/** The whole text of a file of a control group. */
export async function readControl(directory: string, file: string): Promise<string> {
  try {
    return await readFile(`${directory}/${file}`, 'utf8')
  } catch (error) {
    throw controlError(`read ${file}`, directory, error)
  }
}

/**
 * Writes a value into a file of a control group, in one write, as the kernel wants it. Never makes a file.
 * @param hints what an errno means there, by its name
 */
export async function writeControl(
  directory: string,
  file: string,
  value: string,
  hints: Readonly<Record<string, string>> = {},
): Promise<void> {
  try {
    const handle = await open(`${directory}/${file}`, constants.O_WRONLY | constants.O_NOFOLLOW)
    await handle.write(value).finally(() => handle.close())
  } catch (error) {
    throw controlError(`write ${JSON.stringify(value)} to ${file}`, directory, error, hints)
  }
}

/** What some errno mean here, and not elsewhere. ENODEV: it was removed while the file was open. */
const CODES: Readonly<Record<string, ErrorCode>> = { ENODEV: 'NOT_FOUND', ERANGE: 'OUT_OF_RANGE' }

/** The error of a call on a control group; a group that has vanished is `NOT_FOUND`. */
export function controlError(
  action: string,
  directory: string,
  cause: unknown,
  hints: Readonly<Record<string, string>> = {},
): ProcmusterError {
  if (cause instanceof ProcmusterError) return cause
  const errno = errnoOf(cause)
  if (errno === undefined) throw cause
  const name = errnoName(errno)
  const code = CODES[name] ?? codeOfErrno(errno)
  const standard =
    code === 'NOT_FOUND'
      ? 'it is not there, or has vanished'
      : code === 'ACCESS_DENIED'
        ? 'no permission; run as root, or in a group that was handed to this user'
        : undefined
  const hint = hints[name] ?? standard
  return new ProcmusterError(code, {
    message: `${action}: failed for the control group ${JSON.stringify(directory)} (${name})${hint === undefined ? '' : `: ${hint}`}`,
    path: directory,
    errno,
    cause,
  })
}

/** @throws ProcmusterError `INVALID_ARGUMENT` when links lead out of the tree, `NOT_FOUND` */
export async function checkInside(directory: string, mountPoint: string): Promise<void> {
  try {
    const [real, root] = await Promise.all([realpath(directory), realpath(mountPoint)])
    if (real === root || real.startsWith(`${root}/`)) return
  } catch (error) {
    throw controlError('open', directory, error)
  }
  throw new ProcmusterError('INVALID_ARGUMENT', {
    message: `${JSON.stringify(directory)} leads out of the control groups mounted at ${mountPoint}`,
    path: directory,
  })
}

/** Names of the groups below one. */
export async function childGroups(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
}

/** `key value` lines. */
export function parseFlat(text: string): Map<string, number> {
  const found = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, key, value] = /^(\S+) (\d+)$/.exec(line) ?? []
    if (key !== undefined) found.set(key, Number(value))
  }
  return found
}

/** `8:0 rbps=1 wbps=max` lines; what has no number is left out. */
export function parseNested(text: string): Map<string, Map<string, number>> {
  const found = new Map<string, Map<string, number>>()
  for (const line of text.split('\n')) {
    const [key, ...pairs] = line.split(' ')
    if (!key) continue
    const values = new Map<string, number>()
    for (const pair of pairs) {
      const [, name, value] = /^([^=]+)=(\d+)$/.exec(pair) ?? []
      if (name !== undefined) values.set(name, Number(value))
    }
    found.set(key, values)
  }
  return found
}

/** The numbers of a list of processes. */
export function parsePids(text: string): number[] {
  return text.split('\n').filter(Boolean).map(Number)
}
