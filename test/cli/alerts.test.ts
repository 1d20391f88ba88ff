import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hostileNames, startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { endRuns, muster, Run } from './muster.js'

const isRoot = process.getuid?.() === 0
const NOBODY = 65_534

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'muster-alerts-'))
})
afterEach(async () => {
  await endRuns()
  await stopAll()
  await rm(directory, { recursive: true })
})

interface Listing {
  isRunning: boolean
  found: number
  alerts: { id: string; state: string; silencedBy?: string; acknowledged?: { by: string; note: string } }[]
  silences: { id: string }[]
  waiting: { id: string; request: { type: string } }[]
}
const listed = async (...flags: string[]): Promise<Listing> =>
  JSON.parse((await muster(['alerts', '-d', directory, '--json', ...flags])).stdout) as Listing

/** A watch under way of one process that breaches, with a command that writes down what it is told. */
async function startWatch(): Promise<Run> {
  const { pid } = await startProcess('idle', { rss: 40 << 20 })
  const config = join(directory, 'muster.yaml')
  await writeFile(
    config,
    `
interval: 0.1
directory: ${directory}
notify:
  - type: command
    command: [sh, -c, 'cat >> "$0"; echo >> "$0"', ${join(directory, 'told')}]
    minSeverity: warning
rules:
  - name: too big
    match: { pid: ${pid} }
    when: rss > 30MiB
    cooldown: 100ms
    severity: critical
`,
  )
  const run = new Run(['watch', '--config', config], { timeoutMs: 120_000 })
  await run.said(/breach /)
  return run
}
const told = async (): Promise<{ id: string; state: string }[]> =>
  (await readFile(join(directory, 'told'), 'utf8').catch(() => ''))
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { id: string; state: string })

const startRecord = {
  ...{ v: 1, seq: 0, atMs: 0, time: '', type: 'engine-start' },
  place: { bootId: 'b', pidNamespace: 'p' },
  rules: [] as string[],
}
const alertRecord = (n: number, changes: object) => ({
  ...{ v: 1, seq: n, atMs: n, time: '', type: 'alert' },
  alert: {
    ...{
      id: `a-${n}`,
      rule: 'r',
      severity: 'warning',
      kind: 'breach',
      state: 'firing',
      name: 'n',
      values: [],
    },
    ...{ identity: { pid: n, startTicks: 1, settled: true }, message: 'm', atMs: n, repeats: 0, lastAtMs: n },
    ...changes,
  },
})
const writeJournal = (records: object[]) =>
  writeFile(
    join(directory, 'muster.jsonl'),
    [startRecord, ...records].map((record) => `${JSON.stringify(record)}\n`).join(''),
  )

