import { existsSync, readFileSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT, EXIT_MEANINGS } from '../../dist/cli/exit_codes.js'
import { createProgram } from '../../dist/cli/program.js'
import { hostileNames, startProcess, stopAll } from '../fixtures/processes.js'
import { type Ended, muster, type RunOptions } from './muster.js'

const NOBODY = 65_534
const isRoot = process.getuid!() === 0
/** Whoever runs the tests without root is the user without privileges already. */
const uid = isRoot ? { uid: NOBODY } : {}

const GONE = '4194304'
let directory: string
/** As whom the commands are called; jobs are kept where that user may write. */
let user: RunOptions
let pids: Record<Target, string>

// In a container pid 2 is somebody else, or nobody.
const hasKernelThreads = existsSync('/proc/2/comm') && readFileSync('/proc/2/comm', 'latin1') === 'kthreadd\n'
type Target = 'own' | 'root' | 'kernel thread' | 'zombie' | 'headless' | 'gone'
const TARGETS: readonly Target[] = [
  'own',
  'root',
  ...(hasKernelThreads ? (['kernel thread'] as const) : []),
  'zombie',
  'headless',
  'gone',
]

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'procmuster-every-'))
  await writeFile(join(directory, 'rules.yaml'), 'rules: [{ name: big, when: rss > 1TiB }]\n', {
    mode: 0o644,
  })
  await mkdir(join(directory, 'private'), { mode: 0o700 })
  await mkdir(join(directory, 'watched'), { mode: 0o700 })
  if (isRoot) await chown(join(directory, 'watched'), NOBODY, NOBODY)
  await chmod(directory, 0o755)
  user = { ...uid, env: { XDG_STATE_HOME: watched() } }
  const hostile = {
    name: hostileNames.escape,
    extraArguments: ['\u001b]0;owned\u0007', 'a\nb', '\u202e', '\u009b31m'],
    threads: 1,
  }
  const start = async (...args: Parameters<typeof startProcess>) => String((await startProcess(...args)).pid)
  pids = {
    own: await start('idle', { ...hostile, ...uid }),
    root: isRoot ? await start('idle', hostile) : '1',
    'kernel thread': '2',
    zombie: await start('zombie', { name: hostileNames.newline }),
    headless: await start('headless', { ...hostile, ...uid }),
    gone: GONE,
  }
  for (const name of Object.values(hostileNames)) await startProcess('idle', { name, ...uid })
  // What alerts, why and the others are asked about.
  const job = await muster(['run', '-b', '--name', 'swept', '--', 'sleep', '1000'], user)
  expect(job).toMatchObject({ code: EXIT.ok, stderr: '' })
  const breach = await muster(['watch', '-p', pids.own, '-t', '0.0001', '--once', '-d', watched()], user)
  expect(breach).toMatchObject({ code: EXIT.breached, stderr: '' })
})
afterAll(async () => {
  await muster(['jobs', 'stop', 'swept', '--grace', '0'], user)
  await stopAll()
  await rm(directory, { recursive: true })
})

const watched = (): string => join(directory, 'watched')

type Arguments = readonly string[]

/** Its arguments for each target; those that change something are harmless where they are permitted. */
const ON_PROCESSES: Readonly<Record<string, (pid: string) => Arguments>> = {
  info: (pid) => [pid],
  track: (pid) => [pid, '--interval', '0.05', '--for', '1ms'],
  monitor: (pid) => [pid, '--count', '1', '--pss'],
  map: (pid) => [pid],
  files: (pid) => [pid, '--peers'],
  net: (pid) => [pid],
  threads: (pid) => [pid, '--stacks'],
  ns: (pid) => [pid],
  limits: (pid) => [pid],
  tree: (pid) => [pid, '--threads'],
  zombies: (pid) => [pid],
  signal: (pid) => ['0', pid],
  nice: (pid) => ['19', pid],
  ionice: (pid) => [pid],
  sched: (pid) => [pid, '--threads'],
  affinity: (pid) => [pid],
  limit: (pid) => [pid],
  oom: (pid) => ['1000', pid],
}

