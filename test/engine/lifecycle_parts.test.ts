import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Alarms } from '../../dist/alerts/alarms.js'
import type { Alert, ExitCause } from '../../dist/alerts/alert.js'
import { Deaths } from '../../dist/engine/deaths.js'
import { Lifecycle, type LifecycleListeners } from '../../dist/engine/lifecycle.js'
import { deathMessage } from '../../dist/engine/messages.js'
import { ShortLived } from '../../dist/engine/short_lived.js'
import { type Binding, WatchedProcesses } from '../../dist/engine/watched.js'
import { ProcmusterError } from '../../dist/errors.js'
import type { ExitEvent, LifecycleEvent } from '../../dist/events/event.js'
import type { Table } from '../../dist/table/table.js'
import { waitFor } from '../fixtures/processes.js'

const exitOf = (pid: number, changes: Partial<ExitEvent> = {}): ExitEvent => ({
  ...{ type: 'exit', pid, startTicks: 1, pidfsInode: undefined, ppid: 1, name: 'p', atMs: 0 },
  ...{ exitCode: 0, signal: undefined, coreDumped: false, oomKilled: false, sender: undefined },
  ...{ cpuTimeNs: 0, peakRssBytes: 0, readBytes: 0, writeBytes: 0, lifetimeMs: 0 },
  ...changes,
})

describe('the message of a death', () => {
  const life = { cpuTimeNs: 12_300_000_000, peakRssBytes: 300 * 2 ** 20, lifetimeMs: 125_000 }
  const causes: [cause: ExitCause | undefined, message: string][] = [
    [undefined, 'ended'],
    [{ exitCode: 3 }, 'ended: exit code 3'],
    [
      { exitCode: 0, ...life },
      'ended: exit code 0 (after 2 min 5 s, 12.3 s of CPU time, at most 300 MiB of memory)',
    ],
    [{ signal: 'SIGSEGV', coreDumped: true }, 'ended: killed by SIGSEGV, core dumped'],
    [
      { signal: 'SIGKILL', sender: { pid: 7, name: 'ba\nsh' } },
      'ended: killed by SIGKILL sent by "ba\\nsh" (pid 7)',
    ],
    [{ signal: 'SIGKILL', oomKilled: true }, 'ended: killed by the kernel, which was out of memory'],
    [{}, 'ended: how is not known'],
    [{ exitCode: 0, lifetimeMs: 5 }, 'ended: exit code 0 (after 5 ms)'],
    [{ exitCode: 0, lifetimeMs: 3 * 3_600_000 + 120_000 }, 'ended: exit code 0 (after 3 h 2 min)'],
    [{ exitCode: 0, lifetimeMs: 20 * 86_400_000 }, 'ended: exit code 0 (after 20 days)'],
  ]
  it.each(causes)('%j: %s', (cause, message) => {
    const identity = { pid: 12, startTicks: 1, pidfsInode: undefined, settled: true }
    expect(deathMessage('a\nb', identity, 'r', cause)).toBe(
      `"a\\nb" (pid 12), watched by rule "r", ${message}`,
    )
  })
})

describe('deaths', () => {
  const binding = (pid: number, rule = 'r'): Binding => ({
    ...{ rule, name: 'p', state: 'died', samples: 1 },
    identity: { pid, startTicks: 1, pidfsInode: undefined, settled: true },
  })
  const make = (options: { isListening?: boolean; waitMs?: number } = {}) => {
    const { isListening = true, waitMs = 60_000 } = options
    const alerts: Alert[] = []
    const alarms = new Alarms(
      10,
      () => {},
      (alert) => alerts.push(alert),
    )
    const deaths = new Deaths({ listening: () => isListening, alarms, waitMs })
    return { deaths, alerts, told: () => alerts.map(({ rule, exit }) => [rule, exit?.exitCode]) }
  }

  it('are told with their cause when the record comes first', () => {
    const { deaths, told, alerts } = make()
    deaths.exited(binding(5).identity, exitOf(5, { exitCode: 9 }))
    expect(alerts).toEqual([])
    deaths.ended([binding(5, 'a'), binding(5, 'b')])
    expect(told()).toEqual([
      ['a', 9],
      ['b', 9],
    ])
    expect(alerts[0]).toMatchObject({
      kind: 'died',
      severity: 'critical',
      message: expect.stringContaining('exit code 9'),
    })
  })

  it('are told with their cause when the record comes later', () => {
    const { deaths, told } = make()
    deaths.ended([binding(5, 'a')])
    deaths.ended([binding(5, 'b'), binding(6, 'c')])
    expect(told()).toEqual([])
    expect(deaths.awaited(exitOf(5, { startTicks: undefined }))).toMatchObject({ pid: 5 })
    expect(deaths.awaited(exitOf(5, { startTicks: 2 }))).toBeUndefined()
    deaths.exited(binding(5).identity, exitOf(5, { exitCode: 9 }))
    expect(told()).toEqual([
      ['a', 9],
      ['b', 9],
    ])
    deaths.close()
    expect(told()).toEqual([
      ['a', 9],
      ['b', 9],
      ['c', undefined],
    ])
  })

  it('are not those of a predecessor that began in the same tick', () => {
    const watched = new WatchedProcesses()
    const { identity, ...rest } = binding(5)
    watched.add({ ...rest, identity: { ...identity, pidfsInode: 78 } })
    expect(watched.identityOf(exitOf(5, { pidfsInode: 77 }))).toBeUndefined()
    expect(watched.identityOf(exitOf(5, { pidfsInode: 78 }))).toMatchObject({ pid: 5 })
    expect(watched.identityOf(exitOf(5, { pidfsInode: undefined }))).toMatchObject({ pid: 5 })
    expect(watched.identityOf(exitOf(5, { startTicks: 2 }))).toBeUndefined()
    expect(watched.identityOf(exitOf(6))).toBeUndefined()
  })

  it('wait no longer than they may, and not at all when nothing is heard', async () => {
    const waiting = make({ waitMs: 20 })
    waiting.deaths.ended([binding(5)])
    await waitFor(() => waiting.alerts.length === 1)
    expect(waiting.told()).toEqual([['r', undefined]])
    const deaf = make({ isListening: false })
    deaf.deaths.ended([binding(5)])
    expect(deaf.told()).toEqual([['r', undefined]])
  })
})

