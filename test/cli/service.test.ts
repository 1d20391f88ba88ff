import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { muster } from './muster.js'

let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'procmuster-cli-services-'))
  await symlink(
    fileURLToPath(new URL('../fixtures/fake_systemctl.sh', import.meta.url)),
    join(directory, 'systemctl'),
  )
})
afterAll(() => rm(directory, { recursive: true }))

const saying = (text: string, mode = 'say') => ({
  env: { PATH: `${directory}:${process.env.PATH}`, FAKE_SYSTEMCTL: mode, FAKE_SYSTEMCTL_TEXT: text },
})

test('services are listed, with nothing of their own raw', async () => {
  const description = 'a\u001b[2J\nforged.service'
  const list = JSON.stringify([
    { unit: 'a.service', load: 'loaded', active: 'active', sub: 'running', description },
  ])
  const { stdout, code } = await muster(['service'], saying(list))
  expect(code).toBe(0)
  expect(stdout).toBe(
    'UNIT      LOAD   ACTIVE SUB     DESCRIPTION\na.service loaded active running a\\e[2J\\nforged.service\n',
  )
  const json = await muster(['service', 'list', '--state', 'active', '--json'], saying(list))
  expect(JSON.parse(json.stdout)).toEqual([
    { unit: 'a.service', description, loadState: 'loaded', activeState: 'active', subState: 'running' },
  ])
})

test('a status tells what is known', async () => {
  const text =
    'MainPID=74\nMemoryCurrent=1572864\nTasksCurrent=[not set]\nId=a.service\nDescription=A\nLoadState=loaded\nActiveState=active\nSubState=running\nResult=success'
  const { stdout } = await muster(['service', 'status', 'a'], saying(text))
  expect(stdout).toBe(
    'a.service: A\n  state     active (running)\n  result    success\n  main pid  74\n  memory    1.5M\n',
  )
  const { stdout: json } = await muster(['service', 'status', 'a', '--json'], saying(text))
  expect(JSON.parse(json)).toMatchObject([{ mainPid: 74, memoryBytes: 1_572_864, tasks: null }])
})

test('changes say what was done, and what was not', async () => {
  expect(await muster(['service', 'restart', 'a', 'b.timer'], saying(''))).toMatchObject({
    code: 0,
    stdout: 'a.service: restarted\nb.timer: restarted\n',
  })
  const missing = saying('Failed to stop a.service: Unit a.service not loaded.', 'fail')
  expect(await muster(['service', 'stop', 'a'], missing)).toMatchObject({
    code: 5,
    stdout: '',
    stderr: expect.stringMatching(/^muster: stopService a\.service: [^\n]*not loaded[^\n]*\n$/),
  })
  const json = await muster(['service', 'stop', 'a', '--json'], missing)
  expect(json.code).toBe(5)
  expect(JSON.parse(json.stdout)).toMatchObject([
    { unit: 'a.service', ok: false, error: { code: 'NOT_FOUND' } },
  ])
  expect(await muster(['service', 'start', 'a b', '--timeout', 'x'], saying(''))).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/"a b" is no name of a unit[^\n]*\nmuster: --timeout "x"/),
  })
})

test('without systemd it says so', async () => {
  expect(await muster(['service'], saying('System has not been booted with systemd', 'fail'))).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/systemd does not run here/),
  })
})

test('a unit is printed, or written, and what is there stays', async () => {
  const words = ['unit', 'generate', '--user', 'www-data', '--memory', '500M', '--env', 'A=b=c']
  const printed = await muster([...words, '--', '/usr/bin/node', '/srv/web.js', '--port', '80 %'])
  expect(printed).toMatchObject({ code: 0, stderr: '' })
  const lines = printed.stdout.split('\n')
  expect(lines).toContain('ExecStart=/usr/bin/node /srv/web.js --port "80 %%"')
  expect(lines).toContain('MemoryMax=524288000')
  expect(lines).toContain('Environment=A=b=c')

  const file = join(directory, 'web.service')
  await writeFile(file, 'mine')
  const again = [...words, '--output', file, '--', '/usr/bin/node']
  expect(await muster(again)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/there already; give --force/),
  })
  expect(await readFile(file, 'utf8')).toBe('mine')
  expect(
    await muster(['unit', 'generate', '--force', '--watch', '/etc/m.yaml', '--output', file]),
  ).toMatchObject({
    code: 0,
    stdout: '',
  })
  expect(await readFile(file, 'utf8')).toContain('watch --config /etc/m.yaml')
})

test.each([
  [['unit', 'generate'], 2, /which program/],
  [['unit', 'generate', 'node'], 3, /absolute/],
  [['unit', 'generate', '--cpu', '0', '/x'], 4, /--cpu/],
  [['unit', 'generate', '--env', 'A', '/x'], 3, /NAME=VALUE/],
  [['unit', 'generate', '--restart', 'often', '/x'], 3, /on-failure/],
  [['unit', 'generate', '--watch', '/m.yaml', '--user', 'x'], 2, /--user/],
  [['unit', 'generate', '--output', '/nonexistent/x', '/x'], 1, /ENOENT/],
  [['unit', 'generate', '/x', 'a\nb'], 3, /line break/],
])('%j ends with %i', async (words, code, message) => {
  expect(await muster(words)).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) })
})
