import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { bpfObstacle } from '../../dist/index.js'
import { runConfined } from '../fixtures/confined_node.js'
import { hostileNames, startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { endRuns, MUSTER, muster } from './muster.js'

const UNSAFE = /[\p{Cc}\p{Cf}]/u
type Row = Record<string, string | number | null>

afterEach(async () => {
  await stopAll()
  await endRuns()
})

const rowsOf = (text: string): Row[] => JSON.parse(text) as Row[]

test('a process is listed with what it really is', async () => {
  const { pid } = await startProcess('idle', { name: 'listed', rss: 32 << 20, threads: 3, nice: 5 })
  const { code, stdout } = await muster(['ps', '--pid', String(pid), '--json'])
  expect(code).toBe(0)
  const [row] = rowsOf(stdout)
  expect(row).toMatchObject({
    pid,
    ppid: process.pid,
    name: 'listed',
    state: 'S',
    threads: 4,
    nice: 5,
    cpuPercent: 0,
  })
  expect(row!.rssBytes).toBeGreaterThan(32 << 20)
  expect(Math.abs((row!.startedAtMs as number) - Date.now())).toBeLessThan(30_000)

  const text = await muster(['ps', '--pid', String(pid)])
  const [heading, line] = text.stdout.trimEnd().split('\n')
  expect(heading!.trim().split(/ +/)).toEqual([
    'USER',
    'PID',
    'PPID',
    'STATE',
    '%CPU',
    '%MEM',
    'RSS',
    'VSZ',
    'THREADS',
    'NICE',
    'AGE',
    'NAME',
  ])
  const cells = line!.trim().split(/ +/)
  expect(cells[1]).toBe(String(pid))
  expect(cells[6]).toMatch(/^3\dM$/)
  expect(cells.at(-1)).toBe('listed')
})

test('the control group is one path, as muster info has it, with its unit and container', async () => {
  const { pid } = await startProcess('idle')
  const columns = ['--columns', 'cgroup,unit,container']
  const { stdout } = await muster(['ps', '--pid', String(pid), ...columns, '--json'])
  const info = JSON.parse((await muster(['info', String(pid), '--json'])).stdout)
  const { path, unit, container } = info.cgroup
  expect(rowsOf(stdout)).toEqual([{ cgroup: path, unit, container }])
  expect(path).toMatch(/^\/[^\n]*$/)
  const text = await muster(['ps', '--pid', String(pid), ...columns])
  expect(text.stdout.split('\n')[1]!.split(/ +/)[0]).toBe(path)
})

test('filters by part of the name, state, user, CPU and memory', async () => {
  const idle = await startProcess('idle', { name: 'flt-idle' })
  const stopped = await startProcess('stopped', { name: 'flt-stopped' })
  const zombie = await startProcess('zombie', { name: 'flt-zombie' })
  const big = await startProcess('idle', { name: 'flt-big', rss: 256 << 20 })
  const pidsOf = async (...flags: string[]): Promise<unknown[]> => {
    const { code, stdout, stderr } = await muster(['ps', '--name', 'flt-', '--json', ...flags])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return rowsOf(stdout).map((row) => row.pid)
  }
  expect(await pidsOf('--state', 'T')).toEqual([stopped.pid])
  const ended = await pidsOf('--state', 'Z')
  expect(ended).toContain(zombie.pid)
  expect(await pidsOf('--min-memory', '0.8')).toEqual([big.pid])
  expect(await pidsOf('--sort', '-rss', '--limit', '1')).toEqual([big.pid])
  expect(await pidsOf('--user', String(process.getuid!()))).toContain(idle.pid)
  expect(await pidsOf('--user', '4242')).toEqual([])
  const spinning = await startProcess('spin', { name: 'flt-spin' })
  // On a crowded host a share of 150 ms can be too short for a tick of CPU time.
  await waitFor(async () => (await pidsOf('--min-cpu', '1')).join() === String(spinning.pid))
})

test('--top puts the largest first and shows no more than asked for', async () => {
  for (const mebibytes of [20, 60, 40])
    await startProcess('idle', { name: `top-${mebibytes}`, rss: mebibytes << 20 })
  const top = async (...flags: string[]): Promise<Row[]> =>
    rowsOf((await muster(['ps', '--name', 'top-', '--json', '--columns', 'name,cpu', ...flags])).stdout)
  const names = async (...flags: string[]) => (await top(...flags)).map((row) => row.name)
  expect(await names('--top', 'memory')).toEqual(['top-60', 'top-40', 'top-20'])
  expect(await names('--top', 'memory', '--limit', '2')).toEqual(['top-60', 'top-40'])
  await startProcess('spin', { name: 'top-spin' })
  // On a crowded host a share of 150 ms can be too short for a tick of CPU time.
  const rows = await waitFor(async () => {
    const found = await top('--top', 'cpu')
    return found[0]!.name === 'top-spin' && found
  })
  expect(Object.keys(rows[0]!)).toEqual(['name', 'cpuPercent'])
  expect(rows).toHaveLength(4)
  // People look for the script that a `node` runs; it begins where a terminal of 80 columns has room for it.
  const [heading] = (await muster(['ps', '--top', 'cpu'])).stdout.split('\n')
  expect(heading).toMatch(/ COMMAND$/)
  expect(heading!.length).toBeLessThan(65)
})

const obstacle = bpfObstacle()

describe.each(['bpf', 'procfs'])('from %s', (source) => {
  test.runIf(source === 'procfs' || obstacle === undefined)(
    'the same process, with the columns that cost a group, and the source told',
    async () => {
      const { pid } = await startProcess('idle', { name: 'src-one', rss: 40 << 20 })
      const columns = 'pid,name,rss,cpuTimeNs,cgroupId,oomScoreAdj,openFiles,runQueueWaitNs,source'
      const flags = ['--source', source, '--exact', '-v', '--pid', String(pid), '--columns', columns]
      const { code, stdout, stderr } = await muster(['ps', '--json', ...flags])
      expect(code).toBe(0)
      expect(stderr).toMatch(new RegExp(`^muster: samples from ${source}[^\n]+\n$`))
      const [row] = rowsOf(stdout) as [Row]
      expect(row).toMatchObject({ pid, name: 'src-one', source })
      expect(row.oomScoreAdj).toBe(Number(await readFile(`/proc/${pid}/oom_score_adj`, 'utf8')))
      expect(row.openFiles).toBe((await readdir(`/proc/${pid}/fd`)).length)
      const statm = (await readFile(`/proc/${pid}/statm`, 'utf8')).split(' ')
      expect(row.rssBytes).toBe(Number(statm[1]) * 4096)
      expect(row.cpuTimeNs).toBeGreaterThanOrEqual(0)
      if (source === 'bpf') {
        expect(row.cpuTimeNs).toBeGreaterThan(10_000) // far below a clock tick, and still counted
        expect(row.cgroupId).toBeGreaterThan(0)
      }
    },
  )
})

test('without -v nothing is said of the source', async () => {
  const { code, stderr } = await muster(['ps', '--limit', '1'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})

test.runIf(obstacle === undefined && process.getuid!() === 0)(
  'a source that is not permitted is a fault of the flag, and auto goes on without it',
  async () => {
    const refused = await runConfined('nobody', [MUSTER, 'ps', '--source', 'bpf'])
    expect(refused).toMatchObject({ code: 6, stdout: '' })
    expect(refused.stderr).toMatch(/^muster: --source bpf: no CAP_BPF and CAP_PERFMON; [^\n]*setcap[^\n]*\n$/)
    const auto = await runConfined('nobody', [MUSTER, 'ps', '-v', '--limit', '1', '--columns', 'source'])
    expect(auto).toMatchObject({ code: 0, stdout: 'SOURCE\nprocfs\n' })
    expect(auto.stderr).toMatch(/^muster: samples from procfs[^\n]*no CAP_BPF and CAP_PERFMON[^\n]*\n$/)
    const inside = await runConfined('pidNamespace', [MUSTER, 'ps', '--source', 'bpf'])
    expect(inside).toMatchObject({ code: 4, stdout: '' })
    expect(inside.stderr).toContain('pid namespace of its own')
    const permitted = await runConfined('bpfOnly', [MUSTER, 'ps', '--source', 'bpf', '--pid', '1', '--json'])
    expect(permitted).toMatchObject({ code: 0, stderr: '' })
  },
)

test.skipIf(obstacle === undefined)(`SKIPPED: the bpf source (${obstacle?.reason})`, () => {})

test('hostile names and command lines never reach the output raw, as text or as JSON', async () => {
  const started = await Promise.all(
    Object.values(hostileNames).map((name) =>
      startProcess('idle', { name, extraArguments: ['\u001b]0;owned\u0007', 'a\nb', '\u009b31m', '\u202e'] }),
    ),
  )
  const pids = started.map(({ pid }) => pid).join(',')
  const text = await muster(['ps', '--pid', pids, '--columns', 'pid,name,command'])
  expect(text.code).toBe(0)
  expect(text.stdout.replaceAll('\n', '')).not.toMatch(UNSAFE)
  expect(text.stdout.split('\n')).toHaveLength(started.length + 2)
  expect(text.stdout).toContain('\\e[31mred\\e[0m\\x07')
  expect(text.stdout).toContain('a\\nUid:\\t0')

  const json = await muster(['ps', '--pid', pids, '--json', '--columns', 'pid,name,command'])
  expect(json.stdout.replaceAll('\n', '')).not.toMatch(UNSAFE)
  const names = rowsOf(json.stdout).map((row) => row.name)
  expect(names).toContain('\u001b[31mred\u001b[0m\u0007')
  expect(names).toContain('a\nUid:\t0\t0\t0\t0'.slice(0, 15))
})

test('a reader that goes away ends it quietly', async () => {
  const shell = spawn('bash', [
    '-c',
    `"$0" "$1" ps --json | head -c 20; echo "\${PIPESTATUS[0]}"`,
    process.execPath,
    MUSTER,
  ])
  let stdout = ''
  let stderr = ''
  shell.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  shell.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  await once(shell, 'close')
  expect(stderr).toBe('')
  // A host with few processes fits into the pipe's buffer before head is gone.
  expect(stdout.slice(20)).toMatch(/^(141|0)\n$/)
})

test.each<[string[], number, RegExp]>([
  [['--columns', 'pid,rsss'], 3, /--columns "rsss" is no column \(did you mean "rss"\?\)/],
  [['--columns', ','], 3, /--columns is empty/],
  [['aux', '--columns', 'pid'], 2, /aux and --columns exclude each other/],
  [['--sort', 'nothing'], 3, /--sort "nothing"/],
  [['--sort', 'pid', '--top', 'cpu'], 2, /exclude each other/],
  [['--top', 'disk'], 3, /--top "disk"/],
  [['--source', 'kernel'], 3, /--source "kernel" is not known; give auto, bpf, procfs/],
  [['--limit', 'ten'], 3, /--limit "ten" is not a whole number/],
  [['--limit', '0'], 4, /--limit "0" is out of range/],
  [['--limit', '1.5'], 3, /--limit "1.5" is not a whole number/],
  [['--watch', 'often'], 3, /--watch "often" is not a number; give seconds/],
  [['--watch', '0'], 4, /--watch "0" is out of range/],
  [['--pid', '12x'], 3, /--pid "12x"/],
  [['--pid', '0'], 4, /--pid "0" is out of range/],
  [['--pid', '4194304'], 5, /no such process/],
  [['--state', 'Q'], 3, /--state "Q"/],
  [['--min-cpu', 'much'], 3, /--min-cpu "much"/],
  [['--min-memory', '101'], 4, /--min-memory "101"/],
  [['--user', 'no-such-user-here'], 4, /no such user/],
  [['--user'], 2, /argument missing/],
  [['--colums', 'pid'], 2, /unknown option '--colums' \(Did you mean --columns\?\)/],
  [['stray'], 2, /"stray" is no view of muster ps; give aux, or flags; a name is given with --name "stray"/],
  [['12'], 2, /"12" is no view of muster ps; a process is given with -p PID/],
])('%j exits with %i and one line', async (flags, code, line) => {
  const result = await muster(['ps', ...flags])
  expect(result.code).toBe(code)
  expect(result.stdout).toBe('')
  expect(result.stderr).toMatch(line)
  expect(result.stderr).toMatch(/^muster: [^\n]+\n$/)
})

test('several faults get a line each', async () => {
  const { code, stderr } = await muster(['ps', '--limit', 'x', '--min-memory', '200'])
  expect(code).toBe(3)
  expect(stderr.trimEnd().split('\n')).toHaveLength(2)
})
