import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import {
  getScheduling,
  identify,
  parseProcessors,
  printProcessors,
  type Scheduling,
  setAffinity,
  setAutogroupNice,
  setIoPriority,
  setOomScoreAdj,
  setPriority,
  setResourceLimit,
  setScheduler,
  setTimerSlack,
} from '../../dist/index.js'
import { runAsNobody } from '../fixtures/node_script.js'
import { startProcess, stopAll } from '../fixtures/processes.js'

afterEach(stopAll)

const root = process.getuid!() === 0

const run = (program: string, ...args: (string | number)[]) =>
  execFileSync(program, args.map(String), { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } })

async function start(options: Parameters<typeof startProcess>[1] = {}) {
  const { pid } = await startProcess('idle', options)
  return { pid, identity: await identify(pid), tids: (await readdir(`/proc/${pid}/task`)).map(Number) }
}

async function leaderOf(identity: Awaited<ReturnType<typeof identify>>): Promise<Scheduling> {
  const [result] = await getScheduling([identity])
  if (!result!.ok) throw result!.error
  expect(result!.threads).toHaveLength(1)
  return result!.threads[0]!
}

describe('as the tools of util-linux see it', () => {
  test.runIf(root)('policy and priority of all threads, the nice value kept', async () => {
    const { pid, identity, tids } = await start({ threads: 3, nice: 3 })
    for (const [policy, name] of [
      ['batch', 'SCHED_BATCH'],
      ['idle', 'SCHED_IDLE'],
      ['other', 'SCHED_OTHER'],
    ] as const) {
      expect(await setScheduler([identity], { policy })).toEqual([{ pid, ok: true }])
      for (const tid of tids) expect(run('chrt', '-p', tid)).toContain(`policy: ${name}`)
      expect(await leaderOf(identity)).toMatchObject({ policy, priority: 0, nice: 3, missing: {} })
    }
    expect(await setScheduler([identity], { policy: 'rr', priority: 7, resetOnFork: true })).toMatchObject([
      { ok: true },
    ])
    for (const tid of tids) {
      const shown = run('chrt', '-p', tid)
      expect(shown).toContain('policy: SCHED_RR|SCHED_RESET_ON_FORK')
      expect(shown).toContain('priority: 7')
    }
    expect(await leaderOf(identity)).toMatchObject({ policy: 'rr', priority: 7, resetOnFork: true, nice: 3 })
    await setScheduler([identity], { policy: 'other' })
    expect(await leaderOf(identity)).toMatchObject({ policy: 'other', resetOnFork: true, nice: 3 })
    run('chrt', '-f', '-p', 5, pid)
    expect(await leaderOf(identity)).toMatchObject({ policy: 'fifo', priority: 5 })
  })

  test('affinity, of all threads or the main one', async () => {
    const { pid, identity, tids } = await start({ threads: 2 })
    const before = (await leaderOf(identity)).processors!
    const shown = (tid: number) => parseProcessors(run('taskset', '-pc', tid).trim().split(': ').at(-1)!)
    expect(before).toEqual(shown(pid))
    const one = before.at(-1)!
    await setAffinity([identity], String(one), { threads: 'leader' })
    expect(tids.map(shown)).toEqual([[one], ...tids.slice(1).map(() => before)])
    await setAffinity([identity], [one])
    expect(tids.map(shown)).toEqual(tids.map(() => [one]))
    const [all] = await getScheduling([identity], { threads: 'all' })
    expect(all).toMatchObject({ ok: true, threads: tids.map((tid) => ({ tid, processors: [one] })) })
    expect(await setAffinity([identity], '8000')).toMatchObject([
      { ok: false, error: { code: 'INVALID_ARGUMENT', message: expect.stringContaining('8000') } },
    ])
  })

  test('I/O class', async () => {
    const { pid, identity, tids } = await start({ threads: 1 })
    await setIoPriority([identity], { ioClass: 'best-effort', level: 6 })
    for (const tid of tids) expect(run('ionice', '-p', tid).trim()).toBe('best-effort: prio 6')
    await setIoPriority([identity], { ioClass: 'idle' })
    expect(run('ionice', '-p', pid).trim()).toBe('idle')
    run('ionice', '-c', 2, '-n', 1, '-p', pid)
    expect(await leaderOf(identity)).toMatchObject({ ioClass: 'best-effort', ioLevel: 1 })
  })

  test('nice and limits', async () => {
    const { pid, identity } = await start()
    run('renice', '-n', 4, '-p', pid)
    expect(await leaderOf(identity)).toMatchObject({ nice: 4 })
    await setPriority([identity], 9)
    expect(run('ps', '-o', 'ni=', '-p', pid).trim()).toBe('9')
    await setResourceLimit([identity], 'nofile', { soft: 50, hard: 60 })
    expect(run('prlimit', '-p', pid, '--nofile', '-o', 'SOFT,HARD', '--noheadings')).toMatch(/^ *50 +60$/m)
    expect(await setResourceLimit([identity], 'nofile', { soft: 61 })).toMatchObject([
      { ok: false, error: { code: 'OUT_OF_RANGE', message: expect.stringContaining('above the hard') } },
    ])
  })
})

