import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  type BpfReadings,
  bpfObstacle,
  bpfObstacles,
  isKernelAtLeast,
  type Obstacle,
  readBpfReadings,
} from '../../dist/system/kernel_support.js'
import { evaluateConfined, type Setting } from '../fixtures/confined_node.js'

const ALL = (1n << 41n) - 1n
const FINE: BpfReadings = {
  built: true,
  procRoot: '/proc',
  kernelRelease: '6.7.0',
  hasBtf: true,
  pidNamespace: 'host',
  timeNamespace: 'host',
  userNamespace: 'host',
  lockdown: 'none',
  effective: ALL,
  bounding: ALL,
  noNewPrivileges: false,
  program: '/usr/bin/node',
}
const bit = (number: number): bigint => 1n << BigInt(number)
const [BPF, PERFMON, SYS_ADMIN] = [bit(39), bit(38), bit(21)]

test.each<[Partial<BpfReadings>, Obstacle['code'][]]>([
  [{}, []],
  [{ effective: BPF | PERFMON }, []],
  [{ effective: SYS_ADMIN }, []],
  [{ lockdown: 'integrity' }, []],
  [{ lockdown: undefined }, []],
  [{ procRoot: '/proc/' }, []],
  [{ timeNamespace: 'unreadable' }, []],
  [{ built: false }, ['NOT_BUILT']],
  [{ kernelRelease: '6.6.99-generic' }, ['OLD_KERNEL']],
  [{ kernelRelease: '5.15.0' }, ['OLD_KERNEL']],
  [{ hasBtf: false }, ['NO_BTF']],
  [{ effective: 0n }, ['NO_CAPABILITY']],
  [{ effective: undefined }, ['NO_CAPABILITY']],
  [{ effective: BPF }, ['NO_CAPABILITY']],
  [{ effective: ALL & ~(BPF | SYS_ADMIN) }, ['NO_CAPABILITY']],
  [{ userNamespace: 'other' }, ['NO_CAPABILITY']],
  [{ pidNamespace: 'other' }, ['PID_NAMESPACE']],
  [{ pidNamespace: 'unreadable' }, ['PID_NAMESPACE']],
  [{ timeNamespace: 'other' }, ['TIME_NAMESPACE']],
  [{ lockdown: 'confidentiality' }, ['LOCKDOWN']],
  [{ procRoot: '/host/proc' }, ['PROC_ROOT']],
  // What no privilege can mend comes first.
  [
    { effective: 0n, pidNamespace: 'other', kernelRelease: '4.4' },
    ['OLD_KERNEL', 'PID_NAMESPACE', 'NO_CAPABILITY'],
  ],
])('%o gives %j', (readings, codes) => {
  const obstacles = bpfObstacles({ ...FINE, ...readings })
  expect(obstacles.map(({ code }) => code)).toEqual(codes)
  for (const { reason, remedy } of obstacles) {
    expect(reason).toMatch(/^[^\n]+[^.\n]$/)
    expect(remedy).toMatch(/^[^\n]+[^.\n]$/)
  }
})

test('the reason names what is lacking, the remedy what could work here', () => {
  const obstacle = (readings: Partial<BpfReadings>): Obstacle => bpfObstacles({ ...FINE, ...readings })[0]!
  expect(obstacle({ effective: BPF }).reason).toBe('no CAP_PERFMON')
  expect(obstacle({ effective: 0n }).reason).toBe('no CAP_BPF and CAP_PERFMON')
  expect(obstacle({ effective: 0n, program: "/opt/it's/node" }).remedy).toBe(
    "run it as root, or `setcap cap_bpf,cap_perfmon+ep '/opt/it'\\''s/node'`, or as a service with AmbientCapabilities=CAP_BPF CAP_PERFMON",
  )
  expect(obstacle({ effective: 0n, noNewPrivileges: true }).remedy).not.toContain('setcap')
  expect(obstacle({ effective: 0n, bounding: 0n }).remedy).toContain('--cap-add=BPF --cap-add=PERFMON')
})

test.each([
  ['6.7', true],
  ['6.10.3', true],
  ['10.0', true],
  ['6.6', false],
  ['5.19.0-50-generic', false],
  ['unheard of', true],
])('Linux %s is at least 6.7: %s', (release, wanted) => {
  expect(isKernelAtLeast(release, '6.7')).toBe(wanted)
})

/** The codes that a Node.js of its own finds, as if the addon were built with the program. */
const codesIn = (setting: Setting): Promise<Obstacle['code'][]> =>
  evaluateConfined(
    setting,
    `import { bpfObstacles, readBpfReadings } from ${JSON.stringify(new URL('../../dist/system/kernel_support.js', import.meta.url).href)}
     const obstacles = bpfObstacles({ ...readBpfReadings(), built: true })
     console.log(JSON.stringify(obstacles.map(({ code }) => code)))`,
  )

// Linux 6.7 with BTF, root, and the host's namespaces: what the machine has to be for the settings to differ in one thing.
const { built: _, ...host } = readBpfReadings()
const capable = bpfObstacles({ ...host, built: true }).length === 0 && process.getuid!() === 0

test.runIf(capable).each<[Setting, Obstacle['code'][]]>([
  ['root', []],
  ['nobody', ['NO_CAPABILITY']],
  ['bpfOnly', []],
  ['pidNamespace', ['PID_NAMESPACE']],
  ['pidNamespaceOuterProc', ['PID_NAMESPACE']],
  ['timeNamespace', ['TIME_NAMESPACE']],
  ['userNamespace', ['NO_CAPABILITY']],
  ['noNewPrivileges', ['NO_CAPABILITY']],
  ['bounded', ['NO_CAPABILITY']],
])('on this host, %s: %j', async (setting, codes) => {
  expect(await codesIn(setting)).toEqual(codes)
})

test.skipIf(capable)('SKIPPED on this host: settings of privileges and namespaces', () => {})

test('what it read here is what the host says', () => {
  expect(host.hasBtf).toBe(existsSync('/sys/kernel/btf/vmlinux'))
  expect(bpfObstacle({ procRoot: '/nonexistent' })).toMatchObject({ code: 'PROC_ROOT' })
})
