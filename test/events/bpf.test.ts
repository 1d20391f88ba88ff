import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { startProcess, stopAll } from '../fixtures/processes.js'
import { canBpf } from '../fixtures/sources.js'
import { closeAll, collect } from './collect.js'

afterEach(closeAll)
afterAll(stopAll)

describe.skipIf(!canBpf)('a stream from the kernel', () => {
  it('tells who ended a process, with what it had used', async () => {
    const { stream, find } = await collect({ source: 'bpf' })
    expect(stream.source).toBe('bpf')
    const spinner = await startProcess('spin', { rss: 20 * 2 ** 20 })
    const fork = await find('fork', spinner.pid)
    expect(fork.ppid).toBe(process.pid)
    expect(await find('exec', spinner.pid)).toMatchObject({
      startTicks: fork.startTicks,
      pidfsInode: fork.pidfsInode,
    })
    await spinner.stop()
    expect(await find('signal', spinner.pid)).toMatchObject({
      signal: 'SIGKILL',
      sender: { pid: process.pid },
    })
    const exit = await find('exit', spinner.pid)
    expect(exit).toMatchObject({
      startTicks: fork.startTicks,
      pidfsInode: fork.pidfsInode,
      ppid: process.pid,
      exitCode: undefined,
      signal: 'SIGKILL',
      sender: { pid: process.pid },
      oomKilled: false,
      coreDumped: false,
    })
    expect(exit.cpuTimeNs).toBeGreaterThan(0)
    expect(exit.peakRssBytes).toBeGreaterThan(20 * 2 ** 20)
    expect(exit.lifetimeMs).toBeGreaterThan(0)
    expect(stream.lost).toBe(0)
  })
})