test('oom_score_adj, timer slack, autogroup', async () => {
  const { pid, identity, tids } = await start({ threads: 1, detached: true })
  await setOomScoreAdj([identity], 321)
  expect((await readFile(`/proc/${pid}/oom_score_adj`, 'utf8')).trim()).toBe('321')
  await setTimerSlack([identity], 70_000)
  for (const tid of tids) expect((await readFile(`/proc/${tid}/timerslack_ns`, 'utf8')).trim()).toBe('70000')
  await setAutogroupNice([identity], 5)
  const [, id] = /^\/autogroup-(\d+) nice 5$/m.exec(await readFile(`/proc/${pid}/autogroup`, 'utf8'))!
  expect(await leaderOf(identity)).toMatchObject({
    oomScoreAdj: 321,
    timerSlackNs: 70_000,
    autogroup: { id: Number(id), nice: 5 },
  })
})

const KTHREADD = 2
const hasKernelThreads = readFileSync(`/proc/${KTHREADD}/comm`, 'utf8') === 'kthreadd\n'

test.runIf(hasKernelThreads)('of a session without an autogroup nothing is missing', async () => {
  expect(await leaderOf(await identify(KTHREADD))).toMatchObject({ autogroup: null, missing: {} })
})

test('threads that are made meanwhile are reached too', async () => {
  const script = `
    import threading, time
    def live(depth):
        if depth: threading.Thread(target=live, args=(depth - 1,)).start()
        time.sleep(60)
    print('ready', flush=True)
    for i in range(60):
        threading.Thread(target=live, args=(3,)).start()
        if i == 5: print('go', flush=True)
    time.sleep(60)`
  const child = spawn('python3', ['-c', script.replace(/^ {4}/gm, '')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    await once(child.stdout, 'data')
    const identity = await identify(child.pid!)
    expect(await setPriority([identity], 11)).toMatchObject([{ ok: true }])
    const [result] = await getScheduling([identity], { threads: 'all' })
    expect(result!.ok && new Set(result!.threads.map(({ nice }) => nice))).toEqual(new Set([11]))
  } finally {
    child.kill('SIGKILL')
  }
})

test.each([
  [
    () => setScheduler([], { policy: 'deadline' as 'fifo' }),
    /unknown policy "deadline".*other, batch, idle, fifo, rr/,
  ],
  [() => setScheduler([], { policy: 'fifo' }), /needs a priority, 1 to 99/],
  [() => setScheduler([], { policy: 'rr', priority: 100 }), /100 is no real-time priority/],
  [() => setScheduler([], { policy: 'batch', priority: 3 }), /no real-time priority/],
  [
    () => setIoPriority([], { ioClass: 'rt' as 'idle' }),
    /unknown I\/O class "rt".*none, realtime, best-effort, idle/,
  ],
  [() => setIoPriority([], { ioClass: 'idle', level: 2 }), /has no level/],
  [() => setIoPriority([], { ioClass: 'realtime', level: 8 }), /0 to 7/],
  [() => setAffinity([], ''), /no list of processors/],
  [() => setAffinity([], '3-1'), /no list of processors/],
  [() => setAffinity([], []), /no processor/],
  [() => setAffinity([], [9000]), /9000 is no processor/],
  [() => setOomScoreAdj([], 1001), /-1000 to 1000/],
  [() => setTimerSlack([], -1), /-1 is no timer slack/],
  [() => setAutogroupNice([], 20), /-20 to 19/],
  [() => setPriority([], 5, { threads: 'some' as 'all' }), /give all or leader/],
])('what is no setting is refused (%#)', async (act, message) => {
  await expect(act()).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(message as RegExp),
  })
})

