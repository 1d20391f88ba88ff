import { readFile, rename, writeFile } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { checkIdentity, PATH } from '../arguments.js'
import { type SignalName, signalName, signalNumber } from '../control/signal_names.js'
import { codeOfErrno, errnoName, errnoOf, ProcmusterError } from '../errors.js'
import { native } from '../native.js'
import { PACKAGE_FILES } from '../package_files.js'
import type { ProcessIdentity } from '../table/identity.js'
import { SpawnedProcess } from './spawned_process.js'
import { joinZeros } from './start_spec.js'

/** How a process ended that a keeper waited for. */
export interface KeptExit {
  /** Null where a signal ended it. */
  readonly exitCode: number | null
  /** Its name, as `SIGKILL`; null where it ended by itself. */
  readonly signal: string | null
  readonly coreDumped: boolean
  readonly endedAtMs: number
}

/**
 * Makes this whole process, by execve(2), the keeper of a child: a program of some 1 MB that waits for it, writes how it
 * ended to a file, whole or not at all, and ends. The pid of this process stays, every other thread and descriptor of it
 * goes. Resolves only when the child has ended already; the file is written then.
 * @param child started by this process
 * @param file absolute path, in a directory that nobody else may write; replaced where it is there
 * @throws ProcmusterError `INVALID_ARGUMENT`; what the errno of a file stands for; that of execve(2), and nobody waits for
 * the child then
 */
export async function keepExit(child: SpawnedProcess, file: string): Promise<void> {
  if (!(child instanceof SpawnedProcess)) {
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message: `${inspect(child, { depth: 0 })} is no process of spawnProcess; give what that has returned`,
    })
  }
  PATH('the file of the exit', file)
  if (!isAbsolute(file)) {
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message: `the file of the exit ${JSON.stringify(file)} is relative; give an absolute path`,
      path: file,
    })
  }
  const { pid, startTicks } = child
  if (child.leave()) {
    const path = fileURLToPath(PACKAGE_FILES.keeper)
    const words = ['muster-keeper', file, String(pid), String(startTicks)]
    const errno = native.spawn.becomeProgram(Buffer.from(path), joinZeros(words))
    throw new ProcmusterError(codeOfErrno(errno), {
      message: `the keeper of process ${pid}, ${JSON.stringify(path)}, cannot be executed (${errnoName(errno)})`,
      path,
      errno,
    })
  }
  const { exitCode = null, signal, coreDumped = false } = await child.ref().exited
  if (exitCode === null && signal === undefined) return
  const number = signal === undefined ? null : signalNumber(signal as SignalName)
  const record = { pid, startTicks, exitCode, signal: number, coreDumped, endedAtMs: Date.now() }
  try {
    await writeFile(`${file}.new`, `${JSON.stringify(record)}\n`, { mode: 0o600 })
    await rename(`${file}.new`, file)
  } catch (cause) {
    const errno = errnoOf(cause)
    if (errno === undefined) throw cause
    const message = `how process ${pid} ended cannot be kept in ${JSON.stringify(file)} (${errnoName(errno)})`
    throw new ProcmusterError(codeOfErrno(errno), { message, path: file, errno, cause })
  }
}

/** What a keeper has written of that process; undefined where it has not, or has of another one. */
export async function readKeptExit(
  process: Pick<ProcessIdentity, 'pid' | 'startTicks'>,
  file: string,
): Promise<KeptExit | undefined> {
  checkIdentity(process)
  PATH('the file of the exit', file)
  let record: Partial<Record<string, unknown>> | null
  try {
    record = JSON.parse(await readFile(file, 'utf8')) as Partial<Record<string, unknown>> | null
  } catch {
    return undefined
  }
  const { exitCode = null, signal = null, coreDumped = false, endedAtMs } = record ?? {}
  const isKept =
    record?.pid === process.pid &&
    record.startTicks === process.startTicks &&
    (typeof exitCode === 'number') !== (typeof signal === 'number') &&
    typeof endedAtMs === 'number'
  if (!isKept) return undefined
  return {
    exitCode: exitCode as number | null,
    signal: signal === null ? null : signalName(signal as number),
    coreDumped: coreDumped === true,
    endedAtMs,
  }
}
