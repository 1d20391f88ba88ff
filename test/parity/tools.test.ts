import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseProcessors } from '../../dist/index.js'
import { muster } from '../cli/muster.js'
import { endedByStopAll, startProcess, stopAll, type TestProcess, waitFor } from '../fixtures/processes.js'

// What other test files compare: pstree and ipcs in test/cli/system.test.ts, chrt, taskset, ionice and prlimit after a
// change in test/cli/control.test.ts, free, uptime and vmstat in test/system/stats/monitor.test.ts, systemctl in
// test/services/live.test.ts.

const isRoot = process.getuid!() === 0
const NAME = 'parity-tools'

const run = (program: string, ...args: (string | number)[]): string =>
  execFileSync(program, args.map(String), { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } })

const lines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')

const json = async (...args: (string | number)[]) => {
  const { code, stdout, stderr } = await muster([...args.map(String), '--json'])
  expect({ code, stderr: stderr.replaceAll(/^muster: not looked into.*\n/gm, '') }).toEqual({
    code: 0,
    stderr: '',
  })
  return JSON.parse(stdout)
}

let target: TestProcess
let pid: number
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'procmuster-tools-'))
  await writeFile(join(directory, 'log'), '0123456789')
  target = await startProcess('stopped', { name: NAME, threads: 2, rss: 8 << 20, nice: 3, cwd: directory })
  pid = target.pid
})
afterAll(async () => {
  await stopAll()
  await rm(directory, { recursive: true })
})

test('ps: the columns of a process', async () => {
  const columns = [
    'ppid',
    'pgid',
    'sid',
    'nlwp',
    'ni',
    'rss',
    'vsz',
    'uid',
    'ruid',
    'suid',
    'fuid',
    'egid',
    'cls',
  ]
  const [shown] = lines(run('ps', '-p', pid, ...columns.flatMap((column) => ['-o', `${column}=`])))
  const words = shown!.split(/ +/)
  const ours =
    'ppid,pgid,sid,threads,nice,rssBytes,vszBytes,effectiveUid,realUid,savedUid,fsUid,effectiveGid,schedPolicy'
  const [row] = await json('ps', '--pid', pid, '--exact', '--columns', ours)
  const cells = ours.split(',').map((name) => {
    const value = row[name] as number
    if (name.endsWith('Bytes')) return String(value / 1024)
    return name === 'schedPolicy' ? ['TS', 'FF', 'RR', 'B'][value] : String(value)
  })
  expect(Object.fromEntries(columns.map((column, index) => [column, cells[index]]))).toEqual(
    Object.fromEntries(columns.map((column, index) => [column, words[index]])),
  )
})

test('pgrep and pidof: who is found by name and by command line', async () => {
  const other = await startProcess('idle', { name: NAME })
  const pids = (text: string) =>
    lines(text.replaceAll(' ', '\n'))
      .map(Number)
      .sort((a, b) => a - b)
  const found = async (...args: string[]) => pids((await muster(['find', ...args, '--pids'])).stdout)
  expect(await found('--name', NAME)).toEqual([pid, other.pid].sort((a, b) => a - b))
  expect(await found('--name', NAME)).toEqual(pids(run('pgrep', '-x', NAME)))
  expect(await found('--name', NAME, '--state', 'T')).toEqual(pids(run('pgrep', '-x', '-r', 'T', NAME)))
  for (const user of [userInfo().username, String(userInfo().uid)]) {
    expect(await found('--user', user, '--name', NAME)).toEqual(pids(run('pgrep', '-u', user, '-x', NAME)))
  }
  expect((await muster(['find', '--user', 'daemon', '--name', NAME])).code).toBe(5)
  const command = `mode=(idle|stopped) name=${Buffer.from(NAME).toString('hex')}`
  expect(await found('--command', command)).toEqual(pids(run('pgrep', '-f', command)))
  const program = run('readlink', `/proc/${pid}/exe`).trim()
  const byProgram = await found('--name', NAME, '--file', program)
  expect(pids(run('pidof', program))).toEqual(expect.arrayContaining(byProgram))
})

