import { copyFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { TickReport } from '../../dist/engine/events.js'
import { identify } from '../../dist/public/control.js'
import { fixtureProgram, waitFor } from '../fixtures/processes.js'
import { Bench, heard, isAlive, MIB, nextTick } from './engines.js'

/** Arguments of a test program that uses more than 30 MiB and waits. */
const IDLE = ['mode=idle', `rss=${40 * MIB}`]
let bench: Bench
beforeEach(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clean())

/** A copy of the test program in the bench's directory, that a test may move and remove. */
async function ownProgram(): Promise<string> {
  const program = join(bench.directory, 'service')
  await copyFile(await fixtureProgram(), program)
  return program
}

/** A program that leaks in its first life only: the file that it leaves behind tells it. */
function startOnceLeaking(): Promise<number> {
  return bench.startScript(`
    const marker = ${JSON.stringify(join(bench.directory, 'lived'))}
    const fs = require('node:fs')
    const kept = []
    if (!fs.existsSync(marker)) setInterval(() => kept.push(Buffer.alloc(${4 * MIB}, 1)), 20)
    else setInterval(() => {}, 1000)
    fs.writeFileSync(marker, '')
    process.stdout.write('ready')`)
}

describe('a restart', () => {
  it('brings the memory back, and the outcome says so', async () => {
    const pid = await startOnceLeaking()
    const engine = await bench.start({
      outcomeWindowMs: 600,
      rules: [
        {
          ...{ name: 'leak', match: { pid }, when: 'rss > 200MiB for 100ms' },
          actions: [{ type: 'restart', signal: 'HUP' }],
        },
      ],
    })
    const action = heard(engine, 'action')
    const outcome = await heard(engine, 'outcome')
    const { successor, status, result } = await action
    expect(status).toBe('done')
    expect(result).toMatchObject({ endedBy: 'SIGHUP', startAttempts: 1 })
    expect(bench.instances()).toEqual([successor!.pid])
    expect(outcome).toMatchObject({
      rule: 'leak',
      identity: { pid },
      successor,
      breachedAgain: false,
      successorGone: false,
      endedBy: 'SIGHUP',
    })
    expect(outcome.rssBeforeBytes).toBeGreaterThan(200 * MIB)
    expect(outcome.rssAfterBytes).toBeLessThan(150 * MIB)
    expect(outcome.exitedInMs).toBeLessThan(2000)
    expect(outcome.observedMs).toBeGreaterThanOrEqual(600)
    await engine.close()
    const steps = await bench.recordsOf('action-step')
    expect(steps.map(({ step }) => step)).toEqual(['captured', 'terminating', 'exited', 'ready'])
    expect(await bench.recordsOf('outcome')).toHaveLength(1)
    expect(engine.alerts()).toMatchObject([{ kind: 'breach', state: 'resolved' }])
  })

  it('hands a rule on to the successor, and on', async () => {
    const first = await bench.startService(['mode=leak', `rate=${150 * MIB}`])
    const engine = await bench.start({
      governor: { suspendAfter: 100, limits: { backoffFirstMs: 1, backoffMaxMs: 1 } },
      rules: [{ name: 'leak', match: { pid: first }, when: 'rss > 60MiB', actions: ['restart'] }],
    })
    const pids = [first]
    engine.on('action', ({ identity, successor, status }) => {
      expect(status).toBe('done')
      expect(identity.pid).toBe(pids.at(-1))
      pids.push(successor!.pid)
    })
    engine.on('tick', () => expect(bench.instances().length).toBeLessThanOrEqual(1))
    const errors: Error[] = []
    engine.on('error', (error) => errors.push(error))
    await waitFor(() => pids.length >= 4, { timeoutMs: 20_000, what: 'three restarts' })
    await engine.close()
    expect(errors).toEqual([])
    expect(await bench.recordsOf('outcome')).toMatchObject([
      { breachedAgain: true },
      { breachedAgain: true },
      {},
    ])
    expect(engine.alerts().some(({ kind }) => kind === 'died')).toBe(false)
  })

  it('is done by one of two engines', async (context) => {
    const pid = await bench.startService(IDLE)
    // Before Linux 6.9 no engine can see the other.
    if ((await identify(pid)).pidfsInode === undefined) return context.skip()
    let hasBegun = false
    let mayGoOn = false
    const rules = [{ name: 'large', match: { pid }, when: 'rss > 30MiB', actions: ['restart' as const] }]
    const first = await bench.start({
      rules,
      hooks: {
        async onStep(step) {
          if (step !== 'captured') return
          hasBegun = true
          await waitFor(() => mayGoOn)
        },
      },
    })
    const done = heard(first, 'action')
    await waitFor(() => hasBegun)
    const second = await bench.start({ rules, journal: join(bench.directory, 'second.jsonl') })
    const refused = await heard(second, 'action')
    expect(refused).toMatchObject({ status: 'refused', error: { code: 'BUSY' } })
    expect(bench.instances()).toEqual([pid])
    mayGoOn = true
    const { status, successor } = await done
    expect(status).toBe('done')
    expect(bench.instances()).toEqual([successor!.pid])
  })

  it('does not judge the new process before it runs its program', async () => {
    const pid = await startOnceLeaking()
    // More than the rule allows in any build of this process, which the program itself never has.
    const ballast = Buffer.alloc(160 * MIB, 1)
    let heldRssBytes = 0
    const engine = await bench.start({
      outcomeWindowMs: 300,
      rules: [{ name: 'leak', match: { pid }, when: 'rss > 200MiB', actions: ['restart'] }],
      hooks: {
        // Held before its exec, it shares this process's memory, which is more than the rule allows.
        async onStep(step) {
          if (step !== 'ready') return
          const seen = ({ table }: TickReport) => {
            for (const row of table) if (row.ppid === process.pid) heldRssBytes = row.rssBytes ?? 0
            return heldRssBytes > 200 * MIB
          }
          await nextTick(engine, seen)
          for (let ticks = 0; ticks < 3; ticks++) await nextTick(engine)
        },
      },
    })
    expect(await heard(engine, 'outcome')).toMatchObject({ breachedAgain: false, successorGone: false })
    expect(heldRssBytes).toBeGreaterThan(200 * MIB)
    await engine.close()
    expect(ballast).toHaveLength(160 * MIB)
    const fired = (await bench.recordsOf('decision')).filter(({ kind }) => kind === 'fire')
    expect(fired.map(({ identity }) => identity?.pid)).toEqual([pid])
  })

  it('is followed by the alert when the successor ends by itself', async () => {
    const pid = await startOnceLeaking()
    const engine = await bench.start({
      rules: [{ name: 'leak', match: { pid }, when: 'rss > 150MiB', actions: ['restart'] }],
    })
    const { successor } = await heard(engine, 'action')
    const died = heard(engine, 'alert', ({ kind }) => kind === 'died')
    const outcome = heard(engine, 'outcome')
    process.kill(successor!.pid, 'SIGKILL')
    expect(await died).toMatchObject({ identity: { pid: successor!.pid } })
    expect(await outcome).toMatchObject({ successorGone: true })
  })

  it('that is refused leaves the process alone, raises an alert, and is tried again after its backoff', async () => {
    const program = await ownProgram()
    const pid = await bench.startService(IDLE, program)
    await unlink(program)
    const engine = await bench.start({
      governor: { limits: { backoffFirstMs: 300, backoffMaxMs: 60_000 } },
      rules: [{ name: 'r', match: { pid }, when: 'rss > 30MiB', actions: ['restart'] }],
    })
    const alert = heard(engine, 'alert', ({ kind }) => kind === 'restart-failed')
    const first = await heard(engine, 'action')
    expect(first).toMatchObject({ status: 'refused', error: { code: 'RESTART_REFUSED' } })
    expect(await alert).toMatchObject({ severity: 'warning', identity: { pid: pid } })
    const second = await heard(engine, 'action', ({ actionId }) => actionId !== first.actionId)
    expect(second).toMatchObject({ status: 'refused', error: { code: 'RESTART_REFUSED' } })
    expect(second.atMs - first.atMs).toBeGreaterThanOrEqual(300)
    const [putOff] = await bench.recordsOf('governed')
    expect(putOff).toMatchObject({ verdict: 'put-off', bound: 'backoff', identity: { pid } })
    expect(await bench.recordsOf('decision')).toHaveLength(1) // the rule fired once only
    expect(isAlive(pid)).toBe(true)
    process.kill(pid, 'SIGKILL')
    await heard(engine, 'alert', ({ kind }) => kind === 'died')
  })

  it('that cannot start the new process tries again, and says so meanwhile', async () => {
    const program = await ownProgram()
    const pid = await bench.startService(IDLE, program)
    const engine = await bench.start({
      startBackoff: { firstMs: 100, maxMs: 100 },
      hooks: { onStep: (step) => (step === 'exited' ? rename(program, `${program}.away`) : undefined) },
      rules: [{ name: 'r', match: { pid }, when: 'rss > 30MiB', actions: ['restart'] }],
    })
    const action = heard(engine, 'action')
    const trouble = await heard(engine, 'alert', ({ kind }) => kind === 'restart-failed')
    expect(trouble).toMatchObject({ severity: 'critical', state: 'firing' })
    expect(bench.instances()).toEqual([])
    const resolved = heard(engine, 'alert', ({ id, state }) => id === trouble.id && state === 'resolved')
    await rename(`${program}.away`, program)
    expect((await action).status).toBe('done')
    await resolved
    expect(bench.instances()).toEqual([(await action).successor!.pid])
  })

  it('that cannot start the new process before the engine closes is left to the next start', async () => {
    const program = await ownProgram()
    const pid = await bench.startService(IDLE, program)
    const engine = await bench.start({
      startBackoff: { firstMs: 60_000, maxMs: 60_000 },
      hooks: { onStep: (step) => (step === 'exited' ? rename(program, `${program}.away`) : undefined) },
      rules: [{ name: 'r', match: { pid }, when: 'rss > 30MiB', actions: ['restart'] }],
    })
    await heard(engine, 'alert', ({ kind }) => kind === 'restart-failed')
    const left = heard(engine, 'alert', ({ message }) =>
      message.includes('next engine with this journal does'),
    )
    await engine.close()
    expect(await left).toMatchObject({ kind: 'restart-failed', severity: 'critical', state: 'firing' })
    expect(await bench.recordsOf('engine-stop')).toMatchObject([{ unfinished: 1 }])
    await rename(`${program}.away`, program)
    const second = await bench.start({
      rules: [{ name: 'r', match: { pid }, when: 'rss > 1TiB' }],
    })
    const [running] = bench.instances()
    expect(running).toBeDefined()
    // The rule still names the old pid; it means the successor.
    process.kill(running!, 'SIGKILL')
    await heard(second, 'alert', ({ kind, identity }) => kind === 'died' && identity?.pid === running)
  })

  it('that has begun to end its process is completed before the engine is closed', async () => {
    const pid = await bench.startService([...IDLE, 'ignore=term'])
    let terminating = () => {}
    const begun = new Promise<void>((resolve) => {
      terminating = resolve
    })
    const engine = await bench.start({
      graceMs: 600,
      hooks: { onStep: (step) => (step === 'terminating' ? terminating() : undefined) },
      rules: [{ name: 'r', match: { pid }, when: 'rss > 30MiB', actions: ['restart'] }],
    })
    await begun
    await engine.close()
    expect(await bench.recordsOf('action-done')).toMatchObject([
      { status: 'done', result: { endedBy: 'SIGKILL' } },
    ])
    expect(await bench.recordsOf('engine-stop')).toMatchObject([{ unfinished: 0 }])
    expect(bench.instances()).toHaveLength(1)
    expect(bench.instances()).not.toContain(pid)
  })

  it('waits for its turn where too many are under way, and is not done once the engine closes', async () => {
    const name = Buffer.from('crowd').toString('hex')
    const pids = await Promise.all([1, 2, 3].map(() => bench.startService([...IDLE, `name=${name}`])))
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const engine = await bench.start({
      governor: { concurrent: 1, limits: { jitterMs: 0 } },
      hooks: { onBegun: () => held },
      rules: [{ name: 'r', match: { name: 'crowd' }, when: 'rss > 30MiB', actions: ['restart'] }],
    })
    await nextTick(engine, () => engine.alerts().length === 3)
    await nextTick(engine)
    expect(await bench.recordsOf('action-begun')).toHaveLength(1)
    const closed = engine.close()
    release()
    await closed
    const done = await bench.recordsOf('action-done')
    expect(done.map(({ status }) => status)).toEqual(['interrupted', 'interrupted', 'interrupted'])
    for (const pid of pids) expect(isAlive(pid)).toBe(true)
  })
})
