import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { chmod, copyFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, expect, test } from 'vitest'
import { identify, readOpenFiles } from '../../dist/index.js'
import { canConfine, runConfined } from '../fixtures/confined_node.js'
import {
  endedByStopAll,
  fixtureProgram,
  hostileNames,
  startProcess,
  stopAll,
  waitFor,
} from '../fixtures/processes.js'
import { MUSTER, muster } from './muster.js'

const isRoot = process.getuid!() === 0
const NOBODY = 65_534
const canMount = canConfine('hidepid', '/proc with hidepid')
const canNest = canConfine('pidNamespace', 'another PID namespace')

afterEach(stopAll)

/** A child that has said a line on stdout. */
async function start(program: string, args: string[], options: object = {}): Promise<number> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options })
  endedByStopAll(child)
  await once(createInterface({ input: child.stdout! }), 'line')
  return child.pid!
}

test.runIf(canMount)('where /proc hides the processes of others, they are hidden, not gone', async () => {
  const { pid } = await startProcess('idle', { name: 'hidden' })
  const inside = (...args: string[]) => runConfined('hidepid', [MUSTER, ...args])
  for (const command of [
    'info',
    'map',
    'files',
    'net',
    'threads',
    'ns',
    'limits',
    'track',
    'sched',
    'affinity',
  ]) {
    const { code, stdout, stderr } = await inside(command, String(pid))
    expect({ code, stdout }, command).toEqual({ code: 6, stdout: '' })
    expect(stderr, command).toMatch(/^muster: [^\n]*(hidepid|not for this user to read)[^\n]*\n$/)
  }
  expect(await inside('signal', '0', String(pid))).toMatchObject({ code: 6 })
  for (const args of [['tree'], ['zombies'], ['ps', '--pid'], ['watch', '-t', '80', '--once', '-p']]) {
    const { code, stderr } = await inside(...args, String(pid))
    expect({ code, stderr }, args[0]!).toEqual({
      code: 6,
      stderr: expect.stringMatching(/ is hidden by this \/proc /),
    })
    expect((await inside(...args, '4194304')).code, args[0]!).toBe(5)
  }
  expect(await inside('info', '4194304')).toMatchObject({ code: 5 })
  const ps = JSON.parse((await inside('ps', '--json')).stdout) as { user: string }[]
  expect(new Set(ps.map(({ user }) => user))).toEqual(new Set(['nobody']))
  for (const args of [['tree'], ['states'], ['zombies'], ['ns'], ['net'], ['who', 'libc']]) {
    const { code, stderr } = await inside(...args)
    expect(code, args[0]).toBe(0)
    // Of this user there can be others, who have made themselves unreadable.
    expect(stderr, args[0]).toMatch(/^(muster: not looked into: [^\n]*\n)?$/)
  }
  const find = await inside('find', '--command', 'node')
  // It leaves itself out; another test may run something as that user.
  expect([0, 5]).toContain(find.code)
  expect(find.stderr).toMatch(
    /^(muster: not looked into: [^\n]*\n)?(muster: no process for which [^\n]*\n)?$/,
  )
})

test.runIf(canNest)('in another PID namespace, from inside and from outside', async () => {
  const inside = async (...args: string[]) => {
    const { code, stdout } = await runConfined('pidNamespace', [MUSTER, ...args, '--json'])
    expect(code).toBe(0)
    return JSON.parse(stdout)
  }
  expect(await inside('info', '1')).toMatchObject({ identity: { pid: 1 }, ppid: 0, missing: [] })
  expect(
    (await inside('ps')).map(({ pid, name }: { pid: number; name: string }) => `${pid} ${name}`),
  ).toEqual(['1 node'])
  expect(await inside('tree', '1')).toMatchObject([{ pid: 1, children: [] }])

  const outer = await start('unshare', [
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
    'sh',
    '-c',
    'echo; exec sleep 1000',
  ])
  const pid = await waitFor(async () =>
    (await readFile(`/proc/${outer}/task/${outer}/children`, 'utf8')).trim(),
  )
  await waitFor(async () => (await readFile(`/proc/${pid}/comm`, 'utf8')) === 'sleep\n')
  expect((await muster(['info', pid])).stdout).toMatch(new RegExp(`^pid +${pid} \\(${pid} > 1\\)$`, 'm'))
  const namespaces = JSON.parse((await muster(['ns', pid, '--json'])).stdout) as {
    name: string
    id: string
  }[]
  const own = namespaces.find(({ name }) => name === 'pid')!.id
  const who = JSON.parse((await muster(['who', own, '--json'])).stdout)
  expect(who.found).toMatchObject([
    { pid: outer, name: 'unshare', as: ['pid_for_children'] },
    { pid: Number(pid), name: 'sleep', as: ['pid', 'pid_for_children'] },
  ])
  expect(await muster(['limit', pid, 'nofile=100'])).toMatchObject({ code: 0 })
  expect(await muster(['stop', pid, '--signal', 'KILL'])).toMatchObject({ code: 0 })
})

