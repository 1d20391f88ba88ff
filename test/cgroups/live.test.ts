import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  Cgroup,
  type CgroupEventCounts,
  capProcess,
  detectCgroups,
  identify,
  inspectProcess,
  uncapProcess,
} from '../../dist/index.js'
import { controlGroupRoot } from '../fixtures/control_group.js'
import { runAsNobody, runNodeScript } from '../fixtures/node_script.js'
import { readState, startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { statField } from '../fixtures/stat_line.js'

const allowed = (await controlGroupRoot()) !== undefined
if (!allowed) console.warn('SKIPPED, control groups: none can be made here; run as root')
const host = await detectCgroups()
const groups: Cgroup[] = []
let count = 0

async function create(controllers?: Parameters<typeof Cgroup.create>[1]): Promise<Cgroup> {
  const group = await Cgroup.create(`/procmuster-test-${process.pid}-${count++}`, controllers)
  groups.push(group)
  return group
}

afterEach(async () => {
  for (const group of groups.splice(0)) {
    await group.thaw().catch(() => {})
    if (group.directories.some((each) => existsSync(each))) await group.kill().catch(() => {})
    await group.remove({ recursive: true })
  }
  await stopAll()
})

const membership = (pid: number) => readFile(`/proc/${pid}/cgroup`, 'utf8')
const cpuTicks = async (pid: number) => {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1')
  return Number(statField(stat, 14)) + Number(statField(stat, 15))
}

describe.runIf(allowed)('Cgroup', () => {
  test('the root: its use is told, and everyone is safe in it', async () => {
    const group = await Cgroup.open('/')
    expect(group.directories.every((each) => existsSync(each))).toBe(true)
    expect((await group.use()).processes.length).toBeGreaterThan(0)
    expect(await group.limits()).toBeTypeOf('object')
    const refused = { code: 'INVALID_ARGUMENT' }
    await expect(group.kill({ force: true })).rejects.toMatchObject(refused)
    await expect(group.freeze()).rejects.toMatchObject(refused)
    await expect(group.remove({ recursive: true })).rejects.toMatchObject(refused)
    await expect(group.setLimits({ pidsMax: 1 })).rejects.toMatchObject(refused)
    await expect(Cgroup.create('/')).rejects.toMatchObject(refused)
  })

  test('inspectProcess tells use and limits of the groups of a process', async () => {
    const group = await create()
    const { pid } = await startProcess('idle', { rss: 16 << 20 })
    const identity = await identify(pid)
    await group.setLimits({ memoryMaxBytes: 64 << 20, pidsMax: 11 })
    await group.move([identity])
    const { cgroups, missing } = await inspectProcess(identity, { sections: ['cgroups'] })
    expect(missing).toEqual([])
    const own = cgroups!.find(({ path }) => path === group.path)!
    expect(own).toMatchObject({
      controllers: group.controllers,
      limits: { memoryMaxBytes: 64 << 20, pidsMax: 11 },
      use: { processes: [pid], pids: 1 },
      reason: undefined,
    })
    await group.kill()
    await group.remove()
    const after = await startProcess('idle')
    const others = await inspectProcess(await identify(after.pid), { sections: ['cgroups'] })
    expect(others.cgroups!.map(({ path }) => path)).not.toContain(group.path)
  })

  test('limits, use, moving in, removing', async () => {
    const group = await create()
    expect(group.controllers.length).toBeGreaterThan(0)
    const { pid } = await startProcess('idle')
    await group.setLimits({ memoryMaxBytes: 64 << 20, cpuQuotaPercent: 150, cpuWeight: 50, pidsMax: 11 })
    expect(await group.limits()).toMatchObject({
      memoryMaxBytes: 64 << 20,
      cpuQuotaPercent: 150,
      cpuWeight: 50,
      pidsMax: 11,
    })
    const identity = await identify(pid)
    const stale = { ...identity, startTicks: identity.startTicks - 1, pidfsInode: undefined }
    expect(await group.move([stale, await identify(2), identity])).toMatchObject([
      { ok: false, error: { code: 'PROCESS_GONE' } },
      { ok: false, error: { code: 'PROTECTED' } },
      { pid, ok: true },
    ])
    expect(await group.processes()).toEqual([pid])
    const use = await group.use()
    expect(use).toMatchObject({ pids: 1, processes: [pid] })
    expect(use.memoryBytes).toBeGreaterThanOrEqual(0)
    expect(use.cpuTimeNs).toBeGreaterThanOrEqual(0)
    await expect(group.remove()).rejects.toMatchObject({ code: 'BUSY' })
    await group.setLimits({ memoryMaxBytes: 'unlimited', cpuQuotaPercent: 'unlimited', pidsMax: 'unlimited' })
    expect(await group.limits()).toMatchObject({ memoryMaxBytes: 'unlimited', cpuQuotaPercent: 'unlimited' })
    await group.kill()
    expect(await group.processes()).toEqual([])
    await group.remove()
    await group.remove()
    for (const act of [
      () => group.limits(),
      () => group.processes(),
      () => group.use(),
      () => group.freeze(),
    ]) {
      await expect(act()).rejects.toMatchObject({ code: 'NOT_FOUND' })
    }
    expect((await group.move([await identify(process.pid)]))[0]).toMatchObject({
      ok: false,
      error: { code: 'NOT_FOUND' },
    })
  })

  test('frozen ones stand still, thawed ones go on', async () => {
    const group = await create()
    const { pid } = await startProcess('spin')
    await group.move([await identify(pid)])
    await group.freeze()
    const before = await cpuTicks(pid)
    await sleep(200)
    expect(await cpuTicks(pid)).toBe(before)
    await group.thaw()
    await waitFor(async () => (await cpuTicks(pid)) > before)
  })

  test.runIf(existsSync('/sys/fs/cgroup/unified/cgroup.procs') || host.mode === 'v2')(
    'version 2: freeze, kill and remove, with groups below',
    async () => {
      // Of a hybrid host, the tree without controllers.
      const mountinfo = `/tmp/procmuster-mountinfo-${process.pid}`
      const { writeFile, rm } = await import('node:fs/promises')
      const unified = host.hierarchies.find(({ version }) => version === 2)!
      await writeFile(mountinfo, `1 1 0:1 / ${unified.mountPoint} rw - cgroup2 cgroup2 rw\n`)
      try {
        const group = await create({ mountinfo, controllers: ['freezer'] })
        const below = await Cgroup.create(`${group.path}/below`, { mountinfo, controllers: ['freezer'] })
        const { pid } = await startProcess('spin')
        const { pid: deep } = await startProcess('spin')
        await group.move([await identify(pid)])
        await below.move([await identify(deep)])
        await group.freeze()
        const before = [await cpuTicks(pid), await cpuTicks(deep)]
        await sleep(100)
        expect([await cpuTicks(pid), await cpuTicks(deep)]).toEqual(before)
        await group.kill()
        await expect(group.remove()).rejects.toMatchObject({ code: 'BUSY' })
        await group.remove({ recursive: true })
        expect(existsSync(group.directories[0]!)).toBe(false)
      } finally {
        await rm(mountinfo)
      }
    },
  )

  test('a fork bomb is held by pidsMax and ended by kill', async () => {
    const group = await create()
    await group.setLimits({ pidsMax: 20 })
    const bomb = spawn('perl', ['-e', "$| = 1; $SIG{CHLD} = 'IGNORE'; <STDIN>; fork while 1"], {
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    await group.move([await identify(bomb.pid!)])
    const told: CgroupEventCounts[] = []
    bomb.stdin!.end('\n')
    await waitFor(async () => ((await group.eventCounts()).pidsMaxHits ?? 0) > 0)
    told.push(await group.eventCounts())
    expect((await group.use()).pids).toBeLessThanOrEqual(20)
    await group.kill({ waitMs: 20_000 })
    expect(await group.processes()).toEqual([])
  })

  test('who starts programs all the time is frozen too', async () => {
    // A shell waits for each by vfork(2); one freeze in a dozen met it there.
    const shell = spawn('sh', ['-c', 'while :; do /bin/true; done'], { stdio: 'ignore' })
    try {
      const group = await create()
      expect(await group.move([await identify(shell.pid!)])).toMatchObject([{ ok: true }])
      for (let round = 0; round < 60; round++) {
        await group.freeze({ waitMs: 20_000 })
        await group.thaw()
      }
    } finally {
      shell.kill('SIGKILL')
    }
  })

  test('kill ends those too that are in some of its trees only', async () => {
    // As is a child that was born while its parent was moved into one tree after the other.
    const group = await create()
    const started = await Promise.all(group.directories.map(() => startProcess('idle')))
    await Promise.all(
      group.directories.map((each, index) => writeFile(`${each}/cgroup.procs`, String(started[index]!.pid))),
    )
    await group.kill()
    await group.remove()
    expect(group.directories.filter((each) => existsSync(each))).toEqual([])
  })

  test('kill spares this process', async () => {
    const group = await create({ controllers: ['pids'] })
    const self = await identify(process.pid)
    const home = /pids:(\S+)/.exec(await membership(process.pid))?.[1]
    await group.move([self])
    try {
      await expect(group.kill()).rejects.toMatchObject({ code: 'PROTECTED' })
    } finally {
      const { writeFile } = await import('node:fs/promises')
      const tree = host.hierarchies.find(({ controllers }) => controllers.includes('pids'))!
      await writeFile(`${tree.mountPoint}${home ?? ''}/cgroup.procs`, String(process.pid))
    }
  })
})

describe.runIf(allowed)('a cap on a running process', () => {
  test('memory: it is ended within its cap, and the event is told', async () => {
    const target = await startProcess('leak', { rate: 100 << 20 })
    const ended = once(target.child, 'exit')
    const identity = await identify(target.pid)
    const [capped] = await capProcess([identity], { memoryMaxBytes: 24 << 20 })
    expect(capped).toMatchObject({ ok: true, moved: [target.pid] })
    const directory = capped!.ok ? capped!.directories[0]! : ''
    const tree = host.hierarchies.find((each) => directory.startsWith(`${each.mountPoint}/`))!
    const group = await Cgroup.open(directory.slice(tree.mountPoint.length), { controllers: ['memory'] })
    const told: CgroupEventCounts[] = []
    using _watch = await group.watchEvents((counts) => told.push(counts))
    expect(await ended).toEqual([null, 'SIGKILL'])
    await waitFor(() => told.at(-1)?.oomKills === 1, { what: 'the event of the kernel' })
    expect((await group.eventCounts()).oomKills).toBe(1)
    // It is gone: what is left of the cap is removed all the same.
    expect(await uncapProcess([identity])).toMatchObject([{ ok: false, error: { code: 'PROCESS_GONE' } }])
    expect(existsSync(directory)).toBe(false)
  })

  test('a new one removes what caps of ended processes have left beside it, and none of a living one', async () => {
    const [first, second, other] = await Promise.all([
      startProcess('idle'),
      startProcess('idle'),
      startProcess('idle'),
    ])
    const directoryOf = async (pid: number) => {
      const [capped] = await capProcess([await identify(pid)], { pidsMax: 50 })
      if (!capped!.ok) throw capped!.error
      return capped!.directories[0]!
    }
    const left = await directoryOf(first.pid)
    const held = await directoryOf(other.pid)
    first.child.kill('SIGKILL')
    await waitFor(async () => (await identify(first.pid).catch(() => undefined)) === undefined)
    expect(existsSync(left)).toBe(true)
    const own = await directoryOf(second.pid)
    expect([left, held, own].map((each) => existsSync(each))).toEqual([false, true, true])
    for (const { pid } of [second, other]) await uncapProcess([await identify(pid)])
  })

  test('CPU: a busy loop is held to half a core; a second cap changes it; uncap restores the group', async () => {
    const { pid } = await startProcess('spin')
    const identity = await identify(pid)
    const home = await membership(pid)
    const [capped] = await capProcess([identity], { cpuQuotaPercent: 50, pidsMax: 9 })
    expect(capped).toMatchObject({ ok: true, uncountedBytes: 0 })
    expect(await membership(pid)).toContain(`procmuster-${pid}-${identity.startTicks}`)
    const fromMs = performance.now()
    const fromTicks = await cpuTicks(pid)
    await sleep(2000)
    const usedMs = ((await cpuTicks(pid)) - fromTicks) * 10
    expect(usedMs / (performance.now() - fromMs)).toBeLessThan(0.6)
    const [again] = await capProcess([identity], { cpuQuotaPercent: 20 })
    expect(again!.ok && capped!.ok && capped!.directories).toEqual(
      expect.arrayContaining([...(again!.ok ? again!.directories : [])]),
    )
    const [uncapped] = await uncapProcess([identity])
    expect(uncapped).toMatchObject({ ok: true })
    expect(await membership(pid)).toBe(home)
    for (const directory of capped!.ok ? capped!.directories : []) expect(existsSync(directory)).toBe(false)
    expect(await uncapProcess([identity])).toMatchObject([{ ok: false, error: { code: 'NOT_FOUND' } }])
  })

  test('descendants go along or not; uncap works from another process', async () => {
    const shell = spawn('sh', ['-c', 'sleep 300 & echo $!; wait'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const child = Number(String((await once(shell.stdout!, 'data'))[0]))
    try {
      const identity = await identify(shell.pid!)
      const homes = [await membership(shell.pid!), await membership(child)]
      await capProcess([identity], { pidsMax: 50 }, { descendants: false })
      expect(await membership(child)).toBe(homes[1])
      const [both] = await capProcess([identity], { pidsMax: 40 })
      expect(both, String(both!.ok || both!.error)).toMatchObject({ ok: true, moved: [shell.pid, child] })
      expect(await membership(child)).toBe(await membership(shell.pid!))
      expect(await uncapProcess([await identify(child)])).toMatchObject([
        { ok: false, error: { code: 'NOT_FOUND', message: expect.stringContaining(`process ${shell.pid}`) } },
      ])
      const uncapped = await runNodeScript(
        `console.log(JSON.stringify(await m.uncapProcess([await m.identify(${shell.pid})])))`,
      )
      expect(uncapped).toMatchObject([{ ok: true }])
      expect([await membership(shell.pid!), await membership(child)]).toEqual(homes)
    } finally {
      process.kill(child, 'SIGKILL')
      shell.kill('SIGKILL')
    }
  })

  test('a child born in this very clock tick goes along', async () => {
    // One in five was, before it counted as settled.
    for (let round = 0; round < 25; round++) {
      const shell = spawn('sh', ['-c', 'sleep 300 & echo $!; wait'], { stdio: ['ignore', 'pipe', 'inherit'] })
      const child = Number(String((await once(shell.stdout!, 'data'))[0]))
      try {
        const identity = await identify(shell.pid!)
        const [capped] = await capProcess([identity], { pidsMax: 50 })
        expect(capped, String(capped!.ok || capped!.error)).toMatchObject({
          ok: true,
          moved: [shell.pid, child],
        })
        expect(await uncapProcess([identity])).toMatchObject([{ ok: true }])
      } finally {
        process.kill(child, 'SIGKILL')
        shell.kill('SIGKILL')
      }
    }
  })

  test('children born while their parent is moved come along into all trees', async () => {
    const limits = { pidsMax: 99, memoryMaxBytes: 1 << 30, cpuQuotaPercent: 400 }
    for (let round = 0; round < 15; round++) {
      const script = 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 300 & echo $!; done; wait'
      const shell = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
      try {
        const lines = createInterface({ input: shell.stdout! })[Symbol.asyncIterator]()
        const children = [(await lines.next()).value]
        const identity = await identify(shell.pid!)
        const capping = capProcess([identity], limits, { descendants: round % 2 === 0 })
        while (children.length < 12) children.push((await lines.next()).value)
        const [capped] = await capping
        const directories = capped!.ok ? capped!.directories : []
        const procs = await Promise.all(directories.map((each) => readFile(`${each}/cgroup.procs`, 'utf8')))
        expect(procs.map((text) => text.split('\n').sort())).toEqual(
          procs.map(() => procs[0]!.split('\n').sort()),
        )
        expect(procs[0]!.split('\n')).toEqual(
          expect.arrayContaining([String(shell.pid), ...(round % 2 === 0 ? children : [])]),
        )
        expect(await uncapProcess([identity])).toMatchObject([{ ok: true }])
      } finally {
        process.kill(-shell.pid!, 'SIGKILL')
      }
    }
  })

  test('threads without their main thread are capped where they are, and go back there', async () => {
    const { pid } = await startProcess('headless', { threads: 2 })
    await waitFor(async () => (await readState(pid)) === 'Z')
    const group = await create()
    const identity = await identify(pid)
    expect(await group.move([identity])).toMatchObject([{ ok: true }])
    const [capped] = await capProcess([identity], { pidsMax: 50 })
    expect(capped!.ok && capped!.directories[0]).toContain(group.path)
    expect(await uncapProcess([identity])).toMatchObject([{ ok: true }])
    expect(await group.processes()).toContain(pid)
  })

  test('a cap on one that is about to end is undone all the same', async () => {
    for (let round = 0; round < 30; round++) {
      const { pid, child } = await startProcess('idle', { threads: 40 })
      const identity = await identify(pid)
      const [capped] = await capProcess([identity], { pidsMax: 50 })
      const directories = capped!.ok ? capped!.directories : []
      expect(directories).not.toEqual([])
      child.kill('SIGKILL')
      const [uncapped] = await uncapProcess([identity])
      expect(uncapped!.ok || uncapped!.error.code).toBeOneOf([true, 'PROCESS_GONE'])
      expect(directories.filter((each) => existsSync(each))).toEqual([])
    }
  })

  test('what cannot be is refused, and leaves nothing behind', async () => {
    const { pid } = await startProcess('idle')
    const identity = await identify(pid)
    const home = await membership(pid)
    const stale = { ...identity, startTicks: identity.startTicks - 1, pidfsInode: undefined }
    expect(await capProcess([stale, await identify(2)], { pidsMax: 5 })).toMatchObject([
      { ok: false, error: { code: 'PROCESS_GONE' } },
      { ok: false, error: { code: 'PROTECTED' } },
    ])
    if (host.mode !== 'v2') {
      expect(await capProcess([identity], { pidsMax: 5, memoryHighBytes: 1 << 20 })).toMatchObject([
        { ok: false, error: { code: 'UNSUPPORTED' } },
      ])
    }
    expect(await membership(pid)).toBe(home)
    for (const { mountPoint } of host.hierarchies) {
      expect(existsSync(`${mountPoint}/procmuster-${pid}-${identity.startTicks}`)).toBe(false)
    }
    await expect(capProcess([identity], {})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(capProcess([identity], { pidsMax: Number.NaN })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })

  test.runIf(process.getuid!() === 0)('without privileges: ACCESS_DENIED', async () => {
    const own = await startProcess('idle', { uid: 65534 })
    const printed = await runAsNobody(`
      const [capped] = await m.capProcess([await m.identify(${own.pid})], { pidsMax: 5 })
      const made = await m.Cgroup.create('/procmuster-nobody').then(() => 'made', (error) => error.code)
      console.log(JSON.stringify([capped.error?.code, made]))`)
    expect(printed).toEqual(['ACCESS_DENIED', 'ACCESS_DENIED'])
  })
})

beforeAll(() => {
  expect(host.mode === 'none' && allowed).toBe(false)
})
