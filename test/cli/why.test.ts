import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Trace } from '../../dist/index.js'
import { hostileNames, startProcess, stopAll } from '../fixtures/processes.js'
import { endLeaky, startLeaky, successorsIn } from './leaky.js'
import { endRuns, muster, Run } from './muster.js'

const UNSAFE = /[\p{Cc}\p{Cf}]/u

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'muster-why-'))
})
afterEach(async () => {
  await endRuns()
  await stopAll()
  await endLeaky()
  await rm(directory, { recursive: true })
})

const why = async (...args: string[]) => {
  const { code, stdout, stderr } = await muster(['why', ...args, '-d', directory])
  return { code, stdout, stderr }
}
const traced = async (...args: string[]): Promise<Trace> => JSON.parse((await why(...args, '--json')).stdout)

test('a real breach with a restart is told by pid, alert, decision and action', async () => {
  const pid = await startLeaky(0)
  const config = join(directory, 'rules.yaml')
  // It breaches for good, and its successor too.
  await writeFile(
    config,
    `directory: ${directory}
interval: 0.2
rules:
  - { name: leaking workers, match: { pid: ${pid} }, when: rss > 4KiB for 300ms, severity: critical, actions: [evidence, restart] }
  - { name: never, match: { pid: ${pid} }, when: rss > 1TiB }
`,
  )
  const run = new Run(['watch', '--config', config])
  await run.said(/the new process is \d+/)
  await run.said(/breached again within/)
  run.child.kill('SIGINT')
  await run.ended
  const [successor] = successorsIn(run.stdout)

  const told = await why(String(pid))
  expect({ code: told.code, stderr: told.stderr }).toEqual({ code: 0, stderr: '' })
  const story = [
    new RegExp(`^"service[^"]*", pid ${pid} \\(started at tick \\d+\\)`),
    /^\d{4}-\d\d-\d\d \S+ {2}critical breach of "leaking workers" \(decision [0-9a-f]{8}-d1, alert [0-9a-f]{8}-1\)/m,
    /condition: rssBytes > 4KiB for 300ms, which had held for [\d.]+ m?s/,
    /yes +rssBytes [\d.]+ .iB > 4 KiB/,
    /decided: evidence, restart$/m,
    /evidence done in \S+ \(.*iB, \d+ files\)/,
    /restart begun \([0-9a-f]{8}-\d+\)/,
    /it ended by SIGTERM in [\d.]+ ms/,
    new RegExp(`restart done, ended by SIGTERM in [^;]*; pid ${successor} took its place`),
    new RegExp(`outcome of pid ${successor}: (some )?memory .*; it breached again within`),
    /over after .*: /,
  ]
  for (const line of story) expect(told.stdout).toMatch(line)

  const { subjects } = await traced(String(pid))
  expect(subjects).toHaveLength(1)
  const { decision, alert, actions, end } = subjects[0]!.decisions[0]!
  expect(decision).toMatchObject({
    ...{ rule: 'leaking workers', severity: 'critical', condition: 'rssBytes > 4KiB for 300ms' },
    ...{ identity: { pid }, dryRun: false, excluded: [] },
    clauses: [
      { text: 'rssBytes > 4KiB', operand: 'rssBytes', op: '>', unit: 'bytes', threshold: 4096, truth: true },
    ],
    steps: [
      { action: 'evidence', afterMs: 0 },
      { action: 'restart', afterMs: 0 },
    ],
  })
  expect(actions.map(({ action, done }) => [action, done?.status])).toEqual([
    ['evidence', 'done'],
    ['restart', 'done'],
  ])
  expect(actions[1]).toMatchObject({ outcome: { successor: { pid: successor }, breachedAgain: true } })
  expect(end).toBeDefined()

  for (const id of [alert!.id, decision.decisionId, actions[1]!.actionId]) {
    const { code, stdout } = await why(id)
    expect(code).toBe(0)
    expect(stdout).toContain(`decision ${decision.decisionId}`)
  }
  const next = await why(String(successor))
  expect(next.stdout).toMatch(new RegExp(`started in place of pid ${pid} by rule "leaking workers"`))
  expect(next.stdout).toMatch(/critical breach of "leaking workers"/)

  const nobody = await why('4194303')
  expect(nobody.code).toBe(0)
  expect(nobody.stdout).toMatch(
    /^nothing was decided about pid 4194303\nthe last watch began .* and ended .*; its rules:\n {4}leaking workers\n {4}never\n$/,
  )
}, 90_000)

