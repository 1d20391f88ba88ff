import { spawnSync } from 'node:child_process'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Sampler, type Table } from '../../dist/index.js'
import {
  fixtureProgram,
  readState,
  startProcess,
  stopAll,
  type TestProcess,
  waitFor,
} from '../fixtures/processes.js'
import { canBpf } from '../fixtures/sources.js'

const TICK_NS = 10_000_000
const WALKS = 20 // more than a remembered reading is used for

/** What both sources tell alike of a process that does nothing; the approximate memory is left out. */
function cellsOf(table: Table, pid: number): Record<string, unknown> {
  const { slot, generation, readTimeNs, cpuTimeNs, rssBytes, sharedBytes, memoryPercent, ...cells } = table
    .get(pid)!
    .toJSON() as Record<string, unknown>
  const ticks = (ns: unknown) => Math.floor(Number(ns) / TICK_NS)
  return { ...cells, userTimeNs: ticks(cells.userTimeNs), systemTimeNs: ticks(cells.systemTimeNs) }
}

// The kernel program reads little of a process that has not run since it was read whole.
describe.skipIf(!canBpf)('a process that rests', () => {
  let procfs: Sampler
  let bpf: Sampler

  beforeAll(async () => {
    procfs = await Sampler.open({ source: 'procfs' })
    bpf = await Sampler.open({ source: 'bpf' })
  })

  afterEach(stopAll)

  afterAll(async () => {
    await procfs.close()
    await bpf.close()
  })

  async function expectTheSame(process: TestProcess): Promise<void> {
    await procfs.sample()
    const expected = cellsOf(await procfs.sample(), process.pid)
    for (let walk = 0; walk < WALKS; walk++) await bpf.sample()
    expect(cellsOf(await bpf.sample(), process.pid)).toEqual(expected)
  }

  test.each(['idle', 'stopped', 'zombie'] as const)('keeps its cells over many walks: %s', async (mode) => {
    await expectTheSame(await startProcess(mode))
  })

  test('with threads', async () => {
    await expectTheSame(await startProcess('idle', { threads: 3 }))
  })

  test('is seen as others change it', async () => {
    const process = await startProcess('stopped')
    await expectTheSame(process)
    expect(spawnSync('renice', ['-n', '7', '-p', String(process.pid)]).status).toBe(0)
    await expectTheSame(process)
    expect((await bpf.sample()).get(process.pid)!.nice).toBe(7)
    expect(spawnSync('chrt', ['--batch', '-p', '0', String(process.pid)]).status).toBe(0)
    await expectTheSame(process)
    expect((await bpf.sample()).get(process.pid)!.schedPolicy).toBe(3)
  })

  test('is read whole once it has run', async () => {
    const sleeper = await startProcess('idle')
    await expectTheSame(sleeper)
    const before = (await bpf.sample()).get(sleeper.pid)!.toJSON()
    sleeper.child.kill('SIGSTOP')
    await waitFor(async () => (await readState(sleeper.pid)) === 'T')
    sleeper.child.kill('SIGCONT')
    await waitFor(async () => (await readState(sleeper.pid)) === 'S')
    const after = (await bpf.sample()).get(sleeper.pid)!.toJSON()
    expect(Number(after.cpuTimeNs)).toBeGreaterThan(Number(before.cpuTimeNs))
  })

  test('is read whole once it has executed another program', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'procmuster-resting-'))
    const other = join(folder, 'other-program')
    await copyFile(await fixtureProgram(), other)
    const sleeper = await startProcess('idle', { execOnUsr1: other })
    await expectTheSame(sleeper)
    const before = (await bpf.sample()).get(sleeper.pid)!.toJSON()
    sleeper.child.kill('SIGUSR1')
    await waitFor(async () => (await bpf.sample()).get(sleeper.pid)!.name === 'other-program')
    // The kernel counts what has run when it is switched out.
    await waitFor(async () => (await readState(sleeper.pid)) === 'S')
    const after = (await bpf.sample()).get(sleeper.pid)!
    expect(Number(after.cpuTimeNs)).toBeGreaterThan(Number(before.cpuTimeNs))
    await rm(folder, { recursive: true })
    await expectTheSame(sleeper)
  })
})