test('alerts of a running watch are listed, acknowledged, silenced, and heard of again', async () => {
  const run = await startWatch()
  await waitFor(async () => (await told()).length > 0)
  const { alerts, isRunning } = await listed('--state', 'firing')
  expect(isRunning).toBe(true)
  const [{ id }] = alerts as [Listing['alerts'][0]]
  expect((await told())[0]).toMatchObject({ id, state: 'firing' })

  const refused = await muster(['silence', '--rule', 'to big', '--for', '2h', '-d', directory])
  expect(refused).toMatchObject({
    ...{ code: 5, stdout: '' },
    stderr: 'muster: there is no rule "to big"; did you mean "too big"?\n',
  })
  const flags = ['--rule', 'too big', '--severity', 'critical', '--for', '2h', '--note', 'known']
  const { code, stdout } = await muster(['silence', ...flags, '-d', directory, '--by', 'me'])
  expect(code).toBe(0)
  const silence = /^silence (\S+) until .* of rule "too big", severity "critical", by me: known\n$/.exec(
    stdout,
  )![1]!
  expect((await listed()).alerts).toMatchObject([{ id, silencedBy: silence }])
  expect((await listed()).silences).toHaveLength(1)
  const text = await muster(['alerts', '-d', directory, '--severity', 'critical'])
  expect(text.stdout).toMatch(
    new RegExp(`critical  firing    ${id}  too big: .*\\[silenced by ${silence}\\]\n`),
  )
  expect(text.stdout).toContain(`silence ${silence} until `)

  expect(await muster(['ack', id, '-d', directory, '--note', 'a\nb', '--by', 'me'])).toMatchObject({
    ...{ code: 0, stderr: '' },
    stdout: expect.stringMatching(new RegExp(`^acknowledged: alert ${id}, too big: .*\n$`)),
  })
  expect((await listed()).alerts[0]!.acknowledged).toMatchObject({ by: 'me', note: 'a\nb' })
  const ended = await muster(['unsilence', silence, '-d', directory, '--json'])
  expect(JSON.parse(ended.stdout)).toMatchObject({ isRunning: true, answer: { type: 'unsilence' } })
  expect(await muster(['unsilence', silence, '-d', directory])).toMatchObject({
    ...{ code: 5, stdout: '' },
    stderr: expect.stringMatching(/^muster: no silence .* is in force; [^\n]*\n$/),
  })
  expect(await muster(['ack', 'nope', '-d', directory])).toMatchObject({
    ...{ code: 5, stderr: `muster: no alert "nope" fires; there is "${id}"\n` },
  })

  run.child.kill('SIGTERM')
  await run.ended
  const after = await muster(['alerts', '-d', directory])
  expect(after.stdout).toMatch(/no watch writes this journal now/)
}, 150_000)

test('without a running watch a request waits for the next start', async () => {
  const journal = join(directory, 'muster.jsonl')
  await writeFile(journal, '', { mode: 0o600 })
  const asked = await muster(['silence', '--pid', '1', '--for', '1h', '--journal', journal])
  expect(asked).toMatchObject({ code: 0, stdout: '' })
  const [, id] = /^muster: no watch runs on this journal: request (\S+) takes effect when one/.exec(
    asked.stderr,
  )!
  expect(await listed()).toMatchObject({ silences: [], waiting: [{ id, request: { type: 'silence' } }] })
  const { pid } = await startProcess('idle')
  const run = new Run(['watch', '-p', String(pid), '-t', '99', '-d', directory])
  await waitFor(async () => (await listed()).silences.length === 1)
  expect(await listed()).toMatchObject({ silences: [{ id }], waiting: [] })
  expect(await readdir(`${journal}.requests`)).toEqual([])
  run.child.kill('SIGTERM')
  await run.ended
})

test('without a running watch requests that wait are listed, and can be taken back', async () => {
  await writeJournal([alertRecord(1, {})])
  await muster(['ack', 'a-1', '-d', directory, '--by', 'me'])
  await muster(['silence', '--name', 'n\u009b', '--for', '1h', '-d', directory, '--by', 'me'])
  const [ack, silence] = (await listed()).waiting.map(({ id }) => id) as [string, string]
  const { stdout } = await muster(['alerts', '-d', directory])
  expect(stdout).toContain(`request ${ack} to acknowledge alert a-1, by me (waits for the next start)\n`)
  expect(stdout).toMatch(
    new RegExp(`silence ${silence} until .* of name "n.x9b", by me \\(waits for the next start\\)\n`),
  )
  expect(await muster(['unsilence', silence, '-d', directory])).toMatchObject({
    ...{ code: 0, stderr: '', stdout: `request ${silence} is taken back; no watch had taken it\n` },
  })
  const taken = await muster(['unsilence', ack, '-d', directory, '--json'])
  expect(JSON.parse(taken.stdout)).toMatchObject({ request: ack, withdrawn: true, isRunning: false })
  expect((await listed()).waiting).toEqual([])
  expect(await muster(['unsilence', ack, '-d', directory])).toMatchObject({ code: 5, stdout: '' })
})

