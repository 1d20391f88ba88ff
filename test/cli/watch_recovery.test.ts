import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { waitFor } from '../fixtures/processes.js'
import { endLeaky, isAlive, leakyPids, leakyProgram, startLeaky, successorsIn } from './leaky.js'
import { endRuns, muster, Run } from './muster.js'

const killedEngine = fileURLToPath(new URL('../engine/killed_engine.mjs', import.meta.url))

let directory: string
let journal: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'muster-recovery-'))
  journal = join(directory, 'muster.jsonl')
})
afterEach(async () => {
  await endRuns()
  await endLeaky()
  await rm(directory, { recursive: true })
})

/** An engine restarts the process and is killed at that step; a watch by its pid is what is tried again after it. */
async function killedAt(step: string, pid: number): Promise<void> {
  const options = JSON.stringify({ journal, pid, when: 'rss > 1KiB', killAt: step })
  const engine = spawn(process.execPath, [killedEngine, options], { stdio: ['ignore', 'inherit', 'inherit'] })
  const [, signal] = await once(engine, 'exit')
  expect(signal).toBe('SIGKILL')
}
const flags = (pid: number, ...more: string[]): string[] => [
  ...['watch', '-p', String(pid), '-t', '90', '-i', '0.1', '-d', directory, '-r', ...more],
]

/** The watch goes on with that process: its end is the end of the watch. */
async function expectWatched(run: Run, pid: number): Promise<void> {
  await run.said(new RegExp(`  ${pid} service\\S*  .* of memory`))
  process.kill(pid, 'SIGKILL')
  const { code, stderr } = await run.ended
  expect({ code, stderr }).toEqual({ code: 11, stderr: '' })
}

test.each(['exited', 'ready'])(
  'a restart that was cut off at %s is finished by the same command, which watches the new process',
  async (step) => {
    const old = await startLeaky(0)
    await killedAt(step, old)
    await waitFor(async () => !(await isAlive(old)))
    const run = new Run(flags(old))
    await run.said(/the new process is \d+ \(begun by an earlier run\)/)
    expect(run.stdout).toMatch(new RegExp(`watching what takes the place of ${old} service`))
    const [successor] = successorsIn(run.stdout) as [number]
    expect(await leakyPids()).toEqual([successor])
    await expectWatched(run, successor)
    expect(run.stdout).toMatch(/1 restart; own use/)
  },
)

test('a process that still ends after the crash is waited for, and its new start is no death', async () => {
  const old = await startLeaky(0, { ignoreTerm: true })
  await killedAt('terminating', old)
  expect(await isAlive(old)).toBe(true)
  const run = new Run(flags(old, '--grace', '20'))
  await run.said(/watching/)
  await run.said(/of memory/)
  process.kill(old, 'SIGKILL')
  await run.said(/the new process is \d+ \(begun by an earlier run\)/)
  expect(run.stdout).not.toMatch(/, ended$/m)
  await expectWatched(run, successorsIn(run.stdout)[0]!)
})

test('a process that is left alone after the crash is told by its name when it ends before the next look', async () => {
  const old = await startLeaky(0, { ignoreTerm: true })
  await killedAt('terminating', old)
  const target = ['-p', String(old), '-t', '90', '-d', directory]
  const run = new Run(['watch', ...target, '-i', '5', '-r', '--grace', '1'])
  await run.said(/the engine ended while it was ending the process; left alone/)
  process.kill(old, 'SIGKILL')
  await run.said(new RegExp(`"service[^"]*" \\(pid ${old}\\), watched by rule [^\\n]* ended`))
  expect((await run.ended).code).toBe(11)
})

test('a start that fails at first is tried again; the watch waits for the new process', async () => {
  const program = join(directory, 'service')
  await copyFile(await leakyProgram(), program)
  await chmod(program, 0o755)
  const old = await startLeaky(0, { program })
  await killedAt('exited', old)
  await chmod(program, 0)
  const run = new Run(flags(old))
  await run.said(/watching what takes the place of/)
  await run.said(/cannot|could not|failed/)
  await chmod(program, 0o755)
  await run.said(/the new process is \d+ \(begun by an earlier run\)/)
  await expectWatched(run, successorsIn(run.stdout)[0]!)
})

test('after a restart that was finished, the old pid still names the program', async () => {
  const old = await startLeaky(0)
  await killedAt('done', old)
  const [successor] = (await leakyPids()) as [number]
  const run = new Run(flags(old))
  await run.said(
    new RegExp(`watching ${successor} \\S+, which an earlier run started in place of ${old}, every`),
  )
  await expectWatched(run, successor)
  // Now nothing is left of it.
  const { code, stderr } = await muster(flags(old))
  expect(code).toBe(5)
  expect(stderr).toMatch(new RegExp(`^muster: -p/--pid "${old}": no such process; [^\\n]+\\n$`))
})

test('a dry run does not finish a restart, and says so', async () => {
  const old = await startLeaky(0)
  await killedAt('exited', old)
  const { code, stderr } = await muster(flags(old, '--dry-run'))
  expect(code).toBe(5)
  expect(stderr).toMatch(/was restarting it, and a dry run does not finish that; leave out --dry-run\n$/)
  expect(await leakyPids()).toEqual([])
})

test('a restart that cannot be finished is given up with the reason', async () => {
  const old = await startLeaky(0)
  await killedAt('exited', old)
  await rm(`${journal}.pending`, { recursive: true })
  const { code, stderr } = await muster(flags(old))
  expect(code).toBe(5)
  expect(stderr).toMatch(/that was given up: what is needed to start it again is no longer there\n$/)
})

test('a journal of another boot says nothing about a pid', async () => {
  const old = await startLeaky(0)
  await killedAt('exited', old)
  const text = await readFile(journal, 'utf8')
  await writeFile(journal, text.replaceAll(/"bootId":"[^"]*"/g, '"bootId":"another"'))
  const { code, stderr } = await muster(flags(old))
  expect(code).toBe(5)
  expect(stderr).toMatch(/no such process; `muster ps` lists those there are\n$/)
  expect(await leakyPids()).toEqual([])
})
