import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { afterEach, expect, test } from 'vitest'
import { detectCgroups } from '../../dist/public/cgroups.js'
import { controlGroupRoot } from '../fixtures/control_group.js'
import { readState, startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { endRuns, muster, Run } from './muster.js'

afterEach(async () => {
  await stopAll()
  await endRuns()
})

const root = process.getuid!() === 0
const NOBODY = 65534
const MIB = 2 ** 20

const run = (program: string, ...args: (string | number)[]): string =>
  execFileSync(program, args.map(String), { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } }).trim()

/** What it says when it succeeds. */
async function done(...args: (string | number)[]): Promise<string> {
  const { code, stdout, stderr } = await muster(args.map(String))
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

/** What it says on stderr when it does not. */
async function refused(code: number, ...args: (string | number)[]): Promise<string> {
  const result = await muster(args.map(String))
  expect(result).toMatchObject({ code, signal: null })
  return result.stderr
}

test('signals: one line per process, the others are reached all the same', async () => {
  const [first, second] = [await startProcess('idle'), await startProcess('idle')]
  const ends = [once(first.child, 'exit'), once(second.child, 'exit')]
  const { code, stdout, stderr } = await muster([
    'signal',
    'usr1',
    `${first.pid},1`,
    '4194304',
    `${second.pid}`,
  ])
  expect({ code, stdout }).toEqual({
    code: 6,
    stdout: `${first.pid}: SIGUSR1 sent\n${second.pid}: SIGUSR1 sent\n`,
  })
  expect(stderr).toBe(
    'muster: process 1 is pid 1, whom all others need, and is refused; give --force if you mean it\n' +
      'muster: PID 4194304: no such process; `muster ps` lists those there are\n',
  )
  expect(await Promise.all(ends)).toEqual([
    [null, 'SIGUSR1'],
    [null, 'SIGUSR1'],
  ])
  const json = await muster(['signal', '0', '--json', `${process.pid}`, '4194304'])
  expect(json).toMatchObject({ code: 5, stderr: '' })
  expect(JSON.parse(json.stdout)).toEqual([
    { pid: process.pid, ok: true },
    {
      pid: 4194304,
      ok: false,
      error: { code: 'PROCESS_GONE', message: expect.stringMatching(/^PID 4194304: no such process/) },
    },
  ])
})

test('what is wrong is named with the way out, and nothing is done', async () => {
  const { pid } = await startProcess('idle')
  expect(await refused(3, 'signal', 'TREM', pid)).toMatch(
    /^muster: SIGNAL: unknown signal "TREM"; use .*SIGTERM/,
  )
  expect(await refused(3, 'signal', '-9', '1')).toMatch(
    /"-9" is no signal; it is written without a dash: "9"/,
  )
  expect(await refused(2, 'signal', 'TERM')).toMatch(/missing required argument 'pid'/)
  expect(await refused(2, 'signal', 'TERM', pid, '--tree', '--session')).toMatch(
    /--tree and --session .*one of them/,
  )
  expect(await refused(4, 'nice', '20', pid, 'x')).toBe(
    'muster: N "20" is out of range; give a nice value from -20 (first) to 19 (last)\n' +
      'muster: PID "x" is not a whole number; give a PID from 1 to 4194304\n',
  )
  expect(await refused(2, 'sched', pid, '--policy', 'rr')).toMatch(
    /needs a --priority; give one from 1 to 99/,
  )
  expect(await refused(3, 'ionice', pid, '-c', 'idel')).toMatch(
    /"idel" is no I\/O class \(did you mean "idle"\?\)/,
  )
  expect(await refused(3, 'limit', pid, 'nofile=many', 'nofiles=1')).toMatch(
    /"many" is no value; give a whole number, or unlimited\n.*"nofiles" is no resource \(did you mean "nofile"\?\)/,
  )
  expect(await refused(4, 'stop', pid, '--signal', '0')).toBe(
    'muster: --signal "0" only asks and ends nobody; give one like TERM, INT or QUIT\n',
  )
  expect(await refused(4, 'cap', pid, '--memory', '0', '--memory-high', '0K')).toMatch(
    /--memory "0" leaves no memory at all; give .* unlimited for no limit\n.*--memory-high "0K" leaves/,
  )
  expect(await refused(4, 'cap', pid, '--memory', '500')).toMatch(
    /--memory "500" is 500 B, less than any process takes; give a size such as 500M/,
  )
  for (const list of ['0-999999999', '1-0', 'x']) {
    expect(await refused(3, 'affinity', '--cpus', list, pid)).toMatch(
      `--cpus "${list}" is no list of processors; use numbers and ranges like 0-3,8`,
    )
  }
  expect(await refused(4, 'limit', pid, 'nofile=9:8')).toMatch(
    /above the hard one; give a soft one of at most 8/,
  )
  expect(await refused(2, 'cap', pid)).toMatch(/no limit is given; give --memory/)
  expect(await refused(3, 'cap', pid, '--memory', 'much')).toMatch(
    /--memory "much" is no size; give bytes, 500M/,
  )
  expect(await refused(3, 'cgroup', 'freeze', '../web')).toMatch(/"\.\.\/web" is no path .* like \/web\/api/)
})

// A pid namespace has none.
const hasKernelThreads = existsSync('/proc/2/comm') && readFileSync('/proc/2/comm', 'utf8') === 'kthreadd\n'

test.runIf(hasKernelThreads)('a refusal says what is protected: here a kernel thread', async () => {
  expect(await refused(6, 'signal', '0', 2)).toBe(
    'muster: process 2 is a kernel thread, and is refused; give --force if you mean it\n',
  )
})

test('limits are shown by one table, and the limit that was crossed is named', async () => {
  const { pid } = await startProcess('idle')
  await done('limit', pid, 'nofile=64:128', 'core=0:1M')
  const [of, ...lines] = (await done('limit', pid)).split('\n')
  expect(of).toBe(`${pid}:`)
  expect(lines.join('\n')).toBe(await done('limits', pid))
  expect(lines).toContainEqual(expect.stringMatching(/^core +0 +1\.0M$/))
  expect(await refused(4, 'limit', pid, 'nofile=129')).toBe(
    `muster: the soft limit 129 of nofile is above the hard one of process ${pid}, 128; give less, or both\n`,
  )
})

test('--json tells what held before and what holds now', async () => {
  const { pid } = await startProcess('idle')
  const changed = async (...args: (string | number)[]) => JSON.parse(await done(...args, '--json'))
  expect(await changed('nice', 7, pid)).toEqual([{ pid, ok: true, was: 0, now: 7 }])
  expect(await changed('oom', 500, pid)).toMatchObject([{ now: 500 }])
  const first = /\d+/.exec(run('taskset', '-cp', pid).replace(/.*: /, ''))![0]
  // A processor that is not there is left out by the kernel.
  expect(await changed('affinity', '--cpus', `${first},1000`, pid)).toEqual([
    { pid, ok: true, was: expect.stringMatching(/^\d/), now: first },
  ])
})

test('a tree, children first, and a graceful end of all of it', async () => {
  const shell = spawn('sh', ['-c', 'sleep 300 & sleep 300 & wait'], { detached: true })
  try {
    const children = await waitFor(async () => {
      const found = await childrenOf(shell.pid!)
      return found.length === 2 && found
    })
    const asked = JSON.parse(await done('signal', 'CONT', shell.pid!, '--tree', '--json')) as {
      pid: number
    }[]
    expect(asked.map(({ pid }) => pid)).toEqual([...children.sort((a, b) => b - a), shell.pid])
    const ended = once(shell, 'exit')
    const lines = (await done('stop', '--tree', shell.pid!, '--grace', 20)).trimEnd().split('\n')
    expect(lines.map((line) => line.replace(/ after .*/, '')).sort()).toEqual(
      [...children, shell.pid].map((pid) => `${pid}: ended by SIGTERM`).sort(),
    )
    expect(await ended).toEqual([null, 'SIGTERM'])
    expect(children.filter((pid) => existsSync(`/proc/${pid}/exe`))).toEqual([])
  } finally {
    shell.kill('SIGKILL')
  }
})

async function childrenOf(parent: number): Promise<number[]> {
  const text = await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8')
  return text.trim().split(' ').filter(Boolean).map(Number)
}

test('stop: who is deaf to SIGTERM is killed after the grace time', async () => {
  const deaf = await startProcess('idle', { ignoreTerm: true })
  const willing = await startProcess('idle')
  const ends = Promise.all([once(deaf.child, 'exit'), once(willing.child, 'exit')])
  const stopped = JSON.parse(await done('stop', deaf.pid, willing.pid, '--grace', 0.3, '--json'))
  expect(stopped).toEqual([
    { pid: deaf.pid, ok: true, endedBy: 'SIGKILL', tookMs: expect.any(Number) },
    { pid: willing.pid, ok: true, endedBy: 'SIGTERM', tookMs: expect.any(Number) },
  ])
  expect(stopped[0].tookMs).toBeGreaterThanOrEqual(300)
  expect((await ends).map(([, signal]) => signal)).toEqual(['SIGKILL', 'SIGTERM'])
})

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s while a tree is held leaves nobody stopped',
  async (signal) => {
    const script = 'for i in $(seq 150); do sleep 300 & done; echo up; wait'
    const shell = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
    try {
      await once(shell.stdout, 'data')
      // It is held for milliseconds: one of some tries meets it then.
      await waitFor(
        async () => {
          const held = new Run(['signal', 'WINCH', '--tree', String(shell.pid)])
          let isOver = false
          held.ended.then(() => {
            isOver = true
          })
          const isHeld = async () => isOver || (await readState(shell.pid!)) === 'T'
          await waitFor(isHeld, { intervalMs: 1, timeoutMs: 30_000 })
          held.child.kill(signal)
          return (await held.ended).signal === signal
        },
        { timeoutMs: 40_000 },
      )
      const states = await Promise.all([shell.pid!, ...(await childrenOf(shell.pid!))].map(readState))
      expect(states).toHaveLength(151)
      expect(states).not.toContain('T')
    } finally {
      process.kill(-shell.pid!, 'SIGKILL')
    }
  },
)

