import { afterEach, beforeEach, expect, it } from 'vitest'
import type { RulesChange } from '../../dist/engine/rulebook.js'
import type { Rule } from '../../dist/index.js'
import { startProcess, waitFor } from '../fixtures/processes.js'
import { Bench, heard, isAlive, MIB, nextTick } from './engines.js'

let bench: Bench
beforeEach(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clean())

const large = (name: string, pid: number): Rule => ({ name, match: { pid }, when: 'rss > 30MiB' })

it('keeps what is known of rules that stay, fires for new ones, resolves what removed ones had fired for', async () => {
  const target = await startProcess('idle', { rss: 40 * MIB })
  const stays = large('stays', target.pid)
  const engine = await bench.start({ rules: [large('goes', target.pid), stays] })
  const changes: RulesChange[] = []
  engine.on('rules', (change) => changes.push(change))
  await heard(engine, 'alert', ({ rule }) => rule === 'goes')
  const first = await heard(engine, 'alert', ({ rule }) => rule === 'stays')

  const change = { added: ['comes'], changed: [], removed: ['goes'] }
  expect(await engine.setRules([large('comes', target.pid), stays])).toEqual(change)
  expect(changes).toEqual([change])
  await heard(engine, 'alert', ({ rule }) => rule === 'comes')
  await heard(engine, 'alert', ({ rule, state }) => rule === 'goes' && state === 'resolved')
  await nextTick(engine)
  expect(engine.alerts({ state: 'firing' }).map(({ rule }) => rule)).toEqual(['comes', 'stays'])
  expect(engine.alerts({ rule: 'stays' })).toMatchObject([{ id: first.id, repeats: 0 }])
  expect(await bench.recordsOf('rules')).toMatchObject([change])
  const ended = (await bench.recordsOf('decision')).filter(({ kind }) => kind === 'clear')
  expect(ended).toMatchObject([{ rule: 'goes', cause: 'removed' }])

  // A rule by pid goes on with its process, wherever it stands in the list, and its death is told under its name.
  await engine.setRules([stays])
  await target.stop()
  const died = await heard(engine, 'alert', ({ kind }) => kind === 'died')
  expect(died).toMatchObject({ rule: 'stays', identity: { pid: target.pid } })
  await engine.setRules([])
  await heard(engine, 'alert', ({ kind, state }) => kind === 'died' && state === 'resolved')
  // The breach, by the next tick.
  await waitFor(() => engine.alerts({ state: 'firing' }).length === 0)
})

it('resolves all when no rule is left', async () => {
  const target = await startProcess('idle', { rss: 40 * MIB })
  const engine = await bench.start({ rules: [large('r', target.pid)] })
  await heard(engine, 'alert')
  await engine.setRules([])
  await heard(engine, 'alert', ({ state }) => state === 'resolved')
  expect(engine.alerts()).toMatchObject([{ rule: 'r', state: 'resolved' }])
})

it('lets a rule that has changed begin anew, under the same name', async () => {
  const target = await startProcess('idle', { rss: 40 * MIB })
  const engine = await bench.start({ rules: [large('r', target.pid)], workers: 2 })
  const before = await heard(engine, 'alert')
  const rule: Rule = { ...large('r', target.pid), severity: 'critical' }
  // Enough of others that it may be judged by another thread than before.
  const others = ['a', 'b', 'c'].map((name) => large(name, process.pid))
  expect(await engine.setRules([...others, rule])).toEqual({
    added: ['a', 'b', 'c'],
    changed: ['r'],
    removed: [],
  })
  const after = await heard(engine, 'alert', ({ severity }) => severity === 'critical')
  expect(after.id).not.toBe(before.id)
  await nextTick(engine)
  expect(engine.alerts({ rule: 'r' })).toMatchObject([{ state: 'firing' }, { state: 'resolved' }])
  expect(engine.alerts({ rule: 'r', state: 'firing' })[0]!.id).toBe(after.id)
})

it('follows a process from restart to restart though its rule changes', async () => {
  const pid = await bench.startService(['mode=idle', `rss=${40 * MIB}`])
  const restart: Rule = { name: 'r', match: { pid }, when: 'rss > 30MiB', actions: ['restart'] }
  const engine = await bench.start({ rules: [restart] })
  const { successor } = await heard(engine, 'action', ({ status }) => status === 'done')
  const { added, changed } = await engine.setRules([{ ...restart, actions: [], severity: 'critical' }])
  expect({ added, changed }).toEqual({ added: [], changed: ['r'] })
  // The pid of the rule is nobody's by now: what is meant is the successor.
  const alert = await heard(engine, 'alert', ({ severity }) => severity === 'critical')
  expect(alert.identity).toMatchObject({ pid: successor!.pid })
  expect(isAlive(successor!.pid)).toBe(true)
})