test.runIf(isRoot)(
  'a setuid program is its file’s owner to all, and told as far as its starter may know',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'procmuster-setuid-'))
    try {
      const program = join(directory, 'program')
      await copyFile(await fixtureProgram(), program)
      await chmod(directory, 0o755)
      await chmod(program, 0o4755)
      const pid = String(await start(program, ['mode=idle'], { uid: NOBODY, gid: NOBODY }))
      const info = JSON.parse((await muster(['info', pid, '--json'], { uid: NOBODY })).stdout)
      expect(info).toMatchObject({ user: 'root', exe: null, credentials: { uids: [NOBODY, 0, 0, 0] } })
      expect(info.missing.map(({ path }: { path: string }) => path)).toContain(`/proc/${pid}/exe`)
      const columns = 'realUid,effectiveUid,savedUid,user'
      const ps = await muster(['ps', '--pid', pid, '--columns', columns, '--json'], { uid: NOBODY })
      expect(JSON.parse(ps.stdout)).toEqual([{ realUid: NOBODY, effectiveUid: 0, savedUid: 0, user: 'root' }])
      expect(await muster(['map', pid], { uid: NOBODY })).toMatchObject({ code: 6, stdout: '' })
      expect(await muster(['limit', pid, 'nofile=50'], { uid: NOBODY })).toMatchObject({
        code: 6,
        stdout: '',
      })
      // kill(2): the real uid of the target is enough.
      expect(await muster(['signal', '0', pid], { uid: NOBODY })).toMatchObject({ code: 0 })
      expect((await muster(['info', pid])).stdout).toMatch(/^user +root \(uid 65534 0 0 0, gid 65534\)$/m)
    } finally {
      await rm(directory, { recursive: true })
    }
  },
)

test('a program that was deleted is shown so, whatever it is called', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'procmuster-gone-'))
  const program = join(directory, `a b${String.fromCharCode(27)}[2J`)
  await copyFile(await fixtureProgram(), program)
  const target = await startProcess('idle', { program, cwd: directory })
  await rm(directory, { recursive: true })
  const { stdout } = await muster(['info', String(target.pid)])
  expect(stdout).toContain(`${directory}/a b\\e[2J (deleted)\n`)
  expect(stdout).toMatch(/^directory .* \(deleted\)$/m)
  expect((await muster(['map', String(target.pid), '--all'])).stdout).toContain('a b\\e[2J (deleted)\n')
})

test('a command line of a mebibyte is told whole, of lists its first 128 KiB, on a terminal its first line', async () => {
  const { pid } = await startProcess('idle', { commandLineBytes: 1 << 20, name: hostileNames.spaces })
  const calls: [args: string[], bytes: number][] = [
    [['info', `${pid}`], 1 << 20],
    [['info', `${pid}`, '--json'], 1 << 20],
    [['tree', `${pid}`, '--command'], 120 << 10],
    [['find', '--command', 'x{1000}'], 120 << 10],
    [['ps', '--pid', `${pid}`, '--columns', 'command'], 120 << 10],
  ]
  for (const [args, bytes] of calls) {
    const { code, stdout } = await muster(args)
    expect(code, args[0]).toBe(0)
    expect(stdout.length, args[0]).toBeGreaterThan(bytes)
  }
  const command = `stty cols 80; '${process.execPath}' '${MUSTER}' ps --pid ${pid} --columns pid,command`
  const shown = execFileSync('script', ['-qec', command, '/dev/null'], {
    env: { ...process.env, NO_COLOR: '1' },
  })
  for (const line of shown.toString().split('\r\n')) expect(line.length).toBeLessThanOrEqual(80)
})

const WANTED = 100_000
const OPENER = `
import os, resource, sys, time
wanted = ${WANTED}
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
try: resource.setrlimit(resource.RLIMIT_NOFILE, (wanted + 100, max(hard, wanted + 100)))
except (ValueError, PermissionError): resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
opened = [os.open('/dev/null', os.O_RDONLY)]
try:
    while len(opened) < wanted: opened.append(os.dup(opened[0]))
except OSError: pass
print(len(opened), flush=True)
time.sleep(1000)`