test.runIf(root)('scheduling as chrt, taskset and ionice see it', async () => {
  const { pid } = await startProcess('idle', { threads: 1 })
  expect(await done('nice', -3, pid)).toBe(`${pid}: nice -3 (was 0)\n`)
  expect(run('ps', '-o', 'ni=', '-p', pid)).toBe('-3')
  expect(await done('ionice', '-c', 'best-effort', '-n', 6, pid)).toMatch(`${pid}: I/O best-effort 6`)
  expect(run('ionice', '-p', pid)).toBe('best-effort: prio 6')
  expect(await done('ionice', pid)).toBe(`${pid}: best-effort 6\n`)
  const last = cpus().length - 1
  expect(await done('affinity', '--cpus', `${last},1000`, pid)).toMatch(
    new RegExp(`^${pid}: processors ${last} \\(was `),
  )
  expect(run('taskset', '-pc', pid)).toMatch(new RegExp(`: ${last}$`))
  await done('oom', 321, pid)
  expect(await readFile(`/proc/${pid}/oom_score_adj`, 'utf8')).toBe('321\n')
  // What the kernel made of it is told, not what was asked for.
  expect(await done('sched', pid, '--policy', 'batch', '--timer-slack', 70_000)).toMatch(
    new RegExp(`^${pid}: policy batch, .*timer slack 70000 ns`),
  )
  expect(run('chrt', '-p', pid)).toMatch(/SCHED_BATCH/)
  const shown = JSON.parse(await done('sched', pid, '--threads', '--json'))
  const now = {
    policy: 'batch',
    nice: -3,
    ioLevel: 6,
    processors: [last],
    timerSlackNs: 70_000,
    oomScoreAdj: 321,
  }
  expect(shown).toMatchObject([{ pid, ok: true, threads: [now, now] }])
  expect(await refused(3, 'affinity', '--cpus', 8000, pid)).toMatch(/none of these processors is there/)
})

