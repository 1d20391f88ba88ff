import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { identify, readLibraries, readMemoryMap } from '../../dist/index.js'
import { compileFixture } from '../fixtures/compile.js'
import { startProcess, stopAll, waitFor } from '../fixtures/processes.js'

afterEach(stopAll)

/** Column sums of pmap -X, in KiB, by heading. */
function pmapSums(pid: number): Map<string, number> {
  const lines = execFileSync('pmap', ['-X', String(pid)], { encoding: 'utf8' })
    .trimEnd()
    .split('\n')
  const headings = lines[1]!.trim().split(/ +/)
  const sums = lines.at(-1)!.trim().split(/ +/)
  // The sums begin at the first column of sizes.
  const first = headings.indexOf('Size')
  return new Map(
    headings.slice(first, -1).map((heading, index) => [heading, Number.parseInt(sums[index]!, 10)]),
  )
}

test('adds up to what pmap says, and tells the classes apart', async () => {
  const target = await startProcess('stopped', { threads: 3, rss: 8 * 1024 * 1024 })
  // A thread that has yet to stop tells no stack pointer.
  const task = `/proc/${target.pid}/task`
  await waitFor(() =>
    readdirSync(task).every((tid) => /^\d/.test(readFileSync(`${task}/${tid}/syscall`, 'utf8'))),
  )
  const map = await readMemoryMap(await identify(target.pid))
  const sums = pmapSums(target.pid)
  expect(map.total.sizeBytes).toBe(sums.get('Size')! * 1024)
  expect(map.total.rssBytes).toBe(sums.get('Rss')! * 1024)
  expect(map.total.swapBytes).toBe(sums.get('Swap')! * 1024)
  expect(map.size).toBe([...map].length)
  for (const kind of ['text', 'data', 'sharedObject', 'stack', 'vdso', 'anonymous'] as const) {
    expect(map.totals[kind].count, kind).toBeGreaterThan(0)
  }
  const sum = (name: 'sizeBytes' | 'rssBytes') =>
    Object.values(map.totals).reduce((total, each) => total + each[name]!, 0)
  expect(sum('sizeBytes')).toBe(map.total.sizeBytes)
  expect(sum('rssBytes')).toBe(map.total.rssBytes)
  const stacks = [...map].filter((region) => region.class === 'threadStack')
  expect(stacks.every(({ isCertain, tid }) => isCertain && tid !== undefined)).toBe(true)
  expect(new Set(stacks.map(({ tid }) => tid)).size).toBe(3)
  const { stack } = map
  expect(stack!.depthBytes).toBeLessThanOrEqual(stack!.sizeBytes)
  expect(stack!.limitBytes).toBeGreaterThan(0)
})

test('libraries are what maps names with code', async () => {
  const target = await startProcess('idle')
  const libraries = await readLibraries(await identify(target.pid))
  expect(libraries.some(({ path }) => /\/libc[.-]/.test(path))).toBe(true)
  expect(libraries.every(({ isDeleted }) => !isDeleted)).toBe(true)
})

test('a kernel thread has none; a zombie has none; who is gone is PROCESS_GONE', async () => {
  expect((await readMemoryMap(await identify(2))).size).toBe(0)
  const zombie = await startProcess('zombie')
  const identity = await identify(zombie.pid)
  expect((await readMemoryMap(identity)).size).toBe(0)
  await zombie.stop()
  const target = await startProcess('idle')
  const gone = await identify(target.pid)
  await target.stop()
  await expect(readMemoryMap(gone)).rejects.toMatchObject({ code: 'PROCESS_GONE' })
})

test('60,000 mappings are counted without holding up the event loop', async () => {
  const program = await compileFixture('many_mappings.c')
  const child = spawn(program, ['60000'], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    await once(child.stdout, 'data')
    const identity = await identify(child.pid!)
    const cpuBefore = process.cpuUsage()
    const loopBefore = performance.eventLoopUtilization()
    const map = await readMemoryMap(identity, { timeoutMs: 30_000 })
    const { utilization } = performance.eventLoopUtilization(loopBefore)
    const cpu = process.cpuUsage(cpuBefore)
    expect(map.size).toBeGreaterThan(60_000)
    expect(map.totals.anonymous.rssBytes).toBeGreaterThanOrEqual(30_000 * 4096)
    // Shares and processor time, which a starved host does not stretch as it does the clock.
    expect(utilization).toBeLessThan(0.5)
    const maxMs = process.env.PROCMUSTER_SANITIZER === undefined ? 1000 : 10_000
    expect((cpu.user + cpu.system) / 1000).toBeLessThan(maxMs)
  } finally {
    child.kill('SIGKILL')
  }
})
