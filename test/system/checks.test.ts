import { describe, expect, test } from 'vitest'
import { CAPABILITY_BIT, type Capability } from '../../dist/system/capabilities.js'
import type { Check, CheckId } from '../../dist/system/check.js'
import { grantsFor } from '../../dist/system/diagnosis.js'
import { cgroupMounts, type HostReadings, procMount } from '../../dist/system/host_readings.js'
import { checkProcesses } from '../../dist/system/process_checks.js'
import { bpfRequirements } from '../../dist/system/source_checks.js'

const ALL = (1n << 41n) - 1n
const mask = (...capabilities: Capability[]): bigint =>
  capabilities.reduce((sum, capability) => sum | (1n << BigInt(CAPABILITY_BIT[capability])), 0n)

const bpf = {
  ...{ built: true, procRoot: '/proc', kernelRelease: '6.12.1', hasBtf: true, lockdown: undefined },
  ...({ pidNamespace: 'host', timeNamespace: 'host', userNamespace: 'host' } as const),
  ...{ effective: ALL, bounding: ALL, noNewPrivileges: false, program: '/usr/bin/node' },
}
const status = {
  ...{ uids: [0, 0, 0, 0], gids: [0, 0, 0, 0], groups: [], umask: 18, processors: '3' },
  ...{ inheritable: 0n, permitted: ALL, effective: ALL, bounding: ALL, ambient: 0n },
  ...{ noNewPrivileges: false, seccompMode: undefined, seccompFilters: 0 },
}
const FINE: HostReadings = {
  ...{ bpf, status, groups: [] },
  proc: { mounted: true, hidepid: 0, gid: undefined, onlyProcesses: false },
  hasOwnPids: true,
  ...{ processes: 300, tasks: 900, pidMax: 32_768, threadsMax: 100_000 },
  ...{ descriptorLimit: 1_048_576, lowestNice: 20, ptraceScope: undefined, hasPressure: true },
  cgroups: { v2: true, v1: [] },
  pidfd: { works: true, hasInode: true, refusal: undefined },
}

/** A user with these capabilities. */
const user = (...held: Capability[]): Partial<HostReadings> => {
  const effective = mask(...held)
  return { status: { ...status, uids: [1000, 1000, 1000, 1000], effective }, bpf: { ...bpf, effective } }
}

const check = (id: CheckId, readings: Partial<HostReadings>, readsFiles = true): Check =>
  checkProcesses({ ...FINE, ...readings }, { readsFiles }).find((each) => each.id === id)!

test('with everything, all is ok and nothing is to be granted', () => {
  const checks = checkProcesses(FINE, { readsFiles: true })
  expect(checks.filter(({ state }) => state !== 'ok')).toEqual([])
  for (const { instead, remedy, lacking } of checks)
    expect({ instead, remedy, lacking }).toEqual({ instead: undefined, remedy: undefined, lacking: [] })
  expect(grantsFor(checks, FINE)).toEqual([])
})

test.each<[CheckId, Capability[]]>([
  ['files-of-others', ['CAP_SYS_PTRACE', 'CAP_DAC_READ_SEARCH']],
  ['signal-others', ['CAP_KILL']],
  ['raise-priority', ['CAP_SYS_NICE']],
  ['raise-limits', ['CAP_SYS_RESOURCE']],
])('%s takes exactly %j', (id, capabilities) => {
  expect(check(id, user(...capabilities))).toMatchObject({ state: 'ok' })
  for (const left of capabilities) {
    const others = (Object.keys(CAPABILITY_BIT) as Capability[]).filter((each) => each !== left)
    expect(check(id, user(...others))).toMatchObject({
      state: 'limited',
      lacking: [left],
      found: `no ${left}`,
      instead: expect.stringMatching(/./),
      remedy: `run it as root, or grant ${left}`,
    })
  }
  // Root of a user namespace has them all, and none over the host's processes.
  const inside = check(id, { bpf: { ...bpf, userNamespace: 'other' } })
  expect(inside).toMatchObject({
    state: 'limited',
    lacking: [],
    found: expect.stringContaining('user namespace'),
  })
})

test('restarting others works without CAP_SETPCAP, except where a bounding set would have to shrink', () => {
  const needed = ['CAP_SETUID', 'CAP_SETGID', 'CAP_KILL', 'CAP_SYS_PTRACE', 'CAP_DAC_READ_SEARCH'] as const
  expect(check('restart-others', user(...needed, 'CAP_SETPCAP'))).toMatchObject({ state: 'ok' })
  expect(check('restart-others', user(...needed))).toMatchObject({
    ...{ state: 'limited', lacking: ['CAP_SETPCAP'], instead: expect.stringContaining('bounding set') },
  })
  expect(check('restart-others', user('CAP_KILL', 'CAP_SETPCAP'))).toMatchObject({
    ...{ state: 'limited', instead: "only this user's processes can be restarted" },
  })
})

