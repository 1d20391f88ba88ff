import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { PATH } from '../arguments.js'
import { codeOfErrno, errnoName, errnoOf, ProcmusterError } from '../errors.js'
import { type NativeStdio, native } from '../native.js'
import type { FileTarget, SpawnOptions, StdioTarget } from './spawn_options.js'

const { O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY } = constants

/** Descriptors 0 to 2 of a child, and this end of its pipes. */
export interface ChildStdio {
  readonly native: NativeStdio
  readonly stdin: Writable | undefined
  readonly stdout: Readable | undefined
  readonly stderr: Readable | undefined
}

/** @throws ProcmusterError `INVALID_ARGUMENT`; for a file what its errno stands for */
export async function openChildStdio(options: SpawnOptions): Promise<ChildStdio> {
  const { detached = false } = options
  const stdin = options.stdin ?? 'ignore'
  const stdout = options.stdout ?? (detached ? 'ignore' : 'inherit')
  const stderr = options.stderr ?? (detached ? 'stdout' : 'inherit')
  if (detached && [stdin, stdout, stderr].includes('pipe')) {
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message: "a detached process has no pipes, which would end with this process; use { file } or 'ignore'",
    })
  }
  const stdio = native.spawn.newStdio()
  const pipes: (Socket | undefined)[] = []
  try {
    for (const [number, target] of [stdin, stdout, stderr].entries()) {
      pipes.push(await openOne(stdio, number, target))
    }
  } catch (error) {
    closeChildStdio({ native: stdio, stdin: pipes[0], stdout: pipes[1], stderr: pipes[2] })
    throw error
  }
  return { native: stdio, stdin: pipes[0], stdout: pipes[1], stderr: pipes[2] }
}

/** After a start that failed. */
export function closeChildStdio({ native: stdio, stdin, stdout, stderr }: ChildStdio): void {
  native.spawn.closeStdio(stdio)
  for (const stream of [stdin, stdout, stderr]) stream?.destroy()
}

async function openOne(
  stdio: NativeStdio,
  number: number,
  target: StdioTarget | 'stdout',
): Promise<Socket | undefined> {
  if (target === 'ignore') return undefined
  if (target === 'inherit') {
    const hint = "it is closed in this process; use 'ignore'"
    check(native.spawn.copyStdio(stdio, number, number, true), `descriptor ${number}`, { EBADF: hint })
  } else if (target === 'stdout') {
    check(native.spawn.joinStdio(stdio, 1, number), `descriptor ${number}`)
  } else if (target === 'pipe') {
    const fd = native.spawn.pipeStdio(stdio, number)
    check(Math.max(0, -fd), `the pipe of descriptor ${number}`)
    return new Socket({ fd, readable: number !== 0, writable: number === 0 })
  } else if (typeof target === 'object') {
    await openFile(stdio, number, target)
  } else {
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message: `${JSON.stringify(target)} is nothing that descriptor ${number} can be; use 'inherit', 'ignore', 'pipe' or { file }`,
    })
  }
  return undefined
}

async function openFile(
  stdio: NativeStdio,
  number: number,
  { file, append = true, mode = 0o600 }: FileTarget,
): Promise<void> {
  PATH(`the file of descriptor ${number}`, file)
  const flags = number === 0 ? O_RDONLY : O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC)
  try {
    // A FIFO without a peer would keep a thread of the pool for good.
    const opened = await open(file, flags | O_NOCTTY | O_NONBLOCK, mode)
    try {
      check(native.spawn.copyStdio(stdio, number, opened.fd, true), JSON.stringify(file))
    } finally {
      await opened.close()
    }
  } catch (cause) {
    const errno = errnoOf(cause)
    if (errno === undefined || cause instanceof ProcmusterError) throw cause
    throw stdioError(errno, `the file ${JSON.stringify(file)}`, {
      ENOENT: number === 0 ? 'it is not there' : 'its directory is not there; make it first',
    })
  }
}

function check(errno: number, what: string, hints?: Readonly<Record<string, string>>): void {
  if (errno !== 0) throw stdioError(errno, what, hints)
}

function stdioError(errno: number, what: string, hints: Readonly<Record<string, string>> = {}) {
  const name = errnoName(errno)
  const hint = hints[name]
  return new ProcmusterError(codeOfErrno(errno), {
    message: `${what} cannot be opened for a new process (${name})${hint === undefined ? '' : `: ${hint}`}`,
    errno,
  })
}
