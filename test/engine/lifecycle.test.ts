import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Alert } from '../../dist/index.js'
import { fixtureProgram, startProcess, waitFor } from '../fixtures/processes.js'
import { Bench, heard, isAlive, nextTick } from './engines.js'

let bench: Bench
beforeEach(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clean())

const engineUrl = new URL('../../dist/engine/engine.js', import.meta.url).href
const never = 'rss > 1TiB'

// Root with all capabilities, as CI has them; elsewhere the reason is part of the failure.
describe('with events from the kernel', () => {
  const start = async (rules: Parameters<Bench['start']>[0]['rules'], intervalMs = 50) => {
    const engine = await bench.start({ rules, intervalMs, events: 'bpf' })
    expect(engine.stats.lifecycle).toMatchObject({ source: 'bpf', lost: 0 })
    return engine
  }

  it('a death by signal is told with signal and sender, and the journal has it', async () => {
    const target = await startProcess('spin')
    const engine = await start([{ name: 'r', match: { pid: target.pid }, when: never }])
    await nextTick(engine, ({ table }) => table.get(target.pid) !== undefined)
    const killer = spawn('sh', ['-c', `kill -9 ${target.pid}; exec sleep 100`], { stdio: 'ignore' })
    const alert = await heard(engine, 'alert')
    killer.kill('SIGKILL')
    expect(alert).toMatchObject({
      kind: 'died',
      exit: {
        signal: 'SIGKILL',
        exitCode: undefined,
        oomKilled: false,
        sender: { pid: killer.pid, name: 'sh' },
      },
    })
    expect(alert.exit!.cpuTimeNs).toBeGreaterThan(0)
    expect(alert.exit!.lifetimeMs).toBeGreaterThan(0)
    expect(alert.message).toContain(`ended: killed by SIGKILL sent by "sh" (pid ${killer.pid}) (after `)
    await engine.close()
    const [record] = await bench.recordsOf('alert')
    expect(record!.alert.exit).toMatchObject({ signal: 'SIGKILL', sender: { pid: killer.pid } })
    expect(await bench.recordsOf('engine-start')).toMatchObject([{ eventSource: 'bpf' }])
    const [stop] = await bench.recordsOf('engine-stop')
    expect(stop!.lifecycle!.exits).toBeGreaterThan(0)
  })

  it('a death by itself is told with its exit code, without waiting for the next sample', async () => {
    const target = await startProcess('exit', { code: 7, after: 1500 })
    const engine = await start([{ name: 'r', match: { pid: target.pid }, when: never }], 60_000)
    const alert = await heard(engine, 'alert')
    expect(alert.exit).toMatchObject({ exitCode: 7, signal: undefined })
    expect(alert.message).toContain('ended: exit code 7')
    expect(engine.stats.ticks).toBeLessThan(2)
  })

  it('a process that was dead before is told of without a cause, in bounded time', async () => {
    const target = await startProcess('zombie')
    const engine = await start([{ name: 'r', match: { pid: target.pid }, when: never }])
    const alert = await heard(engine, 'alert')
    expect(alert).toMatchObject({ kind: 'died', identity: { pid: target.pid } })
    expect(alert.exit).toBeUndefined()
  })

  it('a process that executes another program of the same name is matched by its new command line', async () => {
    // The same name, so that nothing but the command line tells the programs apart.
    const program = await fixtureProgram()
    mkdirSync(join(bench.directory, 'other'))
    const other = join(bench.directory, 'other', basename(program))
    cpSync(program, other)
    const { pid } = await startProcess('idle', { execOnUsr1: other, extraArguments: [bench.token] })
    const engine = await start([
      { name: 'before', match: { commandLine: bench.token }, when: 'rss > 0' },
      { name: 'after', match: { commandLine: `^${other} mode=idle$` }, when: 'rss > 0' },
    ])
    const isOf = (rule: string, state: string) => (alert: Alert) =>
      alert.rule === rule && alert.state === state && alert.identity?.pid === pid
    await heard(engine, 'alert', isOf('before', 'firing'))
    process.kill(pid, 'SIGUSR1')
    await heard(engine, 'alert', isOf('before', 'resolved'))
    await heard(engine, 'alert', isOf('after', 'firing'))
    const decisions = await bench.recordsOf('decision')
    expect(decisions.find(({ rule, kind }) => rule === 'before' && kind === 'clear')).toMatchObject({
      cause: 'unmatched',
    })
    expect(isAlive(pid)).toBe(true)
  })

  it('processes between two samples are counted for who started them', async () => {
    const engine = await start([], 700)
    await nextTick(engine)
    for (let run = 0; run < 20; run++) await once(spawn('true', { stdio: 'ignore' }), 'exit')
    const own = () => engine.shortLived().find(({ parent }) => parent?.pid === process.pid)
    // A sample can catch one or two of them alive.
    const counted = await waitFor(() => (own()?.count ?? 0) >= 15 && own())
    expect(counted).toMatchObject({ lastName: 'true' })
    expect(counted.parent!.name).toBeTruthy()
    expect(counted.count).toBeLessThanOrEqual(20)
    expect(counted.cpuTimeNs).toBeGreaterThan(0)
    const heard = () => engine.stats.lifecycle
    await waitFor(() => Math.min(heard().forks, heard().execs, heard().exits) >= 20)
    expect(heard().shortLived.count).toBeGreaterThanOrEqual(counted.count)
  })
})

describe('without events', () => {
  it('a death is told all the same, and the engine says what it goes without', async () => {
    const target = await startProcess('idle')
    const engine = await bench.start({
      events: 'off',
      rules: [{ name: 'r', match: { pid: target.pid }, when: never }],
    })
    await nextTick(engine)
    await target.stop()
    const alert = await heard(engine, 'alert')
    expect(alert).toMatchObject({ kind: 'died', identity: { pid: target.pid } })
    expect(alert.exit).toBeUndefined()
    expect(alert.message).toMatch(/ended$/)
    expect(engine.stats.lifecycle).toMatchObject({ source: 'off', reason: 'switched off', exits: 0 })
    expect(engine.shortLived()).toEqual([])
    expect(() => engine.shortLived({ limit: -1 })).toThrow(/limit is -1; give a whole number from 0/)
  })

  it('for want of privilege, the engine starts and says why', async () => {
    const code = `
      const { Engine } = await import(${JSON.stringify(engineUrl)})
      const engine = await Engine.start({ rules: [{ name: 'r', when: '${never}' }] })
      await new Promise((resolve) => engine.once('tick', resolve))
      console.log(JSON.stringify(engine.stats))
      await engine.close()
      await Engine.start({ rules: [], events: 'bpf' }).catch((error) => console.log(error.code))`
    const child = spawn(
      'setpriv',
      [
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        process.execPath,
        '--input-type=module',
        '-e',
        code,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    let output = ''
    child.stdout.on('data', (data) => {
      output += data
    })
    await once(child, 'close')
    const [stats, code_] = output.trim().split('\n')
    const { lifecycle } = JSON.parse(stats!)
    expect(lifecycle.source).not.toBe('bpf')
    expect(lifecycle.reason).toMatch(/no bpf events: .*CAP_/)
    expect(code_).toBe('ACCESS_DENIED')
  })

  it('refuses a source that there is not', async () => {
    await expect(bench.start({ rules: [], events: 'snapshots' as 'bpf' })).rejects.toThrow(
      'give auto, bpf, netlink, off',
    )
  })
})