test.each<[CheckId, Partial<HostReadings>, Check['state'], RegExp]>([
  ['all-processes', { proc: { ...FINE.proc, mounted: false } }, 'missing', /not mounted/],
  ['all-processes', { status: undefined }, 'missing', /not mounted/],
  ['all-processes', { proc: { ...FINE.proc, hidepid: 2 } }, 'ok', /300 processes/],
  ['all-processes', { ...user(), proc: { ...FINE.proc, hidepid: 2 } }, 'limited', /hidepid=2/],
  ['all-processes', { ...user(), groups: [7], proc: { ...FINE.proc, hidepid: 2, gid: 7 } }, 'ok', /300/],
  ['all-processes', { ...user(), groups: [7], proc: { ...FINE.proc, hidepid: 4, gid: 7 } }, 'limited', /=4/],
  ['all-processes', { ...user('CAP_SYS_PTRACE'), proc: { ...FINE.proc, hidepid: 4 } }, 'ok', /300/],
  ['all-processes', { bpf: { ...bpf, pidNamespace: 'other' } }, 'limited', /of this pid namespace/],
  ['all-processes', { hasOwnPids: false }, 'limited', /\/proc is not that of this/],
  ['descriptors', { descriptorLimit: 1024, processes: 1000 }, 'limited', /limit 1024, for 1000/],
  ['descriptors', { descriptorLimit: Number.POSITIVE_INFINITY }, 'ok', /no limit/],
  ['pid-numbers', { tasks: 32_000 }, 'limited', /32000 tasks, pid_max 32768/],
  ['pid-numbers', { tasks: 32_000, pidMax: 4_194_304 }, 'ok', /threads-max 100000/],
  ['pid-numbers', { tasks: 99_000, pidMax: 4_194_304 }, 'limited', /threads-max 100000/],
  ['pid-numbers', { tasks: undefined }, 'ok', /not to be read/],
  ['pidfd', { pidfd: { works: false, hasInode: false, refusal: 'ENOSYS' } }, 'missing', /ENOSYS/],
  ['pidfs-inode', { pidfd: { works: true, hasInode: false, refusal: undefined } }, 'missing', /none/],
  ['raise-priority', { ...user(), lowestNice: -5 }, 'limited', /RLIMIT_NICE allows nice -5/],
  ['keep-stdio', { ...user(), ptraceScope: 0 }, 'ok', /ptrace_scope 0/],
  ['keep-stdio', { ...user(), ptraceScope: 1 }, 'limited', /ptrace_scope 1/],
  ['keep-stdio', { ptraceScope: 2 }, 'ok', /ptrace_scope 2/],
  ['keep-stdio', { ptraceScope: 3 }, 'limited', /ptrace_scope 3/],
  ['keep-stdio', { bpf: { ...bpf, kernelRelease: '5.4.0' } }, 'limited', /Linux 5.4.0/],
  ['kernel-stacks', user(), 'limited', /no CAP_SYS_ADMIN/],
  ['cgroups', { cgroups: { v2: false, v1: [] } }, 'missing', /none/],
  [
    'cgroups',
    { cgroups: { v2: true, v1: ['cpu', 'memory'] } },
    'ok',
    /^version 2 and version 1 \(cpu, memory\)$/,
  ],
])('%s of %o is %s', (id, readings, state, found) => {
  const judged = check(id, readings)
  expect(judged).toMatchObject({ state, found: expect.stringMatching(found) })
  expect(judged.remedy === undefined).toBe(state === 'ok')
  expect(judged.instead === undefined).toBe(state === 'ok')
})

test('few descriptors are no matter for the bpf source', () => {
  expect(check('descriptors', { descriptorLimit: 100 }, false)).toMatchObject({ state: 'ok' })
})

