import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, expect, it } from 'vitest'
import { Sampler } from '../../dist/index.js'
import { compileFixture } from '../fixtures/compile.js'
import { describeSources } from '../fixtures/sources.js'

const isRoot = process.getuid?.() === 0
if (!isRoot) console.warn('SKIPPED: pids that are given again at once, which take root')

const PIDS = 60
const children: ChildProcess[] = []
afterAll(() => {
  for (const child of children) child.stdin!.end()
})

describeSources('pids given again within a sample', (source) => {
  it.skipIf(!isRoot)('are in the table once each, also where the table grows in between', async () => {
    const program = await compileFixture('same_pids.c')
    const largest = Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8'))
    for (const first of [largest - 4 * PIDS, largest - 2 * PIDS]) {
      const child = spawn(program, [String(first), String(PIDS)], { stdio: ['pipe', 'pipe', 'ignore'] })
      children.push(child)
      await once(child.stdout!, 'data')
    }
    // Fewer rounds on a host that is busy with other things.
    const deadline = performance.now() + 10_000
    for (let round = 0; round < 60 && performance.now() < deadline; round++) {
      const running = readdirSync('/proc').filter((name) => /^\d/.test(name)).length
      await using sampler = await Sampler.open({ source, capacity: Math.max(1, running - (round % 30)) })
      const table = await sampler.sample()
      const pids = Array.from(table.slots, (slot) => table.columns.pid[slot]!)
      expect(new Set(table.slots).size).toBe(table.slots.length)
      expect(pids).toEqual([...new Set(pids)].sort((a, b) => a - b))
    }
  })
})
