import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { runConfined, SETTINGS } from '../fixtures/confined_node.js'
import { startProcess, stopAll } from '../fixtures/processes.js'
import { MUSTER, muster, Run } from './muster.js'

let directory: string
let file: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'muster-rules-'))
  file = join(directory, 'rules.yaml')
})
afterEach(stopAll)
afterAll(() => rm(directory, { recursive: true }))

const RIGHT = `
interval: 5
rules:
  - name: leaking workers
    match: { name: [node, java], not: { unit: 'system-*.slice' } }
    per: unit
    when: leak(sum(rss), 10m) and sum(rss) > 500M for 90s
    clear: sum(rss) < 400M
    severity: critical
    cooldown: 600s
    actions: [evidence, { type: restart, after: 5m }, { type: signal, signal: SIGUSR1 }]
    limits: { perWindow: 3/1h }
  - { name: stuck, when: stateSeconds(D) > 20, dryRun: true, enabled: false }
`

test('rules check prints a line per rule in normal form', async () => {
  await writeFile(file, RIGHT)
  expect(await muster(['rules', 'check', file, '--static'])).toMatchObject({
    code: 0,
    stderr: '',
    stdout: [
      'leaking workers: leak(sum(rssBytes), 10m) and sum(rssBytes) > 500MiB for 90s; per unit; ' +
        'clear sum(rssBytes) < 400MiB; critical; cooldown 10m; evidence, restart after 5m, signal SIGUSR1',
      'stuck: stateSeconds(D) > 20s; warning; dry run; not enabled',
      '',
    ].join('\n'),
  })
})

test('rules check --json gives a record per rule, with every key', async () => {
  await writeFile(file, RIGHT)
  const { code, stdout } = await muster(['rules', 'check', file, '--json'])
  expect(code).toBe(0)
  const records = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(records).toMatchObject([
    {
      name: 'leaking workers',
      per: 'unit',
      when: 'leak(sum(rssBytes), 10m) and sum(rssBytes) > 500MiB for 90s',
      clear: 'sum(rssBytes) < 400MiB',
      cooldownMs: 600_000,
      limits: { perWindow: { max: 3, windowMs: 3_600_000 } },
      actions: [
        { type: 'evidence', afterMs: 0 },
        { type: 'restart', afterMs: 300_000 },
        { signal: 'SIGUSR1' },
      ],
    },
    { name: 'stuck', per: null, clear: null, cooldownMs: null, dryRun: true, enabled: false },
  ])
  expect(Object.keys(records[0]!).sort()).toEqual(Object.keys(records[1]!).sort())
})

test('rules check names every fault with line, column and reason, and exits 8', async () => {
  await writeFile(
    file,
    `intreval: 5
rules:
  - name: a
    match: { nmae: x, any: [{ commandLine: 'a(?=b)' }] }
    when: rss > 5 and cpuu > 3
  - name: b
    when: count() > 3
  - name: c
    when: rss > 5
    limits: { perWindow: 3 per hour }
`,
  )
  const { code, stdout, stderr } = await muster(['rules', 'check', file])
  expect({ code, stdout }).toEqual({ code: 8, stdout: '' })
  const faults = stderr.trimEnd().split('\n').sort()
  const expected = [
    /rules\.yaml:10:26: rules\[2\]\.limits\.perWindow: "3 per hour" is not so many in such a time; write '3\/1h'$/,
    /rules\.yaml:1:1: unknown key "intreval" \(did you mean "interval"\?\)$/,
    /rules\.yaml:4:14: rules\[0\]\.match: unknown key "nmae" \(did you mean "name"\?\)$/,
    /rules\.yaml:4:44: rules\[0\]\.match\.any\[0\]\.commandLine: pattern "a\(\?=b\)": look-around/,
    /rules\.yaml:5:11: rules\[0\]\.when: .*at character 13: unknown column 'cpuu'; did you mean 'cpu'\?$/,
    /rules\.yaml:7:11: rules\[1\]\.when: count\(\) is of many processes; say by 'per'/,
  ]
  expect(faults).toHaveLength(expected.length)
  for (const pattern of expected) expect(stderr).toMatch(new RegExp(pattern, 'm'))
})

