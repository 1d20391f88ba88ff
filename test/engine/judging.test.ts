import { cp, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Engine as EngineClass, EngineOptions, Rule } from '../../dist/index.js'
import { startProcess, stopAll, waitFor } from '../fixtures/processes.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'procmuster-judging-'))
})
afterEach(async () => {
  await stopAll()
  await rm(directory, { recursive: true })
})

it('says so once when rules cannot be judged any more, goes on trying, and says when they are again', async () => {
  // An installation of its own, whose files are replaced while it runs.
  await cp(join(root, 'dist'), join(directory, 'dist'), { recursive: true })
  for (const name of ['build', 'node_modules']) await symlink(join(root, name), join(directory, name))
  await writeFile(join(directory, 'package.json'), '{ "type": "module" }')
  const { Engine } = (await import(
    /* @vite-ignore */ pathToFileURL(join(directory, 'dist/index.js')).href
  )) as { Engine: { start(options: EngineOptions): Promise<EngineClass> } }
  const process = await startProcess('idle')
  const fires: Rule = { name: 'fires', match: { subtree: process.pid }, when: 'threads > 0' }
  const rules = [fires, ...['a', 'b', 'c'].map((name): Rule => ({ name, when: 'rss > 1000TiB' }))]
  const journal = join(directory, 'muster.jsonl')
  await using engine = await Engine.start({
    ...{ rules: rules.slice(0, 1), workers: 2, intervalMs: 50 },
    journal,
  })
  const errors: Error[] = []
  engine.on('error', (error) => errors.push(error))
  const breaches = () => engine.alerts({ state: 'firing', rule: 'fires' })
  await waitFor(() => breaches().length > 0, { timeoutMs: 20_000 })

  const worker = join(directory, 'dist/rules/worker.js')
  await rename(worker, `${worker}.away`)
  // More rules are divided among more threads, and new ones find no program.
  await engine.setRules(rules)
  const failed = () => engine.alerts({ state: 'firing', rule: 'judging' })
  await waitFor(() => failed().length > 0 && errors.length > 1, { timeoutMs: 20_000 })
  expect(failed()).toMatchObject([
    {
      ...{ kind: 'judging-failed', severity: 'critical', repeats: 0 },
      message: expect.stringMatching(
        /^rules are not judged: the files of procmuster were replaced .* start it again/,
      ),
    },
  ])
  // Only samples that nobody judges see its end.
  await process.stop()
  await waitFor(() => breaches().length === 0, { timeoutMs: 20_000 })
  expect(failed()).toHaveLength(1)
  const ticks = engine.stats.ticks - engine.stats.failedTicks
  await rename(`${worker}.away`, worker)
  await waitFor(() => failed().length === 0, { timeoutMs: 20_000 })
  expect(engine.alerts({ rule: 'judging' })).toHaveLength(1)
  const states = async () =>
    [...(await readFile(journal, 'utf8')).matchAll(/"type":"judging","state":"(\w+)"/g)].map(
      ([, state]) => state,
    )
  await waitFor(async () => (await states()).length === 2)
  expect(await states()).toEqual(['failed', 'recovered'])
  await waitFor(() => engine.stats.ticks - engine.stats.failedTicks > ticks)
})
