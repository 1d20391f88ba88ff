import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Alert, identify, ProcessManager, type ResourceSample } from '../../dist/index.js'
import { evaluateConfined } from '../fixtures/confined_node.js'
import { readState, startProcess, stopAll, waitFor } from '../fixtures/processes.js'

const MIB = 2 ** 20
const isRoot = process.getuid!() === 0
const WAIT = { timeoutMs: 20_000 }

let manager: ProcessManager
beforeAll(async () => {
  manager = await ProcessManager.open({ intervalMs: 50 })
})
afterAll(() => manager.close())
afterEach(stopAll)

/** A pid that nobody has: of a process that was reaped. */
async function gonePid(): Promise<number> {
  const child = spawn('true')
  await once(child, 'exit')
  return child.pid!
}

const code = (error: string) => expect.objectContaining({ name: 'ProcmusterError', code: error })

test('lists by name, status, memory and user, sorted and limited, as plain objects', async () => {
  const small = await startProcess('idle', { name: 'pm-list-a' })
  const large = await startProcess('idle', { name: 'pm-list-b', rss: 64 * MIB })
  const stopped = await startProcess('stopped', { name: 'pm-list-c' })
  const pidsOf = async (options: Parameters<ProcessManager['listProcesses']>[0]) =>
    (await manager.listProcesses({ name: 'pm-list', ...options })).map(({ pid }) => pid)

  const all = [small.pid, large.pid, stopped.pid]
  expect(await pidsOf({})).toEqual(all.toSorted((a, b) => a - b))
  expect(await pidsOf({ status: 'TZ' })).toEqual([stopped.pid])
  expect(await pidsOf({ name: 'list-c' })).toEqual([stopped.pid])
  expect((await pidsOf({ sort: 'rssBytes' }))[0]).toBe(large.pid)
  expect(await pidsOf({ sort: 'name' })).toEqual(all)
  expect(await pidsOf({ sort: 'name', limit: 2 })).toEqual(all.slice(0, 2))
  for (const user of [userInfo().username, String(userInfo().uid)])
    expect(await pidsOf({ user })).toEqual(await pidsOf({}))
  expect(await pidsOf({ user: 'nobody' })).toEqual([])
  expect(await pidsOf({ minCpuPercent: 101 })).toEqual([])
  const [found] = await manager.listProcesses({ name: 'pm-list-b', commandLines: true })
  expect(found).toMatchObject({
    pid: large.pid,
    ppid: process.pid,
    name: 'pm-list-b',
    status: 'S',
    threads: 1,
    nice: 0,
    isKernelThread: false,
    identity: { pid: large.pid, settled: true },
    commandLine: expect.stringContaining(' mode=idle '),
    cpuPercent: expect.any(Number),
  })
  const percent = found!.memoryPercent!
  expect(await pidsOf({ minMemoryPercent: percent / 2 })).toEqual([large.pid])
  expect(structuredClone(found)).toEqual(found)
  expect((await manager.listProcesses({ name: 'pm-list-b' }))[0]!.commandLine).toBeUndefined()
})

test.runIf(isRoot)('lists by user, by number too', async () => {
  const { pid } = await startProcess('idle', { name: 'pm-user', uid: 54_321 })
  expect(await manager.listProcesses({ user: '54321' })).toMatchObject([{ pid, user: '54321' }])
})

test('the first list of a manager knows CPU use, and filters and sorts by it', async () => {
  const busy = await startProcess('spin', { name: 'pm-cpu-busy' })
  const idle = await startProcess('idle', { name: 'pm-cpu-idle' })
  await using fresh = await ProcessManager.open()
  const first = await fresh.listProcesses({ name: 'pm-cpu' })
  expect(first.map(({ cpuPercent }) => typeof cpuPercent)).toEqual(['number', 'number'])
  // On a starved host the busy one may not have run between two samples.
  const found = await waitFor(async () => {
    const list = await fresh.listProcesses({ name: 'pm-cpu', minCpuPercent: 5 })
    return list.length > 0 && list
  }, WAIT)
  expect(found).toMatchObject([{ pid: busy.pid }])
  const order = await waitFor(async () => {
    const list = await fresh.listProcesses({ name: 'pm-cpu', sort: 'cpuPercent' })
    return list[0]!.pid === busy.pid && list
  }, WAIT)
  expect(order.map(({ pid }) => pid)).toEqual([busy.pid, idle.pid])
})