test('hostile names stay harmless, torn lines are skipped and said', async () => {
  const { pid } = await startProcess('idle', { name: hostileNames.escape, rss: 8 << 20 })
  await muster(['watch', '-p', String(pid), '-t', '0.0001', '-d', directory, '--once', '--dry-run'])
  const journal = join(directory, 'muster.jsonl')
  const torn =
    '{"v":1,"seq":9,"type":"dec\n{"v":1,"seq":10,"atMs":1,"type":"decision"}\n{"v":1,"seq":11,"atMs":1,"type":"alert"}\n{"v":1,"seq"'
  await appendFile(journal, torn)
  const told = await why(String(pid))
  expect(told.code).toBe(0)
  expect(told.stdout.replaceAll('\n', '')).not.toMatch(UNSAFE)
  expect(told.stdout).toMatch(/decided: evidence \(a dry run: nothing is done\)/)
  expect(told.stdout).toMatch(/evidence not done: dry run: evidence would have been done/)
  expect(told.stdout).toMatch(/3 lines of the journal could not be read/)
  const json = await why(String(pid), '--json')
  expect(json.stdout.trimEnd()).not.toMatch(UNSAFE)
  expect(JSON.parse(json.stdout).subjects[0].name).toBe('\u001b[31mred\u001b[0m\u0007')
})

test('of a process that a signal ended is told in what time, and that it did not get well', async () => {
  // Its parent never waits: the zombie stays, with no memory.
  const script = 'sleep 1000 & echo $!; exec sleep 1000'
  const parent = spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [line] = await once(parent.stdout.setEncoding('utf8'), 'data')
    const pid = Number(line)
    const config = join(directory, 'rules.yaml')
    await writeFile(
      config,
      `directory: ${directory}
interval: 0.2
rules:
  - name: killed
    match: { pid: ${pid} }
    when: rss > 4KiB and ageSeconds > 0.5
    actions: [{ type: signal, signal: SIGKILL }]
`,
    )
    const run = new Run(['watch', '--config', config])
    await run.said(/breach ended/)
    await run.said(/SIGKILL: it ended within \d+ ms/)
    run.child.kill('SIGINT')
    await run.ended
    const { stdout } = await why(String(pid))
    expect(stdout).toMatch(/signal \(signal SIGKILL\) done/)
    expect(stdout).toMatch(/outcome: it ended within [\d.]+ m?s\n/)
    expect(stdout).toMatch(/over after .*: the process (has ended, or is ending|is gone)\n/)
  } finally {
    parent.kill('SIGKILL')
  }
})

test('what is wrong is said in a line with the way out, and a code of its own', async () => {
  const cases: [args: string[], code: number, message: RegExp][] = [
    [['why', '-d', directory], 2, /it is not said what to tell; give a PID/],
    [['why', '1'], 2, /it is not said which journal; give the -d/],
    [['why', 'x', '-d', directory], 3, /"x" is neither a PID nor an id; give a PID/],
    [['why', '0', '-d', directory], 4, /PID "0" is out of range/],
    [['why', '1', '-d', directory, '--limit', '0'], 4, /--limit "0" is out of range/],
    [
      ['why', '1', '-d', directory],
      7,
      /the journal "\S+muster\.jsonl" does not exist; give the --journal or -d/,
    ],
    [['why', '1', '--journal', directory], 7, /EISDIR/],
  ]
  for (const [args, code, message] of cases) {
    const ended = await muster(args)
    expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code, stdout: '' })
    expect(ended.stderr).toMatch(/^muster: [^\n]+\n$/)
    expect(ended.stderr).toMatch(message)
  }
  await writeFile(join(directory, 'muster.jsonl'), '')
  const none = await why('00000000-7')
  expect(none.code).toBe(5)
  expect(none.stderr).toMatch(/"00000000-7" is no alert, decision or action of the journal/)
  const { stdout } = await why('1')
  expect(stdout).toBe('nothing was decided about pid 1\n')
  expect(await readFile(join(directory, 'muster.jsonl'), 'utf8')).toBe('')
})
