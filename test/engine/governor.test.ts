import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { wallTimeOf } from '../../dist/engine/clock.js'
import type { EngineEvent } from '../../dist/engine/events.js'
import { sendRequest } from '../../dist/index.js'
import type { GovernedBody } from '../../dist/journal/action_records.js'
import type { JournalRecord } from '../../dist/journal/records.js'
import { compileFixture } from '../fixtures/compile.js'
import { waitFor } from '../fixtures/processes.js'
import { Bench, heard, isAlive, MIB } from './engines.js'

/** PROCMUSTER_BREACHES=2000 for what a large host can come to. */
const BREACHES = Number(process.env.PROCMUSTER_BREACHES ?? 200)

/** A name that no process of another test has: rules by name are about the whole host. */
const unique = (name: string) => `${name}${process.pid}`

let bench: Bench
beforeEach(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clean())

/** The most restarts that were under way at the same time, by the order of the records. */
function mostAtOnce(records: readonly JournalRecord[]): number {
  let now = 0
  let most = 0
  for (const record of records) {
    if (record.type === 'action-begun' && record.action === 'restart') most = Math.max(most, ++now)
    if (record.type === 'action-done' && record.action === 'restart') now--
  }
  return most
}

describe('many breaches at once', () => {
  it(
    `${BREACHES} of them: every process is restarted in the end, and no bound is exceeded`,
    async () => {
      const program = await compileFixture('grower.c')
      const pids = Array.from({ length: BREACHES }, () => {
        const args = [unique('crowd'), String(2 * MIB), bench.token]
        return spawn(program, args, { stdio: 'ignore', cwd: '/' }).pid!
      })
      const isThere = (pid: number) => readFileSync(`/proc/${pid}/comm`, 'utf8') === `${unique('crowd')}\n`
      await waitFor(() => pids.every(isThere), { timeoutMs: 30_000, what: 'all processes' })
      const perWindow = { max: Math.ceil(BREACHES / 4), windowMs: 3000 }
      const concurrent = 8
      const engine = await bench.start({
        intervalMs: 200,
        outcomeWindowMs: 500,
        governor: { concurrent, perWindow, coolMs: 0, limits: { jitterMs: 1000 } },
        rules: [{ name: 'r', match: { name: unique('crowd') }, when: 'rss > 2500KiB', actions: ['restart'] }],
      })
      for (const pid of pids) process.kill(pid, 'SIGUSR1')
      const restarted = new Set<number>()
      engine.on('action', ({ status, identity }) => {
        if (status === 'done') restarted.add(identity.pid)
      })
      const timeoutMs = 60_000 + 200 * BREACHES
      await waitFor(() => pids.every((pid) => restarted.has(pid)), {
        timeoutMs,
        intervalMs: 100,
        what: 'all restarts',
      })
      const outcomes = async () => (await bench.recordsOf('outcome')).length === BREACHES
      await waitFor(outcomes, { timeoutMs: 20_000, intervalMs: 200, what: 'all outcomes' })
      await engine.close()
      const records = await bench.records()
      const begun = records.filter((record) => record.type === 'action-begun')
      expect(begun).toHaveLength(BREACHES)
      expect(new Set(begun.map(({ identity }) => identity.pid))).toEqual(new Set(pids))
      expect(mostAtOnce(records)).toBeLessThanOrEqual(concurrent)
      // A record is written a little after its restart was let pass.
      const slackMs = 1500
      for (let i = perWindow.max; i < begun.length; i++) {
        expect(begun[i]!.atMs - begun[i - perWindow.max]!.atMs).toBeGreaterThan(perWindow.windowMs - slackMs)
      }
      const governed = await bench.recordsOf('governed')
      expect(governed.length).toBeGreaterThan(0)
      const lines = new Set(governed.map(({ identity, bound }) => `${identity.pid} ${bound}`))
      expect(lines.size).toBe(governed.length) // once for each bound
      for (const { relieved } of await bench.recordsOf('outcome')) expect(relieved).toBe(true)
      expect(bench.instances()).toHaveLength(BREACHES)
      const stops = engine.alerts().filter(({ kind }) => kind === 'host-stop')
      expect(stops.every(({ severity, state }) => severity === 'critical' && state === 'resolved')).toBe(true)
    },
    180_000 + 250 * BREACHES,
  )
})

