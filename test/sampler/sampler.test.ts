import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import {
  type ProcessRow,
  ProcmusterError,
  Sampler,
  type SamplerOptions,
  type Source,
  type Table,
} from '../../dist/index.js'
import { compileFixture } from '../fixtures/compile.js'
import { runNodeScript } from '../fixtures/node_script.js'
import { fixtureProgram, hostileNames, startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { describeSources } from '../fixtures/sources.js'
import { statLine } from '../fixtures/stat_line.js'

const open: Sampler[] = []
const opener =
  (source: Source) =>
  async (options: SamplerOptions = {}): Promise<Sampler> => {
    const sampler = await Sampler.open({ source, ...options })
    open.push(sampler)
    expect(sampler.source).toBe(source)
    return sampler
  }
afterEach(() => Promise.all(open.splice(0).map((sampler) => sampler.close())))
afterAll(stopAll)

describeSources('a sample', (source) => {
  const openSampler = opener(source)

  it('has every process that ps has, and every one once', async () => {
    const idle = await startProcess('idle')
    const sampler = await openSampler()
    const table = await sampler.sample()
    const pids = Array.from(table, (row) => row.pid)
    expect(new Set(pids).size).toBe(table.size)
    expect(pids).toEqual(pids.toSorted((a, b) => a - b))
    expect(pids).toContain(idle.pid)
    const seen = execFileSync('ps', ['-eo', 'pid='], { encoding: 'utf8' }).trim().split(/\s+/).map(Number)
    // Those that live longer than ps does: everything seen before and after it, and no other by the same pid.
    const identityOf = (row: ProcessRow) => `${row.pid} ${row.startTicks} ${row.pidfsInode}`
    const before = new Set(Array.from(table, identityOf))
    const stayed = Array.from(await sampler.sample()).filter((row) => before.has(identityOf(row)))
    expect(stayed.length).toBeGreaterThan(0)
    for (const row of stayed) expect(seen, row.name).toContain(row.pid)
  })

  it('computes rates between two samples, and has none in the first', async () => {
    const spinner = await startProcess('spin')
    const sampler = await openSampler()
    const first = await sampler.sample()
    expect(first.elapsedMs).toBeNaN()
    expect(first.get(spinner.pid)?.cpuPercent).toBeUndefined()
    expect(first.columns.cpuPercent[first.get(spinner.pid)!.slot]).toBeNaN()
    const percent = await waitFor(async () => {
      await new Promise((resolve) => setTimeout(resolve, 200))
      const table = await sampler.sample()
      expect(table.elapsedMs).toBeGreaterThan(190)
      return table.get(spinner.pid)?.cpuPercent
    })
    expect(percent).toBeGreaterThan(1)
    expect(percent).toBeLessThan(130) // one thread; a tick of 10 ms more or less
  })

  it('lists births and deaths, and still shows the last values of who is gone', async () => {
    const sampler = await openSampler()
    await sampler.sample()
    const process = await startProcess('idle', { name: 'shortlived' })
    const born = await sampler.sample()
    expect(Array.from(born.born, (row) => row.pid)).toContain(process.pid)
    const { slot, startTicks, generation } = born.get(process.pid)!
    await process.stop()
    const gone = await sampler.sample()
    const row = Array.from(gone.gone).find((candidate) => candidate.slot === slot)
    expect(row).toMatchObject({ pid: process.pid, startTicks, generation, name: 'shortlived' })
    expect(gone.get(process.pid)).toBeUndefined()
    expect(Array.from((await sampler.sample()).goneSlots)).not.toContain(slot)
  })

  it('keeps a slot for life, and gives it a new generation with a new tenant', async () => {
    const sampler = await openSampler()
    const kept = await startProcess('idle')
    const { slot, generation } = (await sampler.sample()).get(kept.pid)!
    for (let i = 0; i < 3; i++) {
      const passing = await startProcess('idle')
      const row = (await sampler.sample()).get(passing.pid)!
      expect(row.slot).not.toBe(slot)
      await passing.stop()
      await sampler.sample()
    }
    expect((await sampler.sample()).get(kept.pid)).toMatchObject({ slot, generation })
  })

  it('tells names apart byte by byte, and takes none for the end of a field', async () => {
    const sampler = await openSampler()
    for (const [label, name] of Object.entries(hostileNames)) {
      const process = await startProcess('stopped', { name })
      const row = (await sampler.sample()).get(process.pid)!
      const start = row.slot * 64
      const bytes = Buffer.from(row.table.memory.names.slice(start, start + 64))
      expect(bytes.subarray(0, bytes.indexOf(0)), label).toEqual(Buffer.from(name))
      expect(row.state, label).toBe('T')
      expect(row.ppid, label).toBe(globalThis.process.pid)
      await process.stop()
    }
  })

  it('notices an exec', async () => {
    const process = await startProcess('idle', { execOnUsr1: await fixtureProgram() }) // the name stays the same
    const sampler = await openSampler()
    const { slot } = (await sampler.sample()).get(process.pid)!
    const quiet = await sampler.sample()
    expect(Array.from(quiet.execedSlots)).not.toContain(slot)
    process.child.kill('SIGUSR1')
    await waitFor(async () => Array.from((await sampler.sample()).execedSlots).includes(slot))
  })

  it('shows zombies, kernel threads and undumpable processes of other users as they are', async () => {
    const zombie = await startProcess('zombie')
    const sampler = await openSampler({ groups: ['status'] })
    let table = await sampler.sample()
    expect(table.get(zombie.pid)).toMatchObject({ state: 'Z', rssBytes: 0, rssAnonBytes: undefined })
    const kthreadd = table.get(2)
    if (kthreadd?.name === 'kthreadd') {
      expect(kthreadd).toMatchObject({ isKernelThread: true, vszBytes: 0, rssAnonBytes: undefined, ppid: 0 })
    }
    expect(table.get(process.pid)?.isKernelThread).toBe(false)
    if (process.getuid?.() === 0) {
      const other = await startProcess('idle', { uid: 65534, undumpable: true })
      table = await sampler.sample()
      expect(table.get(other.pid)).toMatchObject({ uid: 65534, user: 'nobody', effectiveUid: 65534 })
    }
  })
})

describeSources('the group kernel', (source) => {
  const openSampler = opener(source)

  it('counts open descriptors and tells the OOM score adjustment', async () => {
    const idle = await startProcess('idle')
    writeFileSync(`/proc/${idle.pid}/oom_score_adj`, '321')
    const sampler = await openSampler({ groups: ['kernel'] })
    const row = (await sampler.sample()).get(idle.pid)!
    expect(row.oomScoreAdj).toBe(321)
    expect(row.openFiles).toBe(readdirSync(`/proc/${idle.pid}/fd`).length) // missing before Linux 6.2
    expect(row.cpuTimeNs).toBeGreaterThanOrEqual(0)
  })
})

describeSources('a table', (source) => {
  const openSampler = opener(source)

  it('grows instead of dropping rows', async () => {
    const sampler = await openSampler({ capacity: 1 })
    const first = await sampler.sample()
    expect(first.size).toBeGreaterThan(1)
    expect(sampler.capacity).toBeGreaterThanOrEqual(first.size)
    const second = await sampler.sample()
    expect(second.get(process.pid)).toMatchObject({ slot: first.get(process.pid)!.slot, generation: 1 })
  })

  it('carries rates over a growth', async () => {
    // Just enough, so that few processes fill it, however many the host has.
    const { size } = await (await openSampler()).sample()
    const sampler = await openSampler({ capacity: size + 16 })
    await sampler.sample()
    const before = sampler.capacity
    const room = Math.min(before - (await sampler.sample()).size, 64)
    const many = await Promise.all(Array.from({ length: room + 1 }, () => startProcess('idle')))
    const table = await sampler.sample()
    expect(sampler.capacity, `grown from ${size + 16}, ${before}`).toBeGreaterThan(size + 16)
    expect(table.get(process.pid)?.cpuPercent).toBeGreaterThanOrEqual(0)
    for (const { pid } of many) expect(table.get(pid)?.pid).toBe(pid)
    await Promise.all(many.map((started) => started.stop()))
  })

  it('is good until the sample after the next', async () => {
    const sampler = await openSampler()
    const table = await sampler.sample()
    const copy = table.copy()
    const row = table.get(process.pid)!
    await sampler.sample()
    expect(row.name).toBeTypeOf('string')
    const rss = row.rssBytes
    await sampler.sample()
    expect(() => row.rssBytes).toThrow(expect.objectContaining({ code: 'STALE_TABLE' }))
    expect(() => table.slots).toThrow(ProcmusterError)
    expect(copy.get(process.pid)?.rssBytes).toBe(rss)
  })

  it('sorts and filters', async () => {
    const big = await startProcess('stopped', { name: 'bigone', rss: 200 << 20 })
    const table = await (await openSampler()).sample()
    const top = table.top('rssBytes', 3)
    expect(top).toHaveLength(3)
    expect(top[0]!.rssBytes).toBeGreaterThanOrEqual(top[1]!.rssBytes!)
    expect(table.filter({ name: 'igon', state: 'T' }).map((row) => row.pid)).toEqual([big.pid])
    expect(table.filter({ name: 'bigone', minMemoryPercent: 99 })).toEqual([])
    expect(table.filter({ name: 'bigone', user: 'no-such-user' })).toEqual([])
    expect(table.filter({ name: 'bigone', user: table.get(process.pid)!.user! })).toHaveLength(1)
    expect(table.filter({ minCpuPercent: 0 })).toEqual([]) // no rate in a first sample
    expect(() => table.top('rchar', 1)).toThrow(/groups: \['io'\]/)
    expect(() => table.top('nonsense' as 'rchar', 1)).toThrow(/no column 'nonsense'/)
    await big.stop()
  })

  it('reads details once asked, and anew after an exec', async () => {
    const process = await startProcess('idle', {
      execOnUsr1: await fixtureProgram(),
      extraArguments: ['one two', 'ümlaut'],
    })
    const sampler = await openSampler()
    let row = (await sampler.sample()).get(process.pid)!
    expect(row.commandLine).toBeUndefined()
    await sampler.readDetails([row])
    expect(row.args?.slice(-2)).toEqual(['one two', 'ümlaut'])
    expect(row.exe).toMatch(/^\//)
    expect(row.cgroup).toContain('0::/')
    process.child.kill('SIGUSR1')
    row = await waitFor(async () => {
      const table = await sampler.sample()
      const found = table.get(process.pid)!
      return table.execedSlots.includes(found.slot) && found
    })
    expect(row.commandLine).toBeUndefined()
    await sampler.readDetails([row])
    expect(row.args?.slice(1)).toEqual(['mode=idle'])
  })
})

describe('a sampler of /proc', () => {
  const openSampler = opener('procfs')

  it('refuses options that cannot be, and names them', async () => {
    for (const [options, text] of [
      [{ source: 'ebpf' }, /source is "ebpf"/],
      [{ groups: ['smaps'] }, /groups is "smaps"; give io or .*status/],
      [{ capacity: 0 }, /capacity is 0/],
      [{ threads: 2.5 }, /threads is 2.5/],
      [{ descriptors: -1 }, /descriptors is -1/],
    ] as const) {
      await expect(Sampler.open(options as unknown as SamplerOptions)).rejects.toThrow(text)
    }
    await expect(Sampler.open({ procRoot: '/no/such/proc' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      path: '/no/such/proc',
      errno: 2,
    })
  })

  it('works with none kept open, one thread, and gives the same rows', async () => {
    const stopped = await startProcess('stopped', { rss: 8 << 20 })
    const rows: unknown[] = []
    for (const options of [{ threads: 1, descriptors: 0 }, { threads: 4, descriptors: 64 }, {}]) {
      const sampler = await openSampler({ ...options, groups: ['io', 'status'] })
      for (let i = 0; i < 10; i++) await sampler.sample()
      const { readTimeNs, ...row } = (await sampler.sample()).get(stopped.pid)!.toJSON()
      expect(readTimeNs).toBeGreaterThan(0)
      rows.push(row)
    }
    expect(rows[1]).toEqual(rows[0])
    expect(rows[2]).toEqual(rows[0])
  })

  it('reads another proc root, with malformed files in it', async () => {
    const root = mkdtempSync(join(tmpdir(), 'proc-'))
    const put = (pid: number, files: Record<string, string>) => {
      mkdirSync(join(root, String(pid)))
      for (const [name, text] of Object.entries(files)) writeFileSync(join(root, String(pid), name), text)
    }
    writeFileSync(join(root, 'meminfo'), 'MemTotal:        1000 kB\n')
    put(7, { stat: statLine(7, 100), statm: '10 5 3 1 0 4 0\n' })
    put(8, { stat: 'garbage', statm: '10 5 3 1 0 4 0\n' })
    put(9, { stat: statLine(9, 100) }) // statm is not there: its cells are missing, the row is not
    put(10, {})
    writeFileSync(join(root, '11'), 'a file, not a process')
    const sampler = await openSampler({ procRoot: root })
    const table: Table = await sampler.sample()
    expect(Array.from(table, (row) => row.pid)).toEqual([7, 9])
    const page = Number(execFileSync('getconf', ['PAGESIZE'], { encoding: 'utf8' }))
    expect(table.get(7)).toMatchObject({
      name: 'fake (name)',
      rssBytes: 5 * page,
      memoryPercent: (5 * page * 100) / (1000 * 1024),
      userTimeNs: 5e9,
      systemTimeNs: 6e9,
      minorFaults: 1,
      majorFaults: 3,
      startTicks: 100,
    })
    expect(table.get(9)).toMatchObject({
      rssBytes: undefined,
      sharedBytes: undefined,
      memoryPercent: undefined,
      vszBytes: 4096,
    })
    // The pid goes to another process: a birth and a death, not one process.
    writeFileSync(join(root, '7', 'stat'), statLine(7, 200))
    const next = await sampler.sample()
    expect(Array.from(next.born, (row) => row.startTicks)).toEqual([200])
    expect(Array.from(next.gone, (row) => row.startTicks)).toEqual([100])
    rmSync(root, { recursive: true })
    await expect(sampler.sample()).rejects.toMatchObject({ code: 'NOT_FOUND', path: root })
  })

  it('refuses a root that lists no process: that all have ended would be the wrong thing to say', async () => {
    const root = mkdtempSync(join(tmpdir(), 'proc-'))
    const sampler = await openSampler({ procRoot: root })
    await expect(sampler.sample()).rejects.toMatchObject({ code: 'NOT_FOUND', path: root })
    rmSync(root, { recursive: true })
  })

  it('fails when it has no descriptor to read with, instead of taking all processes for gone', async () => {
    // Where close_range is refused the scan has no table of its own, and shares what is left of the program's.
    const script = `
      import { closeSync, openSync } from 'node:fs'
      const m = await import(${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)})
      const sampler = await m.Sampler.open({ source: 'procfs', threads: 1 })
      const before = await sampler.sample()
      const kept = await sampler.sample()
      await m.setResourceLimit([await m.identify(process.pid)], 'nofile', { soft: 100, hard: 100 })
      const open = []
      try { for (;;) open.push(openSync('/dev/null')) } catch {}
      const error = await sampler.sample().catch((error) => error)
      const stale = (() => { try { return before.columns && 'readable' } catch (error) { return error.code } })()
      open.forEach(closeSync)
      const after = await sampler.sample()
      const rows = [before.size > 1, after.get(process.pid) !== undefined, [...after.gone].length < kept.size / 2]
      console.log(error.code, error.errno, stale, ...rows, after.sequence)
      await sampler.close()
    `
    const confined = await compileFixture('confined.c')
    const args = ['deny=436', '--', process.execPath, '--input-type=module', '-e', script]
    const output = execFileSync(confined, args, { encoding: 'utf8', timeout: 30_000 })
    expect(output).toBe('IO_ERROR 24 STALE_TABLE true true true 3\n')
  })
})

describeSources('a sampler', (source) => {
  const openSampler = opener(source)

  it('carries out samples one after the other', async () => {
    const sampler = await openSampler()
    const tables = await Promise.all(Array.from({ length: 5 }, () => sampler.sample()))
    expect(tables.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5])
  })

  it('closes at any time, more than once, and leaves no thread and no descriptor behind', async () => {
    const count = (what: string) => readdirSync(`/proc/self/${what}`).length
    await (await openSampler()).close() // what is loaded only once
    const before = { fd: count('fd'), task: count('task') }
    const sampler = await openSampler()
    await sampler.sample()
    expect(count('task')).toBeGreaterThan(before.task)
    const under = sampler.sample()
    await Promise.all([sampler.close(), sampler.close()])
    await under.catch((error) => expect(error).toMatchObject({ code: 'CLOSED' }))
    await sampler.close()
    await expect(sampler.sample()).rejects.toMatchObject({ code: 'CLOSED' })
    await waitFor(() => count('task') <= before.task) // less where one of an earlier test was still there
    expect(count('fd')).toBe(before.fd)
  })
})

it.runIf(process.getuid!() === 0)('rejects, and ends nothing, where no thread can be started', async () => {
  // A user of its own: the limit counts the threads of all of a user's processes.
  const codes = await runNodeScript(`
    const { readFile } = await import('node:fs/promises')
    await Promise.all(Array.from({ length: 8 }, () => readFile('/proc/self/stat'))) // Node's own threads are there by now
    const self = await m.identify(process.pid)
    process.setgroups([]); process.setgid(64321); process.setuid(64321)
    const { nproc } = await m.getResourceLimits(self)
    await m.setResourceLimit([self], 'nproc', { soft: 1 }, { force: true })
    const fails = async () => {
      const sampler = await m.Sampler.open({ source: 'procfs' })
      await sampler.sample().finally(() => sampler.close())
    }
    const code = await fails().then(() => 'sampled', (error) => error.code)
    await m.setResourceLimit([self], 'nproc', { soft: nproc.soft }, { force: true })
    console.log(JSON.stringify([code, await fails().then(() => 'sampled', (error) => error.code)]))`)
  expect(codes).toEqual(['BUSY', 'sampled'])
})
