import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { afterEach, describe, expect, test } from 'vitest'
import {
  cellWidth,
  type ProcessTree,
  processTree,
  type RenderTreeOptions,
  readThreadNames,
  renderTree,
  Sampler,
  Table,
} from '../../dist/index.js'
import { startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { type SyntheticProcess, SyntheticTable } from '../rules/synthetic_table.js'

const shells: ChildProcess[] = []
afterEach(async () => {
  for (const shell of shells.splice(0)) {
    for (const pid of await descendants(shell.pid!)) process.kill(pid, 'SIGKILL')
  }
  await stopAll()
})

const SCRIPT =
  '(sleep 1000 & sleep 1000 & wait) & (sleep 1000 & sleep 1000 & wait) & (sleep 1000; :) & sleep 1000 & exec sleep 1000'
const SLEEPS = 7
const SHELLS = 3

/** Runs `SCRIPT`; returns once every process of it is what it will be. */
async function startShell(): Promise<number> {
  const shell = spawn('bash', ['-c', SCRIPT], { stdio: 'ignore' })
  shells.push(shell)
  await waitFor(async () => {
    const pids = await descendants(shell.pid!)
    const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'latin1')))
    const sleeping = lines.filter((line) => line === 'sleep\x001000\0')
    return sleeping.length === SLEEPS && pids.length === SLEEPS + SHELLS
  })
  return shell.pid!
}

async function descendants(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => undefined)
  if (children === undefined) return []
  const below = await Promise.all(
    children
      .split(' ')
      .filter(Boolean)
      .map((child) => descendants(Number(child))),
  )
  return [pid, ...below.flat()]
}

async function treeOf(root: number, commandLines = false): Promise<ProcessTree> {
  await using sampler = await Sampler.open({ source: 'procfs' })
  const table = await sampler.sample()
  if (commandLines) await sampler.readDetails(table)
  return processTree(table, { root, commandLines })
}

function pstree(...args: string[]): string[] {
  return execFileSync('pstree', ['-l', ...args], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  })
    .trimEnd()
    .split('\n')
    .map((line) => line.trimEnd())
}

const synthetic = (processes: SyntheticProcess[], groups: ('io' | 'status')[] = []): Table => {
  const { memory } = new SyntheticTable(processes.length, groups).fill(processes)
  return new Table(memory, {
    source: 'procfs',
    holds: () => true,
    userName: String,
    details: () => undefined,
  })
}

describe('on real processes', () => {
  test.each<[string, string[], RenderTreeOptions]>([
    ['folded', ['-T'], {}],
    ['in ASCII', ['-T', '-A'], { ascii: true }],
    ['not folded', ['-T', '-c'], { fold: false }],
    ['with pids', ['-T', '-p'], { pids: true }],
    ['with arguments', ['-T', '-a'], { commandLine: true }],
    ['with arguments and pids', ['-T', '-a', '-p'], { commandLine: true, pids: true }],
  ])('is drawn as pstree draws it, %s', async (_, args, options) => {
    const root = await startShell()
    const tree = await treeOf(root, true)
    const drawn = renderTree(tree, { width: Number.POSITIVE_INFINITY, ...options }).split('\n')
    expect(drawn).toEqual(pstree(...(args.includes('-A') ? args : ['-U', ...args]), String(root)))
  })

  test.each<[string, string[], RenderTreeOptions]>([
    ['folded', [], {}],
    ['with thread ids', ['-p'], { pids: true }],
    ['not folded', ['-c'], { fold: false }],
  ])('shows threads as pstree does, %s', async (_, args, options) => {
    const { pid } = await startProcess('idle', { threads: 4, name: 'many' })
    const tree = await treeOf(pid)
    const threads = await readThreadNames(tree)
    expect(threads.get(pid)).toHaveLength(4)
    expect(tree.get(pid)!.use.threads).toBe(5)
    const drawn = renderTree(tree, { threads, width: Number.POSITIVE_INFINITY, ...options }).split('\n')
    expect(drawn).toEqual(pstree('-U', ...args, String(pid)))
  })

  test('sums are those of the members, and stay when the table is overwritten', async () => {
    const root = await startShell()
    await using sampler = await Sampler.open({ source: 'procfs', groups: ['status'] })
    const table = await sampler.sample()
    const members = await descendants(root)
    const expected = members.reduce((sum, pid) => sum + table.get(pid)!.rssBytes!, 0)
    const tree = processTree(table)
    await sampler.sample()
    await sampler.sample()
    expect(() => table.get(root)).toThrow(expect.objectContaining({ code: 'STALE_TABLE' }))
    const node = tree.get(root)!
    expect(node.subtree).toMatchObject({ processes: 10, threads: 10, rssBytes: expected })
    expect(node.subtree.missing).toMatchObject({ rssBytes: 0, cpuPercent: 10, readBytesPerSecond: 10 })
    expect(node.subtree.cpuPercent).toBeUndefined()
    expect([...node.descend()].map(({ pid }) => pid).sort()).toEqual([...members].sort())
    expect(node.name).toBe('sleep')
    expect(node.parent!.pid).toBe(process.pid)
    expect(node.depth).toBe(node.parent!.depth + 1)
    expect(node.children.every((child) => child.parent!.pid === root)).toBe(true)
    expect(() => processTree(table)).toThrow(expect.objectContaining({ code: 'STALE_TABLE' }))
  })

  test('a root that is not there, or another process by now, is refused', async () => {
    await using sampler = await Sampler.open({ source: 'procfs' })
    const table = await sampler.sample()
    expect(() => processTree(table, { root: 4_194_303 })).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    )
    expect(() => processTree(table, { root: { pid: process.pid, startTicks: 1 } })).toThrow(
      expect.objectContaining({ code: 'PROCESS_GONE' }),
    )
    expect(processTree(table, { root: table.get(process.pid)!.identity }).roots[0]!.pid).toBe(process.pid)
  })
})

