import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import { CHECK_IDS, type CheckId, type Diagnosis } from '../../dist/index.js'
import { hasCapability } from '../../dist/system/capabilities.js'
import { readBpfReadings } from '../../dist/system/kernel_support.js'
import { runConfined, type Setting } from '../fixtures/confined_node.js'
import { endRuns, MUSTER, muster } from './muster.js'

type Report = Diagnosis & { version: number; fulfilled: boolean; required: CheckId[] }

afterEach(endRuns)

const doctorIn = async (setting: Setting, ...flags: string[]): Promise<[Report, number]> => {
  const { code, stdout, stderr } = await runConfined(setting, [MUSTER, 'doctor', '--json', ...flags])
  expect(stderr).toBe('')
  return [JSON.parse(stdout) as Report, code]
}
const statesOf = ({ checks }: Diagnosis): Record<string, string> =>
  Object.fromEntries(checks.map(({ id, state }) => [id, state]))

const host = readBpfReadings()
const isRoot = process.getuid!() === 0 && host.userNamespace === 'host' && host.pidNamespace === 'host'
const bpfAsRoot = host.built && host.hasBtf ? 'ok' : 'missing'
const ACTING = ['signal-others', 'raise-priority', 'restart-others'] as const

test.runIf(isRoot)('as root', async () => {
  const [report, code] = await doctorIn('root')
  const states = statesOf(report)
  expect(states).toMatchObject({
    ...{ 'bpf-source': bpfAsRoot, 'lifecycle-events': bpfAsRoot, pidfd: 'ok' },
    ...{ 'all-processes': 'ok', 'files-of-others': 'ok' },
    ...Object.fromEntries(ACTING.map((id) => [id, 'ok'])),
    // A container's root may lack it.
    'raise-limits': hasCapability(host.effective!, 'CAP_SYS_RESOURCE') ? 'ok' : 'limited',
  })
  expect(report.process.uid).toBe(0)
  expect(report.fulfilled).toBe(Object.values(states).every((state) => state === 'ok'))
  expect(code).toBe(report.fulfilled ? 0 : 12)
})

test.runIf(isRoot)('as a user without any capability', async () => {
  const [report, code] = await doctorIn('nobody')
  expect(statesOf(report)).toMatchObject({
    ...{ 'bpf-source': 'missing', 'all-processes': 'ok', 'files-of-others': 'limited', pidfd: 'ok' },
    ...Object.fromEntries(ACTING.map((id) => [id, 'limited'])),
    'raise-limits': 'limited',
  })
  const source = report.checks.find(({ id }) => id === 'bpf-source')!
  expect(source.found).toContain('no CAP_BPF and CAP_PERFMON')
  expect(source.lacking).toEqual(['CAP_BPF', 'CAP_PERFMON'])
  expect(source.requirements!.find(({ name }) => name === 'capabilities')).toMatchObject({ met: false })
  expect(source.requirements!.find(({ name }) => name === 'kernel')).toMatchObject({ met: true })
  const [observe, act] = report.grants
  expect(observe!.systemd[0]).toBe(
    'AmbientCapabilities=CAP_DAC_READ_SEARCH CAP_SYS_PTRACE CAP_PERFMON CAP_BPF',
  )
  expect(observe!.setcap).toMatch(/^setcap cap_dac_read_search,cap_sys_ptrace,cap_perfmon,cap_bpf\+ep \//)
  expect(act!.capabilities).toContain('CAP_KILL')
  expect(report.process).toMatchObject({ uid: 65534, capabilities: [] })
  expect(code).toBe(12)
})

test.runIf(isRoot)('with CAP_BPF and CAP_PERFMON only', async () => {
  const [report, code] = await doctorIn('bpfOnly', '--require', 'bpf-source')
  expect(statesOf(report)).toMatchObject({
    ...{ 'bpf-source': bpfAsRoot, 'lifecycle-events': bpfAsRoot },
    ...{ 'all-processes': 'ok', 'files-of-others': 'limited' },
    ...Object.fromEntries(ACTING.map((id) => [id, 'limited'])),
  })
  expect(report.process.capabilities).toEqual(['CAP_PERFMON', 'CAP_BPF'])
  expect(report).toMatchObject({ required: ['bpf-source'], fulfilled: bpfAsRoot === 'ok' })
  expect(code).toBe(bpfAsRoot === 'ok' ? 0 : 12)
})

test.runIf(isRoot)('inside a new pid namespace', async () => {
  const [report] = await doctorIn('pidNamespace')
  expect(statesOf(report)).toMatchObject({
    'lifecycle-events': 'missing',
    ...{ 'bpf-source': 'missing', 'all-processes': 'limited', 'files-of-others': 'ok', pidfd: 'ok' },
  })
  const source = report.checks.find(({ id }) => id === 'bpf-source')!
  expect(source.found).toContain('pid namespace of its own')
  expect(source.remedy).toContain('--pid=host')
  expect(report.checks.find(({ id }) => id === 'all-processes')!.found).toMatch(
    /^[1-9] processes of this pid/,
  )
})

test.runIf(isRoot)('below the /proc of another pid namespace', async () => {
  const [report] = await doctorIn('pidNamespaceOuterProc')
  for (const [id, state] of [
    ['all-processes', 'limited'],
    ['pidfd', 'missing'],
  ]) {
    const found = '/proc is not that of this pid namespace'
    expect(report.checks.find((each) => each.id === id)).toMatchObject({
      state,
      found,
      remedy: 'mount proc anew at /proc',
    })
  }
})

test.runIf(isRoot)('where /proc hides the processes of others', async () => {
  const [report] = await doctorIn('hidepid')
  const check = report.checks.find(({ id }) => id === 'all-processes')!
  expect(check).toMatchObject({ state: 'limited', lacking: ['CAP_SYS_PTRACE'] })
  expect(check.found).toBe('/proc is mounted with hidepid=2')
})

test.runIf(isRoot)('with what it advises for acting', async () => {
  const [report] = await doctorIn('actor')
  expect(statesOf(report)).toMatchObject({
    ...{ 'bpf-source': bpfAsRoot, 'all-processes': 'ok', 'files-of-others': 'ok' },
    ...Object.fromEntries(ACTING.map((id) => [id, 'ok'])),
  })
})

test.runIf(isRoot)('with the file capabilities that its own setcap line gives', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'procmuster-setcap-'))
  try {
    await chmod(directory, 0o755)
    const copy = join(directory, 'node')
    await copyFile(process.execPath, copy)
    const before = await runConfined('nobody', [MUSTER, 'doctor', '--json'], copy)
    const { setcap } = (JSON.parse(before.stdout) as Report).grants[0]!
    expect(setcap!.endsWith(` ${copy}`)).toBe(true)
    await promisify(execFile)('sh', ['-c', setcap!])
    const { stdout, stderr } = await runConfined('nobody', [MUSTER, 'doctor', '--json'], copy)
    expect(stderr).toBe('')
    expect(statesOf(JSON.parse(stdout) as Report)).toMatchObject({
      ...{ 'bpf-source': bpfAsRoot, 'lifecycle-events': bpfAsRoot, 'files-of-others': 'ok' },
      'signal-others': 'limited',
    })
  } finally {
    await rm(directory, { recursive: true })
  }
})

