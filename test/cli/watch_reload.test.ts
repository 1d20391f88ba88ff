import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { endRuns, Run } from './muster.js'

let directory: string
let file: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'muster-reload-'))
  file = join(directory, 'muster.yaml')
})
afterEach(async () => {
  await endRuns()
  await stopAll()
  await rm(directory, { recursive: true })
})

const rule = (name: string, pid: number): string =>
  `  - { name: ${name}, match: { pid: ${pid} }, when: rss > 1 }\n`

/** As editors do: a new file in the place of the old. */
async function replace(text: string): Promise<void> {
  await writeFile(`${file}.new`, text)
  await rename(`${file}.new`, file)
}

const recordsOf = (run: Run, type: string) => run.records().filter((record) => record.type === type)
const heard = (run: Run, type: string, count: number) =>
  waitFor(() => recordsOf(run, type).length >= count && recordsOf(run, type), {
    timeoutMs: 20_000,
    what: `${count} records ${type}`,
  })
const alerts = (run: Run) =>
  recordsOf(run, 'alert').map((record) => {
    const { rule, state, repeats } = record.alert as { rule: string; state: string; repeats: number }
    return { rule, state, repeats }
  })

test('a file that changes is read again; what is known of rules that stay is kept', async () => {
  const { pid } = await startProcess('idle')
  await writeFile(file, `interval: 0.2\nrules:\n${rule('stays', pid)}${rule('goes', pid)}`)
  const run = new Run(['watch', '--config', file, '--json'])
  await heard(run, 'alert', 2)
  await replace(`interval: 5s\ngrace: 1\nrules:\n${rule('comes', pid)}${rule('stays', pid)}`)
  const [change] = await heard(run, 'rules', 1)
  expect(change).toMatchObject({ added: ['comes'], changed: [], removed: ['goes'] })
  await heard(run, 'alert', 4)
  expect(recordsOf(run, 'settings-later')).toMatchObject([{ settings: ['interval', 'grace'] }])
  run.child.kill('SIGTERM')
  const { code, stderr } = await run.ended
  expect({ code, stderr }).toEqual({ code: 143, stderr: '' })
  expect(alerts(run)).toHaveLength(4)
  expect(alerts(run)).toEqual(
    expect.arrayContaining([
      { rule: 'stays', state: 'firing', repeats: 0 },
      { rule: 'goes', state: 'resolved', repeats: 0 },
      { rule: 'comes', state: 'firing', repeats: 0 },
    ]),
  )
})

test('of a file with faults nothing is taken; each is told once, and SIGHUP asks again', async () => {
  const { pid } = await startProcess('idle')
  await writeFile(file, `rules:\n${rule('stays', pid)}`)
  const run = new Run(['watch', '--config', file, '--json', '-i', '0.2'])
  await heard(run, 'alert', 1)
  const faulty = `rules:\n  - { name: a, when: rsss > 1 }\n  - { name: b, whenn: rss > 1 }\n`
  await replace(faulty)
  const [refused] = await heard(run, 'rules-refused', 1)
  expect(refused!.faults).toHaveLength(3)
  const told = run.stderr
  expect(told).toMatch(/muster\.yaml:2:\d+: .*rsss.*\nmuster: .*muster\.yaml:3:\d+: /)

  // The same faults again are no news, unless somebody asks.
  await replace(faulty)
  run.child.kill('SIGHUP')
  await heard(run, 'rules-refused', 2)
  expect(run.stderr).toBe(told + told)

  await replace(`rules:\n${rule('stays', pid)}`)
  expect((await heard(run, 'rules', 1))[0]).toMatchObject({ added: [], changed: [], removed: [] })
  run.child.kill('SIGHUP')
  await heard(run, 'rules', 2)
  // What only the engine can refuse.
  await replace('rules: [{ name: r, match: { user: nobody-has-this }, when: rss > 1 }]\n')
  await waitFor(() => /this host knows no user "nobody-has-this"/.test(run.stderr), { timeoutMs: 20_000 })
  await rm(file)
  await waitFor(() => /muster\.yaml" does not exist/.test(run.stderr), { timeoutMs: 20_000 })
  run.child.kill('SIGINT')
  expect((await run.ended).code).toBe(130)
  expect(alerts(run)).toEqual([{ rule: 'stays', state: 'firing', repeats: 0 }])
})

test('says in words what was read', async () => {
  const { pid } = await startProcess('idle')
  await writeFile(file, `rules:\n${rule('one', pid)}`)
  const run = new Run(['watch', '--config', file, '-i', '0.2'])
  await run.said(/breach rssBytes/)
  run.child.kill('SIGHUP')
  await run.said(/rules read again: as before/)
  await replace(`rules:\n${rule('two', pid)}`)
  await run.said(/rules read again: added two; removed one/)
  await replace('rules: []\n')
  await run.said(/rules not read again, those of before stay/)
  run.child.kill('SIGINT')
  expect((await run.ended).code).toBe(130)
})

test('a file that the next start would refuse is refused at once: its notifier is of a rule that is gone', async () => {
  const { pid } = await startProcess('idle')
  const notify = 'interval: 0.2\nnotify: [{ type: log, path: alerts.jsonl, rules: [first] }]\nrules:\n'
  await writeFile(file, `${notify}${rule('first', pid)}`)
  const run = new Run(['watch', '--config', file, '--json'])
  await heard(run, 'alert', 1)
  await replace(`${notify}${rule('second', pid)}`)
  const [refused] = await heard(run, 'rules-refused', 1)
  expect(refused!.faults).toMatchObject([
    expect.stringContaining('notify: there is no rule "first"; there is "second"'),
  ])
  expect(recordsOf(run, 'rules')).toEqual([])
  run.child.kill('SIGTERM')
  await run.ended
})
