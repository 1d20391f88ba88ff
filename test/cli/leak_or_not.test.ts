import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type JournalRecord, readJournal } from '../../dist/index.js'
import { isAlive } from './leaky.js'
import { endRuns, muster, Run } from './muster.js'

const EXAMPLE = fileURLToPath(new URL('../../examples/leak-or-not/run.mjs', import.meta.url))

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'muster-leak-or-not-'))
})
afterEach(async () => {
  await endRuns()
  await rm(directory, { recursive: true })
})

test('of a leak, a sawtooth and a warming cache only the leak is restarted, once, and its memory comes back', async () => {
  const run = new Run([], { program: EXAMPLE, env: { TMPDIR: directory }, timeoutMs: 145_000 })
  const { code, stdout, stderr } = await run.ended
  expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' })
  const pidOf = (what: string) =>
    Number(new RegExp(`^leak-or-not +${what}: process (\\d+)$`, 'm').exec(stdout)?.[1])
  const journal = /journal in (\S+\.jsonl)$/m.exec(stdout)![1]!
  const records: JournalRecord[] = []
  for await (const record of readJournal(journal)) records.push(record)
  const all = <Type extends JournalRecord['type']>(type: Type) =>
    records.filter((record): record is Extract<JournalRecord, { type: Type }> => record.type === type)

  const pid = pidOf('leak')
  expect(all('decision').map(({ kind, identity }) => [kind, identity?.pid])).toEqual([
    ['fire', pid],
    ['clear', pid],
  ])
  const done = all('action-done')
  expect(done.map(({ action, status, identity }) => [action, status, identity.pid])).toEqual([
    ['evidence', 'done', pid],
    ['restart', 'done', pid],
  ])
  const { successor } = done[1]!
  const [outcome, ...more] = all('outcome')
  expect(more).toEqual([])
  expect(outcome).toMatchObject({ relieved: true, breachedAgain: false, successorGone: false, successor })
  expect(outcome!.rssAfterBytes!).toBeLessThan(outcome!.rssBeforeBytes! * 0.8)
  expect(outcome!.reasons!.join()).toMatch(/memory came back/)

  const { stdout: why } = await muster(['why', String(pid), '--journal', journal])
  expect(why).toMatch(/critical breach of "leaking program"/)
  expect(why).toMatch(/^ {4}yes +leak\(rssBytes, 20s\) at /m)
  expect(why).toMatch(/outcome of pid \d+: (some )?memory came back: .*; no breach in the/)
  for (const mode of ['garbage', 'cache']) {
    const quiet = await muster(['why', String(pidOf(mode)), '--journal', journal])
    expect(quiet.stdout).toMatch(new RegExp(`^nothing was decided about pid ${pidOf(mode)}$`, 'm'))
  }
  for (const left of [pid, successor!.pid, pidOf('garbage'), pidOf('cache')])
    expect(await isAlive(left)).toBe(false)
}, 150_000)
