import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RestartStep } from '../../dist/journal/action_records.js'
import { PendingStore } from '../../dist/journal/pending.js'
import { currentPlace } from '../../dist/journal/place.js'
import type { JournalBody, JournalRecord } from '../../dist/journal/records.js'
import { type Facts, planRecovery, recover, type UnfinishedAction } from '../../dist/journal/recover.js'

const place = { bootId: 'boot', pidNamespace: 'pid:[1]' }
const identity = { pid: 10, startTicks: 100, settled: true }
const child = { pid: 20, startTicks: 200, settled: true }
const target = { rule: 'r', identity, name: 'n' }

function begun(actionId: string, action: 'restart' | 'signal' = 'restart'): JournalBody {
  return { type: 'action-begun', actionId, decisionId: 'd', action, place, parameters: {}, ...target }
}
const step = (actionId: string, name: RestartStep): JournalBody => ({
  type: 'action-step',
  actionId,
  step: name,
  ...(name === 'ready' ? { child } : {}),
})
const done = (actionId: string): JournalBody => ({
  type: 'action-done',
  actionId,
  action: 'restart',
  status: 'done',
  ...target,
})
const records = (bodies: JournalBody[]): JournalRecord[] =>
  bodies.map((body, i) => ({ v: 1, seq: i + 1, atMs: i, time: '', ...body }))

describe('recover', () => {
  it('knows when a step was begun last, but for what was refused or has failed, and for restarts', () => {
    const signalled = (actionId: string, status: 'done' | 'failed' | 'interrupted'): JournalBody[] => [
      { ...begun(actionId, 'signal'), parameters: { signal: actionId } } as JournalBody,
      { ...done(actionId), action: 'signal', status } as JournalBody,
    ]
    const { lastBegun } = recover(
      records([
        ...[...signalled('a', 'done'), ...signalled('b', 'failed'), ...signalled('c', 'interrupted')],
        ...[...signalled('d', 'done'), ...signalled('d', 'failed'), begun('r'), ...signalled('a', 'done')],
      ]),
    )
    expect([...lastBegun]).toEqual([
      [expect.stringContaining('{"signal":"c"}'), { atMs: 4, place }],
      [expect.stringContaining('{"signal":"a"}'), { atMs: 11, place }],
    ])
  })

  it('finds what was begun and not done, with the last step', () => {
    const state = recover(
      records([
        {
          type: 'engine-start',
          engine: identity,
          place,
          source: 'procfs',
          intervalMs: 1,
          dryRun: false,
          rules: [],
        },
        begun('a'),
        begun('b'),
        step('a', 'captured'),
        begun('c', 'signal'),
        step('b', 'captured'),
        step('b', 'terminating'),
        step('b', 'exited'),
        step('b', 'ready'),
        begun('d'),
        done('d'),
        step('lost', 'ready'),
      ]),
    )
    expect(state.crashed).toBe(true)
    expect(state.unfinished.map(({ begun, step, child }) => [begun.actionId, step, child])).toEqual([
      ['a', 'captured', undefined],
      ['b', 'ready', child],
      ['c', undefined, undefined],
    ])
    expect(recover(records([{ type: 'engine-stop', ticks: 1, missedTicks: 0, unfinished: 0 }])).crashed).toBe(
      false,
    )
  })

  const action = (at: RestartStep | undefined, kind: 'restart' | 'signal' = 'restart') =>
    ({
      begun: begun('a', kind),
      begunAtMs: 0,
      step: at,
      child: at === 'ready' ? child : undefined,
    }) as UnfinishedAction
  const facts = (changes: Partial<Facts>): Facts => ({
    place,
    oldAlive: false,
    childAlive: false,
    specKept: true,
    ...changes,
  })

  it.each<[RestartStep | undefined, Partial<Facts>, string]>([
    [undefined, { oldAlive: true }, 'drop'],
    [undefined, { oldAlive: false }, 'drop'],
    ['captured', { oldAlive: true }, 'drop'],
    ['captured', { oldAlive: false }, 'drop'],
    ['terminating', { oldAlive: true }, 'await-exit'],
    ['terminating', { oldAlive: false }, 'finish'],
    ['exited', {}, 'finish'],
    ['exited', { specKept: false }, 'drop'],
    ['ready', { childAlive: true }, 'adopt'],
    ['ready', { childAlive: false }, 'finish'],
    ['ready', { childAlive: false, specKept: false }, 'drop'],
    ['exited', { place: { ...place, bootId: 'another' } }, 'drop'],
    ['ready', { childAlive: true, place: { ...place, pidNamespace: 'pid:[2]' } }, 'drop'],
  ])('after %s with %o: %s', (at, changes, kind) => {
    expect(planRecovery(action(at), facts(changes)).kind).toBe(kind)
  })

  it('repeats no action but a restart', () => {
    expect(planRecovery(action(undefined, 'signal'), facts({ oldAlive: true })).kind).toBe('drop')
  })

  it('knows this boot and namespace', async () => {
    const here = await currentPlace()
    expect(here.bootId).toMatch(/^[0-9a-f-]{36}$/)
    expect(here.pidNamespace).toMatch(/^pid:\[\d+\]@\d+$/)
  })

  // Needs root, to make namespaces.
  it.runIf(process.getuid!() === 0)(
    'tells a container from the one before, whose number it has',
    async () => {
      const script = `
      const { currentPlace } = await import(${JSON.stringify(new URL('../../dist/journal/place.js', import.meta.url).href)})
      console.log((await currentPlace()).pidNamespace)
    `
      const inside = () =>
        execFileSync(
          'unshare',
          ['--pid', '--fork', '--mount-proc', process.execPath, '--input-type=module', '-e', script],
          { encoding: 'utf8' },
        )
      const first = inside()
      expect(first).toMatch(/^pid:\[\d+\]@\d+\n$/)
      const number = (place: string) => place.split('@')[0]
      // A number is free a moment after its namespace ended.
      let next = first
      for (let i = 0; i < 20 && (i === 0 || number(next) !== number(first)); i++) {
        await new Promise((resolve) => setTimeout(resolve, 100))
        next = inside()
      }
      expect(next).not.toBe(first)
    },
  )
})

