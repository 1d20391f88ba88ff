import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  Cgroup,
  detectCgroups,
  findUser,
  getResourceLimits,
  getScheduling,
  ProcessHandle,
  type SpawnedProcess,
  type SpawnOptions,
  spawnProcess,
  terminate,
} from '../../dist/index.js'
import { controlGroupRoot } from '../fixtures/control_group.js'
import {
  fixtureProgram,
  hostileNames,
  INHERITED_STATUS,
  readState,
  statusOf,
  waitFor,
} from '../fixtures/processes.js'
import { statField } from '../fixtures/stat_line.js'

const root = process.getuid!() === 0
const api = JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)
const groups = (await controlGroupRoot()) !== undefined
if (!groups) console.warn('SKIPPED, starting in a control group: none can be made here; run as root')
const { mode } = await detectCgroups()
let base: string
const running = new Set<SpawnedProcess>()

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'muster-spawn-'))
  await chmod(base, 0o755)
})
afterEach(async () => {
  for (const child of running) {
    try {
      child.signal('KILL')
    } catch {}
  }
  await Promise.all([...running].map((child) => child.exited))
  running.clear()
  await rm(base, { recursive: true })
})

async function start(program: string, args: string[] = [], options: SpawnOptions = {}) {
  const child = await spawnProcess(program, args, options)
  running.add(child)
  return child
}

/** What a shell says, to its end. */
async function said(script: string, options: SpawnOptions = {}): Promise<string> {
  const child = await start('sh', ['-c', script], { stdout: 'pipe', ...options })
  const output = await text(child.stdout!)
  expect(await child.exited).toMatchObject({ exitCode: 0 })
  return output.trimEnd()
}

const read = (pid: number, name: string) => readFile(`/proc/${pid}/${name}`, 'latin1')

/** proc_pid_stat(5) fields by number, from 3 on. */
const fieldOf = async (pid: number, number: number) => statField(await read(pid, 'stat'), number)

/** Pids of our children, zombies too. */
async function childrenOf(pid: number): Promise<number[]> {
  const found = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map(async (name) => [Number(name), await fieldOf(Number(name), 4).catch(() => '')] as const),
  )
  return found.filter(([, parent]) => parent === String(pid)).map(([child]) => child)
}