describe('restarts without relief', () => {
  const options = (directory: string) => ({
    evidence: { directory: `${directory}/evidence` },
    governor: { limits: { backoffFirstMs: 1, backoffMaxMs: 1, jitterMs: 0 } },
    rules: [
      {
        ...{ name: 'r', match: { name: unique('stub') }, when: 'rss > 30MiB' },
        actions: ['evidence' as const, 'restart' as const],
      },
    ],
  })

  it('suspend the rule at the third, loudly, through a new start, until it is resumed; evidence is still kept', async () => {
    const name = Buffer.from(unique('stub')).toString('hex')
    await bench.startService(['mode=idle', `rss=${40 * MIB}`, `name=${name}`])
    const first = await bench.start(options(bench.directory))
    const alert = await heard(first, 'alert', ({ kind }) => kind === 'suspended')
    expect(alert).toMatchObject({ severity: 'critical', state: 'firing', rule: 'r' })
    expect(alert.message).toMatch(
      /restarts of rule "r" are suspended: 3 restarts in a row .* brought no relief/,
    )
    await heard(first, 'action', ({ action, status, reason }) => {
      return action === 'restart' && status === 'refused' && /suspended/.test(reason ?? '')
    })
    await first.close()
    const done = (await bench.recordsOf('action-done')).map(({ action, status }) => `${action} ${status}`)
    expect(done).toEqual([
      ...Array.from({ length: 3 }, () => ['evidence done', 'restart done']).flat(),
      ...['evidence done', 'restart refused'],
    ])
    expect(await bench.recordsOf('outcome')).toMatchObject(
      Array.from({ length: 3 }, () => ({ action: 'restart', breachedAgain: true, relieved: false })),
    )
    expect(await bench.recordsOf('suspended')).toMatchObject([{ scope: 'rule', rule: 'r' }])
    const [pid] = bench.instances()

    const second = await bench.start(options(bench.directory))
    await heard(second, 'alert', ({ kind }) => kind === 'suspended')
    await heard(second, 'action', ({ action, status }) => action === 'restart' && status === 'refused')
    expect(isAlive(pid!)).toBe(true)
    expect(second.resume('no such rule')).toBe(false)
    const unknown = { type: 'resume', rule: 'quite another', by: 'me' } as const
    expect((await sendRequest(bench.journal, unknown)).answer).toMatchObject({
      ...{ type: 'request-refused', reason: 'there is no rule "quite another"; there is "r"' },
    })
    // As `muster resume` asks.
    const { answer } = await sendRequest(
      bench.journal,
      { type: 'resume', rule: 'r', by: 'me' },
      { waitMs: 20_000 },
    )
    expect(answer).toMatchObject({ type: 'resume', rule: 'r', by: 'me' })
    // Nothing fires anew: the restart was wanted all the time.
    const { successor } = await heard(
      second,
      'action',
      ({ action, status }) => action === 'restart' && status === 'done',
    )
    expect(successor!.pid).not.toBe(pid)
    await heard(second, 'alert', ({ kind, state }) => kind === 'suspended' && state === 'resolved')
    await second.close()
    expect(await bench.recordsOf('resumed')).toMatchObject([{ scope: 'rule', rule: 'r', by: 'request' }])
  })
})

describe('a restart that waits', () => {
  it('is an event and a record, with the wall-clock time of its end', async () => {
    const name = unique('wait')
    const hex = Buffer.from(name).toString('hex')
    await bench.startService(['mode=idle', `rss=${40 * MIB}`, `name=${hex}`])
    const engine = await bench.start({
      governor: { limits: { backoffFirstMs: 60_000, backoffMaxMs: 60_000 } },
      rules: [{ name: 'r', match: { name }, when: 'rss > 30MiB', actions: ['restart'] }],
    })
    const governed: GovernedBody[] = []
    engine.on('governed', (each) => governed.push(each))
    const read: EngineEvent[] = []
    const events = engine.events()
    void (async () => {
      for await (const event of events) if (event.type === 'governed') read.push(event)
    })()
    const [event] = await waitFor(() => (governed.length > 0 ? governed : undefined), { timeoutMs: 20_000 })
    expect(event).toMatchObject({ verdict: 'put-off', bound: 'backoff', rule: 'r', action: 'restart' })
    expect(Math.abs(event!.untilMs! - Date.now() - 60_000)).toBeLessThan(20_000)
    await waitFor(() => read.length > 0)
    expect(read[0]).toEqual({ type: 'governed', governed: event })
    await engine.close()
    expect(await bench.recordsOf('governed')).toMatchObject([JSON.parse(JSON.stringify(event)) as object])
  })
})

it('a time of the clock of the ticks is told as the wall clock shows it now', () => {
  // The host was suspended for an hour since the start: that clock stood still, the wall clock did not.
  expect(wallTimeOf(1_000_500, 1_000_000, 4_600_000)).toBe(4_600_500)
  // It was set back by a minute.
  expect(wallTimeOf(1_000_500, 1_000_000, 940_000)).toBe(940_500)
})

describe('a signal that processes are meant to end by', () => {
  it('is followed: whether the process exited', async () => {
    const name = Buffer.from(unique('deaf')).toString('hex')
    const idle = ['mode=idle', `rss=${40 * MIB}`]
    const pid = await bench.startService([...idle, 'ignore=term', `name=${name}`])
    const ends = await bench.startService([...idle, `name=${name}`])
    const engine = await bench.start({
      outcomeWindowMs: 1000,
      rules: [
        {
          name: 'r',
          match: { name: unique('deaf') },
          when: 'rss > 30MiB',
          actions: [{ type: 'signal', signal: 'SIGTERM' }],
        },
      ],
    })
    const deaf = await heard(engine, 'outcome', ({ identity }) => identity.pid === pid)
    expect(deaf).toMatchObject({
      action: 'signal',
      endedBy: 'SIGTERM',
      relieved: false,
      exitedInMs: undefined,
    })
    const ended = await heard(engine, 'outcome', ({ identity }) => identity.pid === ends)
    expect(ended).toMatchObject({ action: 'signal', endedBy: 'SIGTERM', relieved: true })
    expect(ended.exitedInMs).toBeGreaterThanOrEqual(0)
  })
})
