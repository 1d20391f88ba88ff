import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, test } from 'vitest'
import {
  getResourceLimits,
  identify,
  type ProcessIdentity,
  ProcmusterError,
  Sampler,
  SIGNAL_NAMES,
  sendSignal,
  signalName,
  signalNumber,
} from '../../dist/index.js'
import { compileFixture } from '../fixtures/compile.js'
import { runAsNobody } from '../fixtures/node_script.js'
import { endedByStopAll, readState, startProcess, statusOf, stopAll, waitFor } from '../fixtures/processes.js'

afterEach(stopAll)

const root = process.getuid!() === 0

describe('signal names', () => {
  test('are taken with and without SIG, in any case, as numbers and as real-time ones', () => {
    expect(SIGNAL_NAMES).toHaveLength(31)
    SIGNAL_NAMES.forEach((name, index) => {
      expect(signalNumber(name)).toBe(index + 1)
      expect(signalNumber(name.slice(3) as 'TERM')).toBe(index + 1)
      expect(signalName(index + 1)).toBe(name)
    })
    expect(signalNumber('sigterm' as 'SIGTERM')).toBe(15)
    expect(signalNumber('RTMIN+2')).toBe(36)
    expect(signalNumber('SIGRTMAX-1')).toBe(63)
    expect(signalName(36)).toBe('SIGRTMIN+2')
    expect(signalNumber(0)).toBe(0)
    expect(signalNumber('15' as 'TERM')).toBe(15)
  })

  test.each(['SIGFOO', '', 'RTMIN+31', 'RTMAX-31', -1, 65, 1.5, Number.NaN])(
    'refuse %j with the list',
    (bad) => {
      expect(() => signalNumber(bad as 'TERM')).toThrowError(/unknown signal .*SIGTERM/)
    },
  )
})

