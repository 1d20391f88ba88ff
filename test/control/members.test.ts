import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, test } from 'vitest'
import {
  identify,
  sendSignal,
  signalGroup,
  signalName,
  signalNumber,
  signalSession,
  signalTree,
  terminateTree,
} from '../../dist/index.js'
import { readState, startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { statField } from '../fixtures/stat_line.js'
import { startWaits } from '../fixtures/waits.js'

const started: ChildProcess[] = []
afterEach(async () => {
  await stopAll()
  for (const child of started.splice(0)) {
    for (const pid of groupOf(child.pid!)) process.kill(pid, 'SIGKILL')
  }
})

/** A leader of a session of its own, so that all it makes can be found and ended. */
function start(program: string, ...args: string[]): ChildProcess {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true })
  started.push(child)
  return child
}

/** Pids of a session that have not ended, read apart from the code under test. */
function groupOf(sid: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map(Number).filter((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      return statField(stat, 6) === String(sid) && !['Z', 'X'].includes(statField(stat, 3))
    } catch {
      return false // it has ended
    }
  })
}

async function lines(child: ChildProcess, count: number): Promise<string[]> {
  const found: string[] = []
  for await (const line of createInterface({ input: child.stdout! })) {
    found.push(line)
    if (found.length === count) break
  }
  return found
}