test('calls at the same time each get their own list', async () => {
  const { pid } = await startProcess('idle', { name: 'pm-together' })
  const lists = await Promise.all(
    Array.from({ length: 5 }, () => manager.listProcesses({ name: 'pm-together', commandLines: true })),
  )
  expect(lists.flat().map((process) => process.pid)).toEqual(Array(5).fill(pid))
})

test('the top is sorted, limited, and by memory the same as the list', async () => {
  const { pid } = await startProcess('idle', { rss: 64 * MIB })
  const byCpu = await manager.getTopProcesses({ limit: 5 })
  expect(byCpu).toHaveLength(5)
  const percents = byCpu.map(({ cpuPercent }) => cpuPercent!)
  expect(percents).toEqual(percents.toSorted((a, b) => b - a))
  const spinner = await startProcess('spin')
  await waitFor(async () => {
    const pids = (await manager.getTopProcesses({ limit: 100_000 })).map((process) => process.pid)
    return pids.indexOf(spinner.pid) >= 0 && pids.indexOf(spinner.pid) < pids.indexOf(pid)
  }, WAIT)
  await spinner.stop()
  const byMemory = await manager.getTopProcesses({ by: 'memory', limit: 100_000 })
  const sizes = byMemory.map(({ rssBytes }) => rssBytes!)
  expect(sizes).toEqual(sizes.toSorted((a, b) => b - a))
  expect(byMemory.find((process) => process.pid === pid)!.rssBytes).toBeGreaterThan(64 * MIB)
  expect(await manager.getTopProcesses({ limit: 0 })).toEqual([])
})

test('tells everything about one process, its environment only when asked', async () => {
  const { pid } = await startProcess('idle', { name: 'pm-info', threads: 2, env: { PM_SECRET: 'x' } })
  const info = await manager.getProcessInfo(pid)
  expect(info).toMatchObject({ name: 'pm-info', threadCount: 3, environment: undefined, missing: [] })
  expect(info.files!.length).toBeGreaterThan(2)
  const withEnvironment = await manager.getProcessInfo(info.identity, { environment: true, sections: [] })
  expect(withEnvironment.environment).toMatchObject({ PM_SECRET: 'x' })
})

test('signals one process by name and number', async () => {
  const { pid } = await startProcess('idle')
  expect(await manager.sendSignal(pid, 'SIGSTOP')).toBeUndefined()
  await waitFor(async () => (await readState(pid)) === 'T')
  await manager.sendSignal(await identify(pid), 18)
  await waitFor(async () => (await readState(pid)) === 'S')
})

