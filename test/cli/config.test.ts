import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FaultsError } from '../../dist/cli/fault.js'
import { readConfig } from '../../dist/cli/watch/config.js'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'muster-config-'))
})
afterAll(() => rm(directory, { recursive: true }))

async function written(text: string | Uint8Array): Promise<string> {
  const file = join(directory, 'muster.yaml')
  await writeFile(file, text)
  return file
}

async function faultsOf(text: string | Uint8Array): Promise<string[]> {
  const file = await written(text)
  const error: unknown = await readConfig(file).catch((reason: unknown) => reason)
  if (!(error instanceof FaultsError)) throw new Error(`accepted: ${JSON.stringify(error)}`)
  expect(error.faults.every(({ exitCode }) => exitCode === 8)).toBe(true)
  return error.faults.map(({ message }) => message.replace(file, 'FILE'))
}

test('a right file gives rules as they were written, and paths relative to it', async () => {
  const file = await written(`
interval: 0.5
directory: evidence
grace: 0
outcome: 0
rules:
  - name: large
    match: { name: node, user: 1000 }
    when: rss > 500MiB for 30s
    cooldown: 10m
    severity: critical
    actions: [evidence, { type: restart, graceMs: 5 }]
`)
  expect(await readConfig(file)).toEqual({
    intervalMs: 500,
    graceMs: 0,
    outcomeWindowMs: 0,
    directory: join(directory, 'evidence'),
    journal: undefined,
    dryRun: undefined,
    environ: undefined,
    notifiers: [],
    rules: [
      {
        name: 'large',
        match: { name: 'node', user: 1000 },
        when: 'rss > 500MiB for 30s',
        cooldown: '10m',
        severity: 'critical',
        actions: ['evidence', { type: 'restart', graceMs: 5 }],
      },
    ],
  })
})

const RULE = 'rules:\n  - name: a\n    when: rss > 1MiB\n'

test.each<[string, string, RegExp[]]>([
  [
    'an unknown key',
    `intreval: 5\n${RULE}`,
    [/^FILE:1:1: unknown key "intreval" \(did you mean "interval"\?\)$/],
  ],
  [
    'an unknown key of a rule',
    `${RULE}    sevrity: info\n`,
    [/^FILE:4:5: rules\[0\]: unknown key "sevrity" \(did you mean "severity"\?\)$/],
  ],
  [
    'an unknown key of a match',
    `${RULE}    match: { nam: node }\n`,
    [/^FILE:4:14: rules\[0\]\.match: unknown key "nam" \(did you mean "name"\?\)$/],
  ],
  [
    'a wrong type',
    `interval: soon\n${RULE}`,
    [/^FILE:1:11: interval: "soon" is no duration; write '30s', '5m' or '1h30m'$/],
  ],
  ['a value out of range', `interval: 0\n${RULE}`, [/^FILE:1:11: interval: 0: give at least 0\.1$/]],
  ['no rule in the list', 'rules: []\n', [/^FILE:1:8: rules: give at least 1 of them$/]],
  [
    'the name of a built-in rule',
    'builtin: [stuck]\nrules: [{ name: stuck, when: rss > 1GiB }]\n',
    [/^FILE:2:17: a built-in rule is named "stuck"; give another$/],
  ],
  [
    'a wrong bound of the governor',
    `governor: { concurrent: 0, cool: soon, limits: { flap: 5 } }\n${RULE}`,
    [
      /^FILE:1:25: governor.concurrent: 0/,
      /^FILE:1:34: governor.cool: /,
      /^FILE:1:56: governor.limits.flap: /,
    ],
  ],
  [
    'two rules of one name',
    `${RULE}  - { name: a, when: cpu > 1% }\n`,
    [/^FILE:4:13: another rule is named "a"/],
  ],
  [
    'a wrong signal',
    `${RULE}    actions: [{ type: signal, signal: FOO }]\n`,
    [/actions\[0\]\.signal: unknown signal "FOO"/],
  ],
  ['a wrong cooldown', `${RULE}    cooldown: 5x\n`, [/^FILE:4:15: .*cooldown: "5x" is no duration/]],
  [
    'a wrong condition',
    'rules:\n  - name: a\n    when: rsss > 1MiB\n',
    [/^FILE:3:11: rules\[0\]\.when: .*unknown column 'rsss'; did you mean 'rss'/],
  ],
  ['a missing key', 'rules:\n  - name: a\n', [/^FILE:2:5: rules\[0\]\.when: missing; give a string$/]],
  ['an unknown action', `${RULE}    actions: [reboot]\n`, [/^FILE:4:15: rules\[0\]\.actions\[0\]: /]],
  ['no rules', 'interval: 5\n', [/^FILE:1:1: rules: missing; give a list$/]],
  ['an empty file', '', [/^FILE:1:1: the file is empty; give rules/]],
  ['a list instead of a map', '- a\n', [/^FILE:1:1: /]],
  ['broken YAML', 'rules: [\n', [/^FILE:\d+:\d+: /]],
  [
    'a pattern with brackets without quotes, which YAML ends there',
    `rules:\n  - name: a\n    match: { name: /^worker[0-9]+/ }\n    when: rss > 1GiB\n`,
    [/^FILE:3:28: the value before this has ended; put a text with brackets, .* into quotes as a whole$/],
  ],
  ['a key twice', `interval: 5\ninterval: 6\n${RULE}`, [/^FILE:2:1: .*unique/]],
  [
    'two faults',
    `intervall: 5\ngrace: -1\n${RULE}`,
    [/^FILE:2:8: grace/, /^FILE:1:1: unknown key "intervall"/],
  ],
  ['a text file of another kind', 'hello\n', [/^FILE:1:1: /]],
])('%s is named with line, column and reason', async (_, text, expected) => {
  const faults = await faultsOf(text)
  expect(faults).toHaveLength(expected.length)
  for (const [index, pattern] of expected.entries()) expect(faults[index]).toMatch(pattern)
})