test('ps -L: threads with their names and CPU time', async () => {
  const spinner = await startProcess('spin', { name: `${NAME}-spin`, threads: 2 })
  const task = `/proc/${spinner.pid}/task`
  const tids = await readdir(task)
  const ranNs = async (tid: string) =>
    Number((await readFile(`${task}/${tid}/schedstat`, 'latin1')).split(' ')[0])
  await waitFor(async () => (await ranNs(String(spinner.pid))) > 50e6)
  // What is stopped uses no more.
  spinner.child.kill('SIGSTOP')
  await waitFor(() =>
    lines(run('ps', '-L', '-o', 'stat=', '-p', spinner.pid)).every((stat) => stat.startsWith('T')),
  )
  const threads = (await json('threads', spinner.pid)) as {
    tid: number
    name: string
    cpuTimeNs: number
    state: string
  }[]
  const theirs = lines(run('ps', '-L', '-o', 'lwp=,stat=,comm=', '-p', spinner.pid)).map((line) =>
    line.trim().split(/ +/),
  )
  expect(threads.map(({ tid, state, name }) => [String(tid), state, name])).toEqual(
    theirs.map(([tid, stat, ...name]) => [tid, stat![0], name.join(' ')]),
  )
  expect(threads.map(({ cpuTimeNs }) => cpuTimeNs)).toEqual(await Promise.all(tids.map(ranNs)))
  expect(threads[0]!.cpuTimeNs).toBeGreaterThan(50e6)
})

test('lsof -p: every descriptor with its name, kind, access and position', async () => {
  const child = spawn(
    'bash',
    ['-c', 'exec 5<log 6>>log 7<>log 8<.; read -r -N 3 -u 5; echo ready; exec sleep 1000'],
    { cwd: directory, stdio: ['ignore', 'pipe', 'ignore'] },
  )
  endedByStopAll(child)
  await once(child.stdout!, 'data')
  await waitFor(() => run('ps', '-o', 'comm=', '-p', child.pid!).trim() === 'sleep')
  const fields = run('lsof', '-nP', '-w', '-p', child.pid!, '-o', '-F', 'fatio')
  const theirs: Record<string, string>[] = []
  for (const line of fields.split('\n')) {
    if (line.startsWith('f')) theirs.push({})
    if (theirs.length > 0 && line !== '') theirs.at(-1)![line[0]!] = line.slice(1).trim()
  }
  const access: Record<string, string> = { r: 'read', w: 'write', u: 'both' }
  const shown = theirs
    .filter((each) => /^\d+$/.test(each.f!))
    .map((each) => ({
      fd: Number(each.f),
      access: access[each.a!],
      kind: { REG: 'file', DIR: 'directory', FIFO: 'pipe', CHR: 'device', unix: 'socket' }[each.t!],
      inode: Number(each.i),
      // Only of files lsof has it right: of a pipe it shows the kind of access.
      position: each.t === 'REG' ? Number(each.o!.replace(/^0t/, '')) : undefined,
    }))
  const files = await json('files', child.pid!)
  expect(files.slice(0, 3).map(({ fd }: { fd: unknown }) => fd)).toEqual(['cwd', 'rtd', 'txt'])
  const ours = files.slice(3).map((file: { kind: string; position: number }) => ({
    ...Object.fromEntries(['fd', 'access', 'kind', 'inode'].map((key) => [key, file[key as 'kind']])),
    position: file.kind === 'file' ? file.position : undefined,
  }))
  expect(ours).toEqual(shown)
  expect(ours.filter(({ kind }: { kind: string }) => kind === 'file')).toHaveLength(3)
})

test('pmap -X: every mapping with its memory', async () => {
  const shown = lines(run('pmap', '-X', pid))
  const headings = shown[1]!.split(/ +/)
  const table = shown
    .slice(2)
    .map((line) => line.split(/ +/))
    .filter((cells) => /^[0-9a-f]{8,}$/.test(cells[0]!))
  const of = (cells: string[], heading: string) => Number(cells[headings.indexOf(heading)]) * 1024
  const theirs = table.map((cells) => ({
    start: cells[0],
    permissions: cells[1],
    sizeBytes: of(cells, 'Size'),
    rssBytes: of(cells, 'Rss'),
    swapBytes: of(cells, 'Swap'),
    anonymousBytes: of(cells, 'Anonymous'),
  }))
  const { regions } = await json('map', pid, '--all')
  const ours = regions.map((region: Record<string, number>) => ({
    start: region.start!.toString(16).padStart(8, '0'),
    permissions: region.permissions,
    sizeBytes: region.sizeBytes,
    rssBytes: region.rssBytes,
    swapBytes: region.swapBytes,
    anonymousBytes: region.anonymousBytes,
  }))
  expect(ours.length).toBeGreaterThan(10)
  expect(ours).toEqual(theirs)
})

test('prlimit: all limits, soft and hard', async () => {
  const theirs = lines(run('prlimit', '-p', pid, '--raw', '--noheadings', '-o', 'RESOURCE,SOFT,HARD')).map(
    (line) => {
      const [resource, ...values] = line.split(' ')
      const [soft, hard] = values.map((value) => (value === 'unlimited' ? value : Number(value)))
      return [resource!.toLowerCase(), { soft, hard }]
    },
  )
  expect(await json('limits', pid)).toEqual(Object.fromEntries(theirs))
})