describe('sendSignal', () => {
  test('reaches the process', async () => {
    const target = await startProcess('idle')
    const identity = await identify(target.pid)
    expect(identity).toMatchObject({ pid: target.pid, settled: true })
    const exit = once(target.child, 'exit')
    expect(await sendSignal([identity], 'USR1')).toEqual([{ pid: target.pid, ok: true }])
    expect(await exit).toEqual([null, 'SIGUSR1'])
  })

  test('sends each signal by its name, and each real-time one', async () => {
    const blocker = `
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
print('ready', flush=True)
sys.stdin.read()`
    const child = spawn('python3', ['-c', blocker], { stdio: ['pipe', 'pipe', 'inherit'] })
    endedByStopAll(child)
    await once(createInterface({ input: child.stdout }), 'line')
    const identity = await identify(child.pid!)
    const pending = async () => BigInt(`0x${(await statusOf(child.pid!)).get('ShdPnd')}`)
    const realTime = ['RTMIN', 'SIGRTMIN+1', 'RTMAX-1', 'SIGRTMAX'] as const
    for (const name of [...SIGNAL_NAMES, ...realTime]) {
      // The one ends it, and of the other it is only told by its state.
      if (name === 'SIGKILL' || name === 'SIGSTOP') continue
      expect(await sendSignal([identity], name as 'SIGTERM')).toEqual([{ pid: child.pid, ok: true }])
      expect((await pending()) & (1n << BigInt(signalNumber(name as 'SIGTERM') - 1)), name).not.toBe(0n)
    }
    await sendSignal([identity], 'SIGSTOP')
    await waitFor(async () => (await readState(child.pid!)) === 'T')
    const exit = once(child, 'exit')
    await sendSignal([identity], 'SIGKILL')
    expect(await exit).toEqual([null, 'SIGKILL'])
  })

  test('sends nothing to a successor of the pid, to the unsettled, to the protected', async () => {
    const target = await startProcess('idle')
    const identity = await identify(target.pid)
    const init = await identify(1)
    const cases: [ProcessIdentity, string][] = [
      [{ ...identity, startTicks: identity.startTicks - 1, pidfsInode: undefined }, 'PROCESS_GONE'],
      [{ ...identity, settled: false }, 'UNSETTLED'],
      [init, 'PROTECTED'],
      [{ ...init }, 'PROTECTED'],
      [await identify(process.pid), 'PROTECTED'],
      // Kept since before a reboot: inodes have been given anew, in step with the pids.
      [{ ...identity, startTicks: identity.startTicks - 1 }, 'PROCESS_GONE'],
      [{ ...identity }, 'ok'],
      [identity, 'ok'],
    ]
    if (identity.pidfsInode !== undefined) {
      cases.push([{ ...identity, pidfsInode: identity.pidfsInode + 1 }, 'PROCESS_GONE'])
    }
    const results = await sendSignal(
      cases.map(([target]) => target),
      0,
    )
    expect(results.map((result) => (result.ok ? 'ok' : result.error.code))).toEqual(
      cases.map(([, code]) => code),
    )
    expect(results[0]).toMatchObject({ error: { pid: target.pid, startTicks: identity.startTicks - 1 } })
  })

  test.runIf(root)('refuses kernel threads unless forced', async () => {
    let kthreadd: ProcessIdentity
    try {
      kthreadd = await identify(2)
    } catch {
      console.warn('SKIPPED: no kernel threads in this pid namespace')
      return
    }
    const sampler = await Sampler.open({ source: 'procfs' })
    const row = (await sampler.sample()).get(2)!
    const { isKernelThread, identity } = row
    await sampler.close()
    if (!isKernelThread) {
      console.warn('SKIPPED: pid 2 is no kernel thread in this pid namespace')
      return
    }
    const results = await sendSignal([kthreadd, { ...kthreadd }, identity], 0)
    expect(results.map((result) => !result.ok && result.error.code)).toEqual(Array(3).fill('PROTECTED'))
    expect(await sendSignal([kthreadd], 0, { force: true })).toEqual([{ pid: 2, ok: true }])
  })

  test('refuses numbers that mean groups', async () => {
    for (const pid of [0, -1, -42, 1.5, Number.NaN, 5e6]) {
      await expect(sendSignal([{ pid, startTicks: 1, settled: true }], 0)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      })
    }
    await expect(sendSignal([{ pid: 42, startTicks: Number.NaN, settled: true }], 0)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })

  test('a zombie takes a signal without effect, a reaped process is gone', async () => {
    const target = await startProcess('zombie')
    const identity = await identify(target.pid)
    expect(await sendSignal([identity], 'KILL')).toEqual([{ pid: target.pid, ok: true }])
    expect(await readState(target.pid)).toBe('Z')
    await target.stop()
    await waitFor(async () => {
      const [result] = await sendSignal([identity], 0)
      return !result!.ok && result!.error.code === 'PROCESS_GONE'
    })
    await expect(identify(target.pid)).rejects.toMatchObject({ code: 'PROCESS_GONE' })
  })

  // Needs root: /proc/sys/kernel/ns_last_pid says which pid comes next.
  test.runIf(root)('a pid that another process got is left alone', async () => {
    const target = await startProcess('idle')
    const identity = await identify(target.pid)
    await target.stop()
    const successor = await respawnAs(target.pid)
    for (const victim of [identity, { ...identity, pidfsInode: undefined }]) {
      const [result] = await sendSignal([victim], 'KILL')
      expect(result).toMatchObject({ ok: false, error: { code: 'PROCESS_GONE' } })
    }
    const now = await identify(target.pid)
    expect(now.startTicks).toBeGreaterThan(identity.startTicks)
    await sendSignal([now], 'TERM')
    expect(await successor.exit).toEqual(['signal 15'])
  })

  test.runIf(root)('fast recycling hits no stranger', async () => {
    for (let round = 0; round < 20; round++) {
      const first = spawn('sleep', ['100'])
      await once(first, 'spawn')
      const identity = await identify(first.pid!)
      const gone = once(first, 'exit')
      first.kill('SIGKILL')
      // Sent while the pid changes hands: it reaches the first one or nobody.
      const racing = sendSignal([identity], 'USR2')
      await gone
      const second = await respawnAs(first.pid!)
      const results = [...(await racing), ...(await sendSignal([identity], 'USR2'))]
      expect(results[1]!.ok).toBe(false)
      expect(await sendSignal([await identify(first.pid!)], 'TERM')).toMatchObject([{ ok: true }])
      expect(await second.exit).toEqual(['signal 15'])
    }
  })

  test('5,000 targets in one call, results in their order', async () => {
    const count = 5000
    const nest = spawn(await compileFixture('crowd.c'), [String(count)], { env: { LD_PRELOAD: '' } })
    let output = ''
    nest.stdout.on('data', (chunk) => {
      output += chunk
    })
    try {
      await waitFor(() => output.endsWith('end\n'), { timeoutMs: 60_000 })
      const pids = output.trim().split('\n').slice(0, -1).map(Number)
      expect(pids).toHaveLength(count)
      const targets = await Promise.all(pids.map((pid) => identify(pid)))
      const mixed = targets.map((target, index) =>
        index % 100 === 7 ? { ...target, startTicks: target.startTicks - 5 } : target,
      )
      const results = await sendSignal(mixed, 'TERM')
      expect(results.map(({ pid }) => pid)).toEqual(pids)
      expect(results.filter(({ ok }) => !ok)).toHaveLength(count / 100)
      expect(results.every((result, index) => result.ok === (index % 100 !== 7))).toBe(true)
      const survivors = targets.filter((_, index) => index % 100 === 7)
      await waitFor(async () => {
        const probes = await sendSignal(targets, 0)
        return probes.filter(({ ok }) => ok).length === survivors.length
      })
      expect((await sendSignal(survivors, 'KILL')).every(({ ok }) => ok)).toBe(true)
    } finally {
      nest.kill('SIGKILL')
    }
  }, 120_000)
})

