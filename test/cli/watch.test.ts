import { chmod, copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bpfObstacle } from '../../dist/index.js'
import { native } from '../../dist/native.js'
import { runConfined } from '../fixtures/confined_node.js'
import { hostileNames, startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { endLeaky, isAlive, leakyProgram, startLeaky, successorsIn } from './leaky.js'
import { endRuns, MUSTER, muster, Run } from './muster.js'

const UNSAFE = /[\p{Cc}\p{Cf}]/u
const MEMORY_BYTES = 64 << 20

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'muster-watch-'))
})
afterEach(async () => {
  await endRuns()
  await stopAll()
  await endLeaky()
  await rm(directory, { recursive: true })
})

/** A percentage of memory that a process of MEMORY_BYTES is over, and an idle one is not. */
const threshold = async (): Promise<string> => {
  const total = Number(/^MemTotal:\s+(\d+)/m.exec(await readFile('/proc/meminfo', 'latin1'))![1]) * 1024
  return ((100 * MEMORY_BYTES) / 2 / total).toFixed(4)
}
interface JournalRecord {
  type: string
  action?: string
  status?: string
  step?: string
  successor?: { pid: number }
  child?: { pid: number }
}
const journalOf = async (file = join(directory, 'muster.jsonl')): Promise<JournalRecord[]> =>
  (await readFile(file, 'utf8'))
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as JournalRecord)
test('A1: a leaking process breaches; evidence is kept, it is restarted gracefully, and the watch goes on', async () => {
  const pid = await startLeaky(64 << 20)
  const run = new Run([
    'watch',
    '-p',
    String(pid),
    '-t',
    await threshold(),
    '-i',
    '0.2',
    '-d',
    directory,
    '-r',
  ])
  await run.said(/breach memoryPercent/)
  await run.said(/evidence in /)
  await run.said(/the new process is \d+/)
  const [successor] = successorsIn(run.stdout) as [number]
  expect(successor).not.toBe(pid)
  expect(await isAlive(pid)).toBe(false)
  expect(await isAlive(successor)).toBe(true)
  // The successor leaks too: it is followed, and restarted in its turn.
  await waitFor(() => run.stdout.match(/the new process is/g)!.length >= 2, {
    timeoutMs: 15_000,
    what: 'a second restart',
  })
  run.child.kill('SIGINT')
  const { code, stdout, stderr } = await run.ended
  expect({ code, stderr }).toEqual({ code: 130, stderr: '' })
  expect(stdout).toMatch(
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} {2}watching \d+ service-\S+ every 200 ms: memoryPercent >= /,
  )
  expect(stdout).toMatch(/restarted: ended by SIGTERM after /)
  expect(stdout).toMatch(
    /stopped after \d+ looks?.*: \d+ breaches, evidence kept \d+ times, \d+ restarts; own use: .* of CPU in .* of memory; samples by \w+, deaths .*\n$/,
  )

  const [kept] = (await readdir(directory)).filter((name) => name.includes(`-${pid}-`))
  expect(await readdir(join(directory, kept!))).toEqual(
    expect.arrayContaining(['status', 'maps', 'limits', 'stat']),
  )
  expect((await stat(join(directory, kept!))).mode & 0o777).toBe(0o700)
  const records = await journalOf()
  expect(records.map(({ type }) => type)).toEqual(
    expect.arrayContaining(['engine-start', 'decision', 'action-begun', 'self', 'engine-stop']),
  )
})

test('the flags work in any order and in their long forms', async () => {
  const { pid } = await startProcess('idle', { rss: MEMORY_BYTES })
  const [p, t, i, d] = [String(pid), await threshold(), '0.5', directory]
  const orders = [
    ['-d', d, '-i', i, '-t', t, '-p', p],
    ['-t', t, '-p', p, '-d', d, '-i', i],
    ['--threshold', t, '--directory', d, '--pid', p, '--interval', i],
    [`--interval=${i}`, `--pid=${p}`, `-d${d}`, `-t${t}`],
  ]
  for (const flags of orders) {
    const { code, stdout, stderr } = await muster(['watch', '--once', ...flags])
    expect({ code, stderr }).toEqual({ code: 10, stderr: '' })
    expect(stdout).toMatch(/evidence in /)
  }
})

