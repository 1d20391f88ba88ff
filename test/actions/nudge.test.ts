import { existsSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { explainTrace, identify, nudgeParent, ProcmusterError, traceDecisions } from '../../dist/index.js'
import { Bench } from '../engine/engines.js'
import { startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { startWaits } from '../fixtures/waits.js'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.clean()
  bench = undefined
  await stopAll()
})

const codeOf = async (work: Promise<unknown>): Promise<string | undefined> =>
  work.then(
    () => undefined,
    (error: unknown) => (error instanceof ProcmusterError ? error.code : String(error)),
  )

describe('nudgeParent', () => {
  it('makes a parent that missed the signal reap its zombie', async () => {
    const { pid, parent } = await startWaits('nudged', 2)
    const nudge = await nudgeParent(await identify(pid))
    expect(nudge).toMatchObject({
      parent: { pid: parent, name: expect.stringMatching(/^waits/) },
      reaped: true,
    })
    expect(existsSync(`/proc/${pid}`)).toBe(false)
    expect(existsSync(`/proc/${parent}`)).toBe(true)
  })

  it('says so when the parent does not reap it', async () => {
    const { pid, parent } = await startWaits('never')
    const nudge = await nudgeParent(await identify(pid), { waitMs: 100 })
    expect(nudge).toMatchObject({ parent: { pid: parent }, reaped: false })
    expect(nudge.tookMs).toBeGreaterThanOrEqual(100)
    expect(existsSync(`/proc/${pid}`)).toBe(true)
  })

  it('sends nothing for what is no zombie, or is gone', async () => {
    const idle = await startProcess('idle')
    const identity = await identify(idle.pid)
    expect(await codeOf(nudgeParent(identity))).toBe('INVALID_ARGUMENT')
    const other = { ...identity, startTicks: identity.startTicks - 1 }
    expect(await codeOf(nudgeParent(other))).toBe('PROCESS_GONE')
    await idle.stop()
    expect(await codeOf(nudgeParent(identity))).toBe('PROCESS_GONE')
  })
})

it('a rule nudges the parent of a zombie, with advice in its alert, and the journal tells what came of it', async () => {
  const nudged = await startWaits('nudged')
  const never = await startWaits('never')
  bench = await Bench.open()
  await bench.start({
    rules: [nudged, never].map(({ pid }) => ({
      ...{ name: `zombie ${pid}`, match: { pid }, when: 'state == Z for 100ms' },
      // Not at once: an alert that is over before its advice is there goes without.
      actions: [{ type: 'nudgeParent', after: '3s' }],
    })),
  })
  const done = await waitFor(async () => {
    const records = await bench!.recordsOf('action-done')
    return records.length === 2 && records
  })
  const of = (pid: number) => done.find(({ identity }) => identity.pid === pid)!
  expect(of(nudged.pid)).toMatchObject({
    status: 'done',
    result: { parent: { pid: nudged.parent }, reaped: true },
  })
  expect(of(never.pid)).toMatchObject({
    status: 'done',
    result: { parent: { pid: never.parent }, reaped: false },
  })

  const trace = await traceDecisions(bench.journal, { pid: nudged.pid })
  expect(trace.subjects[0]!.decisions[0]!.alert!.advice).toEqual([
    'a zombie has ended already and cannot be killed; its entry stays until its parent waits for it',
    expect.stringMatching(
      new RegExp(`^the parent is "waits.*" \\(pid ${nudged.parent}, sleeping\\); it has one zombie$`),
    ),
    expect.stringMatching(/^a nudge may help/),
    expect.stringMatching(/^restart the parent/),
  ])
  const told = explainTrace(trace).join('\n')
  expect(told).toMatch(/yes +state Z == Z/)
  expect(told).toMatch(
    new RegExp(`nudgeParent done: SIGCHLD to "waits.*" \\(pid ${nudged.parent}\\); it was reaped`),
  )
  const other = explainTrace(await traceDecisions(bench.journal, { pid: never.pid })).join('\n')
  expect(other).toMatch(/it was not reaped within 2(\.\d)? s/)
})