test('limits as prlimit sees them; sizes with units', async () => {
  const { pid } = await startProcess('idle')
  expect(await done('limit', pid, 'nofile=50:60', 'as=1GiB', 'core=:0')).toBe(
    `${pid}: nofile 50:60\n${pid}: as ${2 ** 30}:unlimited\n${pid}: core 0:0\n`,
  )
  const seen = run('prlimit', '-p', pid, '--nofile', '--as', '-o', 'SOFT,HARD', '--noheadings')
  expect(seen.split('\n').map((line) => line.trim().split(/ +/))).toEqual(
    expect.arrayContaining([
      ['50', '60'],
      [String(2 ** 30), 'unlimited'],
    ]),
  )
  expect(await done('limit', pid)).toMatch(/^nofile +50 +60$/m)
  expect(await refused(4, 'limit', pid, 'nofile=61')).toMatch(/the soft limit 61 .* hard one .*, 60;/)
})

test.runIf(root)('without privileges own processes obey; others, and going back, are refused', async () => {
  const own = await startProcess('idle', { uid: NOBODY })
  const others = await startProcess('idle')
  const as = (...args: (string | number)[]) => muster(args.map(String), { uid: NOBODY })
  expect(await as('nice', 5, own.pid, others.pid)).toMatchObject({
    code: 6,
    stdout: `${own.pid}: nice 5 (was 0)\n`,
    stderr: expect.stringMatching(`^muster: set nice 5: no permission for process ${others.pid} .*EPERM`),
  })
  expect(await as('nice', 0, own.pid)).toMatchObject({ code: 6, stdout: '' })
  expect(await as('sched', own.pid, '--policy', 'fifo', '--priority', 1)).toMatchObject({
    code: 6,
    stderr: expect.stringContaining('CAP_SYS_NICE'),
  })
  const cgroup = await as('cgroup', 'create', '/procmuster-nobody', '--memory', '1G')
  expect([1, 6]).toContain(cgroup.code)
  expect(await as('stop', others.pid)).toMatchObject({ code: 6, stdout: '' })
  expect(await as('stop', own.pid)).toMatchObject({ code: 0, stderr: '' })
})