/** The others: once for each list of arguments. */
const ON_THE_HOST: Readonly<Record<string, () => readonly Arguments[]>> = {
  ps: () => [
    [],
    ['aux', '--pid', Object.values(pids).join()],
    // Of our own alone: what others are called with is theirs.
    ['--pid', Object.values(pids).join(), '--columns', 'user,exe,cgroup,openFiles,readBytes,command'],
  ],
  top: () => [[]], // there is no terminal
  states: () => [[], ['--list']],
  system: () => [['cpu', 'cores', 'memory', 'load', 'processes', 'pressure', 'disks', 'network', 'kernel']],
  'ipc list': () => [[]],
  'ipc remove': () => [['memory', '2147483647']],
  events: () => [['--for', '100ms']],
  find: () => [
    ['--command', 'mode=idle'],
    ['--port', '65535'],
    ['--library', 'libc'],
  ],
  who: () => [['libc'], [':65535'], [process.execPath]],
  stop: () => [[pids.root], [GONE]],
  run: () => [
    ['--', 'true'],
    ['--', 'procmuster-none'],
    ['--user', 'root', '--', 'true'],
  ],
  'jobs list': () => [[]],
  'jobs stop': () => [['none']],
  'jobs suspend': () => [['swept'], ['none']],
  'jobs continue': () => [['swept'], ['none']],
  'jobs attach': () => [['none']],
  'jobs wait': () => [['none']],
  'jobs clean': () => [[]],
  cap: () => [[pids.root, '--pids', '1000']],
  uncap: () => [[pids.own], [pids.root], [GONE]],
  'cgroup show': () => [[], ['/procmuster-none']],
  'cgroup create': () => [['/procmuster-nobody', '--pids', '100']],
  'cgroup set': () => [['/procmuster-none', '--pids', '100']],
  'cgroup move': () => [['/procmuster-none', pids.root]],
  'cgroup freeze': () => [['/procmuster-none']],
  'cgroup thaw': () => [['/procmuster-none']],
  'cgroup kill': () => [['/procmuster-none']],
  'cgroup remove': () => [['/procmuster-none']],
  watch: () => [
    ['-p', pids.own, '-t', '99', '--once'],
    ['-p', pids.own, '-t', '0.0001', '--once'],
    ['-p', pids.root, '-t', '0.0001', '--once', '-d', join(directory, 'private', 'evidence')],
    ['--config', join(directory, 'rules.yaml'), '--once'],
  ],
  'rules check': () => [[join(directory, 'rules.yaml')], [join(directory, 'private', 'none.yaml')]],
  'rules schema': () => [[]],
  alerts: () => [
    ['-d', watched()],
    ['-d', directory],
    ['-d', join(directory, 'private')],
  ],
  ack: () => [watched(), directory].map((at) => ['1-1', '-d', at, '--wait', '0']),
  silence: () =>
    [watched(), directory].map((at) => ['--rule', 'big', '--for', '1m', '-d', at, '--wait', '0']),
  unsilence: () => [watched(), directory].map((at) => ['1-1', '-d', at, '--wait', '0']),
  resume: () => [watched(), directory].map((at) => ['big', '-d', at, '--wait', '0']),
  why: () => [
    [pids.own, '-d', watched()],
    [pids.own, '-d', directory],
    [pids.own, '-d', join(directory, 'private')],
  ],
  'service list': () => [[]],
  'service status': () => [['procmuster-none']],
  'service start': () => [['procmuster-none']],
  'service stop': () => [['procmuster-none']],
  'service restart': () => [['procmuster-none']],
  'service enable': () => [['procmuster-none']],
  'service disable': () => [['procmuster-none']],
  'unit generate': () => [['--', '/usr/bin/true', '%n $HOME']],
  doctor: () => [[]],
  completion: () => [['bash']],
}

const program = await createProgram()
const leaves = (command: Command): Command[] =>
  command.commands.length === 0
    ? [command]
    : command.commands.filter((each) => each.name() !== 'help').flatMap(leaves)
const nameOf = (command: Command): string =>
  command.parent === null || command.parent === program
    ? command.name()
    : `${command.parent.name()} ${command.name()}`
const commands = new Map(leaves(program).map((command) => [nameOf(command), command]))

