import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startProcess, stopAll } from '../fixtures/processes.js'
import { muster } from './muster.js'

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

test('rules check prints a line per rule in normal form, and how many processes match now', async () => {
  await writeFile(file, RIGHT)
  const { code, stderr, stdout } = await muster(['rules', 'check', file])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout.replace(/matches \d+ process(es)? now/, 'matches N now')).toBe(
    [
      'leaking workers: leak(sum(rssBytes), 10m) and sum(rssBytes) > 500MiB for 90s; per unit; clear sum(rssBytes) < 400MiB; ' +
        'critical; cooldown 10m; evidence, restart after 5m, signal SIGUSR1; matches N now',
      'stuck: stateSeconds(D) > 20s; warning; dry run; not enabled',
      '',
    ].join('\n'),
  )
})

test('rules check counts what rules match by their files too, and the built-in rules', async () => {
  const { pid } = await startProcess('idle')
  const parts = [`{ commandLine: '.', subtree: ${pid} }`, `{ commandLine: 'no such words', subtree: ${pid} }`]
  const rules = parts.map((match, index) => `  - { name: r${index}, match: ${match}, when: rss > 1 }\n`)
  await writeFile(file, `builtin: [zombies]\nrules:\n${rules.join('')}`)
  const { stdout } = await muster(['rules', 'check', file])
  const lines = stdout.trimEnd().split('\n')
  expect(lines).toHaveLength(3)
  expect(lines[0]).toMatch(/^zombies: stateSeconds\(Z\) > 1m; warning; matches \d+ processes now$/)
  expect(lines[1]).toMatch(/matches 1 process now$/)
  expect(lines[2]).toMatch(/matches 0 processes now$/)
})

test('rules check accepts a file that is for another host, and says that it could not be tried', async () => {
  await writeFile(file, 'rules:\n  - { name: a, match: { user: nobody-of-this-name }, when: rss > 1 }\n')
  expect(await muster(['rules', 'check', file])).toMatchObject({
    code: 0,
    stdout: 'a: rssBytes > 1B; warning\n',
    stderr: expect.stringMatching(/cannot be told: rule "a": this host knows no user "nobody-of-this-name"/),
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
    /rules\.yaml:4:14: unknown key "nmae" \(did you mean "name"\?\)$/,
    /rules\.yaml:4:44: rules\[0\]\.match\.any\[0\]\.commandLine: pattern "a\(\?=b\)": look-around/,
    /rules\.yaml:5:11: rules\[0\]\.when: .*at character 13: unknown column 'cpuu'; did you mean 'cpu'\?$/,
    /rules\.yaml:7:11: rules\[1\]\.when: count\(\) is of many processes; say by 'per'/,
  ]
  expect(faults).toHaveLength(expected.length)
  for (const pattern of expected) expect(stderr).toMatch(new RegExp(pattern, 'm'))
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
  await writeFile(file, 'rules:\n  - name: a\n    when: rss > 1\n    match: &m { not: *m }\n')
  expect(await muster(['rules', 'check', file])).toMatchObject({
    code: 8,
    stderr: expect.stringMatching(/nested more than 64 deep\n$/),
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
    stderr: "muster: unknown command 'chek' (Did you mean check?)\n",
  })
  expect(await muster(['rules', 'check'])).toMatchObject({
    code: 2,
    stderr: "muster: missing required argument 'file'\n",
  })
})