test('--once says by its exit code whether a threshold is breached, and leaves the durations out', async () => {
  const { pid } = await startProcess('spin', { name: 'once-spin', rss: MEMORY_BYTES })
  const once = async (...flags: string[]): Promise<number | null> =>
    (await muster(['watch', '--once', ...flags])).code
  expect(await once('-p', String(pid), '-t', await threshold())).toBe(10)
  expect(await once('-p', String(pid), '-t', '100')).toBe(0)
  expect(await once('--name', 'once-spin', '--rule', 'rss > 1KiB for 1h')).toBe(10)
  expect(await once('--name', 'once-spin', '--rule', 'cpu > 1%')).toBe(10)
  expect(await once('--name', 'nobody-has-this', '--rule', 'rss > 1KiB')).toBe(0)
})

test('a watch by name says at the start how many processes match', async () => {
  const { pid } = await startProcess('idle', { name: 'match-me-1' })
  const said = async (name: string): Promise<string> =>
    (await muster(['watch', '--once', '--name', name, '--rule', 'rss > 1TiB'])).stdout
  expect(await said('match-me-1')).toMatch(/processes that match now: 1 \(rss > 1TiB\)/)
  expect(await said('/^match-ME-/i')).toMatch(/processes that match now: 1 /)
  expect(await said('match-me')).toMatch(/processes that match now: 0 /)
  expect(pid).toBeGreaterThan(0)
})

test('a threshold below a hundredth is not shown as 0, and a log says where the process stands', async () => {
  const { pid } = await startProcess('idle')
  const breached = await muster(['watch', '--once', '-p', String(pid), '-t', '0.0001'])
  expect(breached.stdout).toMatch(/>= 0\.0001 %: memory threshold/)
  expect(breached.stdout).toMatch(/stopped after 1 look.*: 1 breach; own use/)
  const quiet = await muster(['watch', '--once', '-p', String(pid), '-t', '99'])
  expect(quiet.stdout).toMatch(new RegExp(`${pid} \\S+ {2}0\\.\\d\\d % of memory \\(.*iB\\)`))
  expect(quiet.stdout).toMatch(/stopped after 1 look.*: no breach/)
})

test('--dry-run says what it would do and touches nothing', async () => {
  const { pid } = await startProcess('idle', { rss: MEMORY_BYTES })
  const flags = ['-p', String(pid), '-t', await threshold(), '-d', directory, '-r', '--dry-run', '--once']
  const { code, stdout } = await muster(['watch', ...flags])
  expect(code).toBe(10)
  expect(stdout).toMatch(/dry run: restart would have been done/)
  expect(await isAlive(pid)).toBe(true)
  expect(await readdir(directory)).toEqual(['muster.jsonl'])
})

test('a process that ends, and not by the watch, ends the watch with a code of its own', async () => {
  const started = await startProcess('idle')
  const run = new Run(['watch', '-p', String(started.pid), '-t', '90', '-i', '0.1'])
  await run.said(/watching/)
  await started.stop()
  const { code, stdout } = await run.ended
  expect(code).toBe(11)
  expect(stdout).toMatch(/watched by rule "memory threshold", ended/)
})

test('--json is JSON Lines that tell the whole story, hostile names included', async () => {
  const { pid } = await startProcess('idle', { rss: MEMORY_BYTES, name: hostileNames.escape })
  const flags = ['-p', String(pid), '-t', await threshold(), '-d', directory, '--once', '--json']
  const run = new Run(['watch', ...flags])
  const { code, stdout } = await run.ended
  expect(code).toBe(10)
  expect(stdout.replaceAll('\n', '')).not.toMatch(UNSAFE)
  const records = run.records()
  expect(records.map(({ type }) => type)).toEqual(
    expect.arrayContaining(['watch-start', 'look', 'alert', 'action', 'watch-stop']),
  )
  expect(records[0]).toMatchObject({ type: 'watch-start', pid })
  expect(records.find(({ type }) => type === 'look')).toMatchObject({
    pid,
    name: '\u001b[31mred\u001b[0m\u0007',
  })
  expect(records.at(-1)).toMatchObject({
    ...{ type: 'watch-stop', exitCode: 10, breaches: 1, evidence: 1, restarts: 0, notDone: 0 },
  })
  for (const { time } of records) expect(new Date(time as string).toISOString()).toBe(time)
})

