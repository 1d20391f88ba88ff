import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ActionReport } from '../../dist/actions/context.js'
import type { Engine } from '../../dist/engine/engine.js'
import type { Rule } from '../../dist/rules/schema/rule.js'
import { waitFor } from '../fixtures/processes.js'
import { Bench, heard } from './engines.js'

const script = fileURLToPath(new URL('./killed_engine.mjs', import.meta.url))
let bench: Bench
beforeEach(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clean())

/** A service that takes `endMs` to end on SIGTERM. */
function startService(endMs = 0): Promise<number> {
  return bench.startScript(`
    process.on('SIGTERM', () => setTimeout(() => process.exit(0), ${endMs}))
    setInterval(() => {}, 1000)
    process.stdout.write('ready')`)
}

async function runUntilKilled(options: Record<string, unknown>): Promise<void> {
  const arguments_ = JSON.stringify({ journal: bench.journal, when: 'rss > 1MiB', ...options })
  const engine = spawn(process.execPath, [script, arguments_], { stdio: ['ignore', 'inherit', 'inherit'] })
  const [, signal] = await once(engine, 'exit')
  expect(signal).toBe('SIGKILL')
}

/** Starts an engine on the dead one's journal and waits for what it makes of it. */
async function startNext(): Promise<{ engine: Engine; recovered: ActionReport[] }> {
  const recovered: ActionReport[] = []
  const engine = await bench.start({ rules: [], graceMs: 3000 })
  engine.on('recovered', (report) => recovered.push(report))
  await waitFor(() => engine.stats.ticks > 0)
  return { engine, recovered }
}

