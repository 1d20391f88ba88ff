import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { EventStream, Sampler } from '../../dist/index.js'
import { fixtureProgram, startProcess, stopAll } from '../fixtures/processes.js'
import { closeAll, collect } from './collect.js'

afterEach(closeAll)
afterAll(stopAll)

const fast = { source: 'snapshots', intervalMs: 20 } as const

describe('a stream of compared snapshots', () => {
  it('tells of a birth, an exec and an end with what a sample knows', async () => {
    const { stream, find } = await collect(fast)
    expect(stream.source).toBe('snapshots')
    expect(stream.sourceReason).toMatch(/snapshots/)
    const before = Date.now()
    const program = await fixtureProgram()
    const started = await startProcess('idle', { execOnUsr1: program, name: 'before exec' })
    const fork = await find('fork', started.pid)
    expect(fork.ppid).toBe(process.pid)
    // A snapshot may come before it took its last name, or before its own program.
    const names = [
      readFileSync('/proc/self/comm', 'utf8').trim(),
      basename(program).slice(0, 15),
      'before exec',
    ]
    expect(names).toContain(fork.name)
    expect(fork.atMs).toBeGreaterThanOrEqual(before - 1)
    expect(fork.atMs).toBeLessThanOrEqual(Date.now() + 1)
    const sampler = await Sampler.open()
    const row = (await sampler.sample()).get(started.pid)!
    expect(fork).toMatchObject({ startTicks: row.startTicks, pidfsInode: row.pidfsInode })
    await sampler.close()

    process.kill(started.pid, 'SIGUSR1')
    expect(await find('exec', started.pid)).toMatchObject({ startTicks: fork.startTicks })
    await started.stop()
    const exit = await find('exit', started.pid)
    expect(exit).toMatchObject({ startTicks: fork.startTicks, exitCode: undefined, signal: undefined })
    expect(exit.lifetimeMs).toBeGreaterThanOrEqual(0)
    expect(exit.lifetimeMs).toBeLessThan(Date.now() - before + 50)
  })

  it('tells of the end of a zombie once, when it ended, with its processor time', async () => {
    const { find, all } = await collect(fast)
    const zombie = await startProcess('zombie')
    const exit = await find('exit', zombie.pid)
    expect(exit.cpuTimeNs).toBeGreaterThanOrEqual(0)
    await zombie.stop()
    await find('exit', zombie.child.pid!)
    expect(all('exit', zombie.pid)).toHaveLength(1)
  })

  it('tells nothing of who was there before, and of no type that was not asked for', async () => {
    const there = await startProcess('idle')
    const { find, events } = await collect({ ...fast, types: ['exit'] })
    const other = await startProcess('idle')
    await other.stop()
    await there.stop()
    await find('exit', there.pid)
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['exit']))
  })

  it('loses nothing while nobody reads', async () => {
    const stream = await EventStream.open(fast)
    const there = await startProcess('idle')
    await new Promise((resolve) => setTimeout(resolve, 100))
    const pids: number[] = []
    for await (const event of stream) {
      if (event.type === 'fork') pids.push(event.pid)
      if (pids.includes(there.pid)) break
    }
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    expect(stream.lost).toBe(0)
  })
})
