import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EngineEvent } from '../../dist/engine/events.js'
import { readState, startProcess, waitFor } from '../fixtures/processes.js'
import { Bench, heard, isAlive, MIB, nextTick } from './engines.js'

let bench: Bench
beforeEach(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clean())

const moduleUrl = new URL('../../dist/engine/engine.js', import.meta.url).href

describe('a breach', () => {
  it('raises an alert, keeps evidence and acts on that process alone, the journal first', async () => {
    const target = await startProcess('idle', { rss: 40 * MIB })
    const other = await startProcess('idle', { rss: 40 * MIB })
    const directory = join(bench.directory, 'evidence')
    const engine = await bench.start({
      evidence: { directory },
      rules: [
        {
          name: 'too big',
          match: { pid: target.pid },
          when: 'rss > 30MiB',
          severity: 'critical',
          actions: ['evidence', { type: 'signal', signal: 'SIGKILL' }],
        },
      ],
    })
    const alert = heard(engine, 'alert')
    const evidence = heard(engine, 'action', ({ action }) => action === 'evidence')
    const signal = await heard(engine, 'action', ({ action }) => action === 'signal')
    expect(await alert).toMatchObject({
      rule: 'too big',
      severity: 'critical',
      kind: 'breach',
      state: 'firing',
      identity: { pid: target.pid, settled: true },
      values: [{ operand: 'rssBytes', op: '>', threshold: 30 * MIB }],
    })
    expect((await evidence).status).toBe('done')
    const [set] = await readdir(directory)
    expect((await evidence).result).toMatchObject({ directory: join(directory, set!) })
    expect((await stat(join(directory, set!))).mode & 0o777).toBe(0o700)
    expect(signal.status).toBe('done')
    await waitFor(() => target.child.signalCode === 'SIGKILL')
    expect(isAlive(other.pid)).toBe(true)
    await heard(engine, 'alert', ({ state }) => state === 'resolved')
    await waitFor(async () => (await bench.recordsOf('outcome')).length > 0)
    await engine.close()

    const records = await bench.records()
    // Whether the outcome comes before the end of the breach depends on when the process is reaped.
    const types = records.map(({ type }) => type).filter((type) => type !== 'self' && type !== 'outcome')
    expect(types).toEqual([
      ...['engine-start', 'decision', 'alert', 'action-begun', 'action-done', 'action-begun', 'action-done'],
      ...['decision', 'alert-resolved', 'engine-stop'],
    ])
    expect(await bench.recordsOf('outcome')).toMatchObject([
      { action: 'signal', endedBy: 'SIGKILL', relieved: true },
    ])
    expect((await stat(bench.journal)).mode & 0o777).toBe(0o600)
    // A process that rules watch by pid was ended by the engine itself: that is no death to report.
    expect(engine.alerts().map(({ kind }) => kind)).toEqual(['breach'])
  })

  it('is raised again under the same alert after the cooldown, while it lasts', async () => {
    const target = await startProcess('idle', { rss: 40 * MIB })
    const rule = { name: 'r', match: { pid: target.pid }, when: 'rss > 30MiB', cooldown: '200ms' }
    const engine = await bench.start({ rules: [rule] })
    const again = await heard(engine, 'alert', ({ repeats }) => repeats === 2)
    expect(engine.alerts()).toHaveLength(1)
    expect(again.lastAtMs).toBeGreaterThan(again.atMs)
    expect(engine.alerts({ severity: 'critical' })).toEqual([])
    expect(engine.alerts({ severity: 'warning', limit: 1 })).toMatchObject([{ id: again.id }])
  })

  it('is only written down in a dry run', async () => {
    const target = await startProcess('idle', { rss: 40 * MIB })
    const directory = join(bench.directory, 'evidence')
    const engine = await bench.start({
      dryRun: true,
      evidence: { directory },
      rules: [
        {
          name: 'r',
          match: { pid: target.pid },
          when: 'rss > 30MiB',
          actions: ['evidence', 'restart', { type: 'signal', signal: 'KILL' }],
        },
      ],
    })
    expect(engine.dryRun).toBe(true)
    const action = await heard(engine, 'action', ({ action }) => action === 'signal')
    expect(action).toMatchObject({ status: 'dry-run' })
    await engine.close()
    expect(isAlive(target.pid)).toBe(true)
    await expect(access(directory)).rejects.toThrow('ENOENT')
    expect(await bench.recordsOf('action-begun')).toEqual([])
    const done = await bench.recordsOf('action-done')
    expect(done.map(({ action, status }) => [action, status])).toEqual([
      ['evidence', 'dry-run'],
      ['restart', 'dry-run'],
      ['signal', 'dry-run'],
    ])
  })
})

