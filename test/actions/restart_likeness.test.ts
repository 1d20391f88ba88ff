import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { readFile, readlink } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  captureRestart,
  identify,
  ProcessHandle,
  type ProcessIdentity,
  type RestartSpec,
  releaseRestart,
  sendSignal,
  startAgain,
  terminate,
} from '../../dist/index.js'
import { compileFixture } from '../fixtures/compile.js'
import { waitFor } from '../fixtures/processes.js'

const root = process.getuid!() === 0
const CLOSE_RANGE = 436 // the same on x64 and arm64
const api = new URL('../../dist/index.js', import.meta.url).href
const restarted: ProcessIdentity[] = []
let base: string

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'muster-likeness-'))
  chmodSync(base, 0o755)
})
afterEach(async () => {
  await sendSignal(restarted.splice(0), 'KILL')
  rmSync(base, { recursive: true })
})

const nameOf = async (pid: number) => (await readFile(`/proc/${pid}/comm`, 'utf8')).trimEnd()

/** Starts a program, waits until it bears that name, and restarts it, with its spec through JSON if told to. */
async function restart(
  command: string,
  args: string[],
  name: string,
  options: Parameters<typeof spawn>[2] = {},
) {
  const child = spawn(command, args, { stdio: 'ignore', ...options })
  const pid = child.pid!
  try {
    await waitFor(async () => (await nameOf(pid)) === name, { what: `${command} to be called ${name}` })
    const spec = await captureRestart(await identify(pid))
    using handle = await ProcessHandle.open(await identify(pid))
    const before = {
      arguments: await readFile(`/proc/${pid}/cmdline`, 'latin1'),
      exe: await readlink(`/proc/${pid}/exe`),
    }
    await terminate(handle, { graceMs: 5000 })
    const successor = await startAgain(JSON.parse(JSON.stringify(spec)) as RestartSpec)
    restarted.push(successor)
    const after = {
      arguments: await readFile(`/proc/${successor.pid}/cmdline`, 'latin1'),
      exe: await readlink(`/proc/${successor.pid}/exe`),
    }
    return { spec, before, after, name: await nameOf(successor.pid), successor }
  } finally {
    child.kill('SIGKILL')
  }
}

describe('a new process is called what the old one was', () => {
  test('when it was executed through a link', async () => {
    symlinkSync('/bin/sleep', join(base, 'sleeping-beauty-2'))
    const { name, before, after } = await restart(join(base, 'sleeping-beauty-2'), ['300'], 'sleeping-beauty')
    expect(name).toBe('sleeping-beauty')
    expect(after).toEqual(before)
  })

  test('when the link was found by PATH, or lies beside it', async () => {
    symlinkSync('/bin/sleep', join(base, 'dozer'))
    const env = { PATH: `/nonexistent:${base}` }
    const found = await restart(join(base, 'dozer'), ['300'], 'dozer', { argv0: 'dozer', env })
    expect(found.name).toBe('dozer')
    expect(found.after).toEqual(found.before)
    expect((await restart('./dozer', ['301'], 'dozer', { cwd: base })).name).toBe('dozer')
  })

  test('when it is a script, with and without an argument for its interpreter', async () => {
    for (const [file, first] of [
      ['plain.sh', '#!/bin/sh'],
      ['with-argument.sh', '#! /bin/sh -e '],
    ] as const) {
      writeFileSync(join(base, file), `${first}\nsleep 300\ntrue\n`, { mode: 0o755 })
      for (const [command, cwd] of [
        [join(base, file), '/'],
        [`./${file}`, base],
      ] as const) {
        const { name, before, after } = await restart(command, ['a', 'b c'], file.slice(0, 15), { cwd })
        expect(name).toBe(file.slice(0, 15))
        expect(after).toEqual(before)
      }
    }
  })

  test.runIf(root)('also where its user cannot see the link: then it runs all the same', async () => {
    symlinkSync('/bin/sleep', join(base, 'hidden'))
    const { successor, after, before } = await restart(
      'sh',
      ['-c', `exec "$0" -c 'exec ${join(base, 'hidden')} 300'`, 'sh'],
      'hidden',
    )
    expect(after).toEqual(before)
    const child = spawn(join(base, 'hidden'), ['302'], { stdio: 'ignore', uid: 65534, gid: 65534 })
    await waitFor(async () => (await nameOf(child.pid!)) === 'hidden')
    const spec = await captureRestart(await identify(child.pid!))
    chmodSync(base, 0o700)
    child.kill('SIGKILL')
    const other = await startAgain(spec)
    restarted.push(other)
    expect(await nameOf(other.pid)).toBe('sleep')
    expect(successor.pid).not.toBe(other.pid)
  })

  test('but not by way of a file that merely looks like it', async () => {
    // A FIFO must not be waited at, and another program not be started.
    spawnSync('mkfifo', [join(base, 'napper')])
    const child = spawn('/bin/sh', ['-c', 'sleep 300; true', join(base, 'napper')], {
      stdio: 'ignore',
      argv0: join(base, 'sh'),
    })
    writeFileSync(join(base, 'sh'), '#!/bin/false\n', { mode: 0o755 })
    try {
      const spec = await captureRestart(await identify(child.pid!))
      expect(spec.namedPath).toBeUndefined()
      expect(spec.path).toBe(await readlink(`/proc/${child.pid}/exe`))
    } finally {
      child.kill('SIGKILL')
    }
  })
})

