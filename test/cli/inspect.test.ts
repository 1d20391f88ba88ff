import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { findByFile, identify, readLibraries } from '../../dist/index.js'
import { detectCgroups } from '../../dist/public/cgroups.js'
import { hostileNames, startProcess, stopAll, type TestProcess, waitFor } from '../fixtures/processes.js'
import { endRuns, muster, Run } from './muster.js'

const canMount = spawnSync('unshare', ['-m', 'true']).status === 0
const UNSAFE = /[\p{Cc}\p{Cf}]/u

/** Nobody else's who runs these tests on this host. */
const NEEDLE = `needle-in-muster-${process.pid}`

let target: TestProcess
let server: Server
let port: number

beforeAll(async () => {
  target = await startProcess('idle', {
    name: hostileNames.escape,
    threads: 2,
    extraArguments: ['\u001b]0;owned\u0007', 'a\nb', '\u202e', NEEDLE],
  })
  server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as { port: number }).port
})
afterAll(async () => {
  server.close()
  await stopAll()
})
afterEach(endRuns)

const json = async (...args: string[]) => {
  const { code, stdout } = await muster([...args, '--json'])
  expect(stdout.replaceAll('\n', '')).not.toMatch(UNSAFE)
  return { code, value: JSON.parse(stdout) }
}

test('info: scheduling, and the use and limits of its control groups', async () => {
  const { code, stdout } = await muster(['info', String(target.pid)])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^scheduling +policy other, nice \d+, I\/O .+, processors \d/m)
  const { mode } = await detectCgroups()
  if (mode !== 'none') expect(stdout).toMatch(/^cgroup use +.+ of \/.*: .+$/m)
})

test('a process from every side, as JSON', async () => {
  const pid = String(target.pid)
  const [info, map, files, threads] = await Promise.all([
    json('info', pid),
    json('map', pid, '--all'),
    json('files', pid),
    json('threads', pid, '--stacks'),
  ])
  expect(info.value).toMatchObject({
    identity: { pid: target.pid },
    name: hostileNames.escape.toString(),
    user: userInfo().username,
    ppid: process.pid,
    exe: readlinkSync(`/proc/${pid}/exe`),
    environment: null,
    missing: [],
    credentials: { effective: expect.stringMatching(/^0x/) },
    memoryMap: { total: { rssBytes: expect.any(Number) } },
  })
  expect(info.value.args).toContain('a\nb')
  expect(map.value.regions).toHaveLength(map.value.total.count)
  expect(map.value.totals.text.sizeBytes).toBeGreaterThan(0)
  expect(files.value.map(({ fd }: { fd: number }) => fd)).toEqual(expect.arrayContaining([0, 1, 2]))
  expect(threads.value).toHaveLength(3)
  const { value: sums } = await json('map', pid)
  expect(sums).toMatchObject({ regions: null, total: { count: map.value.total.count } })
  const [limits, namespaces, all, sockets] = await Promise.all([
    json('limits', pid),
    json('ns', pid),
    json('ns'),
    json('net', String(process.pid), '--listen', '--protocol', 'tcp'),
  ])
  expect(limits.value.nofile.soft).toBeGreaterThan(0)
  const net = namespaces.value.find(({ name }: { name: string }) => name === 'net')
  expect(net.id).toBe(readlinkSync('/proc/self/ns/net'))
  expect(all.value.find(({ id }: { id: string }) => id === net.id).pids).toContain(target.pid)
  expect(sockets.value).toMatchObject([
    { protocol: 'tcp', state: 'LISTEN', localPort: port, owners: [{ pid: process.pid }] },
  ])
})

test('files and net say what a zombie has no more', async () => {
  const { pid } = await startProcess('zombie')
  expect((await muster(['files', String(pid)])).stderr).toBe(
    `muster: PID ${pid} has no files: it is a kernel thread, or has ended\n`,
  )
  expect(await muster(['net', String(pid)])).toMatchObject({
    code: 5,
    stderr: `muster: PID ${pid}: it has ended\n`,
  })
})

test('ns says which namespaces of a process are not known: a zombie has given most of them up', async () => {
  const { pid } = await startProcess('zombie')
  const { code, stdout, stderr } = await muster(['ns', String(pid)])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^net +-$/m)
  expect(stderr).toMatch(
    /^muster: not known: .*\bnet\b.* \(they may not be read, or the process has ended\)\n$/,
  )
  expect((await muster(['ns', String(target.pid)])).stderr).toBe('')
})

