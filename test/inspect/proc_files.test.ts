import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, symlinkSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { identify, parseDescriptors, readOpenFiles, readProcFiles } from '../../dist/index.js'
import { startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { statLine } from '../fixtures/stat_line.js'

const api = JSON.stringify(new URL('../../dist/public/inspect.js', import.meta.url).href)
let root: string
let nextPid = 100

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'muster-proc-'))
})
afterEach(async () => {
  await stopAll()
  await unblock(root)
  await rm(root, { recursive: true })
})

/** A process in a fake /proc whose `smaps` is a FIFO without a writer: opening it blocks, as mmap_lock does. */
async function fakeProcess(files: Record<string, string> = {}): Promise<{ pid: number; startTicks: number }> {
  const pid = nextPid++
  const directory = join(root, String(pid))
  await mkdir(directory)
  await writeFile(join(directory, 'stat'), statLine(pid, 5000, 'a) b'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
  execFileSync('mkfifo', [join(directory, 'smaps')])
  return { pid, startTicks: 5000 }
}

/** Gives every FIFO below a writer for a moment, so that blocked readers go on with nothing. */
async function unblock(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) await unblock(path)
    if (entry.isFIFO()) closeSync(openSync(path, constants.O_RDWR | constants.O_NONBLOCK))
  }
}

async function readerThreads(): Promise<number> {
  let count = 0
  for (const tid of await readdir('/proc/self/task')) {
    const name = await readFile(`/proc/self/task/${tid}/comm`, 'utf8').catch(() => '')
    if (name === 'muster-reads\n') count++
  }
  return count
}

describe('real processes', () => {
  test('files, links, descriptors, threads and name spaces are as the kernel shows them', async () => {
    // Stopped, since a thread that only starts still takes pages.
    const target = await startProcess('stopped', { threads: 2 })
    const identity = await identify(target.pid)
    const names = [
      'status',
      'cmdline',
      'maps',
      'exe',
      'cwd',
      'root',
      'fd',
      'ns',
      'task',
      'task/1/stat',
      'nothing',
    ]
    const files = await readProcFiles(identity, { files: names })
    const of = (name: string) => files.find((file) => file.name === name)!
    expect(files.map((file) => file.name)).toEqual(names)
    for (const name of ['status', 'cmdline', 'maps']) {
      expect(of(name).error).toBe(undefined)
      const cleaned = (text: string) => text.replace(/(ctxt_switches|SigQ):\t\d+/g, '')
      expect(cleaned(of(name).data.toString())).toBe(
        cleaned(await readFile(`/proc/${target.pid}/${name}`, 'utf8')),
      )
    }
    for (const name of ['exe', 'cwd', 'root']) {
      expect(of(name).data.toString()).toBe(await readlink(`/proc/${target.pid}/${name}`))
    }
    const descriptors = parseDescriptors(of('fd').data)
    const numbers = (await readdir(`/proc/${target.pid}/fd`)).map(Number)
    expect(descriptors.map(({ fd }) => fd).sort()).toEqual(numbers.sort())
    for (const { fd, flags, target: path } of descriptors) {
      expect(path).toBe(await readlink(`/proc/${target.pid}/fd/${fd}`))
      expect(flags).toEqual(expect.any(Number))
    }
    expect(of('task').data.toString().trim().split('\n')).toEqual(await readdir(`/proc/${target.pid}/task`))
    expect(of('ns').data.toString()).toMatch(/^pid pid:\[\d+\]$/m)
    expect(of('nothing').error).toMatchObject({ code: 'NOT_FOUND', path: `/proc/${target.pid}/nothing` })
    await waitFor(async () => (await readerThreads()) === 0)
  })

  test.each([
    ...[
      'cmdline',
      'environ',
      'maps',
      'smaps',
      'smaps_rollup',
      'statm',
      'stat',
      'io',
      'limits',
      'stack',
      'syscall',
    ],
    ...['wchan', 'sched', 'schedstat', 'mountinfo', 'cgroup', 'oom_score', 'oom_score_adj', 'task/TID/stat'],
  ])('%s is what the kernel says, or why it does not', async (given) => {
    const { pid } = await startProcess('stopped', { threads: 1 })
    const name = given.replace('TID', String(pid))
    // What is still on its way to a stop changes: until two readings are one.
    await waitFor(async () => {
      const [ours] = await readProcFiles({ pid }, { files: [name] })
      const theirs = await readFile(`/proc/${pid}/${name}`).catch(({ errno }: { errno: number }) => -errno)
      return typeof theirs === 'number'
        ? ours!.error?.errno === theirs
        : ours!.error === undefined && ours!.data.equals(theirs)
    })
  })

  test('a file is cut at its limit, and says so', async () => {
    const target = await startProcess('idle')
    const whole = await readFile(`/proc/${target.pid}/maps`)
    const read = async (maxBytesPerFile: number) =>
      (await readProcFiles({ pid: target.pid }, { files: ['maps'], maxBytesPerFile }))[0]!
    expect(await read(100)).toMatchObject({ truncated: true, data: whole.subarray(0, 100) })
    expect(await read(whole.length)).toMatchObject({ truncated: false, data: whole })
    expect(await read(whole.length - 1)).toMatchObject({ truncated: true })
    expect(await read(0)).toMatchObject({ truncated: true, data: Buffer.alloc(0) })
  })

  test('who has ended, or is another by now, is PROCESS_GONE for each file', async () => {
    const target = await startProcess('idle')
    const identity = await identify(target.pid)
    const stale = await readProcFiles(
      { pid: target.pid, startTicks: identity.startTicks - 1 },
      { files: ['maps', 'fd'] },
    )
    await target.stop()
    const gone = await readProcFiles(identity, { files: ['maps', 'exe'] })
    for (const file of [...stale, ...gone]) expect(file.error?.code).toBe('PROCESS_GONE')
  })

  test('names that lead elsewhere are refused', async () => {
    for (const name of ['../1/status', '/etc/passwd', '', 'a//b', 'fd/', './stat', 'a\0b']) {
      await expect(readProcFiles({ pid: process.pid }, { files: [name] })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      })
    }
  })

  test('a thousand requests at once are each answered', async () => {
    const answers = await Promise.all(
      Array.from({ length: 1000 }, () =>
        readProcFiles({ pid: process.pid }, { files: ['stat', 'comm'], timeoutMs: 20_000 }),
      ),
    )
    expect(
      answers.every((files) => files.every(({ error, data }) => error === undefined && data.length > 0)),
    ).toBe(true)
    await waitFor(async () => (await readerThreads()) === 0)
  })
})