test.skipIf(isRoot)('SKIPPED: settings of privileges and namespaces need root of the host', () => {})

test('--json has every key, with null for what does not apply', async () => {
  const { stdout } = await muster(['doctor', '--json'])
  const report = JSON.parse(stdout) as Report
  expect(report.version).toBe(1)
  expect(Object.keys(report).sort()).toEqual(
    ['checks', 'fulfilled', 'grants', 'host', 'process', 'required', 'state', 'version'].sort(),
  )
  expect(report.required).toEqual(CHECK_IDS)
  const keys = ['area', 'found', 'gain', 'id', 'instead', 'lacking', 'remedy', 'state', 'title']
  for (const check of report.checks) {
    const { requirements, ...rest } = check
    expect(Object.keys(rest).sort()).toEqual(keys)
    expect(check.remedy === null).toBe(check.state === 'ok')
  }
})

test('the report names each check, with the way out of those that are not ok', async () => {
  const json = JSON.parse((await muster(['doctor', '--json'])).stdout) as Report
  const { stdout, stderr } = await muster(['doctor'])
  expect(stderr).toBe('')
  expect(stdout).not.toContain('\u001b')
  for (const { title, state } of json.checks)
    expect(stdout).toMatch(new RegExp(`^  ${state} +${title} `, 'm'))
  const notOk = json.checks.filter(({ state }) => state !== 'ok')
  expect(stdout.match(/^ {11}way out {2}\S/gm) ?? []).toHaveLength(notOk.length)
})

test.each<[string[], number, RegExp]>([
  [['--require', 'bpf'], 3, /--require "bpf" is no check.*give some of bpf-source, /],
  [['--require', 'pidfs'], 3, /\(did you mean "pidfd"\?\)/],
  [['--require', ','], 3, /--require is empty/],
  [['--require'], 2, /argument missing/],
  [['stray'], 2, /"stray" is no flag of muster doctor/],
])('%j exits with %i and one line', async (flags, code, line) => {
  const result = await muster(['doctor', ...flags])
  expect(result).toMatchObject({ code, stdout: '' })
  expect(result.stderr).toMatch(line)
  expect(result.stderr).toMatch(/^muster: [^\n]+\n$/)
})
