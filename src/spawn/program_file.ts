import { constants, type Stats } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { codeOfErrno, errnoName, errnoOf, ProcmusterError } from '../errors.js'
import type { FileIdentity } from './start_spec.js'

/** Where execvp(3) looks when there is no PATH. */
const DEFAULT_PATH = '/bin:/usr/bin'

/** The file that a name stands for, as execvp(3) finds it. */
interface ProgramFile {
  readonly path: string
  readonly executable: FileIdentity
}

/**
 * @param search the PATH of the process to come
 * @throws ProcmusterError `NOT_FOUND`, `ACCESS_DENIED` for one that is there and may not be executed, `INVALID_ARGUMENT`
 */
export async function findProgram(
  program: string,
  directory: string,
  search: string | undefined,
): Promise<ProgramFile> {
  if (program === '' || program.includes('\0')) {
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message: `${JSON.stringify(program)} is no program; give its name or path`,
    })
  }
  if (program.includes('/')) {
    const path = resolve(directory, program)
    return await executableAt(path).catch((error: unknown) => {
      throw refusal(path, error, `${JSON.stringify(path)} is not there`)
    })
  }
  const path = search ?? DEFAULT_PATH
  let denied: { path: string; error: unknown } | undefined
  for (const each of path.split(':')) {
    const candidate = resolve(directory, each, program)
    try {
      return await executableAt(candidate)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EACCES') denied ??= { path: candidate, error }
    }
  }
  if (denied !== undefined) throw refusal(denied.path, denied.error, '')
  throw new ProcmusterError('NOT_FOUND', {
    message: `there is no program ${JSON.stringify(program)} in PATH (${path}); give its path, or correct PATH`,
    path: program,
    errno: ENOENT,
  })
}

const ENOENT = 2
const EACCES = 13

async function executableAt(path: string): Promise<ProgramFile> {
  const found = await stat(path)
  await checkFile(path, found)
  return { path, executable: { device: found.dev, inode: found.ino } }
}

async function checkFile(path: string, found: Stats): Promise<void> {
  if (!found.isFile()) throw Object.assign(new Error(), { code: 'EACCES', errno: -EACCES })
  await access(path, constants.X_OK)
}

function refusal(path: string, cause: unknown, notThere: string): ProcmusterError {
  const errno = errnoOf(cause)
  if (errno === undefined) throw cause
  const code = codeOfErrno(errno)
  const message =
    code === 'NOT_FOUND'
      ? `${notThere} (${errnoName(errno)}); correct the path`
      : `${JSON.stringify(path)} may not be executed (${errnoName(errno)}); it takes a file with the x permission`
  return new ProcmusterError(code, { message, path, errno, cause })
}

/**
 * The working directory; without the right to look at it the process may have that itself.
 * @throws ProcmusterError `NOT_FOUND`
 */
export async function findDirectory(path: string): Promise<FileIdentity> {
  try {
    const found = await stat(path)
    if (!found.isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR', errno: -20 })
    return { device: found.dev, inode: found.ino }
  } catch (cause) {
    const errno = errnoOf(cause)
    if (errno === undefined) throw cause
    if (codeOfErrno(errno) === 'ACCESS_DENIED') return { device: 0, inode: 0 }
    throw new ProcmusterError(codeOfErrno(errno), {
      message: `the working directory ${JSON.stringify(path)} cannot be entered (${errnoName(errno)}); make it, or give another one`,
      path,
      errno,
      cause,
    })
  }
}