test('every command has its arguments here, and there is none besides', () => {
  expect(Object.keys({ ...ON_PROCESSES, ...ON_THE_HOST }).sort()).toEqual([...commands.keys()].sort())
})

// A word of its own: /dev/null is a file.
const LEAKED = /(?<![\w/.'-])(undefined|NaN|null|\[object Object\])(?![\w/.-])/
const UNSAFE = /[\p{Cc}\p{Cf}]/u
const documented = new Set(EXIT_MEANINGS.map(([code]) => code))

function check(words: Arguments, { code, signal, stdout, stderr }: Ended): void {
  const what = `muster ${words.join(' ')}\n${stdout}${stderr}`
  expect(signal, what).toBeNull()
  expect(documented, what).toContain(code)
  expect(`${stdout}${stderr}`.replaceAll('\n', ''), what).not.toMatch(UNSAFE)
  expect(`${stdout}${stderr}`, what).not.toMatch(/^ +at .*:\d+:\d+|unexpected failure/m)
  expect(stderr, what).not.toMatch(LEAKED)
  for (const line of stderr.split('\n').slice(0, -1)) expect(line, what).toMatch(/^muster: \S/)
  if (words.includes('--json')) {
    if (stdout === '') expect(code, what).not.toBe(EXIT.ok)
    else expect(() => parse(stdout), what).not.toThrow()
  } else {
    expect(stdout, what).not.toMatch(LEAKED)
    const answers: (number | null)[] = [EXIT.ok, EXIT.breached, EXIT.lacking]
    if (!answers.includes(code)) expect(stderr, what).not.toBe('')
  }
}

/** One value, or one in each line. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
  }
}

async function sweep(name: string, words: Arguments): Promise<[Ended, Ended?]> {
  // That of run is on stderr: stdout is the program's.
  const hasJson = name !== 'run' && commands.get(name)!.options.some(({ long }) => long === '--json')
  // Flags stand before --, behind which all is the program's own.
  const calls = (hasJson ? [[], ['--json']] : [[]]).map((flags) => [...name.split(' '), ...flags, ...words])
  const ended = await Promise.all(calls.map((call) => muster(call, user)))
  for (const [index, one] of ended.entries()) check(calls[index]!, one)
  const codes = new Set(ended.map(({ code }) => code))
  expect(codes.size, `${name} ${words.join(' ')}`).toBe(1)
  return ended as [Ended, Ended?]
}

describe('without privileges, in plain words and as JSON: it works, or says what is missing and why', () => {
  test.each(Object.keys(ON_THE_HOST))('muster %s', async (name) => {
    for (const words of ON_THE_HOST[name]!()) await sweep(name, words)
  })

  test.each(Object.keys(ON_PROCESSES))('muster %s on one process of each kind', async (name) => {
    for (const target of TARGETS) {
      const [{ code }] = await sweep(name, ON_PROCESSES[name]!(pids[target]))
      const expected: number[] =
        target === 'gone' ? [] : target === 'own' ? [EXIT.ok] : [EXIT.ok, EXIT.permission]
      if (target === 'gone' || target === 'zombie') expected.push(EXIT.noSuchProcess)
      expect(expected, `${name}: ${target}`).toContain(code)
    }
  })

  test.runIf(isRoot)('what may not be read is named, with the reason', async () => {
    const [text, json] = await sweep('info', [pids.root])
    for (const file of ['exe', 'cwd', 'io', 'fd']) {
      expect(text.stdout).toMatch(new RegExp(`^not readable +/proc/${pids.root}/${file}: EACCES`, 'm'))
    }
    const { missing } = JSON.parse(json!.stdout) as { missing: { reason: string; code: string }[] }
    for (const each of missing) {
      expect(each).toMatchObject({ code: 'ACCESS_DENIED', reason: expect.stringMatching(/EACCES|EPERM/) })
    }
    const [sampled] = await sweep('sched', [pids.root])
    expect(sampled.stdout).toMatch(/timer slack -.*timerSlackNs: no permission \(EPERM\)/)
    const [, tracked] = await sweep('track', ON_PROCESSES.track!(pids.root))
    expect(JSON.parse(tracked!.stdout)).toMatchObject({ io: null, missing: [{ code: 'ACCESS_DENIED' }, {}] })
  })
})
