import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { endLeaky, startLeaky } from './leaky.js'
import { endRuns, Run } from './muster.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'muster-stopped-'))
})
afterEach(async () => {
  await endRuns()
  await endLeaky()
  await rm(directory, { recursive: true })
})

/** Longer than any gap between two looks that is taken for seen. */
const STOPPED_MS = 3000
const FOR_MS = 2000

test('of a time in which the watch was stopped, nothing counts for `for`, and missed looks are counted', async () => {
  const pid = await startLeaky(0)
  const rule = `rss > 1KiB for ${FOR_MS}ms`
  const run = new Run(['watch', '-p', String(pid), '--rule', rule, '-i', '0.1', '-d', directory, '--json'])
  await run.said(/"type":"look"/)
  run.child.kill('SIGSTOP')
  const stoppedAtMs = Date.now()
  await sleep(STOPPED_MS)
  expect(run.stdout).not.toMatch(/"state":"firing"/)
  run.child.kill('SIGCONT')
  await run.said(/"state":"firing"/)
  const firedAtMs = Date.now()
  // Of the time for which it has to hold, what was left when it was stopped came after that.
  const looks = run.records().filter(({ type }) => type === 'look') as { time: string }[]
  const seenBeforeMs = stoppedAtMs - Date.parse(looks[0]!.time)
  const intervalMs = 100
  expect(firedAtMs - stoppedAtMs - STOPPED_MS).toBeGreaterThanOrEqual(FOR_MS - seenBeforeMs - 3 * intervalMs)
  run.child.kill('SIGTERM')
  await run.ended
  const end = run.records().at(-1) as { type: string; looks: number; missedLooks: number }
  expect(end.type).toBe('watch-stop')
  // No burst makes up for them.
  expect(end.missedLooks).toBeGreaterThanOrEqual(STOPPED_MS / intervalMs - 2)
})