test('100,000 open files are listed and counted, off the main thread', async () => {
  const pid = await start('python3', ['-c', OPENER])
  const identity = await identify(pid)
  const before = performance.eventLoopUtilization()
  const files = await readOpenFiles(identity, { timeoutMs: 30_000 })
  const { utilization } = performance.eventLoopUtilization(before)
  const count = files.length
  if (count < WANTED)
    console.warn(`only ${count} open files: the hard limit of RLIMIT_NOFILE permits no more here`)
  expect(count).toBeGreaterThan(1000)
  expect(utilization).toBeLessThan(0.9)
  const { stdout } = await muster(['files', String(pid)])
  // And a heading, an empty line, directory, root and program.
  expect(stdout.split('\n')).toHaveLength(count + 5)
  expect((await muster(['info', String(pid)])).stdout).toMatch(new RegExp(`^open files +${count} of `, 'm'))
  const [row] = JSON.parse(
    (await muster(['ps', '--pid', String(pid), '--columns', 'openFiles', '--json'])).stdout,
  )
  expect(row.openFiles).toBe(count)
  const track = JSON.parse((await muster(['track', String(pid), '--for', '1ms', '--json'])).stdout)
  // On a starved host the list of so many takes longer than a look may; then it says so.
  if (track.openFiles === null) expect(track.missing).toMatchObject([{ code: 'TIMEOUT' }])
  else expect(track.openFiles).toBe(count)
})

test.runIf(isRoot)(
  'a kernel thread has no memory, no program and no command line, and everything else',
  async () => {
    const pid = '2'
    for (const args of [
      ['info'],
      ['map'],
      ['files'],
      ['net'],
      ['threads', '--stacks'],
      ['ns'],
      ['limits'],
      ['tree'],
    ]) {
      const [command, ...flags] = args
      expect(await muster([command!, pid, ...flags]), command).toMatchObject({ code: 0 })
    }
    const info = JSON.parse((await muster(['info', pid, '--json'])).stdout)
    expect(info).toMatchObject({
      isKernelThread: true,
      exe: null,
      usage: { memory: null },
      memoryMap: { regions: [] },
    })
    expect((await muster(['net', pid])).stderr).toBe('muster: PID 2 has no sockets\n')
    expect((await muster(['map', pid])).stderr).toBe(
      'muster: PID 2 has no memory of its own: it is a kernel thread, or has ended\n',
    )
    for (const args of [
      ['signal', 'TERM', pid],
      ['stop', pid],
      ['nice', '5', pid],
      ['cap', pid, '--pids', '10'],
    ]) {
      expect(await muster(args), args[0]).toMatchObject({
        code: 6,
        stdout: '',
        stderr: expect.stringMatching(/kernel thread.*--force/),
      })
    }
  },
)

test('what is unknown is answered with what is known', async () => {
  const pid = String((await startProcess('idle')).pid)
  const cases: [string[], RegExp][] = [
    [['signal', 'FOO', pid], /"FOO"; use .*SIGHUP, SIGINT, .*SIGSYS/],
    [['sched', pid, '--policy', 'foo'], /"foo" .*give other, batch, idle, fifo, rr/],
    [['limit', pid, 'files=3'], /"files" is no resource.*give one of cpu, fsize, .*rttime/],
    [['ionice', pid, '--class', 'foo'], /"foo" .*give none, realtime, best-effort, idle/],
    [['ps', '--columns', 'foo'], /"foo".*`?muster ps --help|"foo".*pid/],
    [['net', '--protocol', 'foo'], /"foo".*tcp6/],
    [['service', 'list', '--type', 'foo'], /"foo".*socket/],
  ]
  for (const [args, line] of cases) {
    const { code, stdout, stderr } = await muster(args)
    expect({ code, stdout }, args.join(' ')).toEqual({ code: 3, stdout: '' })
    expect(stderr, args.join(' ')).toMatch(line)
  }
  const { hard } = JSON.parse((await muster(['limits', pid, '--json'])).stdout).nofile
  expect(await muster(['limit', pid, 'nofile=20:10'])).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/at most 10/),
  })
  if (!isRoot) return
  const own = String((await startProcess('idle', { uid: NOBODY })).pid)
  const raised = await muster(['limit', own, `nofile=:${hard + 1}`], { uid: NOBODY })
  expect(raised).toMatchObject({ code: 6, stdout: '', stderr: expect.stringMatching(/CAP_SYS_RESOURCE/) })
})

test.each([['ps'], ['ps', '--json'], ['system', '--json'], ['events', '--json', '--for', '5s']])(
  'output that cannot be written is one line: %s',
  async (...args) => {
    const full = openSync('/dev/full', 'w')
    try {
      const { status, stderr } = spawnSync(process.execPath, [MUSTER, ...args], {
        stdio: ['ignore', full, 'pipe'],
        encoding: 'utf8',
      })
      expect(stderr).toBe('muster: cannot write the output: no space left on device (ENOSPC)\n')
      expect(status).toBe(1)
    } finally {
      closeSync(full)
    }
  },
)