test('a process from every side, for a terminal, with nothing of its own raw', async () => {
  const pid = String(target.pid)
  const texts = await Promise.all(
    ['info', 'map', 'threads', 'files'].map((command) => muster([command, pid])),
  )
  texts.push(...(await Promise.all([muster(['map', pid, '--all'])])))
  texts.push(...(await Promise.all([muster(['limits', pid]), muster(['net', '--listen'])])))
  for (const { code, stdout } of texts) {
    expect(code).toBe(0)
    expect(stdout.replaceAll('\n', '')).not.toMatch(UNSAFE)
  }
  const [info, map, threads, files, all, limits, net] = texts.map(({ stdout }) => stdout)
  expect(info).toMatch(/^name {2,}\\e\[31mred/m)
  expect(info).toMatch(/^state {2,}S, sleeps until something happens$/m)
  expect(info).toMatch(/^threads {2,}3: /m)
  expect(info).not.toContain('not readable')
  expect(map).toMatch(/^total +\d+ /m)
  expect(map).toMatch(/^stack of the first thread: .* its limit /m)
  expect(threads!.match(/\\e\[31mred/g)).toHaveLength(3)
  expect(files).toMatch(/^ *1 rw +socket +- .* unix stream CONNECTED socket:\[\d+\]$/m)
  expect(all).toMatch(/ heap +\[heap\]$/m)
  expect(limits).toMatch(/^nofile +\d+ +\d+$/m)
  expect(net).toContain(`127.0.0.1:${port} `)
})

test('usage shows which commands need a process', async () => {
  for (const name of ['info', 'monitor', 'map', 'files', 'threads', 'limits', 'track']) {
    expect((await muster([name, '--help'])).stdout).toMatch(`Usage: muster ${name} [options] <pid>\n`)
  }
  expect((await muster(['ns', '--help'])).stdout).toMatch('Usage: muster ns [options] [pid]\n')
  expect((await muster(['who', '--help'])).stdout).toMatch('Usage: muster who [options] <what>\n')
})

test('any file of the process is told as it is, or why not', async () => {
  const pid = String(target.pid)
  const { stdout } = await muster(['info', pid, '--file', 'mountinfo'])
  expect(stdout).toBe(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'))
  const { code, stdout: both, stderr } = await muster(['info', pid, '-f', 'cmdline', '-f', 'none'])
  expect({ code, stderr }).toEqual({ code: 1, stderr: `muster: --file none: /proc/${pid}/none: ENOENT\n` })
  expect(both).toBe(`==> cmdline <==\n${readFileSync(`/proc/${pid}/cmdline`, 'utf8')}`)
  const { value } = await json('info', pid, '--file', 'task/x', '--file', 'comm')
  expect(value.comm).toEqual({ text: readFileSync(`/proc/${pid}/comm`, 'utf8') })
  expect(value['task/x']).toEqual({ text: null, error: { code: 'NOT_FOUND', reason: expect.any(String) } })
  const outside = await muster(['info', pid, '--file', '../1/status'])
  expect(outside).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining('"../1/status"') })
})

test('files: what a process uses without descriptors too, and what its sockets are, as lsof has them', async () => {
  const pid = String(process.pid)
  const { stdout } = await muster(['files', pid])
  const lines = stdout.split('\n')
  expect(lines[1]).toMatch(/^ *cwd +- +directory +.* \//)
  expect(lines[2]).toMatch(/^ *rtd +- +directory +.* \/$/)
  expect(lines[3]!.endsWith(` ${readlinkSync('/proc/self/exe')}`)).toBe(true)
  expect(lines[3]).toMatch(/^ *txt /)
  expect(stdout).toMatch(new RegExp(` socket .* tcp LISTEN 127\\.0\\.0\\.1:${port}$`, 'm'))
  expect(stdout).not.toMatch(/^ *mem /m)
  const { value } = await json('files', pid, '--all')
  const mapped = value.flatMap(({ fd, target }: { fd: unknown; target: string }) =>
    fd === 'mem' ? target : [],
  )
  expect(mapped).toContain(readlinkSync('/proc/self/exe'))
  expect(new Set(mapped).size).toBe(mapped.length)
  expect(value).toContainEqual(
    expect.objectContaining({ socket: expect.objectContaining({ localPort: port }) }),
  )
})

test('who holds deleted files open, and how much', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'muster-deleted-'))
  const path = join(directory, 'big \u001b[31m')
  const child = spawn(
    'sh',
    ['-c', 'exec 7> "$0"; head -c 1048576 /dev/zero >&7; rm "$0"; exec sleep 60', path],
    {
      stdio: 'ignore',
    },
  )
  try {
    await waitFor(() => readFileSync(`/proc/${child.pid}/comm`, 'utf8') === 'sleep\n')
    const { code, stdout } = await muster(['find', '--deleted', '--pids'])
    expect(code).toBe(0)
    expect(stdout.split('\n')).toContain(String(child.pid))
    expect(stdout.split('\n')).not.toContain(String(target.pid))
    const files = await muster(['files', String(child.pid)])
    expect(files.stdout).toMatch(/^ *7 w +file +1\.0M +1048576 .*big \\x1b\[31m \(deleted\)$/m)
  } finally {
    child.kill('SIGKILL')
    rmSync(directory, { recursive: true })
  }
})

