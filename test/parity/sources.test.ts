import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ColumnName, Sampler, type Table } from '../../dist/index.js'
import {
  fixtureProgram,
  hostileNames,
  readState,
  startProcess,
  stopAll,
  waitFor,
} from '../fixtures/processes.js'
import { canBpf } from '../fixtures/sources.js'

const isRoot = process.getuid?.() === 0
const TICK_NS = 10_000_000
const groups = ['io', 'status', 'kernel', 'exactRss'] as const

/** Of a process that does nothing: all but what the bpf source has finer, or has alone. */
function cellsOf(table: Table, pid: number): Record<string, unknown> {
  const { slot, readTimeNs, cpuTimeNs, cgroupId, runQueueWaitNs, ...cells } = table
    .get(pid)!
    .toJSON() as Record<string, unknown>
  const ticks = (ns: unknown) => Math.floor(Number(ns) / TICK_NS)
  const row = { ...cells, userTimeNs: ticks(cells.userTimeNs), systemTimeNs: ticks(cells.systemTimeNs) }
  const bytes = table.memory.names.slice(table.slotOf(pid)! * 64, (table.slotOf(pid)! + 1) * 64)
  return { ...row, generation: undefined, name: Buffer.from(bytes).toString('latin1').replace(/\0+$/, '') }
}

