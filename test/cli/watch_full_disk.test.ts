import { type FileHandle, mkdir, mkdtemp, open, rm, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { JournalRecord } from '../../dist/index.js'
import { readJournal } from '../../dist/journal/reader.js'
import { waitFor } from '../fixtures/processes.js'
import { endLeaky, isAlive, startLeaky, successorsIn, TOKEN } from './leaky.js'
import { endRuns, Run } from './muster.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'muster-full-'))
})
afterEach(async () => {
  await endRuns()
  await endLeaky()
  await rm(directory, { recursive: true })
})

async function fill(path: string): Promise<void> {
  let file: FileHandle | undefined
  try {
    file = await open(path, 'wx')
    for (;;) await file.write(Buffer.alloc(4096))
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC')
  } finally {
    await file?.close()
  }
}

/** A mount namespace of its own with a small disk; `run` is executed in it, so that its pid is that of muster. */
const onSmallDisk = (mountPoint: string): string[] => [
  ...['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs -o size=256k,mode=700 none "$0" && exec "$@"'],
  mountPoint,
]

test.runIf(process.getuid?.() === 0)(
  'on a full disk a watch goes on, touches no process, says so, and makes good for it when there is room',
  async () => {
    const disk = join(directory, 'disk')
    await mkdir(disk)
    const config = join(directory, 'muster.yaml')
    await writeFile(
      config,
      `interval: 0.1
directory: ${disk}
governor: { limits: { jitter: 0s, backoff: 1s..1s } }
rules:
  - { name: noise, match: { pid: ${process.pid} }, when: rss > 1KiB, cooldown: 100ms }
  - { name: restarted, match: { commandLine: '${TOKEN}' }, when: rss > 1KiB, actions: [restart] }
`,
    )
    const run = new Run(['watch', '--config', config], { through: onSmallDisk(disk), timeoutMs: 90_000 })
    await run.said(/WARNING|warning|noise/)
    const inside = join(`/proc/${run.pid}/root`, disk)
    const ballast = join(inside, 'ballast')
    await fill(ballast)
    await waitFor(() => run.stderr.includes('ENOSPC'), { timeoutMs: 20_000, what: 'a word of the full disk' })

    const old = await startLeaky(0, { through: ['nsenter', '--mount', '--target', String(run.pid)] })
    await run.said(
      /restart refused: not done, because it could not be written to the journal first: .*ENOSPC/,
      30_000,
    )
    expect(await isAlive(old)).toBe(true)
    // Every failed write has the same reason, which is told once.
    expect(run.stderr.match(/ENOSPC/g)).toHaveLength(1)

    await unlink(ballast)
    await run.said(/the new process is \d+/, 30_000)
    await run.said(/alert \(restart-failed\) ended after [^\n]*: restarted\n/)
    expect(await isAlive(old)).toBe(false)
    const [successor] = successorsIn(run.stdout) as [number]

    const journal = join(inside, 'muster.jsonl')
    const records = async (): Promise<JournalRecord[]> => {
      const found: JournalRecord[] = []
      const reader = readJournal(journal)
      for await (const record of reader) found.push(record)
      // The line that the full disk took half of, on a line of its own.
      expect(reader.badLines).toBeLessThanOrEqual(1)
      return found
    }
    const done = await waitFor(async () =>
      (await records()).find((record) => record.type === 'action-done' && record.status === 'done'),
    )
    expect(done).toMatchObject({ action: 'restart', rule: 'restarted', successor: { pid: successor } })
    // What was refused is not left as begun.
    const left = new Set<string>()
    for (const record of await records()) {
      if (record.type === 'action-begun') left.add(record.actionId)
      if (record.type === 'action-done') left.delete(record.actionId)
    }
    expect([...left]).toEqual([])
    run.child.kill('SIGTERM')
    expect(await run.ended).toMatchObject({ code: 143 })
  },
  120_000,
)
