import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { bpfObstacle } from '../../dist/index.js'
import { compileFixture } from '../fixtures/compile.js'
import { runConfined } from '../fixtures/confined_node.js'
import { hostileNames, startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { endRuns, MUSTER, muster, Run } from './muster.js'

const run = promisify(execFile)
const UNSAFE = /[\p{Cc}\p{Cf}]/u
const SNAPSHOTS = ['events', '--source', 'snapshots', '--interval', '0.02']

afterEach(async () => {
  await stopAll()
  await endRuns()
})

type Event = Record<string, unknown> & { type: string; pid: number }
const eventsOf = (watch: Run): Event[] =>
  watch.records().filter(({ type }) => !String(type).startsWith('events-')) as Event[]

/** A `muster events` that has begun to watch. */
async function watching(...flags: string[]): Promise<Run> {
  const started = new Run(flags)
  if (flags.includes('--json')) await started.said(/"events-start"/)
  else await waitFor(() => /events from/.test(started.stderr))
  return started
}

test('a birth, an exec and an end, with counts at the end', async () => {
  const watch = await watching(...SNAPSHOTS, '--json', '--name', 'evt-')
  const { pid, stop } = await startProcess('idle', { name: 'evt-one' })
  // Seen before it had its name, its birth is another name's, and the new name is told as an exec.
  await waitFor(() => eventsOf(watch).some((event) => event.type !== 'exit' && event.pid === pid))
  await stop()
  await waitFor(() => eventsOf(watch).some((event) => event.type === 'exit' && event.pid === pid))
  watch.child.kill('SIGINT')
  const { code, stderr } = await watch.ended
  expect({ code, stderr }).toEqual({ code: 130, stderr: '' })
  const [first, ...rest] = watch.records()
  expect(first).toMatchObject({ type: 'events-start', source: 'snapshots', sourceReason: expect.any(String) })
  const last = rest.pop()!
  const shown = eventsOf(watch)
  const exit = shown.find(({ type }) => type === 'exit')!
  expect(exit).toMatchObject({ pid, ppid: process.pid, name: 'evt-one', exitCode: null, sender: null })
  expect(Math.abs(Date.parse(exit.time as string) - Date.now())).toBeLessThan(30_000)
  for (const { name } of shown) expect(name).toContain('evt-')
  const count = (type: string): number => shown.filter((event) => event.type === type).length
  expect(last).toMatchObject({
    ...{ type: 'events-stop', exitCode: 130, lost: 0, source: 'snapshots' },
    ...{ fork: count('fork'), exec: count('exec'), exit: count('exit'), signal: 0 },
  })
})

test('filters by type, pid and parent; --count ends it', async () => {
  const one = await startProcess('idle', { name: 'evt-a' })
  const two = await startProcess('idle', { name: 'evt-b' })
  const byPid = await watching(...SNAPSHOTS, '--json', '--pid', `${one.pid},${two.pid}`, '--count', '1')
  // There before it is watched for: between two snapshots it could come and go.
  const other = await startProcess('idle', { name: 'evt-c' })
  const byParent = await watching(...SNAPSHOTS, '--json', '--type', 'exit', '--ppid', String(process.pid))
  await two.stop()
  expect((await byPid.ended).code).toBe(0)
  expect(eventsOf(byPid)).toMatchObject([{ type: 'exit', pid: two.pid }])
  await other.stop()
  await waitFor(() => eventsOf(byParent).some(({ pid }) => pid === other.pid))
  for (const event of eventsOf(byParent)) expect(event).toMatchObject({ type: 'exit', ppid: process.pid })
})

test('text has a line for each event on stdout, and where they come from on stderr', async () => {
  const watch = await watching(...SNAPSHOTS, '--type', 'fork,exec', '--name', 'evt-text', '--count', '1')
  const { pid } = await startProcess('idle', { name: 'evt-text' })
  const { code, stdout, stderr } = await watch.ended
  expect(code).toBe(0)
  const line = `^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{3}  (fork|exec) +${pid}  evt-text +parent +${process.pid}\\n$`
  expect(stdout).toMatch(new RegExp(line))
  expect(stderr).toMatch(
    /^muster: events from snapshots[^\n]+\nmuster: \d forks, \d execs, 0 exits[^\n]+none lost\n$/,
  )
})

test('--for ends it', async () => {
  const began = performance.now()
  const { code, stderr } = await muster([...SNAPSHOTS, '--for', '200ms', '--name', 'no such name'])
  expect(code).toBe(0)
  expect(performance.now() - began).toBeGreaterThanOrEqual(200)
  expect(stderr).toContain('0 forks, 0 execs, 0 exits (0 failed), 0 signals')
})

test('hostile names never reach the output raw, as text or as JSON', async () => {
  const text = await watching(...SNAPSHOTS, '--type', 'fork,exit')
  const json = await watching(...SNAPSHOTS, '--type', 'fork,exit', '--json')
  const started = await Promise.all(Object.values(hostileNames).map((name) => startProcess('idle', { name })))
  // Born after all had their names: a sample that shows it has shown those.
  const marker = await startProcess('idle')
  await text.said(new RegExp(`fork +${marker.pid} `))
  await json.said(new RegExp(`"fork","pid":${marker.pid},`))
  for (const { pid, stop } of started) {
    await stop()
    await text.said(new RegExp(`exit +${pid} `))
    await json.said(new RegExp(`"exit","pid":${pid},`))
  }
  for (const watch of [text, json]) expect(watch.stdout.replaceAll('\n', '')).not.toMatch(UNSAFE)
  for (const line of text.stdout.trimEnd().split('\n')) {
    expect(line).toMatch(/^\d{4}-\d\d-\d\d .* parent +\d+( {2}ended {2}lived [^ ]+ [a-z]+( {2}cpu .*)?)?$/)
  }
  const names = eventsOf(json).flatMap(({ type, name }) => (type === 'exit' ? [name] : []))
  expect(names).toContain('\u001b[31mred\u001b[0m\u0007')
})

test('a reader that goes away ends it quietly', async () => {
  const shell = spawn('bash', [
    '-c',
    `"$0" "$@" --json | head -n 1; echo "\${PIPESTATUS[0]}"`,
    ...[process.execPath, MUSTER, ...SNAPSHOTS],
  ])
  let [stdout, stderr] = ['', '']
  shell.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  shell.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const births = setInterval(() => void startProcess('exit', { after: 50 }).catch(() => {}), 100)
  await once(shell, 'close').finally(() => clearInterval(births))
  expect(stderr).toBe('')
  expect(stdout.split('\n').slice(1)).toEqual(['141', ''])
})

test.each<[string[], number, RegExp]>([
  [['--type', 'birth'], 3, /--type "birth" is no event; give some of fork, exec, exit, signal/],
  [['--type', 'ext'], 3, /did you mean "exit"\?/],
  [['--type', ''], 3, /--type is empty/],
  [['--type', 'fork', '--failed'], 2, /--failed shows ends/],
  [['--pid', 'x'], 3, /--pid "x" is not a whole number/],
  [['--ppid', '0'], 4, /--ppid "0" is out of range/],
  [['--name', ''], 3, /--name is empty/],
  [['--source', 'perf'], 3, /--source "perf" is not known; give auto, bpf, netlink, snapshots/],
  [['--interval', '0'], 4, /--interval "0" is out of range/],
  [['--count', '0'], 4, /--count "0" is out of range/],
  [['--for', 'long'], 3, /--for "long" is no duration; write '30s', '5m' or '1h30m'$/m],
  [['--for', '25d'], 4, /--for "25d" is out of range; give more than 0 and at most 24d/],
  [['--for', '25d'], 4, /--for "25d" is out of range/],
  [['--source', 'snapshots', '--failed'], 6, /--failed needs exit codes, which snapshots does not tell/],
  [['--source', 'snapshots', '--type', 'signal'], 6, /--type signal needs signals/],
  [['1234'], 2, /"1234" is no flag of muster events; a process is given with -p PID/],
])('%j exits with %i and one line', async (flags, code, line) => {
  const result = await muster(['events', ...flags])
  expect(result).toMatchObject({ code, stdout: '' })
  expect(result.stderr).toMatch(line)
  expect(result.stderr).toMatch(/^muster: [^\n]+\n$/)
})

const byKernel = bpfObstacle() === undefined

describe.runIf(byKernel)('from the kernel', () => {
  test('a process that lives 5 ms, burns CPU and is killed appears with sender and signal', async () => {
    const program = await compileFixture('short_life.c')
    const watch = await watching(
      'events',
      '--source',
      'bpf',
      '--type',
      'exit,signal',
      '--name',
      'evt-short',
      '--json',
    )
    const { stdout } = await run(program, ['5', 'evt-short', 'evt-killer'])
    const [victim, killer] = stdout.trim().split(' ').map(Number)
    const exit = await waitFor(() =>
      eventsOf(watch).find(({ type, pid }) => type === 'exit' && pid === victim),
    )
    const sender = { pid: killer, name: 'evt-killer' }
    expect(exit).toMatchObject({
      name: 'evt-short',
      exitCode: null,
      signal: 'SIGKILL',
      sender,
      oomKilled: false,
    })
    const { lifetimeMs, cpuTimeNs, peakRssBytes } = exit as unknown as Record<string, number>
    // On a crowded host it lives longer than 5 ms; it cannot have used more CPU time than that.
    expect(lifetimeMs).toBeGreaterThanOrEqual(5)
    expect(lifetimeMs).toBeLessThan(5000)
    expect(cpuTimeNs).toBeGreaterThan(100_000)
    expect(cpuTimeNs).toBeLessThanOrEqual(lifetimeMs! * 1e6 * 1.01 + 1e6)
    expect(peakRssBytes).toBeGreaterThan(4096)
    const signal = eventsOf(watch).find(({ type, pid }) => type === 'signal' && pid === victim)
    expect(signal).toMatchObject({ signal: 'SIGKILL', sender })
  })

  test('--failed shows ends by a signal or with a code, and no other', async () => {
    const watch = await watching('events', '--failed', '--name', 'evt-code', '--json')
    const fine = await startProcess('exit', { name: 'evt-code0', code: 0, after: 10 })
    const failed = await startProcess('exit', { name: 'evt-code3', code: 3, after: 10 })
    const killed = await startProcess('idle', { name: 'evt-code9' })
    await killed.stop()
    const found = await waitFor(() => eventsOf(watch).length >= 2 && eventsOf(watch))
    expect(found.map(({ pid }) => pid).sort()).toEqual([failed.pid, killed.pid].sort())
    expect(found.map(({ pid }) => pid)).not.toContain(fine.pid)
    expect(found.find(({ pid }) => pid === failed.pid)).toMatchObject({ exitCode: 3, signal: null })
    expect(found.find(({ pid }) => pid === killed.pid)).toMatchObject({ exitCode: null, signal: 'SIGKILL' })
    const text = await watching('events', '--failed', '--name', 'evt-text', '--count', '1')
    await (await startProcess('idle', { name: 'evt-text' })).stop()
    const { stdout, code } = await text.ended
    expect(code).toBe(0)
    expect(stdout).toMatch(
      / {2}exit +\d+ {2}evt-text +parent +\d+ {2}SIGKILL from \d+ \S.* {2}lived .* {2}cpu .* {2}peak /,
    )
  })

  test('a source that is not permitted is a fault of the flag, and auto goes on without it', async () => {
    const refused = await runConfined('nobody', [MUSTER, 'events', '--source', 'bpf'])
    expect(refused).toMatchObject({ code: 6, stdout: '' })
    expect(refused.stderr).toMatch(/^muster: --source bpf: [^\n]*no CAP_BPF and CAP_PERFMON[^\n]*\n$/)
    const auto = await runConfined('nobody', [MUSTER, 'events', '--json', '--for', '100ms'])
    expect(auto).toMatchObject({ code: 0, stderr: '' })
    const [start] = auto.stdout
      .split('\n')
      .map((line) => line && (JSON.parse(line) as Record<string, unknown>))
    expect(start).toMatchObject({ type: 'events-start', sourceReason: expect.stringContaining('CAP_BPF') })
  })
})

test.skipIf(byKernel)(`SKIPPED: events from the kernel (${bpfObstacle()?.reason})`, () => {})