test('a rule that only the next start brings can be silenced before it', async () => {
  await writeJournal([{ ...startRecord, rules: ['r'] }])
  const asked = await muster(['silence', '--rule', 'too big', '--for', '1h', '-d', directory])
  expect(asked.code).toBe(0)
  expect(asked.stderr).toMatch(
    /^muster: there is no rule "too big"; there is "r" \(in the last run\); a start without it refuses the request\n/,
  )
  const run = await startWatch()
  const { alerts, silences, waiting } = await listed()
  expect({ silences, waiting }).toMatchObject({ silences: [{ match: { rule: 'too big' } }], waiting: [] })
  expect(alerts).toMatchObject([{ rule: 'too big', silencedBy: silences[0]!.id }])
  expect(await told()).toEqual([])
  run.child.kill('SIGTERM')
  await run.ended
})

test('without a running watch what the journal does not know is refused', async () => {
  const suspended = { type: 'suspended', scope: 'rule', rule: 'r', reason: 'why', untilMs: Date.now() + 1e6 }
  await writeJournal([
    { ...startRecord, rules: ['r', 'other'] },
    alertRecord(1, {}),
    alertRecord(3, { rule: 'judging' }),
    { ...alertRecord(3, { rule: 'judging', state: 'resolved', resolvedAtMs: 9 }), type: 'alert-resolved' },
    { ...alertRecord(2, { state: 'resolved', resolvedAtMs: 9 }), type: 'alert-resolved' },
    { ...startRecord, ...suspended },
  ])
  const refusal = async (...args: string[]) => {
    const { code, stdout, stderr } = await muster([...args, '-d', directory])
    expect({ code, stdout }).toEqual({ code: 5, stdout: '' })
    return stderr.replace(' (no watch runs on this journal)\n', '')
  }
  expect(await refusal('ack', 'zzzzzz')).toBe('muster: there is no alert "zzzzzz"; there is "a-1"')
  expect(await refusal('ack', 'a-2')).toBe('muster: alert "a-2" is resolved; did you mean "a-1"?')
  expect(await refusal('unsilence', 'x')).toBe('muster: no silence "x" is in force; there are none')
  expect(await refusal('resume', 'quite another')).toMatch(/no rule "quite another"; there are "r", "other"$/)
  expect(await refusal('resume', 'other')).toMatch(/no restarts of rule "other" are suspended or given up$/)
  for (const args of [
    ['ack', 'a-1'],
    ['silence', '--rule', 'r', '--for', '1h'],
    ['silence', '--rule', 'judging', '--for', '1h'],
    ['resume', 'r'],
  ]) {
    const { code, stderr } = await muster([...args, '-d', directory])
    expect(code).toBe(0)
    expect(stderr).toMatch(/^muster: no watch runs on this journal: request \S+ takes effect when one is st/)
  }
})

test('names that processes choose never reach the list raw', async () => {
  const names = Object.values(hostileNames).map((name) => name.toString('utf8'))
  const alerts = names.map((name, n) => alertRecord(n + 1, { name, rule: name, message: name }))
  await writeJournal(alerts)
  const { code, stdout, stderr } = await muster(['alerts', '-d', directory])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  expect(stdout.trimEnd().split('\n')).toHaveLength(names.length + 1)
  const json = (await muster(['alerts', '-d', directory, '--json'])).stdout
  expect(json.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}]/u)
})

test('filters, limits and an empty list', async () => {
  const resolved = { ...alertRecord(3, { state: 'resolved', resolvedAtMs: 9 }), type: 'alert-resolved' }
  await writeJournal([
    ...[alertRecord(1, {}), startRecord, alertRecord(2, { severity: 'critical' }), alertRecord(3, {})],
    resolved,
  ])
  const ids = async (...flags: string[]) =>
    (await listed(...flags)).alerts.map(({ id, state }) => `${id} ${state}`)
  expect(await ids()).toEqual(['a-3 resolved', 'a-2 firing', 'a-1 unknown'])
  expect(await ids('--state', 'firing')).toEqual(['a-2 firing'])
  expect(await ids('--state', 'unknown')).toEqual(['a-1 unknown'])
  expect(await ids('--severity', 'critical')).toEqual(['a-2 firing'])
  expect(await ids('--rule', 'q')).toEqual([])
  expect(await ids('--pid', '3')).toEqual(['a-3 resolved'])
  expect(await ids('--limit', '1')).toEqual(['a-3 resolved'])
  expect((await muster(['alerts', '-d', directory, '--limit', '1'])).stdout).toMatch(
    /\n2 older ones are left out/,
  )
  expect((await muster(['alerts', '-d', directory, '--rule', 'q'])).stdout).toMatch(/^no alerts\n/)
})