describe('grants', () => {
  const grants = (readings: Partial<HostReadings>) => {
    const all = { ...FINE, ...readings }
    return grantsFor(checkProcesses(all, { readsFiles: true }), all)
  }

  test('name all that would help and what is held already, because each replaces the one before', () => {
    const [observe, act] = grants(user('CAP_BPF', 'CAP_PERFMON', 'CAP_KILL'))
    expect(observe).toMatchObject({
      purpose: 'observe',
      capabilities: ['CAP_DAC_READ_SEARCH', 'CAP_SYS_PTRACE', 'CAP_PERFMON', 'CAP_BPF'],
      setcap: 'setcap cap_dac_read_search,cap_sys_ptrace,cap_perfmon,cap_bpf+ep /usr/bin/node',
      systemd: [
        'AmbientCapabilities=CAP_DAC_READ_SEARCH CAP_SYS_PTRACE CAP_PERFMON CAP_BPF',
        'CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_SYS_PTRACE CAP_PERFMON CAP_BPF',
      ],
      docker: [
        '--pid=host',
        '--cap-add=DAC_READ_SEARCH',
        '--cap-add=SYS_PTRACE',
        '--cap-add=PERFMON',
        '--cap-add=BPF',
      ],
    })
    expect(act!.capabilities).toEqual(
      expect.arrayContaining([...observe!.capabilities, 'CAP_KILL', 'CAP_SETUID']),
    )
    expect(act!.capabilities).not.toContain('CAP_SYS_ADMIN')
  })

  test('no setcap beyond the bounding set: such a program could not be executed', () => {
    const readings = user()
    const bounded = {
      ...readings,
      bpf: { ...readings.bpf!, bounding: mask('CAP_SYS_PTRACE', 'CAP_DAC_READ_SEARCH') },
    }
    const [observe, act] = grants(bounded)
    expect(observe!.setcap).toBe('setcap cap_dac_read_search,cap_sys_ptrace+ep /usr/bin/node')
    expect(act!.setcap).toBe(observe!.setcap)
    expect(act!.capabilities).toContain('CAP_KILL')
    expect(grants({ ...readings, bpf: { ...readings.bpf!, bounding: 0n } })[0]!.setcap).toBeUndefined()
    expect(
      grants({ ...readings, bpf: { ...readings.bpf!, noNewPrivileges: true } })[0]!.setcap,
    ).toBeUndefined()
  })
})

test('each requirement of the bpf source is named, met or not', () => {
  const unmet = (readings: Partial<typeof bpf>) =>
    bpfRequirements({ ...bpf, ...readings })
      .filter(({ met }) => !met)
      .map(({ name }) => name)
  expect(bpfRequirements(bpf).map(({ name }) => name)).toEqual([
    ...['built', 'kernel', 'btf', 'lockdown', 'pid-namespace', 'time-namespace', 'capabilities'],
  ])
  expect(unmet({})).toEqual([])
  expect(unmet({ built: false, kernelRelease: '5.10', effective: 0n })).toEqual([
    'built',
    'kernel',
    'capabilities',
  ])
})

test('how /proc and the control groups are mounted', () => {
  const line = (point: string, type: string, options: string): string =>
    `22 27 0:21 / ${point} rw,relatime shared:1 - ${type} ${type} ${options}\n`
  expect(procMount(line('/proc', 'proc', 'rw'))).toEqual(FINE.proc)
  expect(
    procMount(line('/proc', 'proc', 'rw') + line('/proc', 'proc', 'rw,gid=26,hidepid=invisible')),
  ).toEqual({
    ...{ mounted: true, hidepid: 2, gid: 26, onlyProcesses: false },
  })
  expect(procMount(line('/proc', 'proc', 'rw,hidepid=1'))).toMatchObject({ hidepid: 1 })
  expect(procMount(line('/proc', 'proc', 'rw,hidepid=ptraceable,subset=pid'))).toMatchObject({
    ...{ hidepid: 4, onlyProcesses: true },
  })
  expect(procMount(line('/host/proc', 'proc', 'rw'))).toMatchObject({ mounted: false })
  expect(procMount('')).toMatchObject({ mounted: false, hidepid: 0 })
  const hybrid =
    line('/sys/fs/cgroup/memory', 'cgroup', 'rw,memory') +
    line('/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'rw,cpu,cpuacct') +
    line('/sys/fs/cgroup/systemd', 'cgroup', 'rw,xattr,name=systemd') +
    line('/sys/fs/cgroup/unified', 'cgroup2', 'rw,nsdelegate')
  expect(cgroupMounts(hybrid)).toEqual({ v2: true, v1: ['cpu', 'cpuacct', 'memory'] })
  expect(cgroupMounts(line('/sys/fs/cgroup', 'cgroup2', 'rw'))).toEqual({ v2: true, v1: [] })
  expect(cgroupMounts('')).toEqual({ v2: false, v1: [] })
})
