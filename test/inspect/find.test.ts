import { execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { mkdtemp, rm, rmdir, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import {
  type DescriptorOwner,
  findByFile,
  findByLibrary,
  findByNamespace,
  findByPort,
  findDeleted,
  findPipePeers,
  findProcesses,
  findSocketOwners,
  findSocketPeers,
  identify,
  inspectProcess,
  listNamespaces,
  needsTable,
  type ProcessQuery,
  ProcmusterError,
  readNamespaces,
  readOpenFiles,
  readSockets,
  readThreads,
  Sampler,
} from '../../dist/index.js'
import { startProcess, stopAll, waitFor } from '../fixtures/processes.js'

afterEach(stopAll)

test('who has a port, by all that listen, connect and send', async () => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const client = connect(port, '127.0.0.1')
  await Promise.all([once(client, 'connect'), once(server, 'connection')])
  const udp = createSocket('udp6')
  udp.bind(port, '::1')
  await once(udp, 'listening')
  try {
    const { found } = await findByPort(port, { remote: true })
    const mine = found.filter(({ owners }) => owners.some(({ identity }) => identity.pid === process.pid))
    expect(mine.map(({ socket }) => `${socket.protocol} ${socket.state}`).sort()).toEqual([
      'tcp ESTABLISHED',
      'tcp ESTABLISHED',
      'tcp LISTEN',
      'udp6 UNCONNECTED',
    ])
    const lsof = execFileSync('lsof', ['-nP', '-i', `:${port}`, '-a', '-p', String(process.pid), '-Ff'], {
      encoding: 'utf8',
    })
    const fds = [...lsof.matchAll(/^f(\d+)$/gm)].map(([, fd]) => Number(fd))
    expect(mine.flatMap(({ owners }) => owners.map(({ fd }) => fd)).sort()).toEqual(fds.sort())
    expect(mine.find(({ socket }) => socket.protocol === 'udp6')!.socket.localAddress).toBe('::1')
    await expect(findByPort(0)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  } finally {
    client.destroy()
    server.close()
    udp.close()
  }
})

test('unix sockets with their names', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'muster-find-'))
  const path = join(directory, 'a b')
  const server = createServer()
  server.listen(path)
  await once(server, 'listening')
  try {
    const sockets = await readSockets({ pid: process.pid }, { protocols: ['unix'] })
    const listening = { state: 'LISTEN', type: 'stream', localPort: undefined }
    expect(sockets.find(({ localAddress }) => localAddress === path)).toMatchObject(listening)
  } finally {
    server.close()
    await rm(directory, { recursive: true })
  }
})

test('a zombie has no sockets to tell of, rather than none', async () => {
  const { pid } = await startProcess('zombie')
  await expect(readSockets({ pid }, { protocols: ['tcp'] })).rejects.toMatchObject({
    code: 'PROCESS_GONE',
    pid,
  })
})

test('a file by whatever name, open and deleted, with flags and position', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'muster-find-'))
  const path = join(directory, 'a \x1b[31m(deleted)')
  await writeFile(path, 'x'.repeat(100))
  const fd = openSync(path, 'a+')
  try {
    const { found } = await findByFile(path)
    expect(found).toMatchObject([
      { identity: { pid: process.pid }, fds: [fd], isMapped: false, isExe: false },
    ])
    await rm(path)
    const file = (await readOpenFiles(await identify(process.pid))).find((each) => each.fd === fd)!
    expect(file).toMatchObject({ kind: 'file', isDeleted: true, access: 'both', position: 0, sizeBytes: 100 })
    expect(file.flags).toEqual(['O_APPEND', 'O_CLOEXEC'])
    expect(file.target).toContain('\\x1b[31m')
    await expect(findByFile(path)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  } finally {
    closeSync(fd)
    await rm(directory, { recursive: true })
  }
})