test('the ends of pipes and sockets are told with who has them', async () => {
  const shell = spawn('sh', ['-c', 'sleep 60 | cat'], { stdio: 'ignore', detached: true })
  try {
    const [writer, reader] = await waitFor(() => {
      const pids = readFileSync(`/proc/${shell.pid}/task/${shell.pid}/children`, 'utf8').trim().split(' ')
      const names = pids.map((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim())
      return names.join() === 'sleep,cat' && pids
    })
    const { stdout } = await muster(['files', writer!, '--peers'])
    const inode = /\d+/.exec(readlinkSync(`/proc/${reader}/fd/0`))![0]
    expect(stdout).toMatch(new RegExp(`^1w +pid ${reader} fd 0r +pipe ${inode}$`, 'm'))
    // Node hears its child by a unix socket.
    const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] })
    try {
      const { value: peers } = await json('files', String(child.pid), '--peers')
      expect(peers.sockets).toMatchObject([{ socket: { protocol: 'unix', fds: [0] } }])
      expect(peers.sockets[0].peers[0].identity.pid).toBe(process.pid)
    } finally {
      child.kill('SIGKILL')
    }
  } finally {
    process.kill(-shell.pid!, 'SIGKILL')
  }
})

test('find does not find itself, whose command line has what is looked for', async () => {
  const word = `nobody-has-this-${process.pid}`
  for (const flags of [[], ['--pids'], ['--json']]) {
    const { code, stdout } = await muster(['find', '--command', word, ...flags])
    expect([code, stdout]).toEqual([5, flags[0] === '--json' ? '[]\n' : ''])
  }
})

test('find and who lead to the process', async () => {
  const pid = String(target.pid)
  const program = readlinkSync(`/proc/${pid}/exe`)
  const [byCommand, byPort, pids, whoPort, whoFile, whoLibrary, nobody] = await Promise.all([
    json(
      'find',
      '--command',
      `needle-in-mus.er-${process.pid}$`,
      '--state',
      'S',
      '--user',
      userInfo().username,
    ),
    json('find', '--port', String(port)),
    muster(['find', '--file', program, '--library', 'libc', '--command', NEEDLE, '--pids']),
    json('who', `:${port}`),
    json('who', program),
    muster(['who', 'libc.so']),
    json('find', '--name', 'no-such-name'),
  ])
  expect(byCommand).toMatchObject({ code: 0, value: [{ pid: target.pid, state: 'S' }] })
  expect(byPort.value).toMatchObject([{ pid: process.pid }])
  expect(nobody).toEqual({ code: 5, value: [] })
  expect(pids).toMatchObject({ code: 0, stdout: `${pid}\n` })
  expect(whoPort.value.found).toMatchObject([
    { pid: process.pid, as: [expect.stringContaining(`tcp LISTEN on 127.0.0.1 port ${port}`)] },
  ])
  const user = whoFile.value.found.find((each: { pid: number }) => each.pid === target.pid)
  expect(user).toMatchObject({ name: hostileNames.escape.toString(), as: ['program', 'mapped'] })
  expect(whoLibrary.code).toBe(0)
  expect(whoLibrary.stdout).toMatch(new RegExp(`^ *${pid} .*/libc\\.so\\.6$`, 'm'))
})