test.each(['group', 'tree'] as const)('signals a whole %s', async (to) => {
  const shell = spawn('sh', ['-c', 'sleep 600 & echo $!; wait'], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [line] = (await once(shell.stdout, 'data')) as [Buffer]
  const exited = once(shell, 'exit')
  const result = await manager.sendSignal(shell.pid!, 'SIGKILL', { to })
  expect(result.members.map(({ pid, ok }) => [pid, ok]).toSorted()).toEqual(
    [
      [Number(line), true],
      [shell.pid!, true],
    ].toSorted(),
  )
  expect((await exited)[1]).toBe('SIGKILL')
})

test('sets the nice value', async () => {
  const { pid } = await startProcess('idle', { name: 'pm-nice', threads: 1 })
  await manager.setPriority(pid, 7)
  expect((await manager.getProcessInfo(pid, { sections: [] })).nice).toBe(7)
  expect(await manager.listProcesses({ name: 'pm-nice' })).toMatchObject([{ nice: 7 }])
})

test('reads and sets resource limits, none of them when one is wrong', async () => {
  const { pid } = await startProcess('idle')
  const before = await manager.getResourceLimits(pid)
  expect(Object.keys(before)).toHaveLength(16)
  const wrong = { core: { soft: 0 }, nofile: { soft: -1 } }
  await expect(manager.setResourceLimits(pid, wrong)).rejects.toEqual(code('INVALID_ARGUMENT'))
  expect(await manager.getResourceLimits(pid)).toEqual(before)
  const after = await manager.setResourceLimits(pid, { nofile: { soft: 99 }, core: { soft: 0, hard: 0 } })
  expect(after).toEqual({
    ...before,
    nofile: { soft: 99, hard: before.nofile.hard },
    core: { soft: 0, hard: 0 },
  })
  expect(readFileSync(`/proc/${pid}/limits`, 'latin1')).toMatch(/^Max open files +99 /m)
})

test('shows the tree of one process with what its subtree uses, or all of them', async () => {
  const zombie = await startProcess('zombie')
  const tree = await manager.getProcessTree(zombie.child.pid!, { commandLines: true })
  const [root] = tree.roots
  expect(Array.from(tree, ({ pid }) => pid)).toEqual([zombie.child.pid, zombie.pid])
  expect(root!.args).toContain('mode=zombie')
  expect(root!.subtree).toMatchObject({ processes: 2, threads: 2, rssBytes: root!.use.rssBytes })
  const all = await manager.getProcessTree()
  expect(all.get(zombie.pid)!.parent!.pid).toBe(zombie.child.pid)
  expect(all.size).toBeGreaterThan(tree.size)
})

test('tracks one process: memory grows, CPU and I/O have rates from the second sample on', async () => {
  const { pid } = await startProcess('leak', { rate: 20 * MIB, threads: 1, io: MIB })
  const samples: ResourceSample[] = []
  for await (const sample of manager.trackProcessResources(pid, { intervalMs: 50 })) {
    samples.push(sample)
    if (sample.memory!.rssBytes > samples[0]!.memory!.rssBytes) break
  }
  const [first, last] = [samples[0]!, samples.at(-1)!]
  expect(last.elapsedMs).toBeGreaterThan(0)
  expect(first).toMatchObject({ cpuPercent: undefined, writeBytesPerSecond: undefined, missing: [] })
  expect(last).toMatchObject({
    cpuPercent: expect.any(Number),
    readBytesPerSecond: expect.any(Number),
    writeBytesPerSecond: expect.any(Number),
    memoryPercent: expect.any(Number),
    threads: 2,
    openFiles: expect.any(Number),
    missing: [],
  })
  expect(first.io!.writeCallBytes).toBeGreaterThanOrEqual(MIB)
  expect(first.openFiles).toBeGreaterThanOrEqual(3)
})

test('a track sees how much CPU is used', async () => {
  const { pid } = await startProcess('spin')
  for await (const { cpuPercent } of manager.trackProcessResources(pid, { intervalMs: 100 })) {
    if (cpuPercent !== undefined && cpuPercent > 5) return
  }
  expect.unreachable('the track ended, and the process had not')
})

test('a track ends with the process, by its signal, and when the manager closes', async () => {
  const { pid, stop } = await startProcess('idle')
  const own = await ProcessManager.open()
  const abort = new AbortController()
  const seen = { process: 0, signal: 0, close: 0 }
  const track = async (by: keyof typeof seen, options = {}) => {
    for await (const _ of own.trackProcessResources(pid, { intervalMs: 20, ...options })) seen[by]++
  }
  const aborted = track('signal', { signal: abort.signal })
  await waitFor(() => seen.signal > 1)
  abort.abort()
  await aborted
  const closed = track('close', { intervalMs: 3_600_000 })
  await waitFor(() => seen.close === 1)
  await own.close()
  await closed
  const ended = manager.trackProcessResources(pid, { intervalMs: 20 })[Symbol.asyncIterator]()
  expect((await ended.next()).done).toBe(false)
  await stop()
  await waitFor(async () => (await ended.next()).done, WAIT)
})

test('a track lasts as long as asked', async () => {
  const { pid } = await startProcess('idle')
  expect(await manager.trackProcessResources(pid, { durationMs: 0 }).collect()).toHaveLength(1)
  const samples = await manager.trackProcessResources(pid, { durationMs: 300, intervalMs: 100 }).collect()
  expect(samples.length).toBeLessThanOrEqual(4)
})

test('a track of a zombie is empty', async () => {
  const { pid } = await startProcess('zombie')
  expect(await manager.trackProcessResources(pid).collect()).toEqual([])
})

test('a monitor alerts above its threshold, again after its cooldown, and when the process dies', async () => {
  const { pid, stop } = await startProcess('idle', { name: 'pm-monitor', rss: 32 * MIB })
  const told: Alert[] = []
  const id = await manager.startMonitoring(pid, {
    rssBytes: 16 * MIB,
    cooldownMs: 200,
    displayName: 'web server',
    onAlert: (alert) => told.push(alert),
  })
  expect(id).toBe('web server')
  const breach = await waitFor(() => told.find(({ state }) => state === 'firing'), WAIT)
  expect(breach).toMatchObject({
    rule: 'web server',
    severity: 'warning',
    kind: 'breach',
    identity: { pid },
    values: [{ operand: 'rssBytes', threshold: 16 * MIB }],
  })
  await waitFor(() => manager.getAlerts({ monitor: id }).some(({ repeats }) => repeats >= 2), WAIT)
  await stop()
  const death = await waitFor(() => told.find(({ kind }) => kind === 'died'), WAIT)
  expect(death).toMatchObject({ severity: 'critical', rule: id, identity: { pid } })
  await waitFor(() => told.some(({ kind, state }) => kind === 'breach' && state === 'resolved'), WAIT)
  expect(manager.getAlerts({ monitor: id }).map(({ kind }) => kind)).toEqual(['died', 'breach'])
  expect(manager.getAlerts({ monitor: id, severity: 'critical' })).toMatchObject([{ kind: 'died' }])
  expect(manager.getAlerts({ monitor: id, limit: 1 })).toHaveLength(1)
  await manager.stopMonitoring(id)
  expect(manager.getAlerts({ monitor: id }).map(({ state }) => state)).toEqual(['resolved', 'resolved'])
})

test('monitors of CPU by an average, each with a severity and an id of its own; a stopped one is quiet', async () => {
  const { pid, stop } = await startProcess('spin')
  const told: string[] = []
  const watch = (severity: 'info' | 'critical') =>
    manager.startMonitoring(pid, {
      ...{ cpuPercent: 1, memoryPercent: 99, intervalMs: 200, severity },
      onAlert: ({ rule }) => told.push(rule),
    })
  const ids = await Promise.all([watch('info'), watch('critical')])
  // Of two asked for at once, either may be identified first.
  expect(ids.toSorted()).toEqual([`process ${pid}`, `process ${pid} (2)`])
  for (const [at, severity] of (['info', 'critical'] as const).entries()) {
    const [alert] = await waitFor(() => {
      const alerts = manager.getAlerts({ monitor: ids[at]!, severity, state: 'firing' })
      return alerts.length > 0 && alerts
    }, WAIT)
    expect(alert!.values[0]!.text).toMatch(/^avg\(cpuPercent, 200ms\)/)
  }
  await waitFor(() => ids.every((id) => told.includes(id)), WAIT)
  await manager.stopMonitoring(ids[0]!)
  const before = told.filter((id) => id === ids[0]).length
  await stop()
  await waitFor(
    () => manager.getAlerts({ pid, severity: 'critical' }).some(({ kind }) => kind === 'died'),
    WAIT,
  )
  expect(told.filter((id) => id === ids[0])).toHaveLength(before)
  // By the next sample.
  await waitFor(() => manager.getAlerts({ monitor: ids[0]!, state: 'firing' }).length === 0, WAIT)
  expect(manager.getAlerts({ monitor: ids[0]! }).every(({ kind }) => kind === 'breach')).toBe(true)
  await manager.stopMonitoring(ids[1]!)
})

test('an onAlert that throws stops neither the monitor nor the others', async () => {
  const { pid } = await startProcess('idle', { rss: 16 * MIB })
  const told: string[] = []
  const first = await manager.startMonitoring(pid, {
    rssBytes: MIB,
    onAlert() {
      told.push('first')
      throw new Error('not today')
    },
  })
  const second = await manager.startMonitoring(pid, { rssBytes: MIB, onAlert: () => told.push('second') })
  await waitFor(() => told.includes('first') && told.includes('second'), WAIT)
  await Promise.all([manager.stopMonitoring(first), manager.stopMonitoring(second)])
})

test('reads the host, with rates and processes by state', async () => {
  await startProcess('stopped')
  const stats = await manager.getSystemStats()
  expect(stats).toMatchObject({
    cpu: { cores: expect.any(Array) },
    memory: expect.any(Object),
    load: expect.any(Object),
    disks: expect.any(Array),
    network: expect.any(Array),
  })
  expect(stats.processes!.byState.T).toBeGreaterThanOrEqual(1)
  expect(stats.rates!.cores).toHaveLength(stats.cpu!.cores.length)
  expect(stats.rates!.seconds).toBeGreaterThan(0)
})

test('no such process is PROCESS_GONE, whatever is asked', async () => {
  const pid = await gonePid()
  const { pid: living } = await startProcess('idle')
  const stranger = { ...(await identify(living)), startTicks: 1, pidfsInode: undefined }
  for (const target of [pid, stranger]) {
    const asked = [
      manager.getProcessInfo(target),
      manager.sendSignal(target, 'SIGTERM'),
      manager.sendSignal(target, 'SIGTERM', { to: 'tree' }),
      manager.setPriority(target, 1),
      manager.getProcessTree(target),
      manager.getResourceLimits(target),
      manager.setResourceLimits(target, { core: { soft: 0 } }),
      manager.startMonitoring(target, { cpuPercent: 1 }),
      manager.trackProcessResources(target).collect(),
    ]
    for (const each of await Promise.allSettled(asked)) {
      expect(each).toEqual({ status: 'rejected', reason: code('PROCESS_GONE') })
    }
  }
  expect(await readState(living)).toBe('S')
})

test('what is wrong is said before anything is done', async () => {
  const { pid } = await startProcess('idle')
  const limits = { rssBytes: MIB }
  const asked: Record<string, () => unknown> = {
    status: () => manager.listProcesses({ status: 'running' }),
    emptyStatus: () => manager.listProcesses({ status: '' }),
    sort: () => manager.listProcesses({ sort: 'weight' as 'pid' }),
    limit: () => manager.listProcesses({ limit: -1 }),
    topBy: () => manager.getTopProcesses({ by: 'disk' as 'cpu' }),
    topLimit: () => manager.getTopProcesses({ limit: 1.5 }),
    pid: () => manager.getProcessInfo(0),
    signal: () => manager.sendSignal(pid, 'SIGNOPE' as 'SIGHUP'),
    to: () => manager.sendSignal(pid, 'SIGTERM', { to: 'friends' as 'tree' }),
    nice: () => manager.setPriority(pid, 20),
    duration: () => manager.trackProcessResources(pid, { durationMs: -1 }),
    interval: () => manager.trackProcessResources(pid, { intervalMs: 1 }),
    noThreshold: () => manager.startMonitoring(pid, {}),
    threshold: () => manager.startMonitoring(pid, { memoryPercent: 101 }),
    fasterThanSampled: () => manager.startMonitoring(pid, { ...limits, intervalMs: 10 }),
    displayName: () => manager.startMonitoring(pid, { ...limits, displayName: 'a\nb' }),
    severity: () => manager.startMonitoring(pid, { ...limits, severity: 'dire' as 'info' }),
    alertLimit: () => manager.getAlerts({ limit: -1 }),
    open: () => ProcessManager.open({ intervalMs: 1 }),
  }
  for (const [what, ask] of Object.entries(asked)) {
    await expect((async () => ask())(), what).rejects.toEqual(code('INVALID_ARGUMENT'))
  }
  await expect(manager.stopMonitoring('nobody')).rejects.toEqual(code('NOT_FOUND'))
  await expect(manager.sendSignal(process.pid, 'SIGCONT')).rejects.toEqual(code('PROTECTED'))
  expect(await readState(pid)).toBe('S')
  expect(manager.getAlerts({ pid })).toEqual([])
})

test.runIf(isRoot)("another user's process is ACCESS_DENIED", async () => {
  const { pid } = await startProcess('idle')
  const api = JSON.stringify(new URL('../../dist/public/manager.js', import.meta.url))
  const answers = await evaluateConfined<(string | string[])[]>(
    'nobody',
    `import { ProcessManager } from ${api}
    const manager = await ProcessManager.open()
    const asked = [
      manager.sendSignal(${pid}, 'SIGTERM'),
      manager.setPriority(${pid}, 1),
      manager.setResourceLimits(${pid}, { core: { soft: 0 } }),
    ]
    const answers = (await Promise.allSettled(asked)).map(({ reason }) => reason.code)
    const [sample] = await manager.trackProcessResources(${pid}, { durationMs: 0 }).collect()
    answers.push([sample.io, sample.openFiles, ...sample.missing.map(({ code }) => code)])
    await manager.close()
    console.log(JSON.stringify(answers))`,
  )
  expect(answers).toEqual([...Array(3).fill('ACCESS_DENIED'), [null, null, 'ACCESS_DENIED', 'ACCESS_DENIED']])
})

test('after close every method says so; closing twice, and without a monitor, is fine', async () => {
  const closed = await ProcessManager.open()
  const { pid } = await startProcess('idle')
  await Promise.all([closed.close(), closed.close()])
  const asked: (() => unknown)[] = [
    () => closed.listProcesses(),
    () => closed.getProcessInfo(pid),
    () => closed.sendSignal(pid, 'SIGKILL'),
    () => closed.setPriority(pid, 1),
    () => closed.getTopProcesses(),
    () => closed.getProcessTree(),
    () => closed.trackProcessResources(pid),
    () => closed.startMonitoring(pid, { cpuPercent: 1 }),
    () => closed.stopMonitoring('x'),
    () => closed.getSystemStats(),
    () => closed.getResourceLimits(pid),
    () => closed.setResourceLimits(pid, {}),
  ]
  for (const ask of asked) await expect((async () => ask())()).rejects.toEqual(code('CLOSED'))
  expect(closed.getAlerts()).toEqual([])
  expect(await readState(pid)).toBe('S')
})