describe('without privileges', () => {
  test.runIf(root)('own processes obey, others answer ACCESS_DENIED', async () => {
    const foreign = await startProcess('idle')
    const own = await startProcess('idle', { uid: 65534 })
    const printed = await runAsNobody(`
      const targets = await Promise.all([m.identify(${foreign.pid}), m.identify(${own.pid})])
      const show = (results) => results.map((r) => (r.ok ? 'ok' : r.error.code))
      const limits = (await m.getResourceLimits(targets[0])).nofile
      console.log(JSON.stringify({ renice: show(await m.setPriority(targets, 5)), kill: show(await m.sendSignal(targets, 'TERM')), limits }))`)
    expect(printed).toEqual({
      renice: ['ACCESS_DENIED', 'ok'],
      kill: ['ACCESS_DENIED', 'ok'],
      limits: (await getResourceLimits(await identify(foreign.pid))).nofile,
    })
    expect(await readState(foreign.pid)).toBe('S')
  })
})

test('errors are of the one class, with the identity', async () => {
  const [result] = await sendSignal([{ pid: 4_194_303, startTicks: 7, settled: true }], 0)
  expect(result!.ok).toBe(false)
  if (!result!.ok) {
    expect(result!.error).toBeInstanceOf(ProcmusterError)
    expect(result!.error).toMatchObject({ code: 'PROCESS_GONE', pid: 4_194_303, startTicks: 7, errno: 3 })
  }
})

/** Starts `sleep` with this very pid: asks the kernel for it until the race with other forks is won. */
async function respawnAs(pid: number): Promise<{ exit: Promise<unknown[]> }> {
  const script = `
    for (1..100000) {
      open(my $next, '>', '/proc/sys/kernel/ns_last_pid') or die; syswrite($next, ${pid - 1});
      my $child = fork; if (!$child) { sleep 100; exit 0 }
      close $next;
      if ($child == ${pid}) { $| = 1; print "ready\\n"; waitpid($child, 0); print "signal ", $? & 127, "\\n"; exit 0 }
      kill 'KILL', $child; waitpid($child, 0);
    }`
  const child = spawn('perl', ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  const ready = await Promise.race([once(lines, 'line'), once(lines, 'close')])
  expect(ready, `no process got pid ${pid} again`).toEqual(['ready'])
  return { exit: once(lines, 'line') }
}