test('chrt, taskset and ionice: what a new process has', async () => {
  const [{ threads }] = await json('sched', pid)
  const { policy, priority, processors, ioClass } = threads[0]
  expect(run('chrt', '-p', pid).toLowerCase()).toMatch(
    new RegExp(`policy: sched_${policy}\\n.*priority: ${priority}\\n`),
  )
  const [, list] = run('taskset', '-pc', pid).trim().split(': ')
  expect(processors).toEqual(parseProcessors(list!))
  expect(run('ionice', '-p', pid).trim().split(':')[0]).toBe(ioClass)
})

// In a PID namespace of its own: lsns gives up at the first process of the host with a blank or parenthesis in its name.
const apart = ['--net', '--ipc', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc']
if (!isRoot) apart.unshift('--user', '--map-root-user')
const canUnshare = spawnSync('unshare', [...apart, 'true']).status === 0
if (!canUnshare) console.warn('SKIPPED: lsns: no namespaces can be made here')

test.runIf(canUnshare)('lsns: the namespaces of a process', async () => {
  const script = 'lsns -r -n -p 1 -o TYPE,NS; echo end; exec sleep 1000'
  const outer = spawn('unshare', [...apart, 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  endedByStopAll(outer)
  let shown = ''
  outer.stdout.setEncoding('utf8').on('data', (chunk) => {
    shown += chunk
  })
  await waitFor(() => shown.endsWith('end\n'))
  const inner = Number(run('pgrep', '-P', outer.pid!).trim())
  const ours = (await json('ns', inner)).filter(
    ({ name }: { name: string }) => !name.endsWith('_for_children'),
  )
  const theirs = lines(shown)
    .slice(0, -1)
    .map((line) => line.replace(/^(\S+) (\d+)$/, '$1:[$2]'))
  expect(ours.map(({ id }: { id: string }) => id).sort()).toEqual(theirs.sort())
  const groups: { name: string; id: string; pids: number[] }[] = await json('ns')
  const pidsIn = (name: string) =>
    groups.find(({ id }) => theirs.includes(id) && id.startsWith(`${name}:`))!.pids
  expect(pidsIn('net')).toEqual([outer.pid, inner])
  expect(pidsIn('pid')).toEqual([inner])
})

describe('sockets', () => {
  const servers: Server[] = []
  let port: number

  beforeAll(async () => {
    for (const host of ['127.0.0.1', '::1']) {
      const server = createServer()
      server.listen(port ?? 0, host)
      await once(server, 'listening')
      port = (server.address() as { port: number }).port
      servers.push(server)
    }
  })
  afterAll(() => {
    for (const server of servers) server.close()
  })

  /** Protocol family, address and descriptor of those that listen at our port. */
  async function ours(): Promise<string[]> {
    const sockets: { localPort: number; localAddress: string; owners: { pid: number; fd: number }[] }[] =
      await json('net', '--listen', '--protocol', 'tcp,tcp6')
    return sockets
      .filter(({ localPort }) => localPort === port)
      .flatMap(({ localAddress, owners }) =>
        owners.map((owner) => `${localAddress} ${owner.pid} ${owner.fd}`),
      )
      .sort()
  }

  test('lsof -i: who listens at a port', async () => {
    const fields = run('lsof', '-nP', '-i', `:${port}`, '-s', 'TCP:LISTEN', '-F', 'pfn')
    const theirs: string[] = []
    let owner = ''
    let fd = ''
    for (const line of lines(fields)) {
      if (line.startsWith('p')) owner = line.slice(1)
      if (line.startsWith('f')) fd = line.slice(1)
      if (line.startsWith('n'))
        theirs.push(`${line.slice(1).replace(/^\[?(.*?)\]?:\d+$/, '$1')} ${owner} ${fd}`)
    }
    expect(await ours()).toEqual(theirs.sort())
    expect(theirs).toHaveLength(2)
  })

  test('ss: what listens, with its queue and its process', async () => {
    const theirs = lines(run('ss', '-ltnpH', `sport = :${port}`)).map((line) => {
      const [, , , local] = line.split(/ +/)
      const [, owner, fd] = /pid=(\d+),fd=(\d+)/.exec(line)!
      return `${local!.replace(/^\[?(.*?)\]?:\d+$/, '$1')} ${owner} ${fd}`
    })
    expect(await ours()).toEqual(theirs.sort())
    expect(theirs).toHaveLength(2)
  })

  const hasNetstat = spawnSync('netstat', ['--version']).error === undefined
  test.runIf(hasNetstat)('netstat: what listens (needs net-tools)', async () => {
    const theirs = lines(run('netstat', '-ltn'))
      .map((line) => line.split(/ +/)[3] ?? '')
      .filter((local) => local.endsWith(`:${port}`))
      .map((local) => local.slice(0, local.lastIndexOf(':')))
    expect((await ours()).map((each) => each.split(' ')[0])).toEqual(theirs.sort())
  })
})
