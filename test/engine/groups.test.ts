import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ActionReport } from '../../dist/index.js'
import { compileFixture } from '../fixtures/compile.js'
import { startProcess, waitFor } from '../fixtures/processes.js'
import { Bench, heard, MIB, nextTick } from './engines.js'

let bench: Bench
beforeEach(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clean())

/** A name that no process of another test has: rules by name are about the whole host. */
const unique = (name: string) => `${name}${process.pid}`

/** Grows by so many bytes at SIGUSR1. */
async function startGrower(name: string, bytes: number): Promise<number> {
  const program = await compileFixture('grower.c')
  const { pid } = spawn(program, [name, String(bytes), bench.token], { stdio: 'ignore', cwd: '/' })
  await waitFor(() => readFileSync(`/proc/${pid}/comm`, 'utf8') === `${name}\n`)
  return pid!
}

it('acts on all members where the rule says so, however many; sixteen of them are written down', async () => {
  const name = unique('all')
  const started = []
  for (let count = 0; count < 20; count++) started.push(await startProcess('idle', { name }))
  const engine = await bench.start({
    rules: [
      {
        ...{ name: 'r', match: { name }, per: 'all', when: 'count() >= 20', target: 'all' },
        actions: [{ type: 'priority', nice: 3 }],
      },
    ],
  })
  const done = new Set<number>()
  engine.on('action', ({ identity, status }) => status === 'done' && done.add(identity.pid))
  const alert = await heard(engine, 'alert')
  await waitFor(() => done.size === 20, { timeoutMs: 20_000, what: 'all members' })
  expect(done).toEqual(new Set(started.map(({ pid }) => pid)))
  expect(alert.group).toMatchObject({ count: 20, members: { length: 16 } })
  const [decision] = await bench.recordsOf('decision')
  expect(decision!.group).toMatchObject({ count: 20, members: { length: 16 } })
  // It asks for no value of theirs: none of them could not be read.
  expect(decision!.excluded).toEqual([])
})

it('calls the group of a user by name and uid', async () => {
  const name = unique('user')
  await startProcess('idle', { name })
  const engine = await bench.start({
    rules: [{ name: 'r', match: { name }, per: 'user', when: 'count() > 0' }],
  })
  const { user, uid } = (await nextTick(engine)).table.get(process.pid)!
  const alert = await heard(engine, 'alert')
  expect(alert).toMatchObject({ name: `user ${user} (${uid})`, group: { kind: 'user', key: String(uid) } })
  expect(alert.message).toMatch(`"user ${user} (${uid})" (1 process)`)
})

it('does a later step for the member that is largest when its time has come', async () => {
  const name = unique('later')
  const first = await startProcess('idle', { name, rss: 40 * MIB })
  const second = await startGrower(name, 200 * MIB)
  const engine = await bench.start({
    rules: [
      {
        ...{ name: 'r', match: { name }, per: 'all', when: 'sum(rss) > 30MiB' },
        actions: [
          { type: 'priority', nice: 3 },
          { type: 'priority', nice: 4, after: '3s' },
        ],
      },
    ],
  })
  const atOnce = await heard(engine, 'action')
  expect([atOnce.identity.pid, atOnce.result]).toEqual([first.pid, { nice: 3 }])
  process.kill(second, 'SIGUSR1')
  const later = await heard(engine, 'action', ({ result }) => result?.nice === 4)
  expect(later.identity.pid).toBe(second)
})

it('tries no restart of a process that another rule has restarted; of a group it chooses anew', async () => {
  const name = unique('both')
  const pid = await bench.startService([
    ...['mode=idle', `rss=${40 * MIB}`],
    `name=${Buffer.from(name).toString('hex')}`,
  ])
  const engine = await bench.start({
    governor: { concurrent: 1, limits: { backoffFirstMs: 1, backoffMaxMs: 1, jitterMs: 0 } },
    rules: [
      {
        ...{ name: 'one', match: { name }, when: 'rss > 30MiB', severity: 'critical', actions: ['restart'] },
        limits: { perWindow: '1/1h' },
      },
      { name: 'two', match: { name }, when: 'rss > 30MiB', severity: 'info', actions: ['restart'] },
      { name: 'group', match: { name }, per: 'all', when: 'sum(rss) > 30MiB', actions: ['restart'] },
    ],
  })
  const reports: ActionReport[] = []
  engine.on('action', (report) => reports.push(report))
  const reported = (isMeant: (report: ActionReport) => boolean) =>
    waitFor(() => reports.find(isMeant), { timeoutMs: 20_000, what: 'the report' })
  await reported(({ rule, status }) => rule === 'one' && status === 'done')
  for (const rule of ['two', 'group']) {
    const refused = await reported((report) => report.rule === rule && report.identity.pid === pid)
    expect(refused).toMatchObject({ status: 'refused', action: 'restart' })
    expect(refused.reason).toBe('rule "one" has restarted the process meanwhile')
  }
  const anew = await reported(({ rule, status }) => rule === 'group' && status === 'done')
  expect(anew.identity.pid).not.toBe(pid)
  await engine.close()
  const begun = (await bench.recordsOf('action-begun')).map(({ identity }) => identity.pid)
  expect(new Set(begun).size).toBe(begun.length) // each process once
})
