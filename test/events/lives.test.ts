import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { ExitEvent } from '../../dist/index.js'
import { compileFixture } from '../fixtures/compile.js'
import { hostileNames, startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { canBpf } from '../fixtures/sources.js'
import { closeAll, collect } from './collect.js'

const privileged = process.getuid?.() === 0 && canBpf
if (!privileged) console.warn('SKIPPED: events from the kernel, which take root of the host and bpf')

afterEach(closeAll)
afterAll(stopAll)

const SANITIZED = process.env.PROCMUSTER_SANITIZER !== undefined
const env = { PATH: process.env.PATH, NO_CORE: '1' }

async function live(...what: (string | number)[]): Promise<ChildProcess & { readonly pid: number }> {
  const child = spawn(await compileFixture('lives.c'), what.map(String), {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(child, 'spawn')
  return child as ChildProcess & { readonly pid: number }
}

async function output(child: ChildProcess): Promise<string> {
  let text = ''
  child.stdout!.on('data', (chunk) => {
    text += chunk
  })
  await once(child, 'close')
  return text
}

describe.runIf(privileged).each(['bpf', 'netlink'] as const)('an end as %s tells it', (source) => {
  const bpf = source === 'bpf'

  it.each([0, 1, 3, 255])('has exit code %d', async (code) => {
    const { find } = await collect({ source })
    const { pid } = await live('exit', code)
    expect(await find('exit', pid)).toMatchObject({ exitCode: code, signal: undefined, sender: undefined })
  })

  it.each([
    'SIGHUP',
    'SIGINT',
    'SIGQUIT',
    'SIGABRT',
    'SIGBUS',
    'SIGFPE',
    'SIGUSR1',
    'SIGALRM',
    'SIGTERM',
    'SIGSYS',
  ])('has %s, sent by itself', async (signal) => {
    const { find, stream } = await collect({ source })
    const { pid } = await live('raise', constants.signals[signal as NodeJS.Signals])
    expect(stream.source).toBe(source)
    expect(await find('exit', pid)).toMatchObject({ exitCode: undefined, signal, coreDumped: false })
    if (!bpf) return
    const itself = { pid, name: expect.stringMatching(/^lives/) }
    expect(await find('exit', pid)).toMatchObject({ sender: itself, oomKilled: false })
    expect(await find('signal', pid)).toMatchObject({ signal, sender: itself })
  })

  it('has a real-time signal by its name', async () => {
    const { find } = await collect({ source })
    const { pid } = await live('raise', 36)
    expect((await find('exit', pid)).signal).toBe('SIGRTMIN+2')
  })

  it('has a fault without a sender', async () => {
    const { find, all } = await collect({ source })
    const { pid } = await live('segv')
    expect(await find('exit', pid)).toMatchObject({ signal: 'SIGSEGV', sender: undefined })
    if (bpf) expect(all('signal', pid)).toMatchObject([{ signal: 'SIGSEGV', sender: undefined }])
  })

  it('has the first of two signals, and who sent that one', async () => {
    const { find, all } = await collect({ source })
    const { pid } = await live('wait')
    const killer = execFileSync('sh', ['-c', `echo $$; kill -TERM ${pid}; kill -KILL ${pid}`], {
      encoding: 'utf8',
    })
    expect((await find('exit', pid)).signal).toBe('SIGTERM')
    if (!bpf) return
    expect((await find('exit', pid)).sender).toEqual({ pid: Number(killer), name: 'sh' })
    expect(all('signal', pid)).toHaveLength(1)
  })

  it('has the sender of the signal that ended it, not of an earlier one that it took', async () => {
    const { find } = await collect({ source })
    const child = await live('two-terms')
    const kill = () => Number(execFileSync('sh', ['-c', `echo $$; kill -TERM ${child.pid}`]))
    await once(child.stdout!, 'data')
    kill()
    await once(child.stdout!, 'data')
    const second = kill()
    const exit = await find('exit', child.pid)
    expect(exit.signal).toBe('SIGTERM')
    if (bpf) expect(exit.sender).toEqual({ pid: second, name: 'sh' })
  })

  it('has the code that another thread than the main one ended it with', async () => {
    const { find, all } = await collect({ source })
    const { pid } = await live('group-exit', 5)
    expect((await find('exit', pid)).exitCode).toBe(5)
    const headless = await live('headless', 6)
    const exit = await find('exit', headless.pid)
    expect(exit.exitCode).toBe(6)
    expect(exit.lifetimeMs).toBeGreaterThan(450)
    expect(all('exit', headless.pid)).toHaveLength(1)
  })

  it('comes once after an exec by another thread, which keeps the pid', async () => {
    const { find, all } = await collect({ source })
    const { pid } = await live('thread-exec', await compileFixture('lives.c'))
    const exit = await find('exit', pid)
    expect(exit.exitCode).toBe(7)
    expect(all('exit', pid)).toHaveLength(1)
    expect(all('exec', pid)).toHaveLength(2)
    const fork = await find('fork', pid)
    if (bpf) {
      expect(exit).toMatchObject({ startTicks: fork.startTicks, pidfsInode: fork.pidfsInode })
      expect(all('exec', pid)[1]).toMatchObject({ startTicks: fork.startTicks, pidfsInode: fork.pidfsInode })
    }
  })

  it.each(['newline', 'escape', 'parentheses', 'spaces', 'cutUtf8', 'notUtf8'] as const)(
    'has a hostile name as it is (%s)',
    async (which) => {
      const { find } = await collect({ source })
      const bytes = hostileNames[which]
      const { pid } = await live('named', bytes.toString('hex'), 0)
      expect((await find('exit', pid)).name).toBe(new TextDecoder().decode(bytes))
    },
  )

  it('loses none of thousands, each with its code', async () => {
    const { events, stream, find } = await collect({ source, types: ['exit'] })
    const [count, perSecond] = SANITIZED ? [500, 250] : [3_000, 1_000]
    const parent = await live('forks', count, perSecond)
    const ended = (await output(parent)).trim().split(' ').map(Number)
    await find('exit', parent.pid)
    const exits = events.filter(
      (event): event is ExitEvent => event.type === 'exit' && event.ppid === parent.pid,
    )
    const seen = Array.from(
      { length: 256 },
      (_, code) => exits.filter(({ exitCode }) => exitCode === code).length,
    )
    expect(stream.lost).toBe(0)
    expect(seen).toEqual(ended)
    expect(new Set(exits.map(({ pid }) => pid)).size).toBe(exits.length)
  })
})

describe.runIf(privileged)('what only the kernel knows of an end', () => {
  it('is told of a process that lived 5 ms, computed, and was killed by another', async () => {
    const { find } = await collect({ source: 'bpf' })
    const killer = await live('victim', 5)
    const [pid, microseconds] = (await output(killer)).split(' ').map(Number) as [number, number]
    const exit = await find('exit', pid)
    expect(exit).toMatchObject({
      ppid: killer.pid,
      signal: 'SIGKILL',
      exitCode: undefined,
      oomKilled: false,
      sender: { pid: killer.pid, name: expect.stringMatching(/^lives/) },
    })
    expect(exit.lifetimeMs).toBeGreaterThan(4)
    // The parent's own account of it, which also has what the kernel did after the record was made.
    expect(exit.cpuTimeNs).toBeLessThanOrEqual((microseconds + 1) * 1e3)
    expect(exit.cpuTimeNs).toBeGreaterThan((microseconds - 1_000) * 1e3)
  })

  it('counts the processor time of threads that had ended', async () => {
    const { find } = await collect({ source: 'bpf' })
    const { pid } = await live('threads', 4, 20)
    const exit = await find('exit', pid)
    expect(exit.cpuTimeNs).toBeGreaterThanOrEqual(80e6)
    expect(exit.cpuTimeNs).toBeLessThan(150e6)
  })

  it('counts that of the main thread where another is the last to end', async () => {
    const { find } = await collect({ source: 'bpf' })
    const { pid } = await live('headless-burn', 50)
    const exit = await find('exit', pid)
    expect(exit.cpuTimeNs).toBeGreaterThanOrEqual(50e6)
    expect(exit.cpuTimeNs).toBeLessThan(80e6)
  })

  it('has the peak of its memory, not that of the program before an exec', async () => {
    const { find } = await collect({ source: 'bpf' })
    const large = await live('touch', 50 * 2 ** 20)
    const peak = (await find('exit', large.pid)).peakRssBytes!
    expect(peak).toBeGreaterThanOrEqual(50 * 2 ** 20)
    expect(peak).toBeLessThan(60 * 2 ** 20)
    const small = await live('exit', 0)
    expect((await find('exit', small.pid)).peakRssBytes).toBeLessThan(process.memoryUsage.rss() / 4)
  })

  it('has the bytes that it read and wrote', async () => {
    const { find } = await collect({ source: 'bpf' })
    const writer = await startProcess('idle', { io: 2 ** 20 })
    const io = readFileSync(`/proc/${writer.pid}/io`, 'utf8')
    await writer.stop()
    const exit = await find('exit', writer.pid)
    expect(exit.writeBytes).toBe(Number(/^write_bytes: (\d+)$/m.exec(io)![1]))
    expect(exit.readBytes).toBe(Number(/^read_bytes: (\d+)$/m.exec(io)![1]))
  })

  it('does not take a signal for deadly that is caught, ignored or harmless', async () => {
    const { find, all } = await collect({ source: 'bpf' })
    const ignoring = await startProcess('idle', { ignoreTerm: true })
    for (const signal of ['SIGTERM', 'SIGCHLD', 'SIGWINCH', 'SIGCONT', 'SIGSTOP', 'SIGCONT'] as const) {
      process.kill(ignoring.pid, signal)
    }
    await ignoring.stop()
    await find('exit', ignoring.pid)
    expect(all('signal', ignoring.pid).map(({ signal }) => signal)).toEqual(['SIGKILL'])
  })

  const memory = '/sys/fs/cgroup/memory'
  const hasMemoryGroups = existsSync(`${memory}/memory.limit_in_bytes`)
  if (privileged && !hasMemoryGroups)
    console.warn(`SKIPPED: the kill out of memory, for there is no ${memory}`)

  it.runIf(hasMemoryGroups)('tells a kill out of memory apart', async () => {
    const { find, all } = await collect({ source: 'bpf' })
    const group = `${memory}/procmuster-events-${process.pid}`
    mkdirSync(group)
    try {
      writeFileSync(`${group}/memory.limit_in_bytes`, String(16 * 2 ** 20))
      const program = await compileFixture('lives.c')
      const child = spawn('sh', ['-c', `echo $$ > ${group}/cgroup.procs && exec ${program} grow`], { env })
      await once(child, 'exit')
      const exit = await find('exit', child.pid!)
      expect(exit).toMatchObject({ signal: 'SIGKILL', oomKilled: true, sender: undefined })
      expect(exit.peakRssBytes).toBeGreaterThan(8 * 2 ** 20)
      expect(all('signal', child.pid!)).toMatchObject([{ signal: 'SIGKILL', sender: undefined }])
    } finally {
      await waitFor(() => {
        rmdirSync(group)
        return !readdirSync(memory).includes(`procmuster-events-${process.pid}`)
      })
    }
  })
})