const { mode } = await detectCgroups()
const groups = (await controlGroupRoot()) !== undefined
if (!groups) console.warn('SKIPPED, caps and control groups: none can be made here; run as root')

test.runIf(groups)('a cap holds, and is taken away by another command', async () => {
  const { pid } = await startProcess('idle')
  const before = await readFile(`/proc/${pid}/cgroup`, 'utf8')
  const [capped] = JSON.parse(
    await done('cap', pid, '--memory', '64M', '--cpu', '50%', '--pids', 20, '--json'),
  )
  expect(capped).toMatchObject({ pid, ok: true, moved: [pid] })
  const values = await Promise.all(
    (capped.directories as string[]).flatMap((directory) =>
      ['memory.max', 'memory.limit_in_bytes', 'pids.max'].map((file) =>
        readFile(`${directory}/${file}`, 'utf8').catch(() => ''),
      ),
    ),
  )
  expect(values).toEqual(expect.arrayContaining([`${64 * MIB}\n`, '20\n']))
  expect(await done('uncap', pid)).toMatch(`${pid}: back in /`)
  expect(await readFile(`/proc/${pid}/cgroup`, 'utf8')).toBe(before)
  expect((capped.directories as string[]).filter(existsSync)).toEqual([])
  expect(await refused(5, 'uncap', pid)).toBe(`muster: process ${pid} has no cap\n`)
  expect(await done('uncap', '--help')).toMatch(/without a cap .* exit code 5/)
})

test.runIf(groups)('a control group from its making to its end', async () => {
  const { pid, child } = await startProcess('idle')
  const path = `/procmuster-cli-${process.pid}`
  expect(await done('cgroup')).toContain(mode)
  try {
    expect(await done('cgroup', 'create', path, '--memory', '100M', '--cpu', '150%')).toMatch(
      `${path}: made in /`,
    )
    await refused(5, 'cgroup', 'create', `${path}/half`, '--io', '9999:9999,rbps=1M')
    expect(await refused(5, 'cgroup', `${path}/half`)).toMatch(/there is no control group/)
    await done('cgroup', 'move', path, pid)
    expect(await done('cgroup', path)).toMatch(
      new RegExp(`limits: +memory 100 MiB.*CPU 150 %[^]*processes: ${pid}\n$`),
    )
    await done('cgroup', 'freeze', path)
    await done('cgroup', 'thaw', path)
    expect(await refused(1, 'cgroup', 'remove', path)).toMatch(/EBUSY.*kill or move them first/)
    const set = JSON.parse(await done('cgroup', 'set', path, '--cpu', 'unlimited', '--json'))
    expect(set).toMatchObject({
      path,
      ok: true,
      limits: { memoryMaxBytes: 100 * MIB, cpuQuotaPercent: 'unlimited' },
    })
    const ended = once(child, 'exit')
    await done('cgroup', 'kill', path)
    expect(await ended).toEqual([null, 'SIGKILL'])
  } finally {
    await muster(['cgroup', 'remove', '--recursive', path])
  }
  for (const action of ['show', 'freeze', 'kill', 'remove']) {
    expect(await refused(5, 'cgroup', action, path)).toMatch(
      new RegExp(
        `^muster: there is no control group "${path}" below /.+; \`muster info PID\` names those of a`,
      ),
    )
  }
})

test.runIf(groups)('the root of the control groups can be looked at, and nothing else', async () => {
  expect(await done('cgroup', 'show', '/')).toMatch(/^\/ \(.+\)\n( {2}.+\n)* {2}use: +[^-]/)
  for (const action of ['freeze', 'kill', 'remove']) {
    expect(await refused(3, 'cgroup', action, '/')).toMatch(/"\/" is the root .* give a group below it/)
  }
  await refused(3, 'cgroup', 'create', '/')
})
