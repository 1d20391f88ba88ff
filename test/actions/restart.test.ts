import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  rmdir,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
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
import {
  endedByStopAll,
  fixtureProgram,
  INHERITED_STATUS,
  readState,
  startProcess,
  statusOf,
  stopAll,
  waitFor,
} from '../fixtures/processes.js'
import { statField } from '../fixtures/stat_line.js'

const root = process.getuid!() === 0
const api = JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)
let base: string
const restarted: ProcessIdentity[] = []

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'muster-restart-'))
  await chmod(base, 0o755)
})
afterEach(async () => {
  await endAll()
  await rm(base, { recursive: true })
})

async function endAll(): Promise<void> {
  await sendSignal(restarted.splice(0), 'KILL')
  await stopAll()
}

/** Runs a program and waits until it is there under its own executable. */
async function run(command: string, args: string[], options: Parameters<typeof spawn>[2] = {}) {
  const child = spawn(command, args, { stdio: 'ignore', ...options })
  endedByStopAll(child)
  await once(child, 'spawn')
  return child as ChildProcess & { pid: number }
}

const settled = (pid: number, exe: RegExp) =>
  waitFor(async () => exe.test(await readlink(`/proc/${pid}/exe`)), { what: `${pid} to execute ${exe}` })

async function start(spec: RestartSpec, options: Parameters<typeof startAgain>[1] = {}) {
  const child = await startAgain(spec, options)
  restarted.push(child)
  return child
}

/** What makes up a process, as the kernel tells it. */
async function portrait(pid: number): Promise<Record<string, string>> {
  const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'latin1')
  const status = await statusOf(pid)
  return {
    ...Object.fromEntries([...INHERITED_STATUS, 'SigBlk'].map((key) => [key, status.get(key) ?? ''])),
    nice: statField(await read('stat'), 19),
    limits: await read('limits'),
    environ: await read('environ'),
    cmdline: await read('cmdline'),
    cgroup: await read('cgroup'),
    oomScoreAdj: await read('oom_score_adj'),
    cwd: await readlink(`/proc/${pid}/cwd`),
    exe: await readlink(`/proc/${pid}/exe`),
    fds: (await Promise.all([0, 1, 2].map((fd) => readlink(`/proc/${pid}/fd/${fd}`)))).join(),
  }
}

const vanished = (pid: number) => waitFor(() => !existsSync(`/proc/${pid}`), { what: `${pid} to vanish` })

