import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readKeptExit } from '../../dist/index.js'
import { readState } from '../fixtures/processes.js'

let directory: string
let file: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'procmuster-keep-'))
  file = join(directory, 'exit')
})
afterEach(() => rm(directory, { recursive: true }))

/** A program that starts a shell command, tells who that is, and becomes its keeper. */
function keeper(command: string, before = '') {
  const library = new URL('../../dist/index.js', import.meta.url).href
  const script = `
    import { keepExit, spawnProcess } from ${JSON.stringify(library)}
    const child = await spawnProcess('sh', ['-c', ${JSON.stringify(command)}], {
      detached: true, env: { LD_PRELOAD: undefined }, // a sanitizer's runtime is not the shell's
    })
    console.log(JSON.stringify({ pid: child.pid, startTicks: child.startTicks }))
    ${before}
    // An uncaught error would end it without what ends its threads.
    await keepExit(child, ${JSON.stringify(file)}).catch(() => (process.exitCode = 1))
    console.log('returned')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return { child, told: text(child.stdout), ended: once(child, 'exit') }
}

const identity = async (told: Promise<string>) =>
  JSON.parse((await told).split('\n')[0]!) as { pid: number; startTicks: number }

test('of a child that runs the process becomes the keeper, and lets go of its output', async () => {
  const { child, told, ended } = keeper('sleep 100')
  // The end of the pipe, though the keeper stays.
  const { pid, startTicks } = await identity(told)
  expect(await told).not.toContain('returned')
  expect(await readFile(`/proc/${child.pid}/comm`, 'utf8')).toBe('muster-keeper\n')
  expect(await readKeptExit({ pid, startTicks }, file)).toBeUndefined()
  process.kill(pid, 'SIGSEGV')
  await ended
  expect(await readKeptExit({ pid, startTicks }, file)).toMatchObject({ exitCode: null, signal: 'SIGSEGV' })
  expect(await readKeptExit({ pid, startTicks: startTicks + 1 }, file)).toBeUndefined()
  await expect(readState(pid)).rejects.toThrow()
})

test('of one that has ended it writes that at once, and goes on', async () => {
  const { told, ended } = keeper('exit 7', 'await child.ref().exited')
  const began = Date.now()
  const identified = await identity(told)
  expect(await told).toContain('returned')
  await ended
  const exit = await readKeptExit(identified, file)
  expect(exit).toMatchObject({ exitCode: 7, signal: null, coreDumped: false })
  expect(exit!.endedAtMs).toBeGreaterThan(began - 60_000)
  expect(await readdir(directory)).toEqual(['exit'])
})

test('however soon it ends, its end is kept', async () => {
  for (const code of [0, 1, 2, 3, 4]) {
    const { told, ended } = keeper(`exit ${code}`)
    const identified = await identity(told)
    await ended
    expect(await readKeptExit(identified, file)).toMatchObject({ exitCode: code })
  }
})

test('where it cannot be written there is nothing, and what is no record is none', async () => {
  await rm(directory, { recursive: true })
  const { child, told, ended } = keeper('read line; exit 3')
  const identified = await identity(told)
  await ended
  expect(child.exitCode).toBe(1)
  expect(await readKeptExit(identified, file)).toBeUndefined()
  directory = await mkdtemp(join(tmpdir(), 'procmuster-keep-'))
  file = join(directory, 'exit')
  for (const wrong of ['', '{', 'null', '[]', '{"pid":1,"startTicks":1}']) {
    await writeFile(file, wrong)
    expect(await readKeptExit({ pid: 1, startTicks: 1 }, file)).toBeUndefined()
  }
})