test('descriptors are those of /proc/<pid>/fd, and their kinds are told apart', async () => {
  const kinds = new Set((await readOpenFiles(await identify(process.pid))).map(({ kind }) => kind))
  expect(kinds).toContain('eventpoll')
  expect(kinds).toContain('eventfd')
  expect(kinds).not.toContain('unknown')
  const target = await startProcess('idle')
  const files = await readOpenFiles(await identify(target.pid))
  const directory = `/proc/${target.pid}/fd`
  const numbers = readdirSync(directory).sort((a, b) => Number(a) - Number(b))
  const links = numbers.map((fd) => `${fd} ${readlinkSync(`${directory}/${fd}`)}`)
  expect(files.map((file) => `${file.fd} ${file.target}`)).toEqual(links)
})

test('a pipe leads to who is at its other end', async () => {
  const shell = spawn('sh', ['-c', 'sleep 60 | cat'], { stdio: 'ignore' })
  const children = () =>
    readFileSync(`/proc/${shell.pid}/task/${shell.pid}/children`, 'utf8')
      .split(' ')
      .filter(Boolean)
      .map(Number)
  const isNamed = (pid: number, name: string) => readFileSync(`/proc/${pid}/comm`, 'utf8') === `${name}\n`
  try {
    const [writer, reader] = await waitFor(() => {
      const pids = children()
      return pids.length === 2 && isNamed(pids[0]!, 'sleep') && isNamed(pids[1]!, 'cat') && pids
    })
    const inode = Number(/\d+/.exec(readlinkSync(`/proc/${reader}/fd/0`))![0])
    const { found } = await findPipePeers(await identify(writer!))
    const pipe = found.find((each) => each.inode === inode)!
    expect(pipe.own).toEqual([{ fd: 1, access: 'write' }])
    // The shell may not have closed its own ends yet.
    const peer = pipe.peers.find(({ identity }) => identity.pid === reader)
    expect(peer).toMatchObject({ fd: 0, access: 'read' })
  } finally {
    // The reader before the writer, with whom it would end by itself.
    for (const pid of [shell.pid!, ...children().reverse()]) process.kill(pid, 'SIGKILL')
  }
})

test('a connected socket leads to who is at its other end', async () => {
  // Node connects the standard descriptors of a child by unix sockets.
  const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] })
  const server = createServer()
  server.listen(0, '::')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const client = connect(port, '127.0.0.1')
  await Promise.all([once(client, 'connect'), once(server, 'connection')])
  try {
    const fds = (peers: readonly DescriptorOwner[], pid: number) =>
      peers.filter(({ identity }) => identity.pid === pid).map(({ fd }) => fd)
    const childs = (await findSocketPeers(await identify(child.pid!))).found
    expect(childs.map(({ socket }) => [socket.protocol, socket.fds])).toEqual([['unix', [0]]])
    const { found } = await findSocketPeers(await identify(process.pid))
    const toChild = found.find(({ socket }) => socket.fds.includes(fds(childs[0]!.peers, process.pid)[0]!))
    expect(fds(toChild!.peers, child.pid!)).toEqual([0])
    const tcp = found.filter(({ socket: { localPort, remotePort } }) =>
      [localPort, remotePort].includes(port),
    )
    expect(tcp.map(({ socket }) => socket.protocol).sort()).toEqual(['tcp', 'tcp6'])
    const [one, other] = tcp
    expect(fds(one!.peers, process.pid)).toEqual(other!.socket.fds)
    expect(fds(other!.peers, process.pid)).toEqual(one!.socket.fds)
  } finally {
    child.kill('SIGKILL')
    client.destroy()
    server.close()
  }
})

test('programs, libraries, name spaces and pipes lead to the processes that have them', async () => {
  const target = await startProcess('idle', { threads: 2 })
  const identity = await identify(target.pid)
  const pids = (found: readonly { identity: { pid: number } }[]) => found.map((each) => each.identity.pid)
  const program = readlinkSync(`/proc/${target.pid}/exe`)
  const users = await findByFile(program)
  expect(users.found.find((user) => user.identity.pid === target.pid)).toMatchObject({
    isExe: true,
    isMapped: true,
  })
  expect(pids((await findByLibrary('libc')).found)).toEqual(expect.arrayContaining([process.pid, target.pid]))
  const net = (await readNamespaces(identity)).find(({ name }) => name === 'net')!
  expect(pids((await findByNamespace(net.id!)).found)).toEqual(
    expect.arrayContaining([process.pid, target.pid]),
  )
  const threads = await readThreads(identity)
  expect(threads.map(({ tid }) => String(tid)).sort()).toEqual(readdirSync(`/proc/${target.pid}/task`).sort())
})

