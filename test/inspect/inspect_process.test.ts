import { once } from 'node:events'
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import {
  findByFile,
  findProcesses,
  getScheduling,
  identify,
  inspectProcess,
  listNamespaces,
  ProcmusterError,
  readConnections,
  readMemoryMap,
  readNamespaces,
  readOpenFiles,
  readThreads,
  Sampler,
} from '../../dist/index.js'
import { evaluateConfined } from '../fixtures/confined_node.js'
import { fixtureProgram, hostileNames, startProcess, stopAll } from '../fixtures/processes.js'

afterEach(stopAll)

const api = JSON.stringify(new URL('../../dist/index.js', import.meta.url))
const isRoot = process.getuid!() === 0

test.runIf(isRoot)('another user is told what everybody may know, and why not the rest', async () => {
  const target = await startProcess('idle', { name: 'not yours', threads: 1, env: { SECRET: 'x' } })
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  try {
    const seen = await evaluateConfined<{
      info: Record<string, unknown> & { missing: { path: string; code: string; reason: string }[] }
      refused: string[]
      port: { owners: number; unreadable: number[] }
    }>(
      'nobody',
      `import * as api from ${api}
      const target = await api.identify(${target.pid})
      const { credentials, ...info } = await api.inspectProcess(target, { environment: true })
      const refused = []
      for (const read of [api.readMemoryMap, api.readOpenFiles, api.readConnections, api.readLibraries]) {
        refused.push(await read(target).then(() => 'read', (error) => error.code))
      }
      const { found, unreadable } = await api.findByPort(${port})
      const port = { owners: found.flatMap((use) => use.owners).length, unreadable: unreadable.map(({ pid }) => pid) }
      console.log(JSON.stringify({ info, refused, port }))`,
    )
    expect(seen.info).toMatchObject({
      name: 'not yours',
      user: 'root',
      state: 'S',
      threadCount: 2,
      args: expect.arrayContaining(['mode=idle']),
      ppid: process.pid,
    })
    expect(seen.info.threads).toHaveLength(2)
    expect((seen.info.limits as { nofile: { soft: number } }).nofile.soft).toBeGreaterThan(0)
    expect(seen.info.usage).toMatchObject({ memory: { rssBytes: expect.any(Number) } })
    for (const field of ['exe', 'cwd', 'root', 'environment', 'memoryMap', 'files', 'libraries']) {
      expect(seen.info[field], field).toBe(undefined)
    }
    const reasons = new Map(seen.info.missing.map((each) => [each.path.replace(/.*\//, ''), each]))
    for (const file of ['exe', 'cwd', 'root', 'environ', 'io', 'fd']) {
      expect(reasons.get(file), file).toMatchObject({ code: 'ACCESS_DENIED' })
      expect(reasons.get(file)!.reason).toContain(`/proc/${target.pid}/${file}`)
    }
    expect(seen.info.scheduling).toMatchObject({
      policy: 'other',
      nice: expect.any(Number),
      missing: { timerSlackNs: expect.stringContaining('no permission') },
    })
    expect(seen.info.cgroups).toBeInstanceOf(Array)
    expect(seen.refused).toEqual(['ACCESS_DENIED', 'ACCESS_DENIED', 'ACCESS_DENIED', 'ACCESS_DENIED'])
    expect(seen.port.owners).toBe(0)
    expect(seen.port.unreadable).toContain(process.pid)
  } finally {
    server.close()
  }
})

test('how it is scheduled', async () => {
  const target = await startProcess('idle', { nice: 5, policy: 'batch' })
  const identity = await identify(target.pid)
  const { scheduling } = await inspectProcess(identity, { sections: ['scheduling'] })
  const [read] = await getScheduling([identity])
  expect(read).toMatchObject({ ok: true, threads: [scheduling] })
  expect(scheduling).toMatchObject({ tid: target.pid, policy: 'batch', nice: 5 })
  expect(scheduling!.processors!.length).toBeGreaterThan(0)
  expect((await inspectProcess(identity, { sections: [] })).scheduling).toBe(undefined)
})

test('a program that was deleted is still told from its libraries, and says so', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'muster-deleted-'))
  try {
    const program = join(directory, 'gone')
    await copyFile(await fixtureProgram(), program)
    const target = await startProcess('idle', { program })
    await rm(program)
    const identity = await identify(target.pid)
    const { exe, memoryMap, libraries } = await inspectProcess(identity)
    expect(exe).toBe(`${program} (deleted)`)
    expect(memoryMap!.totals.text.count).toBeGreaterThan(0)
    expect(libraries!.map(({ path }) => path)).not.toContain(program)
    await expect(findByFile(program)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('a command line of a mebibyte is read whole', async () => {
  const target = await startProcess('idle', { commandLineBytes: 1 << 20 })
  const { args } = await inspectProcess(await identify(target.pid), { sections: [] })
  expect(args!.join('\0').length).toBeGreaterThanOrEqual(1 << 20)
  expect(args).toEqual((await readFile(`/proc/${target.pid}/cmdline`, 'latin1')).split('\0').slice(0, -1))
})

test('of a process whose first thread has ended, the others are told of', async () => {
  const target = await startProcess('headless', { threads: 2, rss: 1 << 20 })
  const identity = await identify(target.pid)
  const info = await inspectProcess(identity)
  expect(info).toMatchObject({ state: 'Z', isHeadless: true, isKernelThread: false, missing: [] })
  expect(info.exe).toBe(await fixtureProgram())
  expect(info.args).toContain('mode=headless')
  expect(info.memoryMap!.totals.anonymous.rssBytes).toBeGreaterThanOrEqual(1 << 20)
  expect(info.files!.map(({ fd }) => fd)).toEqual(expect.arrayContaining([0, 1, 2]))
  expect(info.threads!.map(({ state }) => state).sort()).toEqual(['S', 'S', 'Z'])
  expect((await findByFile(info.exe!)).found.map((user) => user.identity.pid)).toContain(target.pid)
})

test.each(Object.entries(hostileNames))('a name with %s is told as it is', async (_, name) => {
  const target = await startProcess('idle', { name })
  const identity = await identify(target.pid)
  const expected = name.toString('utf8')
  expect((await inspectProcess(identity, { sections: [] })).name).toBe(expected)
  expect((await readThreads(identity)).map((thread) => thread.name)).toEqual([expected])
})

test('a process that ends meanwhile is gone, or told as far as it was read', async () => {
  const readers = [inspectProcess, readMemoryMap, readOpenFiles, readConnections, readThreads, readNamespaces]
  const outcomes: string[] = []
  for (let round = 0; round < 12; round++) {
    const target = await startProcess('idle')
    const identity = await identify(target.pid)
    const reading = Promise.allSettled(readers.map((read) => read(identity)))
    for (let turn = 0; turn < round; turn++) await new Promise(setImmediate)
    await target.stop()
    for (const outcome of await reading) {
      if (outcome.status === 'fulfilled') continue
      expect(outcome.reason).toBeInstanceOf(ProcmusterError)
      outcomes.push(outcome.reason.code)
    }
    await expect(readThreads(identity)).rejects.toMatchObject({ code: 'PROCESS_GONE' })
  }
  expect(outcomes.filter((code) => code !== 'PROCESS_GONE')).toEqual([])
})

test('who has ended since the sample is neither found nor unreadable', async () => {
  const target = await startProcess('idle', { name: 'short-lived' })
  const sampler = await Sampler.open({ source: 'procfs' })
  try {
    const table = (await sampler.sample()).copy()
    const query = { name: 'short-lived', commandLine: 'mode=idle' }
    expect((await findProcesses(table, query)).found).toMatchObject([{ pid: target.pid }])
    await target.stop()
    expect(await findProcesses(table, query)).toEqual({ found: [], unreadable: [] })
  } finally {
    await sampler.close()
  }
})

test('namespaces with who is in them', async () => {
  const { found } = await listNamespaces()
  for (const { name, id } of await readNamespaces(await identify(process.pid))) {
    if (name.endsWith('_for_children')) continue
    expect(found.find((group) => group.name === name && group.id === id)!.pids).toContain(process.pid)
  }
})