describe('an engine killed during a restart', () => {
  it.each([
    ['begun', 'interrupted', 'the old one'],
    ['captured', 'interrupted', 'the old one'],
    ['terminating', 'interrupted', 'the old one'],
    ['exited', 'done', 'a new one'],
    ['ready', 'done', 'a new one'],
  ])(
    'at the step %s: the next start says %s, and %s runs',
    async (killAt, status, which) => {
      const old = await startService()
      await runUntilKilled({ pid: old, killAt })
      expect(bench.instances().length).toBeLessThanOrEqual(1)
      const { engine, recovered } = await startNext()
      const report = await waitFor(() => recovered[0])
      expect(report).toMatchObject({ action: 'restart', status, recovered: true, identity: { pid: old } })
      const running = bench.instances()
      expect(running).toHaveLength(1)
      expect(running[0] === old).toBe(which === 'the old one')
      if (status === 'done') expect(report.successor?.pid).toBe(running[0])
      await engine.close()

      // It is over: the next start finds nothing to do, and what was kept for it is gone.
      const again = await startNext()
      expect(again.recovered).toEqual([])
      expect(bench.instances()).toEqual(running)
      expect(
        readdirSync(bench.directory).includes('muster.jsonl.pending')
          ? readdirSync(`${bench.journal}.pending`)
          : [],
      ).toEqual([])
      expect(await bench.recordsOf('engine-stop')).toMatchObject([{ unfinished: 0 }])
    },
    60_000,
  )

  it('after the end of it was on disk: nothing is left to do', async () => {
    const old = await startService()
    await runUntilKilled({ pid: old, killAt: 'done' })
    const [successor] = bench.instances()
    expect(successor).not.toBe(old)
    const { recovered } = await startNext()
    expect(recovered).toEqual([])
    expect(bench.instances()).toEqual([successor])
  })

  it('before it was known what came of it: the next run goes on to see that, and counts it', async () => {
    const old = await startService()
    await runUntilKilled({ pid: old, killAt: 'done' })
    const [successor] = bench.instances() as [number]
    const rules = [
      { name: 'restart it', match: { pid: successor }, when: 'rss > 1MiB', actions: ['restart' as const] },
    ]
    const engine = await bench.start({ rules, governor: { suspendAfter: 1 } })
    const outcome = await heard(engine, 'outcome')
    const [done] = await bench.recordsOf('action-done')
    expect(outcome).toMatchObject({ actionId: done!.actionId, breachedAgain: true, relieved: false })
    // The rule is suspended by what the run before had done: the successor is left alone.
    await heard(engine, 'alert', ({ kind }) => kind === 'suspended' || kind === 'gave-up')
    await engine.close()
    expect(bench.instances()).toEqual([successor])
    // It has been told once, and is not followed by a third run.
    await (await bench.start({ rules: [] })).close()
    expect(await bench.recordsOf('outcome')).toHaveLength(1)
  })

  it('long before: what the successor does by now is not held against the restart', async () => {
    const old = await startService()
    await runUntilKilled({ pid: old, killAt: 'done' })
    const [successor] = bench.instances() as [number]
    const fiveDaysMs = 5 * 86_400_000
    const records = (await bench.records()).map((record) => ({ ...record, atMs: record.atMs - fiveDaysMs }))
    writeFileSync(bench.journal, records.map((record) => `${JSON.stringify(record)}\n`).join(''))
    const rules = [
      { name: 'restart it', match: { pid: successor }, when: 'rss > 1MiB', actions: ['restart' as const] },
    ]
    const engine = await bench.start({ rules, governor: { suspendAfter: 1 } })
    expect(await heard(engine, 'outcome')).toMatchObject({ breachedAgain: false, relieved: 'unknown' })
    expect(await heard(engine, 'action')).toMatchObject({ action: 'restart', status: 'done' })
    // What comes of this restart may well suspend it later on.
    const now = await bench.records()
    const done = now.findLastIndex(({ type }) => type === 'action-done')
    expect(now.slice(0, done).map(({ type }) => type)).not.toContain('suspended')
    expect((await bench.recordsOf('breached-again'))[0]!.afterMs).toBeGreaterThanOrEqual(fiveDaysMs)
  })

  it.each(['suspended', 'gave-up'])(
    'when it had %s, before that was written: it is again',
    async (killAt) => {
      const old = await startService()
      const isFlap = killAt === 'gave-up'
      const limits = { backoffFirstMs: 0, backoffMaxMs: 0, jitterMs: 0, flapMax: isFlap ? 1 : 100 }
      const governor = { limits, suspendAfter: isFlap ? 100 : 1 }
      await runUntilKilled({ pid: old, governor, killAt })
      const [successor] = bench.instances() as [number]
      const rules = [
        { name: 'restart it', match: { pid: successor }, when: 'rss > 1MiB', actions: ['restart' as const] },
      ]
      const engine = await bench.start({ rules, governor })
      await heard(engine, 'alert', ({ kind }) => kind === killAt)
      await engine.close()
      expect(bench.instances()).toEqual([successor])
      expect(await bench.recordsOf('suspended')).toMatchObject([{ scope: isFlap ? 'process' : 'rule' }])
    },
  )

  it('while a later step waited: it comes once, after what was left of its time', async () => {
    const old = await startService()
    const actions = [
      { type: 'signal' as const, signal: 'SIGCONT' },
      { type: 'restart' as const, after: '3s' },
    ]
    await runUntilKilled({ pid: old, actions, killAt: 'done', killAfterMs: 1000 })
    expect(bench.instances()).toEqual([old])
    const before = await bench.records()
    const seenMs = before.at(-1)!.atMs - before.find(({ type }) => type === 'alert')!.atMs
    expect(seenMs).toBeGreaterThan(300)
    const rules = [{ name: 'restart it', match: { pid: old }, when: 'rss > 1MiB', actions }]
    const engine = await bench.start({ rules })
    const { successor } = await heard(engine, 'action', ({ action }) => action === 'restart')
    await engine.close()
    expect(bench.instances()).toEqual([successor!.pid])
    const begun = (await bench.recordsOf('action-begun')).filter(({ action }) => action === 'restart')
    expect(begun).toHaveLength(1)
    const { steps } = (await bench.recordsOf('decision')).find(
      ({ seq, kind }) => kind === 'fire' && seq > before.at(-1)!.seq,
    )!
    expect(steps.map(({ action }) => action)).toEqual(['signal', 'restart'])
    expect(Math.abs(steps[1]!.afterMs - (3000 - seenMs))).toBeLessThan(20)
    const started = (await bench.recordsOf('engine-start'))[1]!
    expect(begun[0]!.atMs - started.atMs).toBeGreaterThanOrEqual(steps[1]!.afterMs - 20)
  })

  it('between the record of a signal and the signal: the next run says that it does not know', async () => {
    const old = await startService()
    const actions = [{ type: 'signal', signal: 'SIGCONT' }]
    await runUntilKilled({ pid: old, actions, killAt: 'begun' })
    const { recovered } = await startNext()
    expect(await waitFor(() => recovered[0])).toMatchObject({ action: 'signal', status: 'interrupted' })
    expect(await bench.recordsOf('action-done')).toMatchObject([{ status: 'interrupted', recovered: true }])
  })

  it('while the old process still ends: the next start waits for its end and starts it again', async () => {
    const old = await startService(1500)
    await runUntilKilled({ pid: old, killAt: 'terminating', killAfterMs: 100 })
    expect(bench.instances()).toEqual([old])
    const { recovered } = await startNext()
    const report = await waitFor(() => recovered[0])
    expect(report).toMatchObject({ status: 'done', identity: { pid: old } })
    expect(bench.instances()).toEqual([report.successor!.pid])
    expect(report.successor!.pid).not.toBe(old)
  })

  it('twice: the second start, killed before the new process ran, is made good by the third', async () => {
    const old = await startService()
    await runUntilKilled({ pid: old, killAt: 'exited' })
    expect(bench.instances()).toEqual([])
    await runUntilKilled({ pid: process.pid, when: 'rss > 1TiB', killAt: 'ready' })
    const { recovered } = await startNext()
    await waitFor(() => recovered[0])
    expect(bench.instances()).toHaveLength(1)
  })

  it('and its host started anew: nothing is started', async () => {
    const old = await startService()
    await runUntilKilled({ pid: old, killAt: 'exited' })
    const text = readFileSync(bench.journal, 'utf8')
    writeFileSync(bench.journal, text.replaceAll(/"bootId":"[^"]*"/g, '"bootId":"another"'))
    const { recovered } = await startNext()
    expect(await waitFor(() => recovered[0])).toMatchObject({ status: 'interrupted' })
    expect(bench.instances()).toEqual([])
    expect(readdirSync(`${bench.journal}.pending`)).toEqual([])
  })

  it('keeps the environment out of the journal, and private', async () => {
    const old = await startService()
    process.env.SECRET_OF_TEST = undefined
    await runUntilKilled({ pid: old, killAt: 'exited' })
    const text = readFileSync(bench.journal, 'utf8')
    expect(text).not.toContain('PATH=')
    const [name] = readdirSync(`${bench.journal}.pending`)
    expect(readFileSync(`${bench.journal}.pending/${name}`, 'utf8').length).toBeGreaterThan(2)
  })
})

describe('an engine killed right after a signal', () => {
  const actions = [{ type: 'signal' as const, signal: 'SIGUSR2' as const }]
  let pid: number
  beforeEach(async () => {
    pid = await bench.startScript(`
      process.on('SIGUSR2', () => process.stdout.write('+'))
      setInterval(() => {}, 1000)
      process.stdout.write('ready')`)
  })
  const signals = (): number => readFileSync(join(bench.directory, 'output-1'), 'utf8').split('+').length - 1

  /** What the next start makes of the signal. */
  async function signalOfNext(rule: Partial<Rule> = {}): Promise<ActionReport> {
    const rules = [{ name: 'restart it', match: { pid }, when: 'rss > 1MiB', actions, ...rule }]
    const engine = await bench.start({ rules })
    const report = await heard(engine, 'action')
    expect((await heard(engine, 'alert')).kind).toBe('breach')
    await engine.close()
    return report
  }

  it('sends no other at the next start while the cooldown lasts, nor while the breach is the same', async () => {
    await runUntilKilled({ pid, actions, rule: { cooldown: '1h' }, killAt: 'done' })
    await waitFor(() => signals() === 1)
    const during = await signalOfNext({ cooldown: '1h' })
    expect(during).toMatchObject({ action: 'signal', status: 'refused', identity: { pid } })
    expect(during.reason).toMatch(/^an earlier run did it .* ago, and the cooldown is 1 h$/)
    const same = await signalOfNext()
    expect(same).toMatchObject({ status: 'refused' })
    expect(same.reason).toMatch(/^an earlier run did it .* ago, and the breach is the same$/)
    expect(signals()).toBe(1)
  })

  it('sends no other to the members of a group', async () => {
    const group = { match: { subtree: pid }, per: 'all' as const, when: 'sum(rss) > 1MiB' }
    const rule = { ...group, target: 'all' as const }
    await runUntilKilled({ pid, actions, rule, killAt: 'done' })
    await waitFor(() => signals() === 1)
    expect(await signalOfNext(rule)).toMatchObject({ status: 'refused', identity: { pid } })
    expect(signals()).toBe(1)
  })

  it('sends another when the cooldown is over, or the breach was', async () => {
    await runUntilKilled({ pid, actions, rule: { cooldown: '1h' }, killAt: 'done' })
    expect(await signalOfNext({ cooldown: '1ms' })).toMatchObject({ status: 'done' })
    await waitFor(() => signals() >= 2)
    const last = (await bench.recordsOf('alert')).at(-1)!
    const resolved = { ...last, type: 'alert-resolved', alert: { ...last.alert, state: 'resolved' } }
    appendFileSync(bench.journal, `${JSON.stringify(resolved)}\n`)
    const before = signals()
    expect(await signalOfNext()).toMatchObject({ status: 'done' })
    await waitFor(() => signals() > before)
  })

  it('sends one to a process that has but the pid of the one before', async () => {
    await runUntilKilled({ pid, actions, rule: { cooldown: '1h' }, killAt: 'done' })
    await waitFor(() => signals() === 1)
    const { startTicks } = (await bench.recordsOf('action-begun'))[0]!.identity
    const earlier = readFileSync(bench.journal, 'utf8')
    writeFileSync(
      bench.journal,
      earlier.replaceAll(`"startTicks":${startTicks}`, `"startTicks":${startTicks - 1}`),
    )
    expect(await signalOfNext({ cooldown: '1h' })).toMatchObject({
      status: 'done',
      identity: { pid, startTicks },
    })
    await waitFor(() => signals() === 2)
  })
})