/** A table of what the counts look at: living processes by pid, and those that are gone since the last sample. */
function tableOf(
  living: Record<number, { startTicks: number; name: string }>,
  gone: [pid: number, startTicks: number][] = [],
) {
  const pids = Object.keys(living).map(Number)
  const startTicks = [...pids.map((pid) => living[pid]!.startTicks), ...gone.map(([, ticks]) => ticks)]
  return {
    columns: { pid: [...pids, ...gone.map(([pid]) => pid)], startTicks },
    goneSlots: gone.map((_, index) => pids.length + index),
    slotOf: (pid: number) => (pids.includes(pid) ? pids.indexOf(pid) : undefined),
    get: (pid: number) => (pids.includes(pid) ? { pid, ...living[pid]! } : undefined),
  } as unknown as Table
}

describe('short-lived processes', () => {
  const make = { 10: { startTicks: 1, name: 'make' } }

  it('are those that no sample has seen, counted for their parent with their CPU time', () => {
    const counts = new ShortLived()
    const first = tableOf({ ...make, 20: { startTicks: 1, name: 'seen' } })
    counts.sampled(first)
    counts.exited(exitOf(20, { ppid: 10, cpuTimeNs: 1000 }), first) // was in the first sample
    counts.exited(exitOf(20, { startTicks: 5, ppid: 10, cpuTimeNs: 30, name: 'cc' }), first) // took over its pid
    counts.exited(exitOf(21, { ppid: 10, cpuTimeNs: 500 }), first) // the second sample catches it
    counts.exited(exitOf(22, { ppid: 10, cpuTimeNs: 12, name: 'as', atMs: 77 }), first)
    expect(counts.list()).toEqual([])
    counts.sampled(tableOf({ ...make, 21: { startTicks: 1, name: 'late' } }, [[20, 1]]))
    expect(counts.list()).toEqual([
      {
        parent: { pid: 10, startTicks: 1, name: 'make' },
        count: 2,
        cpuTimeNs: 42,
        lastName: 'as',
        lastAtMs: 77,
      },
    ])
    expect(counts.total).toEqual({ count: 2, cpuTimeNs: 42 })
  })

  it('hand their own children on to the ancestor that was sampled', () => {
    const counts = new ShortLived()
    const table = tableOf(make)
    // make runs a shell, that runs a compiler, that runs two passes.
    for (const pid of [33, 34]) counts.exited(exitOf(pid, { ppid: 32, cpuTimeNs: 100 }), table)
    counts.exited(exitOf(32, { ppid: 31, cpuTimeNs: 10 }), table)
    counts.sampled(table)
    counts.exited(exitOf(31, { ppid: 10, cpuTimeNs: 1 }), table)
    counts.sampled(table)
    expect(counts.list()).toMatchObject([{ parent: { pid: 10, name: 'make' }, count: 4, cpuTimeNs: 211 }])
  })

  it('of a parent that ended stay apart from those of the next with its pid', () => {
    const counts = new ShortLived()
    counts.exited(exitOf(20, { ppid: 10 }), tableOf(make))
    counts.sampled(tableOf(make))
    const next = { 10: { startTicks: 9, name: 'next' } }
    counts.sampled(tableOf(next, [[10, 1]]))
    counts.exited(exitOf(21, { ppid: 10 }), tableOf(next))
    counts.exited(exitOf(22, { ppid: 10 }), tableOf(next))
    counts.sampled(tableOf(next))
    expect(counts.list().map(({ parent, count }) => [parent?.name, count])).toEqual([
      ['next', 2],
      ['make', 1],
    ])
  })

  it('are told as far as the limit, the rest together', () => {
    const counts = new ShortLived()
    const parents = {
      1: { startTicks: 1, name: 'a' },
      2: { startTicks: 1, name: 'b' },
      3: { startTicks: 1, name: 'c' },
    }
    for (const ppid of [1, 2, 2, 3, 3, 3])
      counts.exited(exitOf(50, { ppid, cpuTimeNs: undefined }), undefined)
    counts.exited(exitOf(51, { ppid: undefined, cpuTimeNs: undefined }), undefined)
    counts.sampled(tableOf(parents))
    expect(counts.list(1)).toMatchObject([
      { parent: { name: 'c' }, count: 3, cpuTimeNs: undefined },
      { parent: undefined, count: 4 },
    ])
  })

  it('take bounded memory, and none is lost from the count', () => {
    const steps = fc.array(
      fc.record({ pid: fc.integer({ min: 1, max: 40_000 }), ppid: fc.integer({ min: 0, max: 40_000 }) }),
      {
        minLength: 3000,
        maxLength: 20_000,
      },
    )
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 9000 }), (exits, each) => {
        const counts = new ShortLived()
        for (const [index, { pid, ppid }] of exits.entries()) {
          counts.exited(exitOf(pid, { ppid, cpuTimeNs: 2 }), undefined)
          if (index % each === 0) counts.sampled(tableOf({}))
        }
        counts.sampled(tableOf({}))
        const list = counts.list()
        expect(list.reduce((sum, { count }) => sum + count, 0)).toBe(exits.length)
        expect(list.reduce((sum, { cpuTimeNs }) => sum + cpuTimeNs!, 0)).toBe(2 * exits.length)
        expect(counts.total).toEqual({ count: exits.length, cpuTimeNs: 2 * exits.length })
        expect(list.length).toBeLessThanOrEqual(513)
      }),
      { numRuns: 20 },
    )
  })
})

