import { execFile, spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ProcessRow, Sampler, type Table } from '../../dist/index.js'
import {
  hostileNames,
  readState,
  startProcess,
  stopAll,
  type TestProcess,
  waitFor,
} from '../fixtures/processes.js'
import { describeSources } from '../fixtures/sources.js'

const run = promisify(execFile)
const PYTHON = '/usr/bin/python3' // the distribution's, which python3-psutil is for
const hasPsutil = spawnSync(PYTHON, ['-c', 'import psutil']).status === 0
const isRoot = process.getuid?.() === 0
const TICK_NS = 10_000_000

interface PsutilRow {
  ppid: number
  name: string
  state: string
  rss: number
  vsz: number
  shared: number
  text: number
  data: number
  threads: number
  user: number
  system: number
  start: number
  nice: number
  uid: number
}

async function readPsutil(pids: readonly number[]): Promise<Map<number, PsutilRow>> {
  const script = fileURLToPath(new URL('read_psutil.py', import.meta.url))
  const { stdout } = await run(PYTHON, [script, ...pids.map(String)])
  return new Map(
    Object.entries(JSON.parse(stdout) as Record<string, PsutilRow>).map(([pid, row]) => [+pid, row]),
  )
}

const PS_COLUMNS = [
  'pid',
  'ppid',
  'pgid',
  'sid',
  'stat',
  'rss',
  'vsz',
  'nlwp',
  'times',
  'ni',
  'min_flt',
  'maj_flt',
  'euid',
]

/** What ps says, by pid: the columns above as text, and `comm`, which it escapes. */
async function readPs(selection: string[]): Promise<Map<number, Record<string, string>>> {
  const format = [...PS_COLUMNS, 'comm'].flatMap((column) => ['-o', `${column}=`])
  const { stdout } = await run('ps', [...selection, ...format], { maxBuffer: 2 ** 26 })
  return new Map(
    stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const words = line.trim().split(/\s+/)
        const row = Object.fromEntries(PS_COLUMNS.map((column, i) => [column, words[i]!]))
        return [Number(words[0]), { ...row, comm: words.slice(PS_COLUMNS.length).join(' ') }]
      }),
  )
}

const nameBytes = (row: ProcessRow): string => {
  const { names } = row.table.memory
  const bytes = Buffer.from(names.slice(row.slot * 64, (row.slot + 1) * 64))
  return bytes.subarray(0, bytes.indexOf(0)).toString('hex')
}

const bootSeconds = async () => Number(/^btime (\d+)$/m.exec(await readFile('/proc/stat', 'latin1'))![1])

