import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { compileFixture } from '../fixtures/compile.js'
import { endedByStopAll, stopAll, waitFor } from '../fixtures/processes.js'

export const leakyProgram = (): Promise<string> => compileFixture('service.c')

/** An argument of all that this test process started; a restart hands it on. */
export const TOKEN = `token=cli-${process.pid}`

/** Starts a program that leaks `rate` bytes a second and that a restart can start again. */
export async function startLeaky(
  rate: number,
  {
    program,
    ignoreTerm = false,
    uid,
    nice = 0,
    through = [],
  }: {
    program?: string
    ignoreTerm?: boolean
    uid?: number
    nice?: number
    /** A command that executes what follows it. */
    through?: readonly string[]
  } = {},
): Promise<number> {
  const words = [
    program ?? (await leakyProgram()),
    TOKEN,
    `rate=${rate}`,
    ...(ignoreTerm ? ['ignore=term'] : []),
  ]
  const [command, ...rest] = [...through, 'nice', '-n', String(nice), ...words] as [string, ...string[]]
  const child = spawn(command, rest, {
    stdio: 'ignore',
    cwd: '/',
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  await once(child, 'spawn')
  endedByStopAll(child)
  // nice(1) executes the program; before that the process is another one.
  await waitFor(async () => /^(service|program)/.test(await readFile(`/proc/${child.pid}/comm`, 'latin1')))
  return child.pid!
}

/** Pids of the successors that the output of `muster watch` names. */
export const successorsIn = (text: string): number[] =>
  [...text.matchAll(/the new process is (\d+)/g)].map(([, pid]) => Number(pid))

/** Those that run: what `startLeaky` started, and successors of it, whether or not anybody told of them. */
export async function leakyPids(): Promise<number[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(
    names.map((name) => readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')),
  )
  return names.filter((_, index) => lines[index]!.split('\0').includes(TOKEN)).map(Number)
}

export async function endLeaky(): Promise<void> {
  await stopAll()
  for (const pid of await leakyPids()) process.kill(pid, 'SIGKILL')
}

/** Whether there is such a process that has not ended; read apart from the code under test. */
export async function isAlive(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  const state = text.slice(text.lastIndexOf(')') + 2)[0]
  return state !== undefined && state !== 'Z' && state !== 'X'
}