test('a missing cell is counted, and is no zero', () => {
  const tree = processTree(
    synthetic([
      { slot: 0, pid: 1, cells: { ppid: 0, rssBytes: 10 } },
      { slot: 1, pid: 2, cells: { ppid: 1, rssBytes: 5 } },
      { slot: 2, pid: 3, cells: { ppid: 1, rssBytes: 7 }, missing: ['rssBytes'] },
    ]),
  )
  expect(tree.get(1)!.subtree).toMatchObject({ processes: 3, rssBytes: 15, missing: { rssBytes: 1 } })
  expect(tree.get(3)!.subtree.rssBytes).toBeUndefined()
  expect(tree.get(3)!.use.rssBytes).toBeUndefined()
})

test('a chain of 30,000 processes takes no stack, and is cut where the line ends', () => {
  const count = 30_000
  const processes = Array.from({ length: count }, (_, i) => ({
    slot: i,
    pid: i + 1,
    name: 'p',
    cells: { ppid: i, rssBytes: 1 },
  }))
  const tree = processTree(synthetic(processes))
  expect(tree.get(count)!.depth).toBe(count - 1)
  expect(tree.get(1)!.subtree).toMatchObject({ processes: count, rssBytes: count })
  const whole = renderTree(tree, { ascii: true, width: Number.POSITIVE_INFINITY })
  expect(whole).toBe(Array(count).fill('p').join('---'))
  expect(renderTree(tree, { ascii: true, width: 12 })).toBe('p---p---p--+')
  expect(renderTree(tree).length).toBe(132)
})

test('names cannot leave their line, and no line is wider than asked for', () => {
  const tree = processTree(
    synthetic([
      { slot: 0, pid: 1, name: 'a\nb\u001b[31m', cells: { ppid: 0 } },
      { slot: 1, pid: 2, name: '日本語', cells: { ppid: 1 } },
      { slot: 2, pid: 3, name: 'x'.repeat(15), cells: { ppid: 1 } },
    ]),
  )
  expect(renderTree(tree, { pids: true })).toBe(
    'a\\nb\\e[31m(1)─┬─xxxxxxxxxxxxxxx(3)\n              └─日本語(2)',
  )
  for (let width = 1; width < 40; width++) {
    for (const line of renderTree(tree, { width }).split('\n')) {
      expect(cellWidth(line)).toBeLessThanOrEqual(width)
    }
  }
})

test('processes whose parents are not there are roots of their own, and say why', () => {
  const tree = processTree(
    synthetic([
      { slot: 0, pid: 1, cells: { ppid: 0 }, startTicks: 0 },
      { slot: 1, pid: 8, cells: { ppid: 7 }, startTicks: 50 },
      { slot: 2, pid: 9, cells: { ppid: 10 }, startTicks: 50 },
      { slot: 3, pid: 10, cells: { ppid: 1 }, startTicks: 60 },
    ]),
  )
  expect(tree.roots.map(({ pid, detached }) => [pid, detached])).toEqual([
    [1, undefined],
    [8, 'absent'],
    [9, 'younger'],
  ])
  expect(renderTree(tree, { ascii: true, pids: true })).toBe('worker(1)---worker(10)\nworker(8)\nworker(9)')
})
