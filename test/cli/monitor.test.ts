import { spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { afterEach, expect, test } from 'vitest'
import { EventStream } from '../../dist/public/events.js'
import { startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { endRuns, muster, Run } from './muster.js'

afterEach(async () => {
  await stopAll()
  await endRuns()
})

const root = process.getuid!() === 0
const NOBODY = 65534

/** Whether the kernel tells of ends here. */
async function hearsEnds(): Promise<boolean> {
  await using stream = await EventStream.open({ types: ['exit'] })
  return stream.source !== 'snapshots'
}
const hearing = await hearsEnds()

type Numbers = Record<string, number | null>

test('it goes on until the process ends, and says how', async () => {
  const { pid, child } = await startProcess('idle', { name: 'mon-killed' })
  const run = new Run(['monitor', String(pid), '--interval', '0.1'])
  await run.said(/mon-killed.*\n(.+\n)+storage .*\n\n.*mon-killed/)
  child.kill('SIGKILL')
  const { code, stdout, stderr } = await run.ended
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const how = hearing
    ? `SIGKILL( from ${process.pid} .+)?`
    : 'how is not known, as the kernel tells of no ends here .+'
  expect(stdout).toMatch(new RegExp(`\n\nprocess ${pid} has ended: ${how}\n$`))
  expect(stdout).not.toContain('\u001b')
})

test('--json: a line for each sample, and one for the end with the exit code', async () => {
  const child = spawn('sh', ['-c', 'read word; exit 3'], { stdio: ['pipe', 'ignore', 'inherit'] })
  const run = new Run(['monitor', String(child.pid), '--interval', '0.1', '--json'])
  await run.said(/\n.*\n/)
  child.stdin.end()
  const { code } = await run.ended
  expect(code).toBe(0)
  const records = run.records()
  const end = records.pop()!
  expect(records.length).toBeGreaterThan(1)
  expect(new Set(records.map(({ type }) => type))).toEqual(new Set(['sample']))
  expect(end).toMatchObject({ type: 'end', exitCode: hearing ? 3 : null, signal: null })
})

test('a sample tells what the kernel tells', async () => {
  const { pid } = await startProcess('idle', { rss: 32 << 20, threads: 2 })
  const run = await muster(['monitor', String(pid), '--count', '1', '--json', '--pss'])
  expect(run).toMatchObject({ code: 0, stderr: '' })
  const sample = JSON.parse(run.stdout)
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kib = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1])
  const rollUp = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  const limits = await readFile(`/proc/${pid}/limits`, 'utf8')
  expect(sample).toMatchObject({
    state: 'S',
    threads: 3,
    openFiles: (await readdir(`/proc/${pid}/fd`)).length,
    openFilesLimit: Number(/^Max open files +(\d+)/m.exec(limits)![1]),
    voluntarySwitches: kib('voluntary_ctxt_switches'),
    involuntarySwitches: kib('nonvoluntary_ctxt_switches'),
    cpuPercent: null,
    missing: [],
  })
  const { memory, pssBytes } = sample as { memory: Numbers; pssBytes: number }
  expect(memory).toMatchObject({
    rssBytes: kib('VmRSS') * 1024,
    rssAnonBytes: kib('RssAnon') * 1024,
    rssFileBytes: kib('RssFile') * 1024,
    rssShmemBytes: kib('RssShmem') * 1024,
    swapBytes: kib('VmSwap') * 1024,
    peakRssBytes: kib('VmHWM') * 1024,
  })
  // Who shares its libraries with it comes and goes.
  const pss = Number(/^Pss: +(\d+)/m.exec(rollUp)![1]) * 1024
  expect(Math.abs(pssBytes - pss)).toBeLessThan(1 << 20)
  const text = await muster(['monitor', String(pid), '--count', '1'])
  expect(text.stdout).toMatch(/memory +rss 3\dM .*\n +anonymous 3\dM, file [\d.]+[KM], shared 0\n/)
  expect(text.stdout).not.toContain('pss')
})

test('rates: CPU in user and system mode, switches, faults', async () => {
  const { pid } = await startProcess('leak', { rate: 4 << 20 })
  const leaking = new Run(['monitor', String(pid), '--interval', '0.3', '--json'])
  await waitFor(() =>
    leaking.records().some((sample) => {
      const { voluntarySwitchesPerSecond, minorFaultsPerSecond } = sample as Numbers
      return voluntarySwitchesPerSecond! > 1 && minorFaultsPerSecond! > 100
    }),
  )
  const spinner = await startProcess('spin')
  const spinning = new Run(['monitor', String(spinner.pid), '--interval', '0.3', '--json'])
  const busy = await waitFor(() => spinning.records().find((sample) => (sample as Numbers).userPercent! > 10))
  const { cpuPercent, userPercent, systemPercent } = busy as Record<string, number>
  expect(userPercent! + systemPercent!).toBeCloseTo(cpuPercent!, 6)
  for (const run of [leaking, spinning]) run.child.kill('SIGINT')
  expect(await leaking.ended).toMatchObject({ code: 130, stderr: '' })
})

test.runIf(root)('as another user: what may not be read is a dash, with the reason', async () => {
  const { pid } = await startProcess('idle')
  const args = ['monitor', String(pid), '--count', '1']
  const { code, stdout } = await muster(args, { uid: NOBODY })
  expect(code).toBe(0)
  expect(stdout).toMatch(/open files +- of \d+\n/)
  expect(stdout).toContain(`not readable  /proc/${pid}/io: EACCES\n`)
  expect(stdout).toContain(`not readable  /proc/${pid}/fd: EACCES\n`)
})
test.skipIf(root)('SKIPPED: as another user (needs root)', () => {})

test('a kernel thread, or what has no memory, has no PSS, and is not taken for ended', async () => {
  const { pid } = await startProcess('headless', { threads: 1 })
  const { code, stdout } = await muster(['monitor', String(pid), '--count', '1', '--json', '--pss'])
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ type: 'sample', state: 'Z', pssBytes: null })
})

test('a zombie has ended already', async () => {
  const { pid } = await startProcess('zombie')
  expect(await muster(['monitor', String(pid)])).toEqual({
    code: 5,
    signal: null,
    stdout: '',
    stderr: `muster: PID ${pid}: it has ended, and waits for its parent as a zombie; \`muster zombies\` tells whose\n`,
  })
})

test('names and arguments never reach the output raw', async () => {
  const extraArguments = ['\u001b]0;owned\u0007', 'a\nb']
  const { pid } = await startProcess('idle', { name: '\u001b[31m', extraArguments })
  const { stdout } = await muster(['monitor', String(pid), '--count', '1'])
  expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
})

test.each<[string[], number, RegExp]>([
  [[], 2, /it is not said which process/],
  [['x'], 3, /PID "x"/],
  [['1', '--interval', '0'], 4, /-i\/--interval "0" is out of range/],
  [['1', '--count', '0'], 4, /--count "0" is out of range/],
  [['1', '--for', 'long'], 3, /--for/],
  [['4194304'], 5, /no such process|there is no process/],
])('%j exits with %i and one line', async (args, code, line) => {
  const result = await muster(['monitor', ...args])
  expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(line) })
  expect(result.stderr).toMatch(/^muster: [^\n]+\n$/)
})