describe('a process that ends', () => {
  it('between decision and action gets nothing, and the journal says so', async () => {
    const target = await startProcess('idle', { rss: 40 * MIB })
    const engine = await bench.start({
      hooks: { onBegun: () => target.stop() },
      rules: [
        {
          name: 'r',
          match: { pid: target.pid },
          when: 'rss > 30MiB',
          actions: [{ type: 'signal', signal: 'SIGUSR1' }, 'restart'],
        },
      ],
    })
    const signal = heard(engine, 'action', ({ action }) => action === 'signal')
    const restart = await heard(engine, 'action', ({ action }) => action === 'restart')
    expect(await signal).toMatchObject({ status: 'refused', error: { code: 'PROCESS_GONE' } })
    expect(restart).toMatchObject({ status: 'refused', error: { code: 'PROCESS_GONE' } })
    expect(restart.successor).toBeUndefined()
    await heard(engine, 'alert', ({ kind }) => kind === 'died')
    await engine.close()
    const done = await bench.recordsOf('action-done')
    expect(done).toMatchObject([
      { action: 'signal', status: 'refused', error: { code: 'PROCESS_GONE' } },
      { action: 'restart', status: 'refused', error: { code: 'PROCESS_GONE' } },
    ])
  })

  it('and is watched by pid raises one critical alert', async () => {
    const target = await startProcess('idle', { name: 'the\nwatched' })
    const unwatched = await startProcess('idle')
    const engine = await bench.start({
      rules: [
        { name: 'by pid', match: { pid: target.pid }, when: 'rss > 1TiB' },
        { name: 'all', when: 'rss > 1TiB' },
      ],
    })
    await nextTick(engine)
    await unwatched.stop()
    await nextTick(engine, ({ table }) => table.get(unwatched.pid) === undefined)
    expect(engine.alerts()).toEqual([])
    await target.stop()
    const alert = await heard(engine, 'alert')
    expect(alert).toMatchObject({ kind: 'died', severity: 'critical', rule: 'by pid', name: 'the\nwatched' })
    expect(alert.message).toContain('"the\\nwatched"')
    for (let ticks = 0; ticks < 3; ticks++) await nextTick(engine)
    expect(engine.alerts()).toHaveLength(1)
  })

  it('is told also when its parent has not waited for it', async () => {
    // The shell becomes the sleeper's parent and never waits for its other child.
    const parent = spawn('sh', ['-c', 'sleep 1000 & echo $!; exec sleep 1000'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      const pid = Number(String(await once(parent.stdout, 'data')))
      const engine = await bench.start({ rules: [{ name: 'r', match: { pid }, when: 'rss > 1TiB' }] })
      await nextTick(engine, ({ table }) => table.get(pid) !== undefined)
      process.kill(pid, 'SIGKILL')
      expect(await heard(engine, 'alert')).toMatchObject({ kind: 'died', identity: { pid } })
      // The kernel tells of an end a moment before the process is a zombie.
      await waitFor(async () => (await readState(pid)) === 'Z')
    } finally {
      parent.kill('SIGKILL')
    }
  })

  it('before the start makes the start fail, and leaves the journal free', async () => {
    const target = await startProcess('idle')
    await target.stop()
    const rules = [{ name: 'r', match: { pid: target.pid }, when: 'rss > 1TiB' }]
    await expect(bench.start({ rules })).rejects.toMatchObject({ code: 'PROCESS_GONE', pid: target.pid })
    await bench.start({ rules: [] })
  })

  it('and left its pid to another never matches that one', async () => {
    const target = await startProcess('idle')
    const rules = [{ name: 'r', match: { pid: target.pid, startTicks: 1 }, when: 'rss > 0' }]
    await expect(bench.start({ rules })).rejects.toMatchObject({ code: 'PROCESS_GONE' })
  })
})

describe('the engine', () => {
  it('goes on with its ticks while an action takes its time', async () => {
    const target = await startProcess('idle', { rss: 40 * MIB })
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const match = { pid: target.pid }
    const engine = await bench.start({
      hooks: { onBegun: () => held },
      rules: [
        { name: 'slow', match, when: 'rss > 30MiB', actions: [{ type: 'priority', nice: 5 }] },
        { name: 'other', match, when: 'rss > 30MiB', actions: [{ type: 'priority', nice: 6 }] },
      ],
    })
    await heard(engine, 'alert')
    const { ticks } = engine.stats
    await nextTick(engine, ({ tick }) => tick >= ticks + 10)
    // One action per process at a time: the second has not even begun.
    expect(await bench.recordsOf('action-begun')).toHaveLength(1)
    release()
    await heard(engine, 'action', ({ rule }) => rule === 'other')
    await engine.close()
    expect(await bench.recordsOf('action-done')).toMatchObject([
      { rule: 'slow', status: 'done' },
      { rule: 'other', status: 'done' },
    ])
  })

  it('refuses to act when the journal cannot be written, says so, and acts once it can', async () => {
    const target = await startProcess('idle', { rss: 40 * MIB })
    const source = `
      import { execFileSync } from 'node:child_process'
      import { Engine } from ${JSON.stringify(moduleUrl)}
      process.on('SIGXFSZ', () => {})
      const errors = []
      const actions = []
      const engine = await Engine.start({
        intervalMs: 50,
        journal: ${JSON.stringify(bench.journal)},
        rules: [{ name: 'x'.repeat(90), match: { pid: ${target.pid} }, when: 'rss > 30MiB', cooldown: '100ms',
          actions: [{ type: 'signal', signal: 'SIGKILL' }] }],
        hooks: { },
      })
      engine.on('error', (error) => errors.push(error.code))
      engine.on('action', async (action) => {
        actions.push([action.status, action.error?.code])
        if (action.status === 'refused' && actions.length === 2)
          execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=unlimited'])
        if (action.status !== 'done') return
        await engine.close()
        process.stdout.write(JSON.stringify({ errors, actions }))
      })`
    const child = spawn(
      'sh',
      ['-c', 'ulimit -S -f 1; exec "$0" "$@"', process.execPath, '--input-type=module', '-e', source],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const [output] = await Promise.all([once(child.stdout, 'data'), once(child, 'exit')])
    const { errors, actions } = JSON.parse(String(output))
    expect(actions.slice(0, 2)).toEqual([
      ['refused', 'IO_ERROR'],
      ['refused', 'IO_ERROR'],
    ])
    // On a busy host the rule fires once more before the engine is closed: that is given up, or finds nobody.
    const isLate = ([status, code]: [string, string | null]) =>
      status === 'interrupted' || (status === 'refused' && code === 'PROCESS_GONE')
    expect(actions.filter((action: [string, string | null]) => !isLate(action)).at(-1)).toEqual([
      'done',
      null,
    ])
    expect(errors).toContain('IO_ERROR')
    await waitFor(() => target.child.signalCode === 'SIGKILL')
    // That it was refused is written down where there is room by then.
    const done = await bench.recordsOf('action-done')
    const ends = done
      .map(({ status }) => status)
      .filter((status) => status !== 'interrupted' && status !== 'refused')
    expect(ends).toEqual(['done'])
  })

  it('outlives a listener that throws, and tells of it', async () => {
    const engine = await bench.start({ rules: [] })
    engine.on('tick', () => {
      throw new Error('listener')
    })
    expect(await heard(engine, 'error')).toMatchObject({ message: 'listener' })
    const { ticks } = engine.stats
    await waitFor(() => engine.stats.ticks > ticks + 2)
    expect(engine.stats.failedTicks).toBe(0)
  })

  it('gives its events to readers, tells slow ones what they lost, and ends them', async () => {
    const engine = await bench.start({ rules: [], intervalMs: 10, eventCapacity: 4 })
    const slow = engine.events()
    const stop = new AbortController()
    const seen: EngineEvent[] = []
    for await (const event of engine.events({ signal: stop.signal })) {
      seen.push(event)
      if (seen.length === 20) stop.abort()
    }
    expect(seen).toHaveLength(20)
    const first = (await slow.next()).value as EngineEvent
    expect(first.type).toBe('lost')
    const tick = (await slow.next()).value as EngineEvent
    expect(tick.type === 'tick' && first.type === 'lost' && tick.tick.tick).toBeGreaterThan(10)
    await engine.close()
    let left = 0
    for await (const _ of slow) left++
    expect(left).toBeLessThanOrEqual(4)
    for await (const _ of engine.events()) expect.unreachable()
  })

  it('counts what it does, and what it uses', async () => {
    const engine = await bench.start({ rules: [], selfIntervalMs: 100 })
    await nextTick(engine, ({ tick }) => tick >= 10)
    const { stats } = engine
    expect(stats.ticks).toBeGreaterThanOrEqual(10)
    expect(stats.processes).toBeGreaterThan(1)
    expect(stats.rssBytes).toBeGreaterThan(10 * MIB)
    expect(stats.userCpuMs).toBeGreaterThan(0)
    await engine.close()
    expect((await bench.recordsOf('self')).length).toBeGreaterThanOrEqual(3)
    expect(await bench.recordsOf('engine-stop')).toMatchObject([{ unfinished: 0 }])
  })

  it('has its journal to itself', async () => {
    await bench.start({ rules: [] })
    await expect(bench.start({ rules: [] })).rejects.toMatchObject({ code: 'BUSY' })
  })

  it.each([
    [{ intervalMs: 1 }, 'intervalMs'],
    [{ graceMs: -1 }, 'graceMs'],
    [{ alertCapacity: Number.NaN }, 'alertCapacity'],
    [{ rules: [{ name: 'r', when: 'rss > 1', actions: ['evidence' as const] }] }, 'evidence'],
    [{ rules: [{ name: 'r', when: 'rrs > 1' }] }, 'rrs'],
  ])('refuses %o', async (options, word) => {
    const start = bench.start({ rules: [], ...options })
    await expect(start).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(word),
    })
  })

  it('lives with others in one process and in worker threads, which may be ended at any moment', async () => {
    const code = `
      import('${moduleUrl}').then(async ({ Engine }) => {
        const { parentPort, workerData } = require('node:worker_threads')
        const engine = await Engine.start({ intervalMs: 20, rules: [{ name: 'r', when: 'rss > 0' }], journal: workerData })
        engine.on('tick', ({ tick }) => parentPort.postMessage(tick))
      })`
    const start = (n: number) =>
      new Worker(code, { eval: true, workerData: join(bench.directory, `w${n}.jsonl`) })
    const own = await bench.start({ rules: [{ name: 'r', when: 'rss > 0' }] })
    const workers = [start(1), start(2)]
    for (const worker of workers) {
      for (let last = 0; last < 5; ) [last] = await once(worker, 'message')
      await worker.terminate()
    }
    // The lock went with the thread.
    await (await bench.start({ rules: [], journal: join(bench.directory, 'w1.jsonl') })).close()
    await nextTick(own)
    expect(own.stats.failedTicks).toBe(0)
  })

  it('leaves nothing behind when it is closed, at whatever moment', async () => {
    const source = `
      import { readdirSync, readlinkSync } from 'node:fs'
      import { Engine } from ${JSON.stringify(moduleUrl)}
      const count = (what) => readdirSync('/proc/self/' + what).length
      const links = () => readdirSync('/proc/self/fd').flatMap((fd) => {
        try { return [readlinkSync('/proc/self/fd/' + fd)] } catch { return [] } // the one that lists them
      }).filter((link) => !/\\/reports\\/report\\.\\d+$/.test(link)) // a sanitizer's own
      const options = { intervalMs: 20, rules: [{ name: 'r', when: 'rss > 0' }] }
      await (await Engine.start({ ...options })).close()
      const before = [links(), count('task')]
      for (let delay = 0; delay < 12; delay++) {
        const engine = await Engine.start({ ...options, journal: process.argv[1] + delay })
        await new Promise((resolve) => setTimeout(resolve, delay * 5))
        await Promise.all([engine.close(), engine.close()])
      }
      await (await Engine.start(options))[Symbol.asyncDispose]()
      const isSettled = () => count('task') <= before[1] && links().length <= before[0].length
      for (let i = 0; !isSettled() && i < 1000; i++) await new Promise((resolve) => setTimeout(resolve, 10))
      console.log(JSON.stringify([before, [links(), count('task')]]))`
    const args = ['--input-type=module', '-e', source, join(bench.directory, 'j')]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [[output], [code]] = await Promise.all([once(child.stdout, 'data'), once(child, 'exit')])
    const [before, after] = JSON.parse(String(output))
    expect(after[0].length, `${after[0]} after ${before[0]}`).toBe(before[0].length)
    expect(after[1]).toBeLessThanOrEqual(before[1])
    expect(code).toBe(0) // it ended by itself: no timer and no handle kept it
  })
})