test.each(Object.entries(hostileNames))('the name %s never reaches the output raw', async (_, name) => {
  const { pid } = await startProcess('idle', { rss: MEMORY_BYTES, name })
  const { code, stdout, stderr } = await muster([
    'watch',
    '-p',
    String(pid),
    '-t',
    await threshold(),
    '-d',
    directory,
    '--once',
    '-v',
  ])
  expect({ code, stderr }).toEqual({ code: 10, stderr: '' })
  expect(stdout.replaceAll('\n', '')).not.toMatch(UNSAFE)
  for (const line of stdout.trimEnd().split('\n'))
    expect(line).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} /)
})

test('a program that was deleted is refused before the watch, since it could not be started again', async () => {
  const program = join(directory, 'program')
  await copyFile(await leakyProgram(), program)
  await chmod(program, 0o755)
  const pid = await startLeaky(0, { program })
  await rm(program)
  const { code, stdout, stderr } = await muster(['watch', '-p', String(pid), '-t', '90', '-r'])
  expect(code).toBe(9)
  expect(stdout).toBe('')
  expect(stderr).toMatch(/^muster: -r\/--restart: [^\n]+\n$/)
  expect(await isAlive(pid)).toBe(true)
})

test('a program that is deleted while it is watched: the restart is refused, and the watch ends', async () => {
  const program = join(directory, 'program')
  await copyFile(await leakyProgram(), program)
  await chmod(program, 0o755)
  const pid = await startLeaky(32 << 20, { program })
  const run = new Run(['watch', '-p', String(pid), '-t', await threshold(), '-i', '0.2', '-r'])
  await run.said(/watching/)
  await rm(program)
  const { code, stdout } = await run.ended
  expect(code).toBe(9)
  expect(stdout).toMatch(/restart refused: /)
  expect(await isAlive(pid)).toBe(true)
})

/** A restart under way of a process that ignores SIGTERM, so that the grace time has to pass. */
const watchStubborn = async (graceSeconds: number): Promise<{ pid: number; run: Run }> => {
  const pid = await startLeaky(64 << 20, { ignoreTerm: true })
  const target = ['-p', String(pid), '-t', await threshold(), '-i', '0.2']
  const run = new Run(['watch', ...target, '-d', directory, '-r', '--grace', String(graceSeconds)])
  await waitFor(async () => (await journalOf()).some(({ step }) => step === 'terminating'))
  return { pid, run }
}

test('a signal during a restart lets it end; nothing is left half done', async () => {
  const { pid, run } = await watchStubborn(2)
  run.child.kill('SIGTERM')
  const { code, stdout } = await run.ended
  const [successor] = successorsIn(stdout) as [number]
  expect(code).toBe(143)
  expect(stdout).toMatch(/SIGTERM: stopping; an action under way is finished first/)
  expect(stdout).toMatch(/restarted: ended by SIGKILL after 2/)
  expect(await isAlive(pid)).toBe(false)
  expect(await isAlive(successor)).toBe(true)
})

test('a second signal gives a restart up at once; the next watch with that journal finishes it', async () => {
  const { pid, run } = await watchStubborn(20)
  run.child.kill('SIGINT')
  await run.said(/stopping/)
  // What follows at once is the same request, for example a Ctrl-C that npx passes on.
  run.child.kill('SIGINT')
  await new Promise((resolve) => setTimeout(resolve, 700))
  expect(run.child.exitCode).toBe(null)
  run.child.kill('SIGINT')
  expect((await run.ended).code).toBe(130)
  expect(await isAlive(pid)).toBe(true)

  const next = new Run([
    'watch',
    '--name',
    'nobody-has-this',
    '--rule',
    'rss > 1KiB',
    '-d',
    directory,
    '--grace',
    '0',
  ])
  await next.said(/begun by an earlier run|restart (done|refused|failed|interrupted)/)
  next.child.kill('SIGINT')
  await next.ended
})

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s stops a quiet watch cleanly', async (signal) => {
  const { pid } = await startProcess('idle')
  const run = new Run(['watch', '-p', String(pid), '-t', '90', '-i', '60', '-d', directory])
  await run.said(/watching/)
  run.child.kill(signal)
  const { code, stdout, stderr } = await run.ended
  expect({ code, stderr }).toEqual({ code: { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal], stderr: '' })
  expect(stdout).toMatch(/own use: /)
  expect((await journalOf()).at(-1)!.type).toBe('engine-stop')
})

