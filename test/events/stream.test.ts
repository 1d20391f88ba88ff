import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { EventStream, type LifecycleEvent } from '../../dist/index.js'
import { compileFixture } from '../fixtures/compile.js'
import { evaluateConfined, type Setting } from '../fixtures/confined_node.js'
import { openDescriptors } from '../fixtures/descriptors.js'
import { startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { canBpf } from '../fixtures/sources.js'
import { closeAll, collect } from './collect.js'

const privileged = process.getuid?.() === 0 && canBpf
if (!privileged) console.warn('SKIPPED: events from the kernel, which take root of the host and bpf')
const sources = privileged ? (['bpf', 'netlink', 'snapshots'] as const) : (['snapshots'] as const)
const library = JSON.stringify(fileURLToPath(new URL('../../dist/events/stream.js', import.meta.url)))

afterEach(closeAll)
afterAll(stopAll)

/** Descriptors and threads of this process that a stream opens; not those of other tests' pipes. */
function held(): string[] {
  const descriptors = openDescriptors()
    .filter((link) => /bpf|eventfd|NETLINK|socket/.test(link))
    .map((link) => link.replace(/\d+/, 'N'))
  const threads = readdirSync('/proc/self/task').map(() => 'thread')
  return [...descriptors, ...threads].sort()
}

async function forks(count: number, perSecond: number) {
  const child = spawn(await compileFixture('lives.c'), ['forks', String(count), String(perSecond)], {
    stdio: 'ignore',
  })
  await once(child, 'spawn')
  return { pid: child.pid!, ended: once(child, 'exit') }
}

/** Runs a module in a Node.js of its own. */
const run = (program: string, ...args: string[]) =>
  promisify(execFile)(process.execPath, ['--expose-gc', '--input-type=module', '-e', program, ...args], {
    timeout: 55_000,
    killSignal: 'SIGKILL',
  })

describe.each(sources)('the life of a stream (%s)', (source) => {
  const options = { source, intervalMs: 20 }

  it('ends its readers when it is closed, once or twice, and leaves nothing', async () => {
    await (await EventStream.open(options)).close() // what is made once and kept
    const before = held()
    const { stream, ended } = await collect(options)
    await startProcess('exit')
    await Promise.all([stream.close(), stream.close()])
    await ended
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    await waitFor(() => held().length <= before.length, { what: `${held()} to be ${before}` })
    expect(stream.lost).toBe(0)
  })

  it('can be closed before it is read, and by leaving the loop', async () => {
    const unread = await EventStream.open(options)
    await unread.close()
    const left = await EventStream.open(options)
    const started = startProcess('idle')
    for await (const event of left) {
      if (event.type === 'fork') break
    }
    expect(await left.next()).toEqual({ done: true, value: undefined })
    await started
  })

  it('gives events to several waiting calls in order', async () => {
    const stream = await EventStream.open({ ...options, types: ['fork'] })
    const waiting = [stream.next(), stream.next(), stream.next()]
    const seen: LifecycleEvent[] = []
    for (const [index, result] of waiting.entries()) result.then(({ value }) => seen.splice(index, 0, value!))
    const started = await Promise.all([startProcess('idle'), startProcess('idle'), startProcess('idle')])
    const events = await Promise.all(waiting)
    expect(seen).toEqual(events.map(({ value }) => value))
    expect(started).toHaveLength(3)
    await stream.close()
  })

  it('can be closed during a burst', async () => {
    for (let i = 0; i < 5; i++) {
      const { stream, events, ended } = await collect(options)
      const burst = await forks(300, 3_000)
      // Snapshots see few of those that end at once.
      const births = setInterval(() => void startProcess('exit', { after: 100 }), 20)
      try {
        await waitFor(() => events.length > 10)
      } finally {
        clearInterval(births)
      }
      await stream.close()
      await ended
      await burst.ended
    }
  })

  it('has company', async () => {
    const [one, two] = await Promise.all([collect(options), collect(options)])
    const started = await startProcess('idle')
    const forked = await Promise.all([one.find('fork', started.pid), two.find('fork', started.pid)])
    expect(forked[0].startTicks).toBe(forked[1].startTicks)
    await one.stream.close()
    await started.stop()
    expect(await two.find('exit', started.pid)).toMatchObject({ startTicks: forked[1].startTicks })
  })

  it('keeps the program alive only while it is read', async () => {
    const program = `
      import { EventStream } from ${library}
      const stream = await EventStream.open({ source: '${source}', intervalMs: 20 })
      if (process.argv[1] === 'read') for await (const event of stream) if (event.type === 'fork') break
      console.log('end')`
    expect((await run(program, 'open')).stdout).toBe('end\n')
    const reading = run(program, 'read')
    const births = setInterval(() => void startProcess('exit', { after: 100 }), 200)
    expect((await reading.finally(() => clearInterval(births))).stdout).toBe('end\n')
  })

  it('survives the end of the program, of a worker and of all references at any moment', async () => {
    const program = `
      import { Worker, isMainThread, parentPort } from 'node:worker_threads'
      import { execFileSync } from 'node:child_process'
      import { EventStream } from ${library}
      const options = { source: '${source}', intervalMs: 5 }
      for (let i = 0; i < 10; i++) await EventStream.open(options)
      for (let i = 0; i < 5; i++) { gc(); await new Promise((resolve) => setImmediate(resolve)) }
      const code = \`
        const { parentPort } = require('node:worker_threads')
        import(${library}).then(async ({ EventStream }) => {
          for (;;) {
            const stream = await EventStream.open(\${JSON.stringify(options)})
            parentPort.postMessage('open')
            setTimeout(() => stream.close(), Math.random() * 20)
            for await (const event of stream);
          }
        })\`
      for (let i = 0; i < ${process.env.PROCMUSTER_SANITIZER ? 4 : 8}; i++) {
        const worker = new Worker(code, { eval: true, execArgv: [] })
        await new Promise((resolve) => worker.once('message', resolve))
        execFileSync('true')
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
        await worker.terminate()
      }
      const last = await EventStream.open(options)
      const reading = last.next()
      EventStream.open(options)
      process.exit(0)`
    const { stderr } = await run(program)
    expect(stderr).toBe('')
  })
})

describe.runIf(privileged).each(['bpf', 'netlink'] as const)(
  'a reader that does not keep up (%s)',
  (source) => {
    it('is told how many it lost, and goes on', async () => {
      const stream = await EventStream.open({ source, bufferBytes: 4_096, types: ['fork', 'exit'] })
      const first = stream.next() // from here on it collects
      const burst = await forks(2_000, 20_000)
      await burst.ended
      const { value } = await first
      const events: LifecycleEvent[] = [value!]
      const started = await startProcess('idle', { name: 'after' })
      await started.stop()
      for await (const event of stream) {
        events.push(event)
        if (event.type === 'lost') break
      }
      expect(stream.lost).toBeGreaterThan(0)
      const lost = events.filter((event) => event.type === 'lost').reduce((sum, { count }) => sum + count, 0)
      expect(lost).toBeGreaterThan(0)
      expect(lost).toBeLessThanOrEqual(stream.lost)
    })

    it('accounts for every event, told or lost', async () => {
      const total = 1_500
      const stream = await EventStream.open({ source, bufferBytes: 65_536, types: ['exit'] })
      let burst: Awaited<ReturnType<typeof forks>> | undefined
      const seen = new Set<number>()
      let [told, markers] = [0, 0]
      // It keeps up until the burst begins, or others of the host would fill the buffer before it.
      const reading = (async () => {
        for await (const event of stream) {
          if (event.type === 'lost') told += event.count
          else if (event.ppid === burst?.pid) seen.add(event.pid)
          if (event.type === 'exit' && event.name === 'after the burst') markers++
          if (seen.size > 0) await burst!.ended
        }
      })()
      burst = await forks(total, 30_000)
      await burst.ended
      const marking = setInterval(() => void startProcess('exit', { name: 'after the burst' }), 50)
      try {
        await waitFor(() => markers > 0)
        // What was lost can be told behind the mark; the process connector does with its processor's next message.
        await waitFor(() => seen.size + told >= total, { what: `${total} accounted for` })
      } finally {
        clearInterval(marking)
        await stream.close()
        await reading
      }
      expect(told).toBeGreaterThan(0)
      expect(seen.size).toBeGreaterThan(0)
      // Others of the host may be among the lost; of ours none is missing.
      expect(seen.size + told).toBeGreaterThanOrEqual(total)
      expect(told).toBeLessThanOrEqual(stream.lost)
    })
  },
)

describe('what can be had', () => {
  it.each([
    [{ source: 'perf' as never }, /source is "perf"; give auto or bpf or netlink or snapshots/],
    [{ types: 'exit' as never }, /types is "exit"; give a list/],
    [{ types: ['birth' as never] }, /one of types is "birth"; give fork or exec or exit or signal/],
    [{ intervalMs: 0 }, /intervalMs is 0; give a whole number from 1 to 3600000/],
    [{ bufferBytes: 100 }, /bufferBytes is 100; give a whole number from 4096 to 1073741824/],
  ])('refuses %o', async (options, message) => {
    await expect(EventStream.open(options)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    })
  })

  it('tells nothing of types that were not asked for', async () => {
    for (const source of sources) {
      const lives = await collect({ source, types: ['fork', 'exec'], intervalMs: 20 })
      const ends = await collect({ source, types: ['exit'], intervalMs: 20 })
      const { pid, stop } = await startProcess('idle', { execOnUsr1: await compileFixture('hostile.c') })
      await lives.find('fork', pid)
      process.kill(pid, 'SIGUSR1')
      await lives.find('exec', pid)
      await stop()
      await ends.find('exit', pid)
      // What is told of it comes after that end.
      await lives.find('fork', (await startProcess('idle')).pid)
      expect(new Set(lives.events.map(({ type }) => type))).toEqual(new Set(['fork', 'exec']))
      expect(new Set(ends.events.map(({ type }) => type))).toEqual(new Set(['exit']))
    }
  })

  const opened = (setting: Setting, source: string) =>
    evaluateConfined<{
      source?: string
      reason?: string
      code?: string
      message?: string
      exitCode?: number
    }>(
      setting,
      `import { execFile } from 'node:child_process'
       import { EventStream } from ${library}
       try {
         const stream = await EventStream.open({ source: '${source}', intervalMs: 20 })
         const env = { ...process.env, LD_PRELOAD: '' } // a sanitizer's runtime is not the shell's
         const child = execFile('/bin/sh', ['-c', 'sleep 0.1; exit 9'], { env })
         let exitCode
         // Between two snapshots, on a busy host, the child can come and go.
         if (stream.source === 'snapshots') await stream.close()
         for await (const event of stream) {
           if (event.type !== 'exit' || event.pid !== child.pid) continue
           exitCode = event.exitCode
           break
         }
         console.log(JSON.stringify({ source: stream.source, reason: stream.sourceReason, exitCode }))
       } catch ({ code, message }) {
         console.log(JSON.stringify({ code, message }))
       }`,
    )

  it.runIf(privileged)('is bpf with CAP_BPF and CAP_PERFMON alone', async () => {
    expect(await opened('bpfOnly', 'auto')).toMatchObject({ source: 'bpf', exitCode: 9 })
  })

  it.runIf(privileged)(
    'is without privileges what the kernel gives to everybody, with the reason',
    async () => {
      const { source, reason, exitCode } = await opened('nobody', 'auto')
      expect(reason).toMatch(/no bpf events: no CAP_BPF and CAP_PERFMON/)
      expect(['netlink', 'snapshots']).toContain(source) // the process connector is open to all on newer kernels
      if (source === 'netlink') expect(exitCode).toBe(9)
      else expect(reason).toMatch(/no netlink events: the process connector needs CAP_NET_ADMIN/)
      expect(await opened('nobody', 'bpf')).toMatchObject({
        code: 'ACCESS_DENIED',
        message: expect.stringMatching(/no bpf events: no CAP_BPF/),
      })
    },
  )

  it.runIf(privileged)('is snapshots where pids are not those of the host', async () => {
    const { source, reason } = await opened('pidNamespace', 'auto')
    expect(source).toBe('snapshots')
    expect(reason).toMatch(/no bpf events: .*pid namespace.*; no netlink events: .*pid namespace/)
    expect(await opened('pidNamespace', 'netlink')).toMatchObject({ code: 'UNSUPPORTED' })
    expect(await opened('userNamespace', 'auto')).toMatchObject({ source: 'snapshots' })
  })
})