test('100,000 open files of a process, where limits permit no real one so many', async () => {
  const target = await fakeProcess()
  const directory = join(root, String(target.pid), 'fd')
  await mkdir(directory)
  for (let fd = 0; fd < 100_000; fd++)
    symlinkSync(fd % 2 === 0 ? '/dev/null' : `socket:[${fd}]`, join(directory, String(fd)))
  const before = performance.eventLoopUtilization()
  const files = await readOpenFiles(target, { procRoot: root, timeoutMs: 60_000 })
  expect(performance.eventLoopUtilization(before).utilization).toBeLessThan(0.9)
  const byFd = new Map(files.map((file) => [file.fd, file]))
  expect(byFd.size).toBe(100_000)
  expect(byFd.get(99_998)).toMatchObject({ kind: 'device', target: '/dev/null' })
  expect(byFd.get(99_999)).toMatchObject({ kind: 'socket', target: 'socket:[99999]' })
})

// Long enough for a thread to have begun to read, also where it is starved.
const STALL_MS = 1000

describe('a file that stalls', () => {
  test('costs its deadline once; what came before it is kept; then the process is set aside', async () => {
    const target = await fakeProcess({ status: 'Name:\tx\n' })
    const options = { procRoot: root, files: ['status', 'smaps', 'limits'], timeoutMs: 200 }
    const startedAt = performance.now()
    const files = await readProcFiles(target, options)
    expect(performance.now() - startedAt).toBeLessThan(5000)
    expect(files[0]).toMatchObject({ name: 'status', data: Buffer.from('Name:\tx\n'), truncated: false })
    expect(files[0]!.error).toBe(undefined)
    expect(files[1]!.error).toMatchObject({ code: 'TIMEOUT', pid: target.pid })
    expect(files[2]!.error).toMatchObject({ code: 'TIMEOUT' })
    const again = await readProcFiles(target, { ...options, files: ['status'], timeoutMs: 60_000 })
    expect(again[0]!.error?.code).toBe('TIMEOUT')
    expect(again[0]!.error?.message).toContain('stalled')
  })

  test('does not keep others from being read; at most four threads; all are free again afterwards', async () => {
    const healthy = await fakeProcess({ status: 'Name:\ty\n' })
    for (let i = 0; i < 3; i++) {
      await readProcFiles(await fakeProcess(), { procRoot: root, files: ['smaps'], timeoutMs: STALL_MS })
    }
    expect(await readerThreads()).toBe(3)
    const [file] = await readProcFiles(healthy, { procRoot: root, files: ['status'], timeoutMs: 10_000 })
    expect(file!.error).toBe(undefined)
    // The fourth sticks as well: the fifth is told that nobody could look, and is not set aside for it.
    await readProcFiles(await fakeProcess(), { procRoot: root, files: ['smaps'], timeoutMs: STALL_MS })
    const late = await readProcFiles(healthy, { procRoot: root, files: ['status'], timeoutMs: 50 })
    expect(late[0]!.error).toMatchObject({ code: 'TIMEOUT' })
    expect(late[0]!.error?.message).toContain('busy')
    expect(await readerThreads()).toBe(4)
    await unblock(root)
    await waitFor(async () => (await readerThreads()) === 0)
    const after = await readProcFiles(healthy, { procRoot: root, files: ['status'], timeoutMs: 10_000 })
    expect(after[0]!.error).toBe(undefined)
  })

  test('links in place of files are not followed', async () => {
    const target = await fakeProcess()
    await symlink('/etc/hostname', join(root, String(target.pid), 'status'))
    const [file] = await readProcFiles(target, { procRoot: root, files: ['status'] })
    expect(file!.data.length).toBe(0)
    expect(file!.error).toMatchObject({ errno: 40 })
  })

  test('does not keep a worker thread from ending', async () => {
    const target = await fakeProcess()
    for (let round = 0; round < 5; round++) {
      const worker = new Worker(
        `import(${api}).then((m) => {
          void m.readProcFiles({ pid: ${target.pid} }, { procRoot: ${JSON.stringify(root)}, files: ['smaps'], timeoutMs: 60000 })
          for (let i = 0; i < 50; i++) void m.readProcFiles({ pid: ${process.pid} }, { files: ['maps', 'smaps', 'fd'] })
          require('node:worker_threads').parentPort.postMessage('go')
        })`,
        { eval: true },
      )
      await once(worker, 'message')
      await worker.terminate()
    }
    await unblock(root)
    await waitFor(async () => (await readerThreads()) === 0)
  })
})