test('lists of processors are printed as they are parsed', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 8191 }), { minLength: 1 }), (processors) => {
      expect(parseProcessors(printProcessors(processors))).toEqual(processors.sort((a, b) => a - b))
    }),
  )
  expect(parseProcessors('0-3,8,10-14:2')).toEqual([0, 1, 2, 3, 8, 10, 12, 14])
})

test('the stale, the gone and the protected are left alone', async () => {
  const { identity } = await start()
  const stale = { ...identity, startTicks: identity.startTicks - 1, pidfsInode: undefined }
  const targets = [stale, await identify(1), await identify(2), identity]
  const codes = (results: readonly { ok: boolean; error?: { code: string } }[]) =>
    results.map((result) => (result.ok ? 'ok' : result.error!.code))
  const expected = ['PROCESS_GONE', 'PROTECTED', 'PROTECTED', 'ok']
  expect(codes(await setIoPriority(targets, { ioClass: 'idle' }))).toEqual(expected)
  expect(codes(await setOomScoreAdj(targets, 500))).toEqual(expected)
  expect(codes(await getScheduling(targets))).toEqual(['PROCESS_GONE', 'ok', 'ok', 'ok'])
})

test.runIf(root)('without privileges own processes obey, others answer ACCESS_DENIED', async () => {
  const foreign = await startProcess('idle')
  const own = await startProcess('idle', { uid: 65534 })
  const printed = await runAsNobody(`
    const targets = await Promise.all([m.identify(${foreign.pid}), m.identify(${own.pid})])
    const show = (results) => results.map((r) => (r.ok ? 'ok' : r.error.code))
    const [other] = await m.getScheduling(targets)
    console.log(JSON.stringify({
      io: show(await m.setIoPriority(targets, { ioClass: 'idle' })),
      batch: show(await m.setScheduler(targets, { policy: 'batch' })),
      fifo: show(await m.setScheduler(targets, { policy: 'fifo', priority: 1 })),
      affinity: show(await m.setAffinity(targets, '0')),
      oom: show(await m.setOomScoreAdj(targets, 900)),
      queued: show(await m.sendSignal(targets, 0, { value: 3 })),
      tree: (await m.signalTree(targets[0], 'TERM')).members.map((r) => r.error?.code),
      missing: other.threads[0].missing,
      policy: other.threads[0].policy,
    }))`)
  expect(printed).toEqual({
    io: ['ACCESS_DENIED', 'ok'],
    batch: ['ACCESS_DENIED', 'ok'],
    fifo: ['ACCESS_DENIED', 'ACCESS_DENIED'],
    affinity: ['ACCESS_DENIED', 'ok'],
    oom: ['ACCESS_DENIED', 'ok'],
    queued: ['ACCESS_DENIED', 'ok'],
    tree: ['ACCESS_DENIED'],
    missing: { timerSlackNs: 'no permission (EPERM)' },
    policy: 'other',
  })
})