test('who has the file of a socket, a port of somebody unknown, a library by whatever path', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'muster-who-'))
  const path = join(directory, 'listener')
  const unix = createServer()
  unix.listen(path)
  await once(unix, 'listening')
  try {
    const holders = (await json('who', path)).value.found
    expect(holders).toMatchObject([{ pid: process.pid, as: [expect.stringMatching(/^fd \d+$/)] }])
    expect(await findByFile(path)).toMatchObject({ found: [{ identity: { pid: process.pid } }] })
  } finally {
    unix.close()
    rmSync(directory, { recursive: true })
  }
  if (process.getuid!() === 0) {
    const blind = await muster(['who', `:${port}`], { uid: 65534 })
    expect(blind).toMatchObject({ code: 5, stdout: '' })
    expect(blind.stderr).toContain(
      `":${port}" is in use (tcp LISTEN on 127.0.0.1 port ${port}), by no process`,
    )
  }
  expect((await muster(['who', `127.0.0.1:${port}`])).stderr).toContain(`give :${port}`)

  const [library] = (await readLibraries(await identify(process.pid))).flatMap(({ path: real }) =>
    real.startsWith('/usr/lib/') && realpathSync('/lib') === '/usr/lib' ? [real] : [],
  )
  if (library === undefined) return // lib is no link here
  const byLink = (await json('find', '--library', library.slice('/usr'.length), '--pids')).value
  expect(byLink).toContain(process.pid)
})

test('find: who shares a namespace, a session, a process group', async () => {
  const leader = await startProcess('idle', { detached: true, name: 'find-leader' })
  const pidsOf = async (...args: string[]): Promise<number[]> => {
    const { code, value } = await json('find', ...args)
    expect(code).toBe(0)
    return value.map(({ pid }: { pid: number }) => pid)
  }
  expect(await pidsOf('--session', String(leader.pid))).toEqual([leader.pid])
  expect(await pidsOf('--pgroup', String(leader.pid), '--name', 'find-')).toEqual([leader.pid])
  const inode = /\d+/.exec(readlinkSync('/proc/self/ns/net'))![0]
  for (const word of [`net:${process.pid}`, `net:${inode}`, `net:[${inode}]`]) {
    const pids = await pidsOf('--namespace', word)
    expect(pids).toEqual(expect.arrayContaining([process.pid, leader.pid, target.pid]))
  }
  expect(await muster(['find', '--namespace', 'net:4026530000', '--name', 'find-'])).toMatchObject({
    code: 5,
  })
})

test.runIf(process.getuid!() === 0)(
  'what another user may not see is a line and a code of its own',
  async () => {
    const pid = String(target.pid)
    const [info, map, port80] = await Promise.all([
      muster(['info', pid], { uid: 65534 }),
      muster(['map', pid], { uid: 65534 }),
      muster(['who', `:${port}`], { uid: 65534 }),
    ])
    expect(info.code).toBe(0)
    expect(info.stdout).toMatch(new RegExp(`^not readable +/proc/${pid}/exe: EACCES$`, 'm'))
    expect(map).toMatchObject({ code: 6, stdout: '' })
    expect(map.stderr).toMatch(
      /^muster: PID \d+: \/proc\/\d+\/smaps is not for this user to read; run as [^\n]+\n$/,
    )
    expect(port80.code).toBe(5)
    expect(port80.stderr).toMatch(/not looked into: \d+ processes[^\n]+root may look into more\n/)
    expect(port80.stderr).toContain('by no process that could be looked into')
  },
)

test('what a process uses is told line by line, until it ends', async () => {
  const lived = await muster(['track', String(target.pid), '--interval', '0.05', '--for', '1ms'])
  expect(lived).toMatchObject({ code: 0, stderr: '' })
  const [heading, line, ...rest] = lived.stdout.split('\n')
  expect(heading!.trim().split(/ +/)).toEqual([
    'TIME',
    '%CPU',
    '%MEM',
    'RSS',
    'SWAP',
    'READ',
    'WRITE',
    'THREADS',
    'FILES',
  ])
  expect(line).toMatch(/^\d\d:\d\d:\d\d\.\d{3} +- +[\d.]+ +[\d.]+[KM] +0 +- +- +3 +\d+$/)
  expect(rest).toEqual([''])

  const mortal = await startProcess('idle')
  const run = new Run(['track', String(mortal.pid), '--interval', '0.05', '--json'])
  await waitFor(() => run.stdout.split('\n').length > 2)
  await mortal.stop()
  const { code, stdout } = await run.ended
  const samples = stdout
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text))
  expect({ code, first: samples[0], last: samples.at(-1) }).toMatchObject({
    code: 0,
    first: { cpuPercent: null, threads: 1, missing: [] },
    last: { cpuPercent: expect.any(Number), memory: { rssBytes: expect.any(Number) } },
  })

  const stopped = new Run(['track', String(target.pid), '--interval', '3600'])
  await waitFor(() => stopped.stdout.split('\n').length > 2)
  stopped.child.kill('SIGINT')
  expect(await stopped.ended).toMatchObject({ code: 130, stderr: '' })
})