describe('signalTree', () => {
  test.each([
    ['children-first', [2, 2, 1, 1, 0]],
    ['children-last', [0, 1, 1, 2, 2]],
  ] as const)('%s', async (order, depths) => {
    const shell = start('sh', '-c', 'sh -c "sleep 300 & sleep 300 & wait" & sleep 300 & echo ready; wait')
    await lines(shell, 1)
    await waitFor(() => groupOf(shell.pid!).length === 5)
    const result = await signalTree(await identify(shell.pid!), 'KILL', { order })
    expect(result.members.map(({ depth }) => depth)).toEqual(depths)
    expect(result).toMatchObject({ survivors: [], missed: [], complete: true })
    expect(result.members.every(({ ok }) => ok)).toBe(true)
    expect(groupOf(shell.pid!)).toEqual([])
  })

  test('nobody escapes a fork bomb of short lives', async () => {
    // 20 processes that make a child every 10 ms; it may make another; both end in 50 ms. As many as that, never more,
    // and all end by themselves should nobody end them.
    const bomb = start(
      'perl',
      '-e',
      `$| = 1; $SIG{CHLD} = 'IGNORE'; for (1..20) { last unless fork } print "x\\n";
       while (time - $^T < 60) {
         if (fork) { select(undef, undef, undef, 0.01); next }
         fork if rand() < 0.5;
         select(undef, undef, undef, 0.05);
         exit
       }`,
    )
    await lines(bomb, 20)
    const result = await signalTree(await identify(bomb.pid!), 'KILL', { waitMs: 10_000 })
    expect(result.complete).toBe(true)
    expect(result.survivors).toEqual([])
    expect(result.members.length).toBeGreaterThan(15)
  })

  test('who is not ended goes on as it was', async () => {
    const shell = start('sh', '-c', 'trap "echo hup" HUP; sleep 300 & echo $!; while :; do wait; done')
    const [child] = await lines(shell, 1)
    await sendSignal([await identify(Number(child))], 'STOP')
    await waitFor(async () => (await readState(Number(child))) === 'T')
    const said = lines(shell, 1)
    const result = await signalTree(await identify(shell.pid!), 'HUP', { order: 'children-last' })
    expect(result.members.map(({ pid, ok }) => [pid, ok])).toEqual([
      [shell.pid, true],
      [Number(child), true],
    ])
    expect(await said).toEqual(['hup'])
    expect(await readState(shell.pid!)).not.toBe('T')
    // Stopped before, so stopped still; the signal waits for it.
    expect(await readState(Number(child))).toBe('T')
  })

  test('who waits for a child made by vfork is waited for no longer than that takes to stop', async () => {
    // Shells, make, Python and Go start programs by it.
    const { pid } = await startWaits('vfork')
    const result = await signalTree(await identify(pid), 0, { waitMs: 20_000 })
    expect(result).toMatchObject({ complete: true, missed: [], members: [{ depth: 1 }, { pid, depth: 0 }] })
    await waitFor(async () => (await readState(result.members[0]!.pid)) === 'S')
    expect(await readState(pid)).toBe('D')
  })

  test('threads without their main thread stand still too, and go on', async () => {
    const { pid } = await startProcess('headless', { threads: 3 })
    await waitFor(async () => (await readState(pid)) === 'Z')
    const result = await signalTree(await identify(pid), 0, { waitMs: 20_000 })
    expect(result).toMatchObject({ complete: true, members: [{ pid, ok: true }] })
    const states = async () =>
      Promise.all(readdirSync(`/proc/${pid}/task`).map((tid) => readState(Number(tid))))
    await waitFor(async () => !(await states()).includes('T'))
    expect(await signalTree(await identify(pid), 'KILL')).toMatchObject({ complete: true, survivors: [] })
  })

  test('a stop signal of the terminal holds', async () => {
    const shell = start('sh', '-c', 'sleep 300 & echo $!; wait')
    const [child] = await lines(shell, 1)
    // An orphaned group ignores it: a member's parent in the same session keeps it from being one.
    const results = await sendSignal([await identify(Number(child))], 'STOP')
    expect(results).toMatchObject([{ ok: true }])
    await waitFor(async () => (await readState(Number(child))) === 'T')
    await signalTree(await identify(shell.pid!), 'CONT')
    await waitFor(async () => (await readState(Number(child))) === 'S')
    await signalTree(await identify(shell.pid!), 'STOP')
    await waitFor(
      async () => (await readState(shell.pid!)) === 'T' && (await readState(Number(child))) === 'T',
    )
  })

  test('a root that has ended or is another by now is an error, ourselves are left alone', async () => {
    const shell = start('sleep', '300')
    const identity = await identify(shell.pid!)
    const stale = { ...identity, startTicks: identity.startTicks - 1, pidfsInode: undefined }
    await expect(signalTree(stale, 'KILL')).rejects.toMatchObject({ code: 'PROCESS_GONE' })
    await expect(signalGroup(stale, 'KILL')).rejects.toMatchObject({ code: 'PROCESS_GONE' })
    await expect(signalTree(identity, 'FOO' as 'TERM')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(signalTree(identity, 0, { order: 'up' as 'children-last' })).rejects.toThrow(
      /children-first/,
    )
    const { members } = await signalTree(await identify(process.pid), 0)
    const codes = new Map(members.map(({ pid, error }) => [pid, error?.code]))
    expect(codes.get(process.pid)).toBe('PROTECTED')
    expect(codes.get(shell.pid!)).toBeUndefined()
    expect(codes.has(shell.pid!)).toBe(true)
    await expect(signalGroup(await identify(2), 0)).rejects.toMatchObject({ code: 'PROTECTED' })
  })
})

test('groups and sessions, by any member, also when the leader has ended', async () => {
  // Two groups besides the leader's in one session, one of them of two; the leader ends.
  const shell = start(
    'perl',
    '-e',
    `$| = 1; sub live { setpgrp(0, 0); fork if $_[0]; print "$$\\n"; sleep 300; exit } fork or live(0); fork or live(1); <STDIN>`,
  )
  const pids = (await lines(shell, 3)).map(Number)
  shell.stdin!.end()
  await once(shell, 'exit')
  const groupId = (pid: number) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return statField(stat, 5)
  }
  const one = pids.find((pid) => pids.filter((other) => groupId(other) === groupId(pid)).length === 1)
  const piped = pids.find((pid) => pid !== one)
  await waitFor(() => groupOf(shell.pid!).length === 3)
  const group = await signalGroup(await identify(piped!), 'KILL')
  expect(group.members).toHaveLength(2)
  expect(groupOf(shell.pid!)).toEqual([one])
  const session = await signalSession(await identify(one!), 'KILL')
  expect(session.members.map(({ pid }) => pid)).toEqual([one])
  expect(groupOf(shell.pid!)).toEqual([])
})