test('a process in depth: all of it, or the reason why not', async () => {
  const target = await startProcess('idle', { uid: 65534, env: { SECRET: 'a=b' } })
  const identity = await identify(target.pid)
  const info = await inspectProcess(identity, { environment: true })
  expect(info.credentials!.uids).toEqual([65534, 65534, 65534, 65534])
  expect(info.exe).toBe(readlinkSync(`/proc/${target.pid}/exe`))
  expect(info.ppid).toBe(process.pid)
  expect(info.environment!.SECRET).toBe('a=b')
  expect(info.memoryMap!.size).toBeGreaterThan(5)
  expect(info.usage.memory!.rssBytes).toBeGreaterThan(0)
  expect(info.missing).toEqual([])
  expect((await inspectProcess(identity)).environment).toBe(undefined)

  const thread = await inspectProcess(await identify(2))
  expect(thread).toMatchObject({ isKernelThread: true, exe: undefined, memoryMap: { size: 0 }, files: [] })
  const zombie = await startProcess('zombie')
  expect(await inspectProcess(await identify(zombie.pid))).toMatchObject({
    state: 'Z',
    isHeadless: false,
    files: [],
  })
  await target.stop()
  await expect(inspectProcess(identity)).rejects.toMatchObject({ code: 'PROCESS_GONE' })
})

test('a query over the table and what is open', async () => {
  const target = await startProcess('idle', { name: 'asked-for', extraArguments: ['needle-42'] })
  const sampler = await Sampler.open({ source: 'procfs' })
  try {
    const table = (await sampler.sample()).copy()
    const pids = async (query: ProcessQuery) =>
      (await findProcesses(table, query)).found.map(({ pid }) => pid)
    expect(await pids({ name: 'asked-', user: userInfo().username, state: 'S' })).toEqual([target.pid])
    expect(await pids({ commandLine: 'needle-\\d+$' })).toEqual([target.pid])
    expect(await pids({ name: 'asked-for', library: 'libc' })).toEqual([target.pid])
    expect(await pids({ name: 'asked-for', file: readlinkSync(`/proc/${target.pid}/exe`) })).toEqual([
      target.pid,
    ])
    expect(await pids({ name: 'asked-for', commandLine: 'nothing' })).toEqual([])
    await expect(pids({ commandLine: '(' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  } finally {
    await sampler.close()
  }
})

test('where proc is not mounted, every search says so', async () => {
  const empty = await mkdtemp(join(tmpdir(), 'procmuster-no-proc-'))
  try {
    for (const procRoot of ['/nope', '/etc/passwd', empty]) {
      const options = { procRoot }
      const searches = [
        ...[findByPort(1, options), findByFile('/', options), findByLibrary('libc', options)],
        ...[findByNamespace('net:[1]', options), findDeleted(options), listNamespaces(options)],
        ...[findSocketOwners([1], options), findProcesses(undefined, { deleted: true }, options)],
      ]
      for (const search of await Promise.allSettled(searches)) {
        const { reason: error } = search as PromiseRejectedResult
        expect(error).toBeInstanceOf(ProcmusterError)
        expect(error).toMatchObject({ code: 'NOT_FOUND', path: procRoot, errno: expect.any(Number) })
        expect((error as Error).message).toContain(`cannot search '${procRoot}'`)
      }
    }
  } finally {
    await rmdir(empty)
  }
})

test('deleted: false is as if nobody had asked', async () => {
  await expect(findProcesses(undefined, { deleted: false })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
  expect([needsTable({ deleted: false }), needsTable({ deleted: true })]).toEqual([true, false])
  expect(needsTable({ deleted: false, port: 1 })).toBe(false)
  await using sampler = await Sampler.open({ source: 'procfs' })
  const table = await sampler.sample()
  const { size } = table
  expect((await findProcesses(table, { deleted: false })).found).toHaveLength(size)
})