test('what is wrong is told with a code of its own', async () => {
  const cases: [string[], number, RegExp][] = [
    [['map'], 2, /it is not said which process; give a PID/],
    [['info', 'x'], 3, /PID "x" is not a whole number/],
    [['threads', '4194304'], 5, /PID 4194304: no such process/],
    [['track', '4194304'], 5, /PID 4194304: no such process/],
    [['track', '1', '--interval', '0'], 4, /--interval "0" is out of range; give seconds from 0.01/],
    [['track', '1', '--for', 'long'], 3, /--for "long" is no duration/],
    [['net', '--protocol', 'tpc'], 3, /--protocol "tpc" is not known \(did you mean "tcp"\?\)/],
    [['find'], 2, /it is not said what to find/],
    [['find', '--command', '('], 3, /--command "\(" is no pattern/],
    [['find', '--unit', '/(/'], 3, /--unit "\/\(\/" is no pattern of a unit/],
    [['find', '--cgroup', '/(/'], 3, /--cgroup "\/\(\/" is no pattern of a cgroup/],
    [['find', '--namespace', 'net'], 3, /--namespace "net" is none; give KIND:\[INODE\] or KIND:PID/],
    [['find', '--namespace', `foo:${process.pid}`], 3, /foo:\d+: process \d+ has none of that kind.*net, /],
    [
      ['find', '--namespace', 'foo:4026531840'],
      3,
      /--namespace "foo:\[4026531840\]" is no namespace; .* of cgroup, ipc/,
    ],
    // In brackets it is an inode, whoever has a pid of that number.
    [['find', '--namespace', `net:[${process.pid}]`], 5, /no process for which all of it holds/],
    [['find', '--namespace', 'net:4194304'], 5, /PID 4194304: no such process/],
    [['find', '--session', 'x'], 3, /--session "x" is not a whole number; give the PID of who leads it/],
    [['find', '--pgroup', '-1'], 4, /--pgroup "-1" is out of range/],
    [['who', 'foo:[1]'], 3, /"foo:\[1\]" is no namespace; give one such as .* of cgroup, ipc, mnt/],
    [['find', '--file', '/nonexistent'], 5, /\/nonexistent: ENOENT, no such file/],
    [['who', '18081'], 3, /:18081 is the port, `muster info 18081` tells of the process/],
    [['who', 'net:abc'], 3, /"net:abc" is no namespace; give net:\[INODE\], as `muster ns PID` shows it/],
    [['who', 'net:42'], 3, /give net:\[42\] for its inode, `muster find --namespace net:42`/],
    [['who', ':x'], 3, /port "x" is not a whole number/],
    [['who', 'no-such-library'], 5, /nobody has "no-such-library"/],
  ]
  const results = await Promise.all(cases.map(([args]) => muster(args)))
  for (const [index, [args, code, line]] of cases.entries()) {
    expect(results[index], args.join(' ')).toMatchObject({ code, stdout: '' })
    expect(results[index]!.stderr).toMatch(line)
  }
})

test.runIf(canMount)('where proc is not mounted, a search says so in one line', async () => {
  const empty = mkdtempSync(join(tmpdir(), 'procmuster-no-proc-'))
  const through = ['unshare', '-m', 'sh', '-c', `mount --bind '${empty}' /proc && exec "$@"`, 'sh']
  try {
    for (const args of [
      ['find', '--deleted'],
      ['find', '--port', '80'],
      ['who', ':80'],
      ['who', '/etc/passwd'],
    ]) {
      const { code, stdout, stderr } = await muster(args, { through })
      expect([stdout, stderr]).toEqual([
        '',
        "muster: cannot search '/proc': it lists no process; is proc mounted there?\n",
      ])
      expect(code).toBe(5)
    }
    expect(await muster(['net'], { through })).toMatchObject({
      ...{ code: 5, stderr: 'muster: /proc does not have this process; is proc mounted there?\n' },
    })
    expect((await muster(['jobs'], { through })).stderr).toMatch(
      /^muster: [^\n]* is proc mounted on \/proc\?\n$/,
    )
  } finally {
    rmSync(empty, { recursive: true })
  }
})

test.runIf(process.getuid!() === 0)(
  'who may not be looked into is told of only while it could be one',
  async () => {
    const find = async (...args: string[]) => (await muster(['find', ...args], { uid: 65534 })).stderr
    const both = ['--port', String(port), '--file', '/etc/passwd']
    expect(await find(...both)).toMatch(/^muster: not looked into: \d+ processes/)
    expect(await find(...both, '--command', 'no such\\. command')).not.toContain('not looked into')
    // A command line and a name may be read by everybody.
    expect(await find(...both, '--command', NEEDLE)).toContain('not looked into')
  },
)
