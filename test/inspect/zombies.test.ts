import { afterEach, expect, it } from 'vitest'
import {
  findZombies,
  identify,
  Sampler,
  stuckAdvice,
  stuckFacts,
  stuckProcesses,
  zombieAdvice,
  zombieFacts,
} from '../../dist/index.js'
import { parseStuck } from '../../dist/inspect/stuck.js'
import { parseSigchld } from '../../dist/inspect/zombies.js'
import { stopAll } from '../fixtures/processes.js'
import { startWaits } from '../fixtures/waits.js'

afterEach(stopAll)

async function withTable<T>(
  use: (table: Awaited<ReturnType<Sampler['sample']>>) => Promise<T> | T,
): Promise<T> {
  const sampler = await Sampler.open({ source: 'procfs' })
  try {
    return await use(await sampler.sample())
  } finally {
    await sampler.close()
  }
}

it('finds real zombies by the parent that has not waited for them, and how that listens to SIGCHLD', async () => {
  const nudged = await startWaits('nudged')
  const never = await startWaits('never', 3)
  const stopped = await startWaits('stopped')
  const facts = await withTable(async (table) => {
    const groups = findZombies(table)
    const of = (parent: number) => groups.find((group) => group.parent?.identity.pid === parent)!
    expect(of(never.parent).zombies).toHaveLength(3)
    expect(of(never.parent).zombies.at(-1)).toMatchObject({ identity: { pid: never.pid } })
    expect(groups.indexOf(of(never.parent))).toBeLessThan(groups.indexOf(of(nudged.parent)))
    return Promise.all([nudged, never, stopped].map(({ parent }) => zombieFacts(of(parent))))
  })
  expect(facts).toMatchObject([
    { zombies: 1, parent: { pid: nudged.parent, state: 'S', sigchld: 'caught' } },
    { zombies: 3, parent: { pid: never.parent, state: 'S', sigchld: 'default' } },
    { zombies: 1, parent: { pid: stopped.parent, state: 'T', sigchld: 'default' } },
  ])
  expect(zombieAdvice(facts[0]!).join('\n')).toContain(
    `a nudge may help (\`muster zombies ${nudged.parent} --nudge\``,
  )
  expect(zombieAdvice(facts[1]!).join('\n')).toMatch(
    /has 3 zombies\nit does not listen to SIGCHLD.*\nrestart/,
  )
  expect(zombieAdvice(facts[2]!).join('\n')).toContain(`kill -CONT ${stopped.parent}`)
})

it('tells where in the kernel a really stuck process waits', async () => {
  const { pid } = await startWaits('vfork')
  const found = await withTable((table) => stuckProcesses(table))
  const stuck = found.find(({ identity }) => identity.pid === pid)!
  expect(stuck.name).toMatch(/^waits/)
  const facts = await stuckFacts(await identify(pid))
  expect(stuck).toMatchObject(facts)
  // Some kernels and containers hide both; then it says so.
  const advice = stuckAdvice(facts)
  if (facts.waitChannel === undefined) expect(advice[0]).toMatch(/may not be read by this user/)
  else
    expect(advice).toContain(
      'that is mostly for a child made by vfork, until that executes a program or ends',
    )
  expect(advice.at(-1)).toMatch(/^signals, SIGKILL too, .* a restart would wait for it$/)
})

it('advice of every case, from facts alone', () => {
  const parent = { pid: 7, name: 'a\u001b', state: 'S' }
  const cases: [Parameters<typeof zombieAdvice>[0], RegExp][] = [
    [{ parent: undefined, zombies: 1 }, /another PID namespace/],
    [{ parent: { ...parent, pid: 1 }, zombies: 2 }, /init that does/],
    [{ parent: { ...parent, state: 'D' }, zombies: 2 }, /stuck in the kernel/],
    [{ parent: { ...parent, state: 'Z' }, zombies: 2 }, /main thread has ended/],
    [{ parent: { ...parent, sigchld: 'caught' }, zombies: 1 }, /`muster zombies 7 --nudge`.*listens/],
    [{ parent: { ...parent, sigchld: 'blocked' }, zombies: 1 }, /holds SIGCHLD back/],
    [{ parent: { ...parent, sigchld: 'ignored' }, zombies: 1 }, /hardly help/],
    [{ parent, zombies: 1 }, /one zombie/],
  ]
  for (const [facts, pattern] of cases) expect(zombieAdvice(facts).join('\n')).toMatch(pattern)
  const at = (waitChannel?: string, stack: string[] = []) =>
    stuckAdvice({ waitChannel, systemCall: undefined, stack }).join('\n')
  expect(at('rpc_wait_bit_killable')).toMatch(/NFS/)
  expect(at('io_schedule')).toMatch(/a disk/)
  expect(at('request_wait_answer', ['request_wait_answer', 'fuse_simple_request'])).toMatch(/FUSE/)
  expect(at('rwsem_down_write_slowpath')).toMatch(/a lock in the kernel/)
  expect(at('something_new')).not.toMatch(/mostly for/)
  expect(at()).toMatch(/where may not be read/)
})

it('parsers: what the kernel writes, and what it leaves out', () => {
  const status = (blocked: string, ignored: string, caught: string) =>
    `Name:\tx\nSigQ:\t0/1\nSigBlk:\t${blocked}\nSigIgn:\t${ignored}\nSigCgt:\t${caught}\n`
  const [none, chld] = ['0000000000000000', '0000000000010000']
  expect(parseSigchld(status(none, none, chld))).toBe('caught')
  expect(parseSigchld(status(chld, none, chld))).toBe('blocked')
  expect(parseSigchld(status(none, chld, none))).toBe('ignored')
  expect(parseSigchld(status(none, none, none))).toBe('default')
  expect(parseSigchld('')).toBeUndefined()
  const stack = '[<0>] folio_wait_bit_common+0x13d/0x350\n[<0>] ext4_read+0x1/0x2 [ext4]\n[<0>] entry'
  expect(parseStuck({ wchan: '0', syscall: '0 0x3 0x7f', stack })).toEqual({
    ...{ waitChannel: 'folio_wait_bit_common', systemCall: 0 },
    stack: ['folio_wait_bit_common', 'ext4_read', 'entry'],
  })
  expect(parseStuck({ wchan: '', syscall: 'running', stack: '' })).toEqual({
    ...{ waitChannel: undefined, systemCall: undefined, stack: [] },
  })
})