describeSources('parity on stopped processes: every number is the same', (source) => {
  let sampler: Sampler
  let table: Table
  const cases = new Map<string, TestProcess>()

  beforeAll(async () => {
    sampler = await Sampler.open({ source, groups: ['exactRss'] })
    const add = async (label: string, ...args: Parameters<typeof startProcess>) => {
      cases.set(label, await startProcess(...args))
    }
    await add('stopped', 'stopped', { name: 'plain' })
    await add('with threads', 'stopped', { name: 'threads', threads: 6 })
    await add('with memory', 'stopped', { name: 'memory', rss: 48 << 20 })
    await add('with a low priority', 'stopped', { name: 'nice', nice: 11 })
    await add('batch', 'stopped', { name: 'batch', policy: 'batch' })
    await add('without a command line', 'stopped', { name: 'nocmd', noCommandLine: true })
    await add('with a long command line', 'stopped', { name: 'long', commandLineBytes: 1 << 20 })
    await add('zombie', 'zombie')
    for (const [label, name] of Object.entries(hostileNames)) await add(`name ${label}`, 'stopped', { name })
    if (isRoot) {
      await add('another user', 'stopped', { name: 'nobody', uid: 65534 })
      await add('another user, undumpable', 'stopped', { name: 'shy', uid: 65534, undumpable: true })
      await add('real time', 'stopped', { name: 'fifo', policy: 'fifo', priority: 2 })
    }
    const spinner = await startProcess('spin', { name: 'spun' })
    cases.set('with CPU time', spinner)
    const ticks = async () => (await readFile(`/proc/${spinner.pid}/stat`, 'latin1')).split(' ')[13]
    await waitFor(async () => Number(await ticks()) >= 30, { what: '0.3 s of CPU time' })
    process.kill(spinner.pid, 'SIGSTOP')
    await waitFor(async () => (await readState(spinner.pid)) === 'T')
    await sampler.sample()
    table = await sampler.sample()
  })

  afterAll(async () => {
    await stopAll()
    await sampler.close()
  })

  test('ps agrees', async () => {
    const pids = [...cases.values()].map(({ pid }) => pid)
    const ps = await readPs(['-p', pids.join(',')])
    for (const [label, { pid }] of cases) {
      const row = table.get(pid)!
      const shown = ps.get(pid)!
      expect(
        {
          ppid: row.ppid,
          pgid: row.pgid,
          sid: row.sid,
          state: row.state,
          rss: row.rssBytes! / 1024,
          vsz: row.vszBytes! / 1024,
          nlwp: row.threads,
          times: Math.floor((row.userTimeNs! + row.systemTimeNs!) / 1e9),
          min_flt: row.minorFaults,
          maj_flt: row.majorFaults,
          euid: row.uid,
        },
        label,
      ).toEqual({
        ppid: Number(shown.ppid),
        pgid: Number(shown.pgid),
        sid: Number(shown.sid),
        state: shown.stat![0],
        rss: Number(shown.rss),
        vsz: Number(shown.vsz),
        nlwp: Number(shown.nlwp),
        times: Number(shown.times),
        min_flt: Number(shown.min_flt),
        maj_flt: Number(shown.maj_flt),
        euid: Number(shown.euid),
      })
      // ps shows no nice value where it means nothing.
      if (shown.ni !== '-') expect(row.nice, label).toBe(Number(shown.ni))
      if (/^[a-z]+$/.test(row.name)) expect(row.name, label).toBe(shown.comm!.replace(' <defunct>', ''))
    }
  })

  test.skipIf(!hasPsutil)('psutil agrees (needs python3-psutil)', async () => {
    const psutil = await readPsutil([...cases.values()].map(({ pid }) => pid))
    const boot = await bootSeconds()
    const states: Record<string, string> = { stopped: 'T', zombie: 'Z' }
    for (const [label, { pid }] of cases) {
      const row = table.get(pid)!
      const shown = psutil.get(pid)!
      expect(
        {
          ppid: row.ppid,
          state: row.state,
          rss: row.rssBytes,
          vsz: row.vszBytes,
          shared: row.sharedBytes,
          text: row.textBytes,
          data: row.dataBytes,
          threads: row.threads,
          userTicks: Math.floor(row.userTimeNs! / TICK_NS),
          systemTicks: Math.floor(row.systemTimeNs! / TICK_NS),
          startTicks: row.startTicks,
          nice: row.nice,
          uid: row.uid,
          name: nameBytes(row),
        },
        label,
      ).toEqual({
        ppid: shown.ppid,
        state: states[shown.state],
        rss: shown.rss,
        vsz: shown.vsz,
        shared: shown.shared,
        text: shown.text,
        data: shown.data,
        threads: shown.threads,
        userTicks: Math.round(shown.user * 100),
        systemTicks: Math.round(shown.system * 100),
        startTicks: Math.round((shown.start - boot) * 100),
        nice: shown.nice,
        uid: shown.uid,
        name: shown.name,
      })
    }
  })
})

describeSources('parity on running processes: what others read lies between two samples', (source) => {
  afterAll(stopAll)

  test.skipIf(!hasPsutil)('CPU time and memory (needs python3-psutil)', async () => {
    await using sampler = await Sampler.open({ source, groups: ['exactRss'] })
    const { pid: spinner } = await startProcess('spin')
    const { pid: leaker } = await startProcess('leak', { rate: 8 << 20 })
    const cells = async () => {
      const table = await sampler.sample()
      const ticks = Math.floor(table.get(spinner)!.userTimeNs! / TICK_NS) // as others see it
      return { cpu: ticks / 100, rss: table.get(leaker)!.rssBytes! }
    }
    const before = await cells()
    const psutil = await readPsutil([spinner, leaker])
    const after = await cells()
    expect(psutil.get(spinner)!.user).toBeGreaterThanOrEqual(before.cpu)
    expect(psutil.get(spinner)!.user).toBeLessThanOrEqual(after.cpu)
    expect(after.cpu).toBeGreaterThan(before.cpu)
    expect(psutil.get(leaker)!.rss).toBeGreaterThanOrEqual(before.rss)
    expect(psutil.get(leaker)!.rss).toBeLessThanOrEqual(after.rss)
  })

  test('every process of the host that ps sees between two samples is in both', async () => {
    await using sampler = await Sampler.open({ source })
    const identify = (table: Table) => new Map([...table].map((row) => [row.pid, row.toJSON()]))
    const before = identify(await sampler.sample())
    const ps = await readPs(['-e'])
    const after = identify(await sampler.sample())
    let compared = 0
    for (const [pid, first] of before) {
      const last = after.get(pid)
      const shown = ps.get(pid)
      if (last?.startTicks !== first.startTicks || shown === undefined) continue
      if (last?.ppid !== first.ppid || last?.uid !== first.uid) continue
      compared++
      expect([pid, first.ppid, first.uid], `pid ${pid}`).toEqual([
        pid,
        Number(shown.ppid),
        Number(shown.euid),
      ])
    }
    expect(compared).toBeGreaterThan(5)
    for (const pid of ps.keys()) {
      // Only ps itself, and what began and ended in between, can be missing from both.
      if (!before.has(pid) && !after.has(pid)) expect(await alive(pid), `pid ${pid}`).toBe(false)
    }
  })
})

const alive = (pid: number) =>
  readFile(`/proc/${pid}/stat`).then(
    () => true,
    () => false,
  )