describe('what a process is given', () => {
  test('arguments and environment arrive as they are, whatever is in them', async () => {
    const hostile = ['', ' a  b ', '-n', '$(id)', '\x1b[31mred', 'line\nline', '\u{1f600}\u202e', '*']
    const child = await start('sh', ['-c', 'read line', ...hostile], {
      stdin: 'pipe',
      env: { HOSTILE: hostile.join(), 'odd name': '=', GONE: undefined },
      extendEnv: false,
    })
    expect((await readFile(`/proc/${child.pid}/cmdline`, 'utf8')).split('\0')).toEqual([
      ...['sh', '-c', 'read line', ...hostile],
      '',
    ])
    expect((await readFile(`/proc/${child.pid}/environ`, 'utf8')).split('\0').sort()).toEqual(
      ['', `HOSTILE=${hostile.join()}`, 'odd name=='].sort(),
    )
    child.stdin!.end('x\n')
    expect(await child.exited).toMatchObject({ exitCode: 0 })
  })

  test('the environment of this process is extended, or taken away from', async () => {
    process.env.MUSTER_SPAWN_TEST = 'ours'
    expect(await said('echo $MUSTER_SPAWN_TEST $MORE', { env: { MORE: 'more' } })).toBe('ours more')
    expect(
      await said('test -z $MUSTER_SPAWN_TEST && echo none', { env: { MUSTER_SPAWN_TEST: undefined } }),
    ).toBe('none')
    delete process.env.MUSTER_SPAWN_TEST
  })

  test('a program of a hostile name is started under it', async () => {
    for (const name of [
      hostileNames.spaces,
      hostileNames.parentheses,
      hostileNames.newline,
      hostileNames.escape,
    ]) {
      const path = join(base, name.toString())
      await symlink('/bin/sleep', path)
      const child = await start(path, ['100'])
      expect((await read(child.pid, 'comm')).slice(0, -1)).toBe(name.toString())
      child.signal('KILL')
      expect(await child.exited).toMatchObject({ signal: 'SIGKILL' })
    }
  })

  test('directory, umask, nice, I/O priority, affinity, limits, OOM score, no new privileges', async () => {
    const nice = Math.min(19, getPriority() + 3)
    const child = await start('sleep', ['100'], {
      cwd: base,
      umask: 0o027,
      nice,
      ioPriority: { ioClass: 'best-effort', level: 6 },
      affinity: '0',
      scheduler: { policy: 'batch' },
      limits: {
        nofile: { soft: 77, hard: 99 },
        core: { soft: 0 },
        stack: { hard: 64 * 2 ** 20, soft: 2 ** 20 },
      },
      oomScoreAdj: 700,
      noNewPrivileges: true,
    })
    const status = await statusOf(child.pid)
    expect(await readlink(`/proc/${child.pid}/cwd`)).toBe(base)
    expect(status.get('Umask')).toBe('0027')
    expect(status.get('NoNewPrivs')).toBe('1')
    expect(status.get('Cpus_allowed_list')).toBe('0')
    expect(await fieldOf(child.pid, 19)).toBe(String(nice))
    expect(await read(child.pid, 'oom_score_adj')).toBe('700\n')
    const limits = await getResourceLimits(child)
    expect(limits.nofile).toEqual({ soft: 77, hard: 99 })
    expect(limits.core.soft).toBe(0)
    expect(limits.stack).toEqual({ soft: 2 ** 20, hard: 64 * 2 ** 20 })
    const [scheduling] = await getScheduling([child])
    expect(scheduling!.ok && scheduling!.threads[0]).toMatchObject({
      ...{ ioClass: 'best-effort', ioLevel: 6, policy: 'batch' },
    })
  })

  test('a user is found by name and by uid, with its groups', async () => {
    const byName = await findUser('root')
    expect(byName).toMatchObject({ name: 'root', uid: 0, gid: 0, home: '/root' })
    expect(byName.groups).toContain(0)
    expect(await findUser(0)).toEqual(byName)
    await expect(findUser('no-such-user-here')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(findUser(-1)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test('what is left out is as in this process, and nothing of this process leaks into it', async () => {
    const child = await start('sleep', ['100'])
    const [theirs, ours] = [await statusOf(child.pid), await statusOf(process.pid)]
    for (const key of INHERITED_STATUS) {
      expect([key, theirs.get(key)]).toEqual([key, ours.get(key)])
    }
    expect(await read(child.pid, 'limits')).toBe(await read(process.pid, 'limits'))
    expect(await read(child.pid, 'cgroup')).toBe(await read(process.pid, 'cgroup'))
    expect(await readlink(`/proc/${child.pid}/cwd`)).toBe(process.cwd())
    expect(theirs.get('SigBlk')).toBe('0000000000000000')
    expect(theirs.get('SigIgn')).toBe('0000000000000000')
    expect((await readdir(`/proc/${child.pid}/fd`)).sort()).toEqual(['0', '1', '2'])
    expect(await readlink(`/proc/${child.pid}/fd/0`)).toBe('/dev/null')
    expect(await readlink(`/proc/${child.pid}/fd/1`)).toBe(await readlink(`/proc/${process.pid}/fd/1`))
  })

  test('session and process group', async () => {
    const same = await start('sleep', ['100'])
    expect(await fieldOf(same.pid, 5)).toBe(await fieldOf(process.pid, 5))
    const group = await start('sleep', ['100'], { newProcessGroup: true })
    expect(await fieldOf(group.pid, 5)).toBe(String(group.pid))
    expect(await fieldOf(group.pid, 6)).toBe(await fieldOf(process.pid, 6))
    const session = await start('sleep', ['100'], { newSession: true })
    expect(await fieldOf(session.pid, 6)).toBe(String(session.pid))
    expect(await fieldOf(session.pid, 7)).toBe('0')
  })

  // Needs root: another user.
  test.runIf(root)('another user with its groups and home; and without an entry in passwd', async () => {
    const child = await start('sleep', ['100'], { user: 'nobody' })
    const status = await statusOf(child.pid)
    expect(status.get('Uid')).toBe('65534\t65534\t65534\t65534')
    expect(status.get('Gid')).toBe('65534\t65534\t65534\t65534')
    expect(status.get('Groups')).toBe('65534')
    for (const key of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'])
      expect(status.get(key)).toBe('0000000000000000')
    const environment = (await read(child.pid, 'environ')).split('\0')
    expect(environment).toContain('USER=nobody')
    expect(environment).toContain('LOGNAME=nobody')
    expect(environment).not.toContain(`HOME=${process.env.HOME}`)
    const kept = await start('sleep', ['100'], {
      user: 65534,
      group: 'daemon',
      groups: ['daemon', 4],
      env: { HOME: base },
    })
    const other = await statusOf(kept.pid)
    expect(other.get('Uid')).toBe('65534\t65534\t65534\t65534')
    expect(other.get('Gid')).toBe('1\t1\t1\t1')
    expect(other.get('Groups')).toBe('1 4')
    expect((await read(kept.pid, 'environ')).split('\0')).toContain(`HOME=${base}`)
    const bare = await start('sleep', ['100'], { user: 54321, group: 54321 })
    expect((await statusOf(bare.pid)).get('Uid')).toBe('54321\t54321\t54321\t54321')
    expect((await statusOf(bare.pid)).get('Groups')).toBe('')
  })

  test.runIf(groups)('a control group, from its first instruction on', async () => {
    const group = await Cgroup.create(`/muster-spawn-${process.pid}`, { controllers: ['pids'] })
    try {
      expect(await said('cat /proc/self/cgroup', { cgroup: group.path })).toContain(group.path)
    } finally {
      await waitFor(async () => (await group.processes()).length === 0)
      await group.remove()
    }
  })
})

describe('standard descriptors', () => {
  test('pipes, that are no sockets: /dev/stdin can be opened', async () => {
    const child = await start('sh', ['-c', 'cat /dev/stdin; echo error >&2'], {
      ...{ stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' },
    })
    child.stdin!.end('hello\n'.repeat(100_000))
    const [output, errors] = await Promise.all([text(child.stdout!), text(child.stderr!)])
    expect(output.length).toBe(600_000)
    expect(errors).toBe('error\n')
    expect(await child.exited).toMatchObject({ exitCode: 0 })
  })

  test('files, appended to or emptied, with their mode; both outputs in one', async () => {
    const file = join(base, 'log')
    const log = async (options: SpawnOptions) => {
      const child = await start('sh', ['-c', 'cat; echo out; echo err >&2'], { ...options, stderr: 'stdout' })
      await child.exited
      return readFile(file, 'utf8')
    }
    const input = join(base, 'input')
    await writeFile(input, 'in\n')
    expect(await log({ stdin: { file: input }, stdout: { file, append: false } })).toBe('in\nout\nerr\n')
    expect(await log({ stdout: { file } })).toBe('in\nout\nerr\nout\nerr\n')
    const fresh = join(base, 'fresh')
    const child = await start('true', [], { stdout: { file: fresh, mode: 0o640 } })
    await child.exited
    expect((await stat(fresh)).mode & 0o777).toBe(0o640 & ~process.umask())
    const silent = join(base, 'silent')
    await (await start('true', [], { stdout: { file: silent } })).exited
    expect((await stat(silent)).mode & 0o777).toBe(0o600)
  })
})

describe('how it ends', () => {
  test('exit code, signal, resource use and lifetime', async () => {
    expect(await (await start('sh', ['-c', 'exit 7'])).exited).toMatchObject({
      exitCode: 7,
      coreDumped: false,
    })
    const killed = await start('sleep', ['100'])
    killed.signal('SIGUSR1')
    const end = await killed.exited
    expect(end).toMatchObject({ signal: 'SIGUSR1' })
    expect(end.exitCode).toBeUndefined()
    expect(() => killed.signal('TERM')).toThrowError(expect.objectContaining({ code: 'PROCESS_GONE' }))
    // More than this process has, to be told apart from it.
    const bytes = process.resourceUsage().maxRSS * 1024 + 100 * 2 ** 20
    const grown = ['mode=exit', `rss=${bytes}`, 'after=150', 'code=0']
    const { lifetimeMs, use } = await (await start(await fixtureProgram(), grown, { stdout: 'ignore' }))
      .exited
    expect(lifetimeMs).toBeGreaterThan(150)
    expect(lifetimeMs).toBeLessThan(30_000)
    expect(use!.peakRssBytes).toBeGreaterThan(bytes)
    expect(use!.peakRssBytes).toBeLessThan(bytes + 50 * 2 ** 20)
    expect(use!.userTimeMs + use!.systemTimeMs).toBeGreaterThan(5)
    expect(use!.userTimeMs + use!.systemTimeMs).toBeLessThan(lifetimeMs * 4)
    expect(use!.minorFaults).toBeGreaterThan(50)
    // Smaller than this process, whose memory it shared until its exec: not to be told apart.
    expect((await (await start('true')).exited).use!.peakRssBytes).toBeUndefined()
  })

  test('it can be terminated, and a handle on it knows its end', async () => {
    const child = await start('sh', ['-c', 'trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done'], {
      stdout: 'pipe',
    })
    await once(child.stdout!, 'data')
    using handle = await ProcessHandle.open(child)
    const { endedBy, exit } = await terminate(handle, { graceMs: 10_000 })
    expect({ endedBy, exit }).toEqual({ endedBy: 'SIGTERM', exit: { exitCode: 5 } })
  })

  test('500 at once: each code is right, and no zombie, descriptor or pidfd is left', async () => {
    const descriptors = (await readdir('/proc/self/fd')).length
    const children = await Promise.all(
      Array.from({ length: 500 }, (_, index) => spawnProcess('sh', ['-c', `exit ${index % 256}`])),
    )
    const ends = await Promise.all(children.map((child) => child.exited))
    expect(ends.map((end) => end.exitCode)).toEqual(Array.from({ length: 500 }, (_, index) => index % 256))
    expect(new Set(children.map(({ pid, startTicks }) => `${pid}:${startTicks}`)).size).toBe(500)
    const left = await childrenOf(process.pid)
    expect(children.filter(({ pid }) => left.includes(pid))).toEqual([])
    await waitFor(async () => (await readdir('/proc/self/fd')).length <= descriptors)
  })

  test('nor of a worker thread that ended before its child did', async () => {
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads')
       import(${api}).then(async ({ spawnProcess }) => {
         const child = await spawnProcess('sleep', ['100'])
         parentPort.postMessage(child.pid)
         await child.exited
       })`,
      { eval: true },
    )
    const [pid] = (await once(worker, 'message')) as [number]
    await worker.terminate()
    expect(await readState(pid)).toBe('S')
    process.kill(pid, 'SIGKILL')
    await waitFor(() => !existsSync(`/proc/${pid}`), { what: `${pid} to be waited for` })
  })

  test('the event loop goes on until it has ended, unless it is unref-ed or detached', async () => {
    const runs = async (code: string) => {
      const script = `import { spawnProcess } from ${api}\n${code}`
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const [output] = await Promise.all([text(child.stdout), once(child, 'exit')])
      return output
    }
    const waits =
      "const child = await spawnProcess('sleep', ['0.3']); child.exited.then((end) => console.log(end.exitCode))"
    expect(await runs(waits)).toBe('0\n')
    const leaves = (how: string) =>
      `const child = await spawnProcess('sleep', ['100'], ${how}).then((child) => child.unref())
       child.exited.then(() => console.log('ended')); console.log(child.pid)`
    for (const how of ["{ stdout: 'ignore', stderr: 'ignore' }", '{ detached: true }']) {
      const output = await runs(leaves(how))
      expect(output).toMatch(/^\d+\n$/)
      process.kill(Number(output), 'SIGKILL')
    }
  })
})

describe('what cannot be started is told, and leaves no child', () => {
  const failures: [string, string, SpawnOptions, string, RegExp][] = [
    ['no such name', 'no-such-program', {}, 'NOT_FOUND', /no program "no-such-program" in PATH \(.*bin/],
    [
      'no such name in a PATH of its own',
      'sh',
      { env: { PATH: '/nowhere' } },
      'NOT_FOUND',
      /PATH \(\/nowhere\)/,
    ],
    ['no such path', '/nowhere/program', {}, 'NOT_FOUND', /"\/nowhere\/program" is not there \(ENOENT\)/],
    ['no program', '/etc/passwd', {}, 'ACCESS_DENIED', /"\/etc\/passwd" may not be executed \(EACCES\)/],
    ['a directory', '/tmp', {}, 'ACCESS_DENIED', /"\/tmp" may not be executed/],
    ['an empty name', '', {}, 'INVALID_ARGUMENT', /"" is no program/],
    ['no such directory', 'true', { cwd: '/nowhere' }, 'NOT_FOUND', /working directory "\/nowhere".*ENOENT/],
    ['no such user', 'true', { user: 'no-such-user' }, 'NOT_FOUND', /no user "no-such-user"/],
    ['no such uid', 'true', { user: 54321 }, 'NOT_FOUND', /no user 54321 .*group/],
    ['no such group', 'true', { group: 'no-such-group' }, 'NOT_FOUND', /no group "no-such-group"/],
    [
      'nothing for a user',
      'true',
      { user: null as never },
      'INVALID_ARGUMENT',
      /user is null; give a value, or leave it out/,
    ],
    [
      'nothing for a group',
      'true',
      { group: [] as never },
      'INVALID_ARGUMENT',
      /\[\] is no user or group id/,
    ],
    ['a zero byte in a name', 'true', { user: 'nobody\0root' }, 'INVALID_ARGUMENT', /is no user or group id/],
    [
      'a limit that says nothing',
      'true',
      { limits: { nofile: 5 as never } },
      'INVALID_ARGUMENT',
      /limits.nofile is 5/,
    ],
    ['no uid', 'true', { user: -1 }, 'INVALID_ARGUMENT', /-1 is no user or group id/],
    [
      'no such control group',
      'true',
      { cgroup: '/no-such-group' },
      mode === 'none' ? 'UNSUPPORTED' : 'NOT_FOUND',
      /./,
    ],
    [
      'no such log directory',
      'true',
      { stdout: { file: '/nowhere/log' } },
      'NOT_FOUND',
      /"\/nowhere\/log".*ENOENT/,
    ],
    [
      'a soft limit above the hard one',
      'true',
      { limits: { nofile: { soft: 9, hard: 8 } } },
      'INVALID_ARGUMENT',
      /soft/,
    ],
    [
      'a limit beyond the kernel',
      'true',
      { limits: { nofile: { hard: 2 ** 40 } } },
      'ACCESS_DENIED',
      /limit nofile.*EPERM/,
    ],
    ['no such processor', 'true', { affinity: '4095' }, 'INVALID_ARGUMENT', /affinity 4095/],
    ['no nice value', 'true', { nice: 99 }, 'INVALID_ARGUMENT', /99 is no nice value/],
    ['no umask', 'true', { umask: 0o1000 }, 'INVALID_ARGUMENT', /512 is no umask/],
    ['a zero byte', 'true', { env: { A: 'a\0b' } }, 'INVALID_ARGUMENT', /value of A/],
    ['no name of a variable', 'true', { env: { 'A=B': 'c' } }, 'INVALID_ARGUMENT', /"A=B" is no name/],
    ['pipes of a daemon', 'true', { detached: true, stdout: 'pipe' }, 'INVALID_ARGUMENT', /no pipes/],
    ['no pid file directory', 'true', { pidFile: '/nowhere/pid' }, 'NOT_FOUND', /"\/nowhere\/pid".*ENOENT/],
  ]
  test.each(failures)('%s', async (_, program, options, code, message) => {
    const before = new Set(await childrenOf(process.pid))
    const error = await spawnProcess(program, [], options).catch((error: unknown) => error)
    expect(error).toMatchObject({ name: 'ProcmusterError', code, message: expect.stringMatching(message) })
    expect((await childrenOf(process.pid)).filter((pid) => !before.has(pid))).toEqual([])
  })

  test('files that only exec refuses', async () => {
    const file = async (name: string, content: string) => {
      await writeFile(join(base, name), content, { mode: 0o755 })
      return spawnProcess(join(base, name)).catch((error: unknown) => error)
    }
    expect(await file('text', 'no program\n')).toMatchObject({
      ...{ code: 'INVALID_ARGUMENT', errno: 8, path: join(base, 'text') },
      message: expect.stringMatching(/exec \(ENOEXEC\): .*#! line/),
    })
    expect(await file('script', '#!/nowhere/sh\n')).toMatchObject({
      ...{ code: 'NOT_FOUND', errno: 2 },
      message: expect.stringMatching(/exec \(ENOENT\): the interpreter/),
    })
    expect(await file('good', '#!/bin/sh\nexit 4\n')).toMatchObject({ pid: expect.any(Number) })
    const long = await spawnProcess(
      'true',
      Array.from({ length: 100 }, () => 'x'.repeat(131_000)),
    ).catch((error) => error)
    expect(long).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/E2BIG.*too long/),
    })
  })

  test('without descriptors left, and called off: none stays open', async () => {
    const script = `import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs'
      import { spawnProcess } from ${api}
      const options = { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore', limits: { core: { soft: 0 } } }
      const links = () => readdirSync('/proc/self/fd').map((fd) => {
        try {
          return readlinkSync('/proc/self/fd/' + fd)
        } catch {
          return ''
        }
      })
      // But for a sanitizer's own.
      const count = () => links().filter((link) => !/\\/reports\\/report\\.\\d+$/.test(link)).length
      // The thread that made a child closes its pidfd when that is gone.
      const settled = async (isSettled) => {
        for (let n = 0; n < 1500 && !isSettled(); n++) await new Promise((done) => setTimeout(done, 10))
      }
      await (await spawnProcess('true', [], options)).exited
      await settled(() => !links().includes('anon_inode:[pidfd]'))
      let before = count()
      const left = async () => {
        await settled(() => count() <= before)
        const more = count() - before
        // The thread that watches for exits may not have closed its own at first.
        before += Math.min(0, more)
        return Math.max(0, more)
      }
      const codes = new Set(), opened = new Set()
      for (let free = 0; free <= 14; free++) {
        const taken = []
        try {
          for (;;) taken.push(openSync('/dev/null'))
        } catch {}
        for (const fd of taken.splice(0, free)) closeSync(fd)
        const child = await spawnProcess('true', [], options).catch((error) => codes.add(error.errno))
        await child.exited
        for (const fd of taken) closeSync(fd)
        opened.add(await left())
      }
      for (let n = 0; n < 5; n++) {
        await spawnProcess('true', [], { ...options, onReady() { throw new Error('not now') } }).catch(() => {})
      }
      opened.add(await left())
      console.log(JSON.stringify({ codes: [...codes], opened: [...opened] }))`
    const node = await start(process.execPath, ['--input-type=module', '-e', script], {
      ...{ env: { LD_PRELOAD: undefined }, stdout: 'pipe', limits: { nofile: { soft: 100 } } },
    })
    // EMFILE
    expect(JSON.parse(await text(node.stdout!))).toEqual({ codes: [24], opened: [0] })
  })

  test('rejecting before its exec calls it off; nothing is executed, no pid file stays', async () => {
    const pidFile = join(base, 'pid')
    const touched = join(base, 'touched')
    let pid = 0
    const refused = new Error('not now')
    const options = {
      pidFile,
      onReady: (child: { pid: number }) => {
        pid = child.pid
        throw refused
      },
    }
    await expect(spawnProcess('touch', [touched], options)).rejects.toBe(refused)
    expect(existsSync(`/proc/${pid}`)).toBe(false)
    expect([existsSync(touched), existsSync(pidFile)]).toEqual([false, false])
    await expect(spawnProcess(join(base, 'bad'), [], { pidFile })).rejects.toThrow()
    await writeFile(join(base, 'bad'), 'text', { mode: 0o755 })
    await expect(spawnProcess(join(base, 'bad'), [], { pidFile })).rejects.toMatchObject({ errno: 8 })
    expect(await readdir(base)).toEqual(['bad'])
  })

  // Needs root: to become nobody first.
  test.runIf(root)('without privilege: its own user works, another one is refused', async () => {
    const script = `import { spawnProcess } from ${api}
      const child = await spawnProcess('sh', ['-c', 'id -u; exit 3'], {
        env: { LD_PRELOAD: undefined }, user: 'nobody', limits: { nofile: { soft: 50 } },
      })
      console.log((await child.exited).exitCode)
      for (const options of [{ user: 'root' }, { groups: [4] }, { nice: -5 }, { limits: { nofile: { hard: 2 ** 30 } } }]) {
        await spawnProcess('true', [], options).then(() => console.log('started'), (error) => console.log(error.code, error.errno))
      }`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      ...{ uid: 65534, gid: 65534, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] },
    })
    const [output] = await Promise.all([text(child.stdout!), once(child, 'exit')])
    expect(output).toBe('65534\n3\nACCESS_DENIED 1\nACCESS_DENIED 1\nACCESS_DENIED 13\nACCESS_DENIED 1\n')
  })
})