test('a signal before the watch has begun stops it too', async () => {
  const { pid } = await startProcess('idle')
  for (const afterMs of [20, 150, 300, 450]) {
    const run = new Run(['watch', '-p', String(pid), '-t', '90', '-i', '60', '-d', directory])
    await new Promise((resolve) => setTimeout(resolve, afterMs))
    run.child.kill('SIGTERM')
    const { code, signal, stderr } = await run.ended
    // Before Node has read the program, the signal's own default ends it.
    expect(signal ?? code).toBe(signal === null ? 143 : 'SIGTERM')
    expect(stderr).toBe('')
  }
})

test('A7: the watcher lowers its own priority on every thread, unless told not to', async () => {
  const { pid } = await startProcess('idle')
  const nices = async (...flags: string[]): Promise<Set<number>> => {
    const run = new Run(['watch', '-p', String(pid), '-t', '90', '-i', '0.1', '-v', ...flags])
    await run.said(/% of memory/)
    const tids = await readdir(`/proc/${run.pid}/task`)
    const stats = await Promise.all(
      tids.map((tid) => readFile(`/proc/${run.pid}/task/${tid}/stat`, 'latin1')),
    )
    run.child.kill('SIGINT')
    await run.ended
    return new Set(stats.map((text) => Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[16])))
  }
  expect(await nices()).toEqual(new Set([10]))
  expect(await nices('--no-nice')).toEqual(new Set([getPriority()]))
})

const isRoot = process.getuid?.() === 0
test.each([undefined, ...(isRoot ? [65_534] : [])])(
  'a restarted process has the priorities of the old one, not the watcher’s (uid %s)',
  async (uid) => {
    const program = join(directory, 'program')
    await chmod(directory, 0o755)
    await copyFile(await leakyProgram(), program)
    await chmod(program, 0o755)
    const user = uid === undefined ? {} : { uid }
    const pid = await startLeaky(64 << 20, { program, nice: 3, ...user })
    const run = new Run(['watch', '-p', String(pid), '-t', await threshold(), '-i', '0.2', '-r'], user)
    await run.said(/the new process is \d+/)
    const [successor] = successorsIn(run.stdout) as [number]
    const text = await readFile(`/proc/${successor}/stat`, 'latin1')
    expect(Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[16])).toBe(getPriority() + 3)
    expect(native.getIoPriority(successor)).toBe(native.getIoPriority(process.pid))
    run.child.kill('SIGINT')
    expect((await run.ended).code).toBe(130)
  },
)

test('rules from a file: each process that matches is acted on by its own rule', async () => {
  const big = await startProcess('idle', { name: 'cfg-big', rss: MEMORY_BYTES })
  const small = await startProcess('idle', { name: 'cfg-small' })
  const file = join(directory, 'rules.yaml')
  await writeFile(
    file,
    `interval: 0.2
directory: kept
rules:
  - name: big
    match: { name: /^cfg-/ }
    when: rss > ${MEMORY_BYTES / 2}
    severity: critical
    actions: [evidence, { type: priority, nice: 7 }]
`,
  )
  const run = new Run(['watch', '--config', file])
  await run.said(/set nice 7/)
  run.child.kill('SIGINT')
  const { stdout } = await run.ended
  expect(stdout).toContain(`${big.pid} cfg-big  breach`)
  expect(stdout).not.toContain(`${small.pid} cfg-small`)
  expect((await readdir(join(directory, 'kept'))).some((name) => name.includes(`-${big.pid}-`))).toBe(true)
})

test('a second watch on the same journal is refused', async () => {
  const { pid } = await startProcess('idle')
  const flags = ['watch', '-p', String(pid), '-t', '90', '-d', directory]
  const first = new Run(flags)
  await first.said(/watching/)
  const { code, stderr } = await muster(flags)
  expect(code).toBe(7)
  expect(stderr).toMatch(/^muster: [^\n]+\n$/)
  first.child.kill('SIGINT')
  expect((await first.ended).code).toBe(130)
})

test('a reader that goes away ends the watch', async () => {
  const { pid } = await startProcess('idle')
  const run = new Run(['watch', '-p', String(pid), '-t', '90', '-i', '0.1', '-v', '-d', directory])
  await run.said(/watching/)
  run.child.stdout!.destroy()
  const { code, stderr } = await run.ended
  expect({ code, stderr }).toEqual({ code: 141, stderr: '' })
  expect((await journalOf()).at(-1)!.type).toBe('engine-stop')
})