test.skipIf(availableParallelism() < 2)(
  'a new process may run on the processors that the old one had',
  async () => {
    const { successor } = await restart('taskset', ['-c', '1', 'sleep', '300'], 'sleep')
    expect(successor.warnings).toEqual([])
    expect(await readFile(`/proc/${successor.pid}/status`, 'utf8')).toMatch(/^Cpus_allowed_list:\t1$/m)
  },
)

const script = (target: string) => `
  const { captureRestart, identify, ProcessHandle, startAgain, terminate } = await import(${JSON.stringify(api)})
  const { spawn } = await import('node:child_process')
  ${target}
  const identity = await identify(child.pid)
  const spec = await captureRestart(identity)
  await terminate(await ProcessHandle.open(identity), { graceMs: 5000 })
  const successor = await startAgain(spec)
`

test('where close_range is refused, as by the filters of older containers, no descriptor leaks', async () => {
  const confined = await compileFixture('confined.c')
  const { stdout, stderr, status } = spawnSync(
    confined,
    [
      `deny=${CLOSE_RANGE}`,
      '--',
      process.execPath,
      '--input-type=module',
      '-e',
      `
      ${script("const child = spawn('sleep', ['300'], { stdio: 'ignore' })")}
      const { readdirSync } = await import('node:fs')
      const descriptors = () => readdirSync('/proc/' + successor.pid + '/fd').join()
      // The loader of the program opens and closes libraries at first.
      for (let i = 0; i < 200 && descriptors() !== '0,1,2'; i++) await new Promise((r) => setTimeout(r, 20))
      console.log(descriptors())
      process.kill(successor.pid, 'SIGKILL')
    `,
    ],
    { encoding: 'utf8', timeout: 30_000, killSignal: 'SIGKILL' },
  )
  expect({ stdout, stderr, status }).toEqual({ stdout: '0,1,2\n', stderr: '', status: 0 })
})

test.runIf(root)('a process of another user does not get at the keys of our session', async () => {
  const confined = await compileFixture('confined.c')
  const log = join(base, 'log')
  const { stdout, stderr } = spawnSync(
    confined,
    [
      'session=new',
      '--',
      process.execPath,
      '--input-type=module',
      '-e',
      `
      const { openSync, readFileSync } = await import('node:fs')
      const log = openSync(${JSON.stringify(log)}, 'a')
      const wait = async (count) => {
        for (let i = 0; i < 500 && readFileSync(${JSON.stringify(log)}, 'utf8').split('\\n').length <= count; i++)
          await new Promise((resolve) => setTimeout(resolve, 10))
      }
      ${script(`
        const child = spawn(${JSON.stringify(confined)}, ['keyring'], { stdio: ['ignore', log, 'inherit'], uid: 65534, gid: 65534 })
        await wait(1)
      `)}
      await wait(2)
      process.kill(successor.pid, 'SIGKILL')
    `,
    ],
    { encoding: 'utf8', timeout: 30_000, killSignal: 'SIGKILL' },
  )
  expect(stdout + stderr).toBe('')
  const [ours, theirs] = readFileSync(log, 'utf8').trim().split('\n').map(Number)
  expect(ours).toBeGreaterThan(0)
  expect(theirs).toBeGreaterThan(0)
  expect(theirs).not.toBe(ours)
})

test.runIf(root)("after a crash, a terminal that is another user's by now is not opened again", async () => {
  // Stands for the terminal: the same device and inode, and another owner.
  const file = join(base, 'terminal')
  writeFileSync(file, 'old\n')
  const out = openSync(file, 'a')
  const child = spawn('/bin/sleep', ['300'], { stdio: ['ignore', out, out] })
  try {
    const spec = await captureRestart(await identify(child.pid!))
    releaseRestart(spec)
    const again = await startAgain(JSON.parse(JSON.stringify(spec)) as RestartSpec)
    restarted.push(again)
    expect(await readlink(`/proc/${again.pid}/fd/1`)).toBe(file)
    chownSync(file, 65534, 65534)
    const other = await startAgain(JSON.parse(JSON.stringify(spec)) as RestartSpec)
    restarted.push(other)
    expect(await readlink(`/proc/${other.pid}/fd/1`)).toBe('/dev/null')
    expect(other.warnings.join()).toContain('descriptor 1 (file) is /dev/null now')
  } finally {
    closeSync(out)
    child.kill('SIGKILL')
  }
})