describe('lifecycle', () => {
  const refused = (source: string) =>
    Promise.reject(new ProcmusterError('UNSUPPORTED', { message: `no ${source} here` }))
  const listeners = (): LifecycleListeners & { heard: string[] } => {
    const heard: string[] = []
    const note = ({ type }: { type: string }) => heard.push(type)
    return { heard, onExec: note, onExit: note, onLost: note, onError: (error) => heard.push(String(error)) }
  }
  const streamOf = (events: AsyncIterable<LifecycleEvent>) => ({
    sourceReason: 'it was there',
    close: async () => {},
    [Symbol.asyncIterator]: () => events[Symbol.asyncIterator](),
  })

  it('takes the first source that works, and says why not those before', async () => {
    const lifecycle = new Lifecycle()
    const forever = (async function* (): AsyncGenerator<LifecycleEvent> {
      await new Promise(() => {})
    })()
    await lifecycle.open('auto', listeners(), async ({ source }) =>
      source === 'bpf' ? refused('bpf') : streamOf(forever),
    )
    expect(lifecycle.stats).toMatchObject({
      source: 'netlink',
      reason: 'netlink: the best that works here; no bpf here',
    })
  })

  it('goes without where none works, unless one was asked for', async () => {
    const lifecycle = new Lifecycle()
    await lifecycle.open('auto', listeners(), ({ source }) => refused(source!))
    expect(lifecycle.stats).toMatchObject({
      source: 'off',
      reason: 'no bpf here; no netlink here',
    })
    expect(lifecycle.listening).toBe(false)
    await lifecycle.close()
    await expect(new Lifecycle().open('netlink', listeners(), () => refused('netlink'))).rejects.toThrow(
      'no netlink',
    )
    const off = new Lifecycle()
    await off.open('off', listeners(), () => refused('any'))
    expect(off.stats.reason).toBe('switched off')
  })

  it('counts what it hears, and goes on without when the stream fails', async () => {
    const lifecycle = new Lifecycle()
    const to = listeners()
    const common = { pid: 1, startTicks: 1, pidfsInode: undefined, ppid: 1, name: 'n', atMs: 0 }
    const failing = (async function* (): AsyncGenerator<LifecycleEvent> {
      yield { type: 'fork', ...common }
      yield { type: 'exec', ...common }
      yield exitOf(1)
      yield { type: 'lost', count: 3, atMs: 0 }
      throw new Error('torn')
    })()
    await lifecycle.open('auto', to, async () => streamOf(failing))
    await waitFor(() => !lifecycle.listening)
    expect(to.heard).toEqual(['exec', 'exit', 'lost', 'Error: torn'])
    expect(lifecycle.stats).toMatchObject({ source: 'off', forks: 1, execs: 1, exits: 1, lost: 3 })
    expect(lifecycle.stats.reason).toContain('bpf ended')
  })
})