test('control characters of the file do not reach the message', async () => {
  const [fault] = await faultsOf(`"\\e[31m": 1\n${RULE}`)
  expect(fault).toContain('\\u001b[31m')
  expect(fault).not.toMatch(/\p{Cc}/u)
})

test('bytes that are no UTF-8, a huge file and a bomb of aliases are refused', async () => {
  expect(await faultsOf(Buffer.from([0xff, 0xfe, 0x41]))).toEqual([
    expect.stringMatching(/is not UTF-8 text/),
  ])
  expect(await faultsOf(Buffer.alloc((8 << 20) + 1, 0x23))).toEqual([
    expect.stringMatching(/larger than 8 MiB/),
  ])
  const levels = Array.from(
    { length: 12 },
    (_, n) => `l${n}: &l${n} [${Array(9).fill(n === 0 ? 'x' : `*l${n - 1}`)}]`,
  )
  expect(await faultsOf(`${levels.join('\n')}\n${RULE}`)).toHaveLength(1)
})

test('a missing file, a directory', async () => {
  await expect(readConfig(join(directory, 'none.yaml'))).rejects.toThrow(/does not exist/)
  await expect(readConfig(directory)).rejects.toThrow(/is a directory/)
})

test('a pipe that nobody writes to and an endless device keep nobody waiting; a slow writer is waited for', async () => {
  const pipe = join(directory, 'pipe')
  execFileSync('mkfifo', [pipe])
  const faultOf = async (file: string) => {
    const error: unknown = await readConfig(file).catch((reason: unknown) => reason)
    return error instanceof FaultsError ? error.faults[0].message : error
  }
  expect(await faultOf(pipe)).toContain('the file is empty')
  expect(await faultOf('/dev/zero')).toContain('is larger than 8 MiB')
  const writer = spawn(
    'sh',
    [
      '-c',
      `exec > "$0"; echo ready >&2; sleep 0.2; printf 'interval: 7\\nrules: [{name: r, when: rss > 1}]\\n'`,
      pipe,
    ],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  // Held open by a reader of our own, or the writer would wait for one before it can say that it is there.
  const reader = await open(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
  await once(writer.stderr, 'data')
  expect(await readConfig(pipe)).toMatchObject({ intervalMs: 7000 })
  await reader.close()
})