describe('a process is started again as it was', () => {
  // Needs root: another user, cgroups, limits.
  test.runIf(root)('of another user, in its cgroup, with its limits, and nothing of ours', async () => {
    const cgroup = '/sys/fs/cgroup/pids'
    const hasCgroup = existsSync(`${cgroup}/cgroup.procs`)
    const own = `${cgroup}/muster-test-${process.pid}`
    if (hasCgroup) await mkdir(own)
    else console.warn('SKIPPED in part: no cgroup v1 pids hierarchy to move into')
    try {
      const directory = join(base, 'work')
      await mkdir(directory)
      const target = await run(
        'setpriv',
        [
          '--reuid=65534',
          '--regid=65534',
          '--groups=4,65534',
          '--bounding-set=-sys_admin,-net_raw',
          '--no-new-privs',
          'sh',
          '-c',
          'umask 027; ulimit -n 333; ulimit -Ss 4096; exec sleep 300',
        ],
        {
          cwd: directory,
          env: { PATH: process.env.PATH, GREETING: 'h\u00e9llo\nworld', EMPTY: '' },
          stdio: ['pipe', 'pipe', 'ignore'],
        },
      )
      await settled(target.pid, /sleep$/)
      execFileSync('renice', ['-n', '5', '-p', String(target.pid)], { stdio: 'ignore' })
      await writeFile(`/proc/${target.pid}/oom_score_adj`, '321')
      if (hasCgroup) await writeFile(`${own}/cgroup.procs`, String(target.pid))
      const before = await portrait(target.pid)
      const identity = await identify(target.pid)
      const spec = await captureRestart(identity)
      using handle = await ProcessHandle.open(identity)
      await terminate(handle, { graceMs: 5000 })
      let ready: ProcessIdentity | undefined
      const child = await start(spec, {
        onReady: async (held) => {
          ready = held
          // Not executed yet, and already where it belongs.
          expect(await readlink(`/proc/${held.pid}/exe`)).toBe(await readlink('/proc/self/exe'))
          if (hasCgroup) expect(await readFile(`${own}/cgroup.procs`, 'utf8')).toContain(String(held.pid))
        },
      })
      expect(child.warnings).toEqual([])
      expect(child).toMatchObject(ready!)
      expect(child.pid).not.toBe(target.pid)
      expect(await portrait(child.pid)).toEqual(before)
      expect(before).toMatchObject({ nice: '5', oomScoreAdj: '321\n', NoNewPrivs: '1', Umask: '0027' })
      expect(before.limits).toMatch(/Max open files +333 +333/)
      const open = execFileSync('ls', [`/proc/${child.pid}/fd`], { encoding: 'utf8' })
      expect(open.trim().split('\n').sort()).toEqual(['0', '1', '2'])
      using second = await ProcessHandle.open(child)
      expect((await terminate(second, { graceMs: 5000 })).exit).toEqual({ signal: 'SIGTERM' })
      await vanished(child.pid)
    } finally {
      if (hasCgroup) {
        await endAll()
        await waitFor(async () => (await readFile(`${own}/cgroup.procs`, 'utf8')) === '')
        await rmdir(own)
      }
    }
  })

  test('its exit code is known, and no zombie stays', async () => {
    const target = await run('sh', ['-c', 'trap "exit 42" TERM; echo up; while :; do sleep 0.05; done'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const lines = createInterface({ input: target.stdout! })
    await once(lines, 'line')
    const spec = await captureRestart(await identify(target.pid))
    // Its output still goes where it went.
    const again = once(lines, 'line')
    const child = await start(spec)
    expect(await again).toEqual(['up'])
    using handle = await ProcessHandle.open(child)
    expect(await terminate(handle, { graceMs: 10_000 })).toMatchObject({
      endedBy: 'SIGTERM',
      exit: { exitCode: 42 },
    })
    await vanished(child.pid)
  })

  test('from the JSON of its spec alone: files are opened again, pipes become /dev/null', async () => {
    const log = join(base, 'log')
    const target = await run(
      'perl',
      [
        '-e',
        '$| = 1; open F, ">>", $ARGV[0]; print F "$$\\n"; close F; print "to stdout\\n"; sleep 300',
        log,
      ],
      {
        stdio: ['ignore', (await import('node:fs')).openSync(log, 'a'), 'pipe'],
      },
    )
    await waitFor(async () => (await readFile(log, 'utf8')).split('\n').length === 3)
    const captured = await captureRestart(await identify(target.pid))
    const spec = JSON.parse(JSON.stringify(captured)) as RestartSpec
    expect(spec).toEqual(captured)
    releaseRestart(captured)
    const child = await start(spec)
    expect(child.warnings).toEqual([expect.stringMatching(/descriptor 2 \((socket|pipe)\) is \/dev\/null/)])
    await waitFor(async () => (await readFile(log, 'utf8')).split('\n').length === 5)
    expect(await readFile(log, 'utf8')).toBe(`${target.pid}\nto stdout\n${child.pid}\nto stdout\n`)
  })

  test('bytes that are no UTF-8 survive, through JSON too', async () => {
    const perl = `exec { "sleep" } "sl\\xff\\xfeep", "300"`
    const target = await run('perl', ['-e', `$ENV{BAD} = "\\xc3("; ${perl}`])
    await settled(target.pid, /sleep$/)
    const before = await portrait(target.pid)
    const captured = await captureRestart(await identify(target.pid))
    const child = await start(JSON.parse(JSON.stringify(captured)) as RestartSpec)
    releaseRestart(captured)
    const after = await portrait(child.pid)
    expect(after.cmdline).toBe('sl\xff\xfeep\x00300\x00')
    expect(after.environ).toBe(before.environ)
    expect(before.environ).toContain('BAD=\xc3(')
  })

  test('many at once', async () => {
    const target = await run('sleep', ['300'])
    await settled(target.pid, /sleep$/)
    const identity = await identify(target.pid)
    const spec = JSON.parse(JSON.stringify(await captureRestart(identity))) as RestartSpec
    const started = await Promise.all(Array.from({ length: 20 }, () => start({ ...spec })))
    expect(new Set(started.map(({ pid }) => pid)).size).toBe(20)
    for (const { pid } of started) expect(await readlink(`/proc/${pid}/exe`)).toMatch(/sleep$/)
    await sendSignal(restarted.splice(0), 'KILL')
    await Promise.all(started.map(({ pid }) => vanished(pid)))
  })
})

describe('it is refused', () => {
  const refused = async (pid: number, reason: RegExp, options = {}) => {
    await expect(captureRestart(await identify(pid), options)).rejects.toMatchObject({
      code: 'RESTART_REFUSED',
      pid,
      message: expect.stringMatching(reason),
    })
  }

  test('when the executable was deleted, or replaced unless told otherwise', async () => {
    const program = join(base, 'program')
    await copyFile(await fixtureProgram(), program)
    await chmod(program, 0o755)
    const target = await startProcess('idle', { program })
    await rm(program)
    await refused(target.pid, /was deleted/)
    await copyFile('/bin/sleep', program)
    await refused(target.pid, /was replaced.*allowReplacedExecutable/)
    const spec = await captureRestart(await identify(target.pid), { allowReplacedExecutable: true })
    expect(spec.path).toBe(program)
    releaseRestart(spec)
  })

  test('for a zombie, an empty command line, this process, pid 1', async () => {
    await refused((await startProcess('zombie')).pid, /zombie/)
    await refused((await startProcess('empty-argv')).pid, /command line/)
    await refused(process.pid, /this very process/)
    await refused(1, /pid 1/)
  })

  test('when it has written a title over its command line', async () => {
    const target = await run(process.execPath, [
      '-e',
      'process.title = "a title"; setInterval(() => {}, 1000)',
    ])
    await waitFor(async () => (await readFile(`/proc/${target.pid}/cmdline`, 'latin1')).startsWith('a title'))
    await refused(target.pid, /title/)
    const short = await run('perl', ['-e', '$0 = "short"; sleep 300', 'some', 'arguments'])
    await waitFor(async () => (await readFile(`/proc/${short.pid}/cmdline`, 'latin1')).startsWith('short'))
    await refused(short.pid, /title/)
  })

  // Needs root: name spaces and ids.
  test.runIf(root)('in another root, name space, or with ids that differ', async () => {
    const isolated = await run('unshare', ['--mount', 'sleep', '300'])
    await settled(isolated.pid, /sleep$/)
    await refused(isolated.pid, /mnt namespace/)
    const split = await run('setpriv', ['--ruid=65534', 'sleep', '300'])
    await settled(split.pid, /sleep$/)
    await refused(split.pid, /ids differ/)
    const program = join(base, 'setuid')
    await copyFile('/bin/sleep', program)
    await chmod(program, 0o4755)
    const setuid = await run(program, ['300'])
    await refused(setuid.pid, /setuid/)
    const jail = join(base, 'jail')
    await mkdir(jail)
    const chrooted = await run('perl', ['-e', `chroot ${JSON.stringify(jail)}; chdir "/"; sleep 300`])
    await waitFor(async () => (await readlink(`/proc/${chrooted.pid}/root`)) !== '/')
    await refused(chrooted.pid, /root directory/)
  })

  test.runIf(root)('without privilege for another user; for the own user it works', async () => {
    const foreign = await run('sleep', ['300'])
    const own = await run('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'sleep', '300'])
    await settled(own.pid, /sleep$/)
    const script = `
      import * as m from ${api}
      const foreign = await m.captureRestart(await m.identify(${foreign.pid})).catch((error) => error.code)
      const spec = await m.captureRestart(await m.identify(${own.pid}))
      await m.setResourceLimit([await m.identify(process.pid)], 'nofile', { soft: 100, hard: 100 })
      const child = await m.startAgain(spec)
      const { readFileSync } = await import('node:fs')
      const status = readFileSync('/proc/' + child.pid + '/status', 'utf8')
      const limits = readFileSync('/proc/' + child.pid + '/limits', 'utf8')
      const handle = await m.ProcessHandle.open(child)
      const end = await m.terminate(handle, { graceMs: 5000 })
      console.log(JSON.stringify({ foreign, warnings: child.warnings, uid: /Uid:(.*)/.exec(status)[1], files: /Max open files +(\\d+)/.exec(limits)[1], end: end.exit }))`
    const { lines, exited } = await runScript(script, [
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
    ])
    expect(await exited).toBe(0)
    expect(JSON.parse(lines.at(-1)!)).toEqual({
      foreign: 'RESTART_REFUSED',
      warnings: ['limit nofile could not be raised to what it was'],
      uid: '\t65534\t65534\t65534\t65534',
      files: '100',
      end: { signal: 'SIGTERM' },
    })
  })
})

/** Ids of the threads of this process that make children. */
async function spawnThreads(): Promise<string[]> {
  const tids = await readdir('/proc/self/task')
  const names = await Promise.all(tids.map((tid) => readFile(`/proc/self/task/${tid}/comm`, 'utf8')))
  return tids.filter((_, index) => names[index] === 'muster-spawn\n')
}

// PR_SET_PDEATHSIG fires when the thread ends that made the child.
test('a program that asks to die with its parent lives on, and so do the threads that made it', async () => {
  const log = join(base, 'log')
  const isReady = (lives: number) => async () =>
    (await readFile(log, 'utf8')).split('\n').length === lives + 1
  const output = await open(log, 'a')
  let { pid } = await run(await fixtureProgram(), ['mode=idle'], { stdio: ['ignore', output.fd, 'ignore'] })
  await output.close()
  await waitFor(isReady(1))
  const threads: string[][] = []
  for (const lives of [2, 3]) {
    const identity = await identify(pid)
    const spec = await captureRestart(identity)
    using handle = await ProcessHandle.open(identity)
    await terminate(handle, { graceMs: 5000 })
    pid = (await start(spec)).pid
    await waitFor(isReady(lives))
    threads.push(await spawnThreads())
  }
  expect(threads[0]!.length).toBeGreaterThan(0)
  expect(threads[1]).toEqual(threads[0])
  expect(await readState(pid)).toBe('S')
})

describe('the gate', () => {
  const marker = () => join(base, 'executed')
  async function markerSpec(): Promise<RestartSpec> {
    const script = 'open F, ">", $ARGV[0] if -e "$ARGV[0].first"; open F, ">", "$ARGV[0].first"; sleep 300'
    const target = await run('perl', ['-e', script, marker()])
    await waitFor(() => existsSync(`${marker()}.first`))
    const spec = await captureRestart(await identify(target.pid))
    return spec
  }

  test('nothing is executed when onReady rejects; the child ends and is waited for', async () => {
    const spec = await markerSpec()
    let held = 0
    const calledOff = startAgain(spec, {
      onReady: (child) => {
        held = child.pid
        throw new Error('the disk is full')
      },
    })
    await expect(calledOff).rejects.toThrow('the disk is full')
    await vanished(held)
    expect(existsSync(marker())).toBe(false)
  })

  test('what was taken over is there for another attempt, and gone after releaseRestart', async () => {
    const target = await startProcess('idle')
    const identity = await identify(target.pid)
    const [spec, unused] = [await captureRestart(identity), await captureRestart(identity)]
    const output = await readlink(`/proc/${target.pid}/fd/1`)
    await target.stop()
    const calledOff = startAgain(spec, { onReady: () => Promise.reject(new Error('not yet')) })
    await expect(calledOff).rejects.toThrow('not yet')
    const child = await start(spec)
    expect(child.warnings).toEqual([])
    expect(await readlink(`/proc/${child.pid}/fd/1`)).toBe(output)
    releaseRestart(unused)
    expect((await start(unused)).warnings).toHaveLength(2)
  })

  test('SIGKILL of this process before the gate opens leaves nobody behind', async () => {
    const spec = await markerSpec()
    const script = `
      import * as m from ${api}
      await m.startAgain(JSON.parse(${JSON.stringify(JSON.stringify(spec))}), {
        onReady: (child) => { console.log(child.pid); return new Promise((resolve) => setTimeout(resolve, 1e9)) } })`
    const { child, lines, exited } = await runScript(script)
    await waitFor(() => lines.length === 1)
    const held = Number(lines[0])
    expect(await readState(held)).toBe('S')
    child.kill('SIGKILL')
    await exited
    await vanished(held)
    expect(existsSync(marker())).toBe(false)
  })

  test('nor does the end of a worker thread, or process.exit', async () => {
    const json = JSON.stringify(JSON.stringify(await markerSpec()))
    const worker = new Worker(
      `import(${api}).then((m) => m.startAgain(JSON.parse(${json}), {
        onReady: (child) => { require('node:worker_threads').parentPort.postMessage(child.pid); return new Promise(() => setInterval(() => {}, 1000)) } }))`,
      { eval: true },
    )
    const [held] = (await once(worker, 'message')) as [number]
    await worker.terminate()
    await vanished(held)
    const script = `import * as m from ${api}
      await m.startAgain(JSON.parse(${json}), { onReady: (child) => { console.log(child.pid); process.exit(3) } })`
    const { lines, exited } = await runScript(script)
    expect(await exited).toBe(3)
    await vanished(Number(lines[0]))
    expect(existsSync(marker())).toBe(false)
  })

  test('a child that is killed at it is a failure, and no zombie', async () => {
    const spec = await markerSpec()
    let held = 0
    const killed = startAgain(spec, {
      onReady: async (child) => {
        held = child.pid
        await sendSignal([child], 'KILL')
        await vanished(child.pid)
      },
    })
    await expect(killed).rejects.toMatchObject({ code: 'RESTART_FAILED' })
    await vanished(held)
  })

  test('an executable that is exchanged or gone by then is RESTART_FAILED', async () => {
    const program = join(base, 'program')
    for (const [exchange, errno] of [
      [() => copyFile('/bin/sleep', program), 116],
      [async () => {}, 2],
    ] as const) {
      await copyFile(await fixtureProgram(), program)
      await chmod(program, 0o755)
      const target = await startProcess('idle', { program })
      const spec = await captureRestart(await identify(target.pid))
      await rm(program)
      await exchange()
      let held = 0
      const failed = startAgain(spec, {
        onReady: (child) => {
          held = child.pid
        },
      })
      await expect(failed).rejects.toMatchObject({ code: 'RESTART_FAILED', errno, path: program })
      await vanished(held)
      await rm(program, { force: true })
    }
  })
})

async function runScript(script: string, prefix: readonly string[] = []) {
  const [command, ...args] = [...prefix, process.execPath, '--input-type=module', '-e', script]
  const child = spawn(command!, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  endedByStopAll(child)
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  const exited = once(child, 'close').then(([code]) => code as number)
  return { child, lines, exited }
}