test.each<[string, string[], number, RegExp]>([
  ['no watch', ['alerts'], 2, /which watch is meant\? give its -d DIRECTORY or its --journal FILE/],
  [
    'no such journal',
    ['alerts', '-d', '/nonexistent'],
    7,
    /journal "\/nonexistent\/muster\.jsonl" does not exist/,
  ],
  ['a directory as journal', ['ack', 'x', '--journal', '/tmp'], 7, /is no regular file/],
  ['no id', ['ack'], 2, /missing required argument 'id'/],
  ['two ids', ['unsilence', 'a', 'b', '-d', '/tmp'], 2, /too many arguments/],
  ['a wrong state', ['alerts', '-d', '/tmp', '--state', 'fireing'], 3, /did you mean "firing"/],
  [
    'a wrong severity',
    ['silence', '--severity', 'bad', '--for', '1h', '-d', '/tmp'],
    3,
    /give info, warning, crit/,
  ],
  ['nothing to silence', ['silence', '--for', '1h', '-d', '/tmp'], 2, /what is to be silenced\?/],
  ['no time', ['silence', '--rule', 'r', '-d', '/tmp'], 2, /for how long\? give --for/],
  ['no time at all', ['silence', '--rule', 'r', '--for', '0s', '-d', '/tmp'], 4, /give more than 0/],
  ['a time in words', ['silence', '--rule', 'r', '--for', 'long', '-d', '/tmp'], 3, /--for .*no duration/],
  ['a wait in words', ['ack', 'x', '--wait', 'long', '-d', '/tmp'], 3, /--wait "long" is not a number/],
])('%s is said in a line', async (_, args, code, line) => {
  const result = await muster(args)
  expect(result.stderr).toMatch(line)
  expect(result.stderr).toMatch(/^muster: [^\n]+\n$/)
  expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: '' })
})

// Needs root, to be another than the owner.
test.runIf(isRoot)('root asks as the owner of the journal, or that engine could not read it', async () => {
  const journal = join(directory, 'muster.jsonl')
  await writeFile(journal, '', { mode: 0o600 })
  await chown(directory, NOBODY, NOBODY)
  await chown(journal, NOBODY, NOBODY)
  expect((await muster(['silence', '--rule', 'r', '--for', '1h', '-d', directory])).code).toBe(0)
  const requests = `${journal}.requests`
  expect((await stat(requests)).uid).toBe(NOBODY)
  const [name] = await readdir(requests)
  expect((await stat(join(requests, name!))).uid).toBe(NOBODY)
})

test('a file that is no journal is not taken for one without alerts, and of a damaged one it is said', async () => {
  const journal = join(directory, 'muster.jsonl')
  await writeFile(journal, 'rules:\n  - name: x\n')
  for (const words of [['alerts'], ['silence', '--rule', 'r', '--for', '1h']]) {
    const { code, stdout, stderr } = await muster([...words, '-d', directory])
    expect({ code, stdout }).toEqual({ code: 7, stdout: '' })
    expect(stderr).toMatch(
      /^muster: "[^"]+" is no journal, no line of it is a record; give that of a muster watch\n$/,
    )
  }
  expect(await readdir(directory)).toEqual(['muster.jsonl'])
  const stop = { v: 1, seq: 1, atMs: 1, time: '1970-01-01T00:00:00.001Z', type: 'engine-stop' }
  await writeFile(journal, `${JSON.stringify(stop)}\n{"v":1,\n`)
  expect((await muster(['alerts', '-d', directory])).stdout).toMatch(
    /^no alerts\ndamaged lines of the journal, left out here: 1\n/,
  )
  expect(await listed()).toMatchObject({ alerts: [], badLines: 1 })
})