describe('pending specs', () => {
  let directory: string
  let store: PendingStore
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'procmuster-pending-'))
    store = new PendingStore(join(directory, 'j.jsonl'))
  })
  afterEach(() => rm(directory, { recursive: true }))

  it('keeps a value in a private file until it is removed', async () => {
    expect(await store.get('a-1')).toBeUndefined()
    await store.put('a-1', { environment: ['A=1'] })
    expect((await stat(store.directory)).mode & 0o777).toBe(0o700)
    expect((await stat(join(store.directory, 'a-1.json'))).mode & 0o777).toBe(0o600)
    expect(await store.get('a-1')).toEqual({ environment: ['A=1'] })
    await store.remove('a-1')
    await store.remove('a-1')
    expect(await store.get('a-1')).toBeUndefined()
  })

  it('removes what no unfinished action needs', async () => {
    await store.put('a', 1)
    await store.put('b', 2)
    await writeFile(join(store.directory, 'notes.txt'), '')
    await store.keepOnly(new Set(['b']))
    expect((await readdir(store.directory)).sort()).toEqual(['b.json', 'notes.txt'])
  })

  it('follows no link and uses no file that others could have written', async () => {
    await store.put('a', 1)
    await symlink('/etc/passwd', join(store.directory, 'b.json'))
    await expect(store.get('b')).rejects.toMatchObject({ code: 'IO_ERROR' })
    await writeFile(join(store.directory, 'c.json'), '{}', { mode: 0o644 })
    await expect(store.get('c')).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
    await expect(store.get('../c')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  it('refuses a directory that others can read', async () => {
    await mkdir(store.directory, { mode: 0o755 })
    await expect(store.put('a', 1)).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
  })
})