/** A process that has a terminal: its pid, and what ends it. */
async function startOnTerminal(): Promise<{ pid: number; stop: () => Promise<void> }> {
  const script = `import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
print(pid, flush=True)
while os.read(terminal, 1024): pass`
  const python = spawn('/usr/bin/python3', ['-c', script, await fixtureProgram(), 'mode=idle'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(python, 'exit')
  const [pid] = await once(createInterface({ input: python.stdout }), 'line')
  await waitFor(async () => (await readFile(`/proc/${pid}/cmdline`, 'latin1')).includes('mode=idle'))
  await waitFor(async () => (await readState(Number(pid))) === 'S')
  return {
    pid: Number(pid),
    async stop() {
      python.kill('SIGKILL')
      await exited
    },
  }
}

describe.skipIf(!canBpf)('both sources show the same, row for row', () => {
  let procfs: Sampler
  let bpf: Sampler
  let terminal: Awaited<ReturnType<typeof startOnTerminal>>
  const cases = new Map<string, number>()

  beforeAll(async () => {
    procfs = await Sampler.open({ source: 'procfs', groups })
    bpf = await Sampler.open({ source: 'bpf', groups })
    const add = async (label: string, ...args: Parameters<typeof startProcess>) => {
      cases.set(label, (await startProcess(...args)).pid)
    }
    await add('stopped', 'stopped')
    await add('with threads', 'stopped', { threads: 6 })
    await add('with memory', 'stopped', { rss: 48 << 20 })
    await add('after I/O', 'stopped', { io: 1 << 20 })
    await add('with a low priority', 'stopped', { nice: 11 })
    await add('batch', 'stopped', { policy: 'batch' })
    await add('without a command line', 'stopped', { noCommandLine: true })
    await add('zombie', 'zombie')
    for (const [label, name] of Object.entries(hostileNames)) await add(`name ${label}`, 'stopped', { name })
    if (isRoot) {
      await add('another user', 'stopped', { uid: 65534 })
      await add('another user, undumpable', 'stopped', { uid: 65534, undumpable: true })
      await add('real time', 'stopped', { policy: 'fifo', priority: 2 })
    }
    terminal = await startOnTerminal()
    cases.set('with a terminal', terminal.pid)

    const spinner = await startProcess('spin', { threads: 2 })
    const ticks = async () => (await readFile(`/proc/${spinner.pid}/stat`, 'latin1')).split(' ')[13]
    await waitFor(async () => Number(await ticks()) >= 30, { what: '0.3 s of CPU time' })
    process.kill(spinner.pid, 'SIGSTOP')
    await waitFor(async () => (await readState(spinner.pid)) === 'T')
    cases.set('with CPU time', spinner.pid)

    const successor = await startProcess('idle', { execOnUsr1: await fixtureProgram() })
    const args = () => readFile(`/proc/${successor.pid}/cmdline`, 'latin1')
    const before = await args()
    process.kill(successor.pid, 'SIGUSR1')
    await waitFor(async () => (await args()) !== before && (await readState(successor.pid)) === 'S')
    cases.set('after an exec', successor.pid)
  })

  afterAll(async () => {
    await terminal?.stop()
    await stopAll()
    await Promise.all([procfs?.close(), bpf?.close()])
  })

  test('of processes that do nothing: every column', async () => {
    await procfs.sample()
    await bpf.sample()
    const expected = await procfs.sample()
    const found = await bpf.sample()
    for (const [label, pid] of cases) expect(cellsOf(found, pid), label).toEqual(cellsOf(expected, pid))
    expect(found.get(terminal.pid)!.ttyNr).not.toBe(0)
    expect(found.get(terminal.pid)!.tpgid).toBe(terminal.pid)
    expect(found.get(cases.get('after I/O')!)!.wchar).toBeGreaterThan(0)
  })

  test('CPU time of procfs is that of bpf, less than a tick short', async () => {
    const expected = await procfs.sample()
    const found = await bpf.sample()
    for (const [label, pid] of cases) {
      const exact = found.get(pid)!.cpuTimeNs!
      const ticks = expected.get(pid)!.cpuTimeNs!
      expect(exact, label).toBeGreaterThanOrEqual(ticks)
      expect(exact - ticks, label).toBeLessThan(2 * TICK_NS) // user and system are cut each
    }
  })

  test('of all processes of the host: what seldom changes', async () => {
    const quiet: ColumnName[] = [
      ...(['ppid', 'pgid', 'sid', 'ttyNr', 'tpgid', 'threads', 'nice', 'rtPriority', 'schedPolicy'] as const),
      ...(['uid', 'startTicks', 'pidfsInode', 'minorFaults', 'majorFaults', 'realUid', 'fsGid'] as const),
      'oomScoreAdj',
    ]
    let compared = 0
    let kernelThreads = 0
    const differences = async () => {
      const before = [...(await procfs.sample())].map((row) => row.toJSON())
      const found = await bpf.sample()
      const after = await procfs.sample()
      const different: string[] = []
      for (const row of before) {
        const later = after.get(row.pid as number)
        if (later === undefined || later.startTicks !== row.startTicks) continue
        const shown = found.get(row.pid as number)
        expect(shown?.startTicks, `pid ${row.pid}`).toBe(row.startTicks)
        for (const column of quiet) {
          if ((later[column] ?? null) !== row[column]) continue
          if ((shown![column] ?? null) !== row[column]) different.push(`${column} of ${row.pid}, ${row.name}`)
          compared++
        }
        if (!later.isKernelThread) continue
        kernelThreads++
        expect(shown!.isKernelThread).toBe(true)
        expect(shown!.vszBytes).toBe(0)
        const isWorker = /^kworker\//.test(later.name) // its name says what it works on at the moment
        if (!isWorker) expect(shown!.name).toBe(later.name)
        else expect(shown!.name).toMatch(/^kworker\//)
      }
      return new Set(different)
    }
    // What changes to and fro, as the number of threads of a pool, differs once; what is read wrong differs each time.
    let different = await differences()
    for (let round = 1; round < 4 && different.size > 0; round++) {
      const again = await differences()
      different = new Set([...different].filter((difference) => again.has(difference)))
    }
    expect([...different]).toEqual([])
    expect(compared).toBeGreaterThan(200)
    if (readFileSync('/proc/2/comm', 'latin1') === 'kthreadd\n') expect(kernelThreads).toBeGreaterThan(10)
  })

  test('what bpf alone tells is what the kernel says elsewhere', async () => {
    const table = await bpf.sample()
    const row = table.get(cases.get('stopped')!)!
    const [, waited] = readFileSync(`/proc/${row.pid}/schedstat`, 'latin1').split(' ')
    expect(row.runQueueWaitNs).toBe(Number(waited))
    const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${row.pid}/cgroup`, 'latin1'))?.[1]
    const mounted = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/mounts', 'latin1'))?.[1]
    if (path !== undefined && mounted !== undefined) {
      expect(row.cgroupId).toBe(statSync(`${mounted}${path}`).ino)
    }
  })
})