// Needs root, to be another than the owner.
test.runIf(isRoot)('who may not read the journal is told whom to be', async () => {
  await chmod(directory, 0o755)
  await writeFile(join(directory, 'muster.jsonl'), '', { mode: 0o600 })
  await mkdir(join(directory, 'muster.jsonl.requests'), { mode: 0o700 })
  for (const words of [['alerts'], ['ack', '00000000-1'], ['silence', '--rule', 'r', '--for', '1h']]) {
    const { code, stdout, stderr } = await muster([...words, '-d', directory], { uid: NOBODY })
    expect({ code, stdout }).toEqual({ code: 6, stdout: '' })
    expect(stderr).toMatch(
      /^muster: journal "[^"]+" is not readable for this user; run as the user of the watch, or as root\n$/,
    )
  }
})

test('a notifier of the configuration that is wrong is named with its line', async () => {
  const config = join(directory, 'muster.yaml')
  const rules = 'rules: [{ name: r, when: rss > 1TiB }]\n'
  const refusal = async (notify: string) => {
    await writeFile(config, `${rules}notify:\n${notify}`)
    const { stderr, code } = await muster(['watch', '--config', config, '--once'])
    expect(code).toBe(8)
    return stderr
  }
  expect(await refusal('  - { type: webhok, url: "http://x/" }\n')).toMatch(/muster\.yaml:3:\d+: notify\[0\]/)
  expect(await refusal('  - { type: log, pth: x }\n')).toMatch(
    /:3:\d+: notify\[0\]: unknown key "pth" \(did you mean "path"\?\)/,
  )
  expect(await refusal('  - { type: webhook, url: "ftp://x/" }\n')).toMatch(
    /:3:\d+: notify\[0\]\.url: give an http/,
  )
  expect(await refusal('  - { type: log, path: x, rules: [q] }\n')).toMatch(/there is no rule "q"/)
})

test('a command that is not there fails to be told, and does not end the watch', async () => {
  const { pid } = await startProcess('idle')
  const config = join(directory, 'muster.yaml')
  const rule = `rules: [{ name: r, match: { subtree: ${pid} }, when: rss > 1KiB }]\n`
  await writeFile(config, `${rule}notify: [{ type: command, command: [/nonexistent/program] }]\n`)
  const { stdout, code } = await muster(['watch', '--config', config, '--once'])
  expect(stdout).toMatch(/notifier command-1 was not told of alert \S+: spawn \/nonexistent\/program ENOENT/)
  expect(stdout).not.toMatch(/stopping/)
  expect(code).toBe(10)
})

test('an alert of a journal that counts no repeats yet is told without them', async () => {
  const head = { v: 1, atMs: 1e12, time: '' }
  const alert = {
    ...{
      id: 'a-1',
      rule: 'r',
      severity: 'warning',
      kind: 'breach',
      state: 'resolved',
      name: 'n',
      values: [],
    },
    ...{ identity: { pid: 1, startTicks: 1 }, message: 'it was large', atMs: 1e12 },
  }
  const place = { bootId: 'b', pidNamespace: 'p' }
  const records = [
    { ...head, seq: 1, type: 'engine-start', place, rules: ['r'] },
    { ...head, seq: 2, type: 'alert-resolved', alert },
  ]
  await writeFile(
    join(directory, 'muster.jsonl'),
    records.map((record) => `${JSON.stringify(record)}\n`).join(''),
  )
  const { stdout } = await muster(['alerts', '-d', directory])
  expect(stdout.split('\n')[0]).toMatch(/warning {3}resolved {2}a-1 {2}r: it was large$/)
})