const obstacle = bpfObstacle()

test.each(['procfs', ...(obstacle === undefined ? ['bpf'] : [])])(
  'looks by %s where that is asked for, by flag or configuration, and says so at the start',
  async (source) => {
    const config = join(directory, 'config.yaml')
    await writeFile(
      config,
      `source: ${source}\nrules:\n  - { name: none, match: { name: no such name }, when: rss > 1 }\n`,
    )
    for (const flags of [
      ['--name', 'no such name', '--rule', 'rss > 1', '--source', source],
      ['--config', config],
    ]) {
      const { code, stdout, stderr } = await muster(['watch', '--once', '--json', ...flags])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const [start] = stdout.split('\n').map((line) => line && (JSON.parse(line) as Record<string, unknown>))
      expect(start).toMatchObject({ type: 'watch-start', source, sourceReason: expect.any(String) })
    }
    const text = await muster([
      'watch',
      '--once',
      '--name',
      'no such name',
      '--rule',
      'rss > 1',
      '--source',
      source,
    ])
    expect(text.stdout).toContain(`samples by ${source}`)
  },
)

test.runIf(obstacle === undefined && process.getuid!() === 0)(
  'a source that is not permitted is refused before anything starts',
  async () => {
    const flags = ['watch', '--once', '--rule', 'rss < 1', '--source', 'bpf']
    const { code, stdout, stderr } = await runConfined('nobody', [MUSTER, ...flags])
    expect({ code, stdout }).toEqual({ code: 6, stdout: '' })
    expect(stderr).toMatch(/^muster: --source bpf: no CAP_BPF and CAP_PERFMON; [^\n]+\n$/)
  },
)

test.skipIf(obstacle === undefined)(`SKIPPED: a watch by the bpf source (${obstacle?.reason})`, () => {})

test('tells of the grace of the watch only where a restart goes by it', async () => {
  const config = join(directory, 'grace.yaml')
  const rule = (restart: string) =>
    `{ name: r, match: { name: no-such-name }, when: rss > 1KiB, actions: [${restart}] }`
  const told = async (restart: string) => {
    await writeFile(config, `rules: [${rule(restart)}]\n`)
    return (await muster(['watch', '--config', config, '--once'])).stdout
  }
  expect(await told('restart')).toMatch(/restart with 10 s of grace/)
  expect(await told('{ type: restart, graceMs: 500 }')).not.toMatch(/grace/)
})

test('--once waits for the advice of an alert: a zombie is told, and exits 10', async () => {
  const { pid } = await startProcess('zombie', { name: 'once-zombie' })
  const { code, stdout } = await muster(['watch', '--once', '--name', 'once-zombie', '--rule', 'state == Z'])
  expect(stdout).toMatch(new RegExp(`${pid} once-zombie  breach state Z == Z`))
  expect(stdout).toMatch(/1 breach/)
  expect(code).toBe(10)
})

test('--once does not wait for a restart that the governor puts off: it says until when and why, and exits 10', async () => {
  const program = join(directory, 'program')
  await copyFile(await leakyProgram(), program)
  await startLeaky(64 << 20, { program })
  const config = join(directory, 'rules.yaml')
  await writeFile(
    config,
    `directory: ${directory}\nrules:\n  - name: r\n    match: { exe: ${program} }\n    when: rss > 30MiB\n    actions: [restart]\n    limits: { perWindow: 1/1h }\ngovernor: { limits: { backoff: 1ms..1ms, jitter: 0 } }\n`,
  )
  const once = (...flags: string[]) => muster(['watch', '--once', '--config', config, ...flags])
  const first = await once()
  expect([first.code, first.stdout]).toEqual([10, expect.stringMatching(/the new process is \d+/)])
  const second = await once()
  const told = /restart put off until (\S+ )?\d\d:\d\d:\d\d\.\d+ \(rule-window\): 1 in 1 h is the most/
  expect(second.stdout).toMatch(told)
  expect(second.stdout).not.toMatch(/interrupted/)
  expect(second.code).toBe(10)
  const third = await once('--json')
  const records = third.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(
    records.find(({ type }) => type === 'governed'),
    third.stdout + third.stderr,
  ).toMatchObject({
    ...{ verdict: 'put-off', bound: 'rule-window', rule: 'r', action: 'restart' },
    untilMs: expect.any(Number) as number,
  })
  expect(third.code).toBe(10)
})