test('the times of a file are seconds, or have a unit', async () => {
  const faultOf = async (settings: string) => {
    await writeFile(file, `${settings}\nrules: [{ name: a, when: rss > 1 }]\n`)
    return (await muster(['rules', 'check', file, '--static'])).stderr.replace(/^.*?:\d+:\d+: |\n$/g, '')
  }
  expect(await faultOf('interval: 500ms\ngrace: 1m30s\noutcome: 5')).toBe('')
  expect(await faultOf('interval: 50ms')).toBe('interval: "50ms" is out of range; give 0.1s to 86400s')
  expect(await faultOf('interval: 0.05')).toBe('interval: 0.05: give at least 0.1')
  expect(await faultOf('grace: soon')).toBe(`grace: "soon" is no duration; write '30s', '5m' or '1h30m'`)
  expect(await faultOf('outcome: true')).toBe('outcome: true: give seconds, or a time such as 5s')
})

test('rules check refuses two rules of one name, a file that is not there, and one without end', async () => {
  await writeFile(file, 'rules:\n  - { name: a, when: rss > 1 }\n  - { name: a, when: rss > 2 }\n')
  expect(await muster(['rules', 'check', file])).toMatchObject({
    code: 8,
    stderr: expect.stringMatching(/rules\.yaml:3:13: another rule is named "a"; give each its own\n$/),
  })
  expect(await muster(['rules', 'check', join(directory, 'none')])).toMatchObject({
    code: 8,
    stderr: expect.stringMatching(/none" does not exist; correct the path\n$/),
  })
  const deep = `${'{ not: '.repeat(3000)}{}${' }'.repeat(3000)}`
  for (const match of ['&m { not: *m }', deep]) {
    await writeFile(file, `rules:\n  - name: a\n    when: rss > 1\n    match: ${match}\n`)
    expect(await muster(['rules', 'check', file])).toMatchObject({
      code: 8,
      stderr: expect.stringMatching(/nested more than 64 deep\n$/),
    })
  }
})

test('rules check refuses a notifier of rules that there are not, of no known type, and a second document', async () => {
  const rules = 'builtin: [zombies]\nrules:\n  - { name: mine, when: rss > 1TiB }\n'
  await writeFile(file, `notify:\n  - { type: log, rules: [mine, mien, zombies] }\n${rules}`)
  expect(await muster(['rules', 'check', file, '--static'])).toMatchObject({
    code: 8,
    stderr: expect.stringMatching(
      /rules\.yaml:2:32: notify\[0\]\.rules: there is no rule "mien"; did you mean "mine"\?\n$/,
    ),
  })
  await writeFile(file, `notify:\n  - { type: slack }\n${rules}`)
  expect(await muster(['rules', 'check', file, '--static'])).toMatchObject({
    code: 8,
    stderr: expect.stringMatching(
      /rules\.yaml:2:13: notify\[0\]\.type: give one of webhook, command, log\n$/,
    ),
  })
  await writeFile(file, `${rules}---\n${rules}`)
  expect(await muster(['rules', 'check', file, '--static'])).toMatchObject({
    code: 8,
    stderr: expect.stringMatching(/rules\.yaml:4:1: a second document begins here; .*\n$/),
  })
})

test('rules schema prints the JSON Schema of a configuration file', async () => {
  const { code, stdout } = await muster(['rules', 'schema'])
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties: { rules: { type: 'array', items: { required: ['name', 'when'] } } },
  })
})

test('what is no command of rules is told in a line', async () => {
  expect(await muster(['rules', 'chek'])).toMatchObject({
    code: 2,
    stderr: "muster: unknown command 'chek' (Did you mean check?); see `muster rules --help`\n",
  })
  expect(await muster(['rules', 'check'])).toMatchObject({
    code: 2,
    stderr: "muster: missing required argument 'file'; see `muster rules check --help`\n",
  })
})

