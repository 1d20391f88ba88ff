import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, test } from 'vitest'
import { bpfObstacle } from '../../dist/index.js'
import { fixtureProgram, startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { endRuns, muster } from './muster.js'

const root = process.getuid!() === 0
const onTerminals: ReturnType<typeof spawn>[] = []

afterEach(async () => {
  await stopAll()
  await endRuns()
  for (const script of onTerminals.splice(0)) script.kill('SIGKILL')
})

/** What ps(1) has in some columns of some processes. */
function psOf(pids: readonly number[], columns: readonly string[]): string[][] {
  const flags = ['-p', pids.join(','), ...columns.flatMap((column) => ['-o', `${column}=`])]
  const text = execFileSync('ps', flags, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } })
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/ +/))
}

type Row = Record<string, string | number | null>

async function musterOf(pids: readonly number[], ...flags: string[]): Promise<Row[]> {
  const { code, stdout, stderr } = await muster(['ps', '--pid', pids.join(','), '--json', ...flags])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout) as Row[]
}

/** A process in the foreground of a terminal of its own. */
async function startOnTerminal(): Promise<number> {
  const command = `exec '${await fixtureProgram()}' mode=idle`
  const script = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTerminals.push(script)
  const [line] = (await once(createInterface({ input: script.stdout! }), 'line')) as [string]
  return Number(/^ready (\d+)/.exec(line)?.[1])
}

async function startOfEachKind(): Promise<Record<string, number>> {
  const kinds = {
    plain: startProcess('idle'),
    nice: startProcess('idle', { nice: 5 }),
    ...(root && { favoured: startProcess('idle', { nice: -5 }) }),
    leader: startProcess('idle', { detached: true }),
    threads: startProcess('idle', { threads: 3 }),
    locked: startProcess('idle', { lock: true }),
    zombie: startProcess('zombie'),
    stopped: startProcess('stopped'),
    several: startProcess('idle', { nice: 3, lock: true, threads: 1, detached: true }),
  }
  const started = Object.entries(kinds).map(async ([kind, each]) => [kind, (await each).pid] as const)
  return { ...Object.fromEntries(await Promise.all(started)), foreground: await startOnTerminal() }
}

describe.each(['bpf', 'procfs'])('from %s', (source) => {
  const obstacle = source === 'bpf' ? bpfObstacle() : undefined
  test.runIf(obstacle === undefined)('STAT and TTY are those of ps(1)', async () => {
    const pids = await startOfEachKind()
    const rows = await musterOf(Object.values(pids), '--source', source, '--columns', 'pid,stat,tty')
    const letters = new Map(rows.map(({ pid, stat }) => [pid, stat as string]))
    // Where the tests themselves run in the foreground of a terminal, so do the others.
    const lettersOf = ([kind, pid]: [string, number]) => [
      kind,
      kind === 'foreground' ? letters.get(pid) : letters.get(pid)!.replace('+', ''),
    ]
    expect(Object.fromEntries(Object.entries(pids).map(lettersOf))).toEqual({
      plain: 'S',
      nice: 'SN',
      ...(root && { favoured: 'S<' }),
      leader: 'Ss',
      threads: 'Sl',
      locked: 'SL',
      zombie: 'Z',
      stopped: 'T',
      several: 'SNLsl',
      foreground: 'Ss+',
    })
    const told = rows.map(({ pid, stat, tty }) => [String(pid), stat, tty ?? '?'])
    expect(told).toEqual(psOf(Object.values(pids), ['pid', 'stat', 'tty']))
  })
  test.skipIf(obstacle === undefined)(`SKIPPED: the bpf source (${obstacle?.reason})`, () => {})
})

test('aux has the columns of ps aux, a line for each process', async () => {
  const [{ pid }, ended] = [await startProcess('idle'), await startProcess('zombie')]
  const { code, stdout } = await muster(['ps', 'aux', '--pid', `${pid},${ended.pid}`])
  expect(code).toBe(0)
  const [heading, ...lines] = stdout.trimEnd().split('\n')
  const psHeading = execFileSync('ps', ['aux'], { encoding: 'utf8' }).split('\n')[0]!
  expect(heading!.trim().split(/ +/)).toEqual(psHeading.trim().split(/ +/))
  const cellsOf = (of: number) => lines.find((line) => line.includes(` ${of} `))!.split(/ +/)
  expect(cellsOf(pid)[7]).toBe('S')
  expect(cellsOf(pid).slice(10).join(' ')).toMatch(/mode=idle$/)
  expect(cellsOf(ended.pid).slice(10).join(' ')).toMatch(/^\[.+\] <defunct>$/)
})

test('%CPU is that of now; the average over a life, which ps has, is a column of its own', async () => {
  const { pid, child } = await startProcess('spin')
  await waitFor(async () => {
    const fields = (await readFile(`/proc/${pid}/stat`, 'latin1')).split(' ')
    return Number(fields[13]) >= 50
  })
  child.kill('SIGSTOP')
  // ps counts the life in whole seconds.
  const average = await waitFor(async () => {
    const [[etimes, times] = []] = psOf([pid], ['etimes', 'times'])
    if (Number(etimes) < 3 || times === undefined) return false
    return Number(psOf([pid], ['pcpu'])[0]![0])
  })
  const [row] = (await musterOf([pid], '--columns', 'cpu,lifetimeCpuPercent,age')) as [Row]
  expect(row.cpuPercent).toBe(0)
  expect(average).toBeGreaterThan(5)
  const age = row.ageSeconds as number
  expect(row.lifetimeCpuPercent).toBeGreaterThan((average * (age - 2)) / age)
  expect(row.lifetimeCpuPercent).toBeLessThan((average * (age + 2)) / age)
})