it('refuses rules that are not right, and changes nothing', async () => {
  const target = await startProcess('idle', { rss: 40 * MIB })
  const rule = large('r', target.pid)
  const engine = await bench.start({ rules: [rule] })
  await heard(engine, 'alert')
  const other = await startProcess('idle')
  await other.stop()
  for (const [rules, code] of [
    [[{ name: 'bad', when: 'rsss > 1' }], 'INVALID_ARGUMENT'],
    [[rule, rule], 'INVALID_ARGUMENT'],
    [[{ ...rule, actions: ['evidence'] }], 'INVALID_ARGUMENT'],
    [[{ ...rule, match: { user: 'nobody-has-this-name' } }], 'INVALID_ARGUMENT'],
    [[large('new', target.pid), large('gone', other.pid)], 'PROCESS_GONE'],
  ] as [Rule[], string][]) {
    await expect(engine.setRules(rules)).rejects.toMatchObject({ code })
  }
  await nextTick(engine)
  expect(engine.matches()).toMatchObject([
    { rule: 'r', count: 1, processes: [{ identity: { pid: target.pid } }] },
  ])
  expect(engine.alerts()).toMatchObject([{ rule: 'r', state: 'firing', repeats: 0 }])
  expect(await bench.recordsOf('rules')).toEqual([])
  await target.stop()
  await heard(engine, 'alert', ({ kind }) => kind === 'died')
  expect(engine.alerts().filter(({ kind }) => kind === 'died')).toMatchObject([{ rule: 'r' }])
  await engine.close()
  await expect(engine.setRules([])).rejects.toMatchObject({ code: 'CLOSED' })
  const closed = expect.objectContaining({ code: 'CLOSED' })
  expect(() => engine.resume('any')).toThrow(closed)
  expect(() => engine.acknowledge('any', { by: 'me' })).toThrow(closed)
  expect(() => engine.silence({ match: { rule: 'any' }, forMs: 1000, by: 'me' } as never)).toThrow(closed)
  expect(() => engine.unsilence('any')).toThrow(closed)
})

it.each(['auto', 'procfs'] as const)('samples what new rules read (%s)', async (source) => {
  const target = await startProcess('idle', { io: 1 << 20 })
  const stays: Rule = { name: 'stays', match: { pid: target.pid }, when: 'threads >= 1' }
  const engine = await bench.start({ rules: [stays], sampler: { source } })
  await heard(engine, 'alert')
  await engine.setRules([
    stays,
    { name: 'files', match: { pid: target.pid }, when: 'openFiles > 0 and host.cpus >= 1' },
    // What was written before it was looked at is no rate.
    { name: 'writes', match: { pid: target.pid }, when: 'writeBytesPerSecond > 0 or rcharPerSecond > 0' },
  ])
  await heard(engine, 'alert', ({ rule }) => rule === 'files')
  for (let tick = 0; tick < 3; tick++) await nextTick(engine)
  expect(engine.alerts({ rule: 'writes' })).toEqual([])
  expect(engine.alerts({ rule: 'stays' })).toMatchObject([{ state: 'firing', repeats: 0 }])
  await engine.setRules([stays])
  const { table } = await nextTick(engine)
  expect(table.columns.openFiles).toBeUndefined()
  expect(engine.alerts({ rule: 'stays' })).toMatchObject([{ state: 'firing', repeats: 0 }])
})

it('refuses columns that the source takes only at its start, and says what to do', async () => {
  const engine = await bench.start({ rules: [] })
  const swapped: Rule = { name: 'swapped', when: 'swapBytes > 1TiB' }
  if (engine.stats.sampler.source !== 'bpf') {
    await engine.setRules([swapped])
    return
  }
  await expect(engine.setRules([swapped])).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringMatching(/exactRss.*sampler: \{ groups: \['exactRss'\] \}/),
  })
  const exact = await bench.start({
    ...{ rules: [], journal: `${bench.journal}-2` },
    sampler: { groups: ['exactRss'] },
  })
  await exact.setRules([swapped])
  await nextTick(exact, ({ table }) => table.columns.swapBytes !== undefined)
})

it('explains what a rule says of a process', async () => {
  const target = await startProcess('idle', { rss: 40 * MIB })
  const engine = await bench.start({
    rules: [
      { name: 'mine', match: { pid: target.pid }, when: 'rss > 30MiB and threads > 1000' },
      { name: 'off', when: 'rss > 1', enabled: false },
    ],
  })
  await waitFor(() => engine.stats.ticks > 1 && engine.matches({ rule: 'mine' })[0]?.count === 1)
  expect(await engine.explain('mine', target.pid)).toMatchObject({
    matched: true,
    clauses: [
      { text: 'rssBytes > 30MiB', truth: true },
      { operand: 'threads', value: 1, truth: false },
    ],
  })
  expect(await engine.explain('mine', process.pid)).toMatchObject({ matched: false })
  await expect(engine.explain('mien', target.pid)).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: 'there is no rule "mien"; did you mean "mine"?',
  })
  await expect(engine.explain('off', target.pid)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await target.stop()
  await waitFor(async () => {
    const error = await engine.explain('mine', target.pid).then(undefined, ({ code }) => code as string)
    return error === 'PROCESS_GONE'
  })
  expect(() => engine.matches({ rule: 'nix' })).toThrow('there is no rule "nix"')
})