test('rules check says what a rule does not do, though it reads as if it did', async () => {
  const rules = `
rules:
  - { name: few, per: unit, when: count() < 3 }
  - { name: of all, per: all, match: { unit: web.service }, when: count() < 3 }
  - { name: many, per: unit, when: count() > 3 }
  - { name: pressure, when: "avg(host.pressure.cpu.some10, 1m) > 5" }
  - { name: host, per: all, when: host.load1 > 5 }
  - { name: chosen, match: { name: batch }, when: host.load1 > 5 }
`
  await writeFile(file, rules)
  const { code, stdout } = await muster(['rules', 'check', '--static', file])
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: `few: count() < 3; per unit; warning
  a unit without any process is no group: to hear of none left, name it by 'match' and write 'per: all'
of all: count() < 3; per all; warning
many: count() > 3; per unit; warning
pressure: avg(host.pressure.cpu.some10, 1m) > 5%; warning
  every process breaches it at the same time, each with its alert and actions: for one alert write 'per: all'
host: host.load1 > 5; per all; warning
chosen: host.load1 > 5; warning
`,
  })
})

test('rules check shows what each rule matches now', async () => {
  const rules = `
rules:
  - { name: this one, match: { name: node, commandLine: "rules check " }, when: threads > 0 }
  - { name: nobody, match: { name: no-such-name }, when: rss > 1GiB }
  - { name: slashes, match: { any: [{ commandLine: '/no "such" name/' }] }, when: rss > 1GiB }
  - { name: off, when: rss > 1GiB, enabled: false }
`
  await writeFile(file, rules)
  const { code, stderr, stdout } = await muster(['rules', 'check', file])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^this one: .*\n {2}matches \d+ process(es)? now: \d+ node.*\nnobody: /)
  expect(stdout).toMatch(/\n {2}matches no process now\nslashes: /)
  expect(stdout).toMatch(
    /\n {2}matches no process now; a commandLine is a pattern without slashes [^\n]*\noff: [^\n]*not enabled\n$/,
  )
  const run = new Run(['rules', 'check', file, '--json'])
  const { pid } = run
  const records = (await run.ended).stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { matches: unknown })
  expect(records[0]!.matches).toMatchObject({ processes: expect.arrayContaining([{ pid, name: 'node' }]) })
  expect(records.slice(1).map(({ matches }) => matches)).toEqual([
    { count: 0, processes: [] },
    { count: 0, processes: [] },
    null,
  ])
})

test('rules check says what only a host can: that it knows no such user', async () => {
  await writeFile(file, 'rules: [{ name: r, match: { user: nobody-has-this }, when: rss > 1 }]')
  const { code, stderr } = await muster(['rules', 'check', file])
  expect(code).toBe(8)
  expect(stderr).toMatch(/rule "r": this host knows no user "nobody-has-this".*--static/)
  expect(await muster(['rules', 'check', file, '--static'])).toMatchObject({ code: 0, stderr: '' })
})

const hasNameService = asksNameService()
if (!hasNameService) console.warn('SKIPPED: users of a name service: needs root, namespaces and nss-systemd')

function asksNameService(): boolean {
  const [program, ...args] = SETTINGS.withoutNobody
  return spawnSync(program, [...args, 'getent', 'passwd', 'nobody']).status === 0
}

test.runIf(hasNameService)('a rule may name a user whom only a name service knows', async () => {
  const { pid } = await startProcess('idle', { uid: 65_534 })
  await writeFile(
    file,
    `rules: [{ name: r, match: { all: [{ pid: ${pid} }, { user: nobody }] }, when: rss > 1 }]`,
  )
  const { code, stdout, stderr } = await runConfined('withoutNobody', [
    MUSTER,
    'rules',
    'check',
    file,
    '--json',
  ])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(JSON.parse(stdout)).toMatchObject({ matches: { count: 1, processes: [{ pid }] } })
})
