import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import { pino } from 'pino'
import { afterEach, describe, expect, test } from 'vitest'
import { createProgram } from '../dist/cli/program.js'
import * as api from '../dist/index.js'
import { muster } from './cli/muster.js'
import { startProcess, stopAll, waitFor } from './fixtures/processes.js'

afterEach(stopAll)

const root = new URL('../', import.meta.url)

const numbered = (letter: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${letter}${index + 1}`)
const IDS = [...numbered('B', 14), ...numbered('C', 6), ...numbered('D', 16)]

interface Row {
  readonly id: string
  readonly names: readonly string[]
  /** Each with the words of the command first, flags behind. */
  readonly commands: readonly string[]
  readonly tests: readonly (readonly [file: string, name: string])[]
}

const text = await readFile(new URL('docs/features.md', root), 'utf8')
const quoted = (list: string) => [...list.matchAll(/`([^`]+)`/g)].map(([, word]) => word!)
const FORM =
  /^### .+ \((\w+)\)\n\n.+\n\n- API: (.+)\n- Command: (.+)\n- Tests:\n((?: {2}- `.+`: .+\n)+)(?!.)/gm
const rows: Row[] = [...text.matchAll(FORM)].map(([, id, names, commands, tests]) => ({
  id: id!,
  names: quoted(names!),
  commands: quoted(commands!),
  tests: [...tests!.matchAll(/- `([^`]+)`: (.+)\n/g)].map(([, file, name]) => [file!, name!] as const),
}))

test('each row is there once', () => {
  expect(rows.map(({ id }) => id)).toEqual(IDS)
})

const program = await createProgram()

describe.each(rows)('row $id', ({ names, commands, tests }) => {
  test('its names are exported', () => {
    expect(names).not.toEqual([])
    for (const name of names) expect(exported(name), name).toBe(true)
  })

  test('its commands and their flags are there', () => {
    expect(commands).not.toEqual([])
    for (const words of commands) {
      const [first, ...rest] = words.split(' ')
      expect(first).toBe('muster')
      const command = rest.filter((word) => !word.startsWith('-')).reduce<Command>(innerCommand, program)
      const flags = command.options.map(({ long }) => long)
      for (const flag of rest.filter((word) => word.startsWith('-'))) expect(flags, words).toContain(flag)
    }
  })

  test('its tests are there, and none is left out', async () => {
    expect(tests).not.toEqual([])
    for (const [file, name] of tests) {
      const source = await readFile(new URL(file, root), 'utf8')
      const escaped = name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
      expect(new RegExp(`\\(\\s*(['"\`])${escaped}\\1,`).test(source), `${file}: ${name}`).toBe(true)
      expect(source, file).not.toMatch(/\b(?:test|it|describe)(?:\.\w+)*\.(?:skip|todo)\b/)
    }
  })
})

/** A value of the package, or a method or static method of a class of it. */
function exported(name: string): boolean {
  const [owner, method] = name.split('.')
  const value: unknown = Object.entries(api).find(([key]) => key === owner)?.[1]
  if (method === undefined || typeof value !== 'function') return method === undefined && value !== undefined
  return method in value.prototype || method in value
}

/** A word that an argument is one of stands for the command itself. */
function innerCommand(command: Command, name: string): Command {
  if (command.registeredArguments.some(({ argChoices }) => argChoices?.includes(name))) return command
  const inner = command.commands.find((each) => each.name() === name)
  if (inner === undefined) throw new Error(`there is no command ${name} in ${command.name()}`)
  return inner
}

test('what an engine does is logged as JSON, by level', async () => {
  const target = await startProcess('idle', { rss: 16 << 20 })
  const written: { level: number; msg: string }[] = []
  const logger = pino({ level: 'info' }, { write: (line: string) => void written.push(JSON.parse(line)) })
  const engine = await api.Engine.start({
    intervalMs: 50,
    rules: [
      {
        name: 'large',
        match: { pid: target.pid },
        when: 'rss > 1MiB',
        actions: [{ type: 'priority', nice: 5 }],
      },
    ],
    logger,
  })
  engine.on('alert', () => {
    throw new Error('a listener of ours')
  })
  await waitFor(() => written.some(({ level }) => level === 50))
  await engine.close()
  const threw = written.find(({ level }) => level === 50)!
  expect(threw).toMatchObject({ msg: "a listener of 'alert' threw", err: { message: 'a listener of ours' } })
  expect(written.filter(({ level }) => level === 30).length).toBeGreaterThan(0)
})

const FORKED = `
import mmap, os, sys, time
pages = mmap.mmap(-1, ${32 << 20}, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, len(pages), 4096): pages[at] = 1
if os.fork() == 0:
    print(os.getpid(), flush=True)
    sys.stdin.readline()
    for at in range(0, len(pages), 4096): pages[at] = 2
    print('written', flush=True)
    while True: time.sleep(0.001)
os.wait()`

test('switches and faults are counted, and pages are shared until they are written', async () => {
  const parent = spawn('python3', ['-c', FORKED], { stdio: ['pipe', 'pipe', 'inherit'] })
  try {
    const said = createInterface({ input: parent.stdout })
    const [pid] = (await once(said, 'line')) as [string]
    const total = async () => JSON.parse((await muster(['map', pid, '--json'])).stdout).total
    const usage = async () => JSON.parse((await muster(['info', pid, '--json'])).stdout).usage
    const [shared, before] = [await total(), await usage()]
    expect(shared.sharedDirtyBytes).toBeGreaterThanOrEqual(32 << 20)
    expect(shared.privateDirtyBytes).toBeLessThan(32 << 20)
    parent.stdin.write('\n')
    await once(said, 'line')
    const [own, after] = [await total(), await usage()]
    expect(own.privateDirtyBytes).toBeGreaterThanOrEqual(32 << 20)
    expect(own.sharedDirtyBytes).toBeLessThan(shared.sharedDirtyBytes - (31 << 20))
    expect(after.minorFaults - before.minorFaults).toBeGreaterThanOrEqual((32 << 20) / 4096)
    await waitFor(async () => (await usage()).voluntarySwitches > after.voluntarySwitches + 10)

    const leaker = await startProcess('leak', { rate: 64 << 20 })
    const columns = ['--columns', 'minorFaultsPerSecond,voluntarySwitches,involuntarySwitches', '--json']
    const row = await waitFor(async () => {
      const [seen] = JSON.parse((await muster(['ps', '--pid', String(leaker.pid), ...columns])).stdout)
      return seen.minorFaultsPerSecond > 100 && seen
    })
    expect(row.voluntarySwitches).toBeGreaterThan(0)
    expect(row.involuntarySwitches).toEqual(expect.any(Number))
  } finally {
    const ended = once(parent, 'exit')
    parent.stdin.end()
    const children = await readFile(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8')
    for (const child of children.trim().split(' ').filter(Boolean)) process.kill(Number(child), 'SIGKILL')
    await ended
  }
})