test('real-time signals are queued, each with its value', async () => {
  const script = `
import signal, sys
wanted = {signal.SIGRTMIN + 3}
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
print('ready', flush=True)
sys.stdin.readline()
import ctypes
libc = ctypes.CDLL(None)
class Info(ctypes.Structure):
    _fields_ = [('signo', ctypes.c_int), ('errno', ctypes.c_int), ('code', ctypes.c_int), ('pad', ctypes.c_int), ('pid', ctypes.c_int), ('uid', ctypes.c_int), ('value', ctypes.c_int), ('rest', ctypes.c_char * 100)]
mask = (ctypes.c_ulong * 16)(1 << (signal.SIGRTMIN + 3 - 1))
for _ in range(3):
    info = Info()
    libc.sigwaitinfo(mask, ctypes.byref(info))
    print(info.signo, info.code, info.pid, info.value, flush=True)
`
  const child = start('python3', '-c', script)
  await lines(child, 1)
  const identity = await identify(child.pid!)
  for (const value of [7, -2, 2 ** 31 - 1]) {
    expect(await sendSignal([identity], 'RTMIN+3', { value })).toEqual([{ pid: child.pid, ok: true }])
  }
  child.stdin!.write('\n')
  expect(await lines(child, 3)).toEqual([7, -2, 2 ** 31 - 1].map((value) => `37 -1 ${process.pid} ${value}`))
  await expect(sendSignal([identity], 'RTMIN', { value: 1.5 })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
  expect(signalName(signalNumber('SIGRTMAX-27'))).toBe('SIGRTMIN+3')
})

describe('terminateTree', () => {
  test('the willing end by SIGTERM, the deaf by SIGKILL, with what they start meanwhile', async () => {
    const shell = start(
      'sh',
      '-c',
      'sleep 300 & echo $!; perl -e \'$SIG{TERM} = sub { fork or sleep 300 }; $| = 1; print "$$\\n"; sleep 300 while 1\' & wait; wait',
    )
    const [plain, deaf] = (await lines(shell, 2)).map(Number)
    const result = await terminateTree(await identify(shell.pid!), { graceMs: 500 })
    const ends = new Map(result.members.map(({ pid, endedBy }) => [pid, endedBy]))
    expect(ends.get(shell.pid!)).toBe('SIGTERM')
    expect(ends.get(plain!)).toBe('SIGTERM')
    expect(ends.get(deaf!)).toBe('SIGKILL')
    expect(ends.size).toBe(4)
    expect(result.ended).toBe(true)
    expect(result.tookMs).toBeGreaterThanOrEqual(499)
    expect(groupOf(shell.pid!)).toEqual([])
  })

  test('a stopped tree ends by SIGTERM too', async () => {
    const shell = start('sh', '-c', 'sleep 300 & echo ready; wait')
    await lines(shell, 1)
    await signalTree(await identify(shell.pid!), 'STOP')
    const result = await terminateTree(await identify(shell.pid!), { graceMs: 20_000 })
    expect(result.members.map(({ endedBy }) => endedBy)).toEqual(['SIGTERM', 'SIGTERM'])
  })

  test.each(['INT', 'KILL'] as const)('tells of another first signal, %s, by its name', async (signal) => {
    // A shell's background jobs ignore SIGINT.
    const tree = start('perl', '-e', '$| = 1; fork; print "ready\n"; sleep 300')
    await lines(tree, 2)
    const result = await terminateTree(await identify(tree.pid!), { graceMs: 20_000, signal })
    expect(result.members.map(({ endedBy }) => endedBy)).toEqual([`SIG${signal}`, `SIG${signal}`])
  })

  test('of many at once, the deaf are told as ended by SIGKILL', async () => {
    const shells = Array.from({ length: 30 }, () => start('sh', '-c', 'trap "" TERM; echo ready; read never'))
    await Promise.all(shells.map((shell) => lines(shell, 1)))
    const identities = await Promise.all(shells.map(({ pid }) => identify(pid!)))
    const results = await Promise.all(identities.map((each) => terminateTree(each, { graceMs: 0 })))
    expect(new Set(results.map(({ members }) => members[0]!.endedBy))).toEqual(new Set(['SIGKILL']))
  })
})
