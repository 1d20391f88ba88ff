import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Cgroup, detectCgroups, lockFile } from '../../dist/index.js'
import { canConfine, runConfined } from '../fixtures/confined_node.js'
import { controlGroupRoot } from '../fixtures/control_group.js'
import { readState, waitFor } from '../fixtures/processes.js'
import { endRuns, MUSTER, muster, Run } from './muster.js'

const root = process.getuid!() === 0
const groups = (await controlGroupRoot()) !== undefined
if (!groups)
  console.warn('SKIPPED, running under a limit of memory: no control group can be made here; run as root')
const canMount = canConfine('hidepid', 'a job that /proc hides')
let base: string
let env: Record<string, string>
const at = (name: string) => join(base, name)

interface Job {
  name: string
  pid: number
  state: string
  log: string
  stoppedBy: string | null
  keeper: { pid: number }
}
const jobs = async (): Promise<Job[]> =>
  JSON.parse((await muster(['jobs', '--json'], { env })).stdout) as Job[]
const background = async (args: string[]): Promise<Job> => {
  const { code, stdout, stderr } = await muster(['run', '-b', '--json', ...args], { env })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout) as Job
}

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'muster-run-'))
  await chmod(base, 0o755)
  env = { XDG_STATE_HOME: at('state') }
})
afterEach(async () => {
  await endRuns()
  const left = (await jobs()).filter(({ state }) => state !== 'ended').map(({ name }) => name)
  if (left.length > 0) await muster(['jobs', 'stop', '--grace', '0', ...left], { env })
  await muster(['jobs', 'clean'], { env })
  await rm(base, { recursive: true })
})

describe('muster run', () => {
  test('passes on output, exit code and signal of the program', async () => {
    const plain = await muster(['run', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7'])
    expect(plain).toMatchObject({ code: 7, stdout: 'out\n', stderr: 'err\n' })
    const killed = await muster(['run', '--', 'sh', '-c', 'kill -KILL $$'])
    expect(killed).toMatchObject({ code: 137, stderr: 'muster: sh was ended by SIGKILL\n' })
    expect(await muster(['run', 'true'])).toMatchObject({ code: 0, stdout: '', stderr: '' })
    // What follows the program is its own, even where muster has such a flag.
    const own = ['sh', '-c', 'echo "$@"', 'sh', '--nice', '5', '--help', '--', '-x']
    expect((await muster(['run', ...own])).stdout).toBe('--nice 5 --help -- -x\n')
    expect(await muster(['run', '--bogus', 'true'])).toMatchObject({
      ...{ code: 2, stderr: expect.stringMatching(/'--bogus'/) },
    })
  })

  test('says what it used, for people and as JSON', async () => {
    const { stderr } = await muster(['run', '--usage', '--', 'sh', '-c', 'exit 3'])
    expect(stderr).toMatch(
      /^muster: sh ended with code 3 after [\d.]+ [mu]?s; cpu [\d.]+s user, [\d.]+s system \(\d+%\); peak memory /,
    )
    const json = await muster(['run', '--json', '--', 'sh', '-c', 'kill -TERM $$'])
    expect(json.code).toBe(143)
    expect(JSON.parse(json.stderr)).toMatchObject({
      ...{ program: 'sh', pid: expect.any(Number), exitCode: null, signal: 'SIGTERM', coreDumped: false },
      ...{ lifetimeMs: expect.any(Number), use: { userTimeMs: expect.any(Number), peakRssBytes: null } },
    })
  })

  test('gives it environment, directory, umask, limits, nice, I/O class, processors', async () => {
    const script =
      'echo $A:$PWD:$(umask):$(ulimit -Sn):$(ulimit -Hn):$(nice); grep NoNewPrivs /proc/self/status; env | wc -l'
    const { stdout, stderr } = await muster([
      ...['run', '--clear-env', '--env', 'A=b=c', '--env', `PATH=${process.env.PATH}`, '--dir', base],
      ...['--umask', '027', '--limit', 'nofile=33:44', '--limit', 'core=0', '--nice', '7'],
      ...['--ionice', 'best-effort:7', '--affinity', '0', '--no-new-privileges', '--', 'sh', '-c', script],
    ])
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^b=c:(.*):0?027:33:44:7\nNoNewPrivs:\t1\n3\n$/)
    expect(stdout).toContain(base)
    // Without the flag it is not set.
    expect((await muster(['run', '--', 'grep', 'NoNewPrivs', '/proc/self/status'])).stdout).toBe(
      'NoNewPrivs:\t0\n',
    )
  })

  test('passes signals on', async () => {
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGINT'] as const) {
      const script = `trap 'echo got; exit 9' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`
      const run = new Run(['run', '--', 'sh', '-c', script])
      await run.said(/ready/)
      run.child.kill(signal)
      expect(await run.ended).toMatchObject({ code: 9, stdout: 'ready\ngot\n' })
    }
  })

  test('of a terminal it has the input, and Ctrl-C reaches it once', async () => {
    const script = at('script')
    await writeFile(
      script,
      `trap 'echo once' INT
       read line; echo ready $line
       i=0; while [ $i -lt 12 ]; do sleep 0.05; i=$((i+1)); done; exit 4`,
    )
    // By whatever shell: one that stayed would be interrupted too.
    const command = `exec '${process.execPath}' '${MUSTER}' run -- sh '${script}'`
    const terminal = spawn('script', ['-qec', command, '/dev/null'])
    let output = ''
    terminal.stdout.setEncoding('utf8').on('data', (chunk) => {
      output += chunk
    })
    terminal.stdin.write('hello\n')
    await waitFor(() => output.includes('ready hello'), { what: `ready in ${JSON.stringify(output)}` })
    terminal.stdin.write('\x03')
    const [code] = await once(terminal, 'exit')
    expect(code).toBe(4)
    expect(output.match(/once/g)).toHaveLength(1)
  })

  test('in the background of a terminal, whose Ctrl-C reaches neither, kill -INT is passed on', async () => {
    const script = at('script')
    await writeFile(
      script,
      `trap 'echo got; exit 9' INT
       echo pid $PPID
       i=0; while [ $i -lt 200 ]; do sleep 0.05; i=$((i+1)); done`,
    )
    const command = `set -m; '${process.execPath}' '${MUSTER}' run -- sh '${script}' & wait; echo code $?`
    const terminal = spawn('script', ['-qec', `bash -c "${command.replaceAll('$', '\\$')}"`, '/dev/null'])
    let output = ''
    terminal.stdout.setEncoding('utf8').on('data', (chunk) => {
      output += chunk
    })
    const [, pid] = await waitFor(() => /pid (\d+)/.exec(output), {
      what: `pid in ${JSON.stringify(output)}`,
    })
    process.kill(Number(pid), 'SIGINT')
    await once(terminal, 'exit')
    expect(output).toMatch(/got\r\n/)
  })

  test('what cannot be started, and what is no flag, is told in a line', async () => {
    await writeFile(at('text'), 'text', { mode: 0o755 })
    const ends = async (args: string[], code: number, message: RegExp) => {
      const ended = await muster(['run', ...args], { env })
      expect({ args, code: ended.code, stdout: ended.stdout }).toEqual({ args, code, stdout: '' })
      expect(ended.stderr).toMatch(message)
      expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1)
    }
    await ends(['no-such-program'], 127, /^muster: there is no program "no-such-program" in PATH/)
    await ends(['--', '/nowhere/\x1b[31m'], 127, /^muster: "\/nowhere\/\\\\?u001b\[31m" is not there/)
    await ends(['/etc/passwd'], 126, /^muster: "\/etc\/passwd" may not be executed/)
    await ends([at('text')], 126, /ENOEXEC/)
    await ends(['-b', 'no-such-program'], 127, /no program/)
    await ends(['--dir', '/nowhere', 'true'], 5, /working directory "\/nowhere"/)
    await ends(['--user', 'no-such-user', 'true'], 5, /no user "no-such-user"/)
    await ends(['--env', 'A', 'true'], 3, /--env "A" is no variable; give NAME=VALUE/)
    await ends(['--limit', 'nofil=3', 'true'], 3, /did you mean "nofile"/)
    await ends(['--limit', 'core=0', '--limit', 'core=1', 'true'], 2, /core is given twice/)
    await ends(['--nice', '20', 'true'], 4, /--nice "20" is out of range/)
    await ends(['--ionice', 'idel', 'true'], 3, /"idel" is no I\/O class \(did you mean "idle"\?\)/)
    await ends(['--ionice', 'idle:3', 'true'], 2, /has no level/)
    await ends(['--affinity', 'x', 'true'], 3, /--affinity "x" is no list/)
    await ends(['--umask', '9', 'true'], 3, /--umask "9"/)
    await ends(['--name', 'x', 'true'], 2, /--name is for a job; give -b/)
    await ends(['-b', '--name', '12', 'true'], 3, /--name "12" is no name of a job/)
    await ends(['-b', '--usage', 'true'], 2, /--usage is for the foreground/)
    expect(await jobs()).toEqual([])
    expect(await readdir(at('state/muster/jobs'))).toEqual(['.lock'])
  })

  test.runIf(groups)('under a limit of memory, in a group that goes with it', async () => {
    const group = await Cgroup.create(`/muster-run-${process.pid}`, { controllers: ['memory'] })
    try {
      const script = 'Buffer.alloc(500 << 20, 1)'
      // Where the kernel does not count swap, that could not be limited; without it the rest would go there.
      const memory = async (...swap: string[]) =>
        muster([
          'run',
          '--cgroup',
          group.path,
          '--memory',
          '100M',
          ...swap,
          '--',
          process.execPath,
          '-e',
          script,
        ])
      let ended = await memory('--swap', '0')
      if (ended.code === 1) ended = await memory()
      expect(ended).toMatchObject({
        code: 137,
        stderr: `muster: ${process.execPath} was ended by SIGKILL\nmuster: out of memory: the kernel's OOM killer ended one process of it (its limit is 100 MiB)\n`,
      })
      await writeFile(at('text'), 'text', { mode: 0o755 })
      const refused = await muster(['run', '--cgroup', group.path, '--memory', '100M', '--', at('text')])
      expect(refused).toMatchObject({ code: 126 })
      // Who outlives it sheds no limits by that.
      const inner = 'setsid sleep 100 >/dev/null 2>&1 & echo $!'
      const outer = await muster(['run', '--cgroup', group.path, '--memory', '100M', '--', 'sh', '-c', inner])
      const orphan = Number(outer.stdout)
      try {
        expect(await readFile(`/proc/${orphan}/cgroup`, 'utf8')).toMatch(
          /memory:.*procmuster-|0::.*procmuster-/,
        )
      } finally {
        process.kill(orphan, 'SIGKILL')
      }
      const job = await background(['--cgroup', group.path, '--memory', '100M', '--', 'sleep', '100'])
      expect(await readFile(`/proc/${job.pid}/cgroup`, 'utf8')).toContain(`procmuster-${job.pid}-`)
      // The group goes with the job, also while init has not waited for that yet.
      await muster(['jobs', 'stop', job.name], { env })
      for (const { mountPoint } of (await detectCgroups()).hierarchies) {
        const names = await readdir(mountPoint, { recursive: true })
        expect(names.filter((name) => name.includes(`procmuster-${job.pid}-`))).toEqual([])
      }
    } finally {
      await group.remove({ recursive: true })
    }
  })
})

describe('muster jobs', () => {
  test('a job is listed, suspended, continued, stopped and forgotten, with its pid file', async () => {
    const job = await background([
      '--name',
      'web',
      '--pid-file',
      at('pid'),
      '--',
      'sh',
      '-c',
      'sleep 100 & wait',
    ])
    expect((await stat(at('state/muster/jobs'))).mode & 0o777).toBe(0o700)
    expect(await readFile(at('pid'), 'utf8')).toBe(`${job.pid}\n`)
    expect(await jobs()).toMatchObject([{ name: 'web', pid: job.pid, state: 'running', program: 'sh' }])
    const { stdout } = await muster(['jobs'], { env })
    expect(stdout).toMatch(
      /^NAME +PID STATE +SINCE COMMAND +LOG\nweb +\d+ running +\d+s sh -c sleep 100 & wait +\//,
    )
    expect((await muster(['jobs', 'suspend', 'web'], { env })).stdout).toBe(
      `web (${job.pid}): suspended, 2 processes\n`,
    )
    await waitFor(async () => (await readState(job.pid)) === 'T')
    expect(await jobs()).toMatchObject([{ state: 'suspended' }])
    await muster(['jobs', 'continue', String(job.pid)], { env })
    await waitFor(async () => (await readState(job.pid)) === 'S')
    expect(await muster(['run', '-b', '--name', 'web', '--', 'true'], { env })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/a job "web" is there \(pid \d+\); give another --name/),
    })
    expect((await muster(['jobs', 'stop', 'web'], { env })).stdout).toMatch(
      /^web \(\d+\): ended by SIGTERM after/,
    )
    await waitFor(() => !existsSync(`/proc/${job.pid}`), { what: 'init to wait for it' })
    expect(existsSync(at('pid'))).toBe(false)
    expect(await jobs()).toMatchObject([{ state: 'ended', stoppedBy: 'SIGTERM' }])
    expect((await muster(['jobs', 'stop', 'web'], { env })).stdout).toBe(`web (${job.pid}): had ended\n`)
    expect(await muster(['jobs', 'suspend', 'web'], { env })).toMatchObject({ code: 5 })
    expect((await muster(['jobs', 'clean'], { env })).stdout).toBe('1 job forgotten\n')
    expect(await readdir(at('state/muster/jobs'))).toEqual(['.lock'])
    expect((await muster(['jobs'], { env })).stdout).toMatch(/^no jobs/)
    expect(await muster(['jobs', 'stop', 'web'], { env })).toMatchObject({
      code: 5,
      stderr: 'muster: there is no job "web"; muster jobs lists them\n',
    })
  })

  test('each has a name, and its own log or the one that is given', async () => {
    const [first, second] = [
      await background(['--', 'sleep', '100']),
      await background(['--', 'sleep', '100']),
    ]
    expect([first.name, second.name]).toEqual(['sleep', 'sleep-2'])
    const log = at('own.log')
    await writeFile(log, 'before\n')
    const own = await background(['--log', log, '--name', 'own', '--', 'sh', '-c', 'echo out; echo err >&2'])
    await waitFor(async () => (await readFile(log, 'utf8')) === 'before\nout\nerr\n')
    await waitFor(async () => (await jobs()).find(({ name }) => name === 'own')?.state === 'ended')
    expect(own.log).toBe(log)
    await muster(['jobs', 'clean'], { env })
    expect(existsSync(log)).toBe(true)
    expect((await jobs()).map(({ name }) => name)).toEqual(['sleep', 'sleep-2'])
  })

  test('many started at once all have names of their own', async () => {
    const started = await Promise.all(Array.from({ length: 8 }, () => background(['--', 'sleep', '100'])))
    expect(new Set(started.map(({ name }) => name)).size).toBe(8)
    expect((await jobs()).map(({ pid }) => pid).sort()).toEqual(started.map(({ pid }) => pid).sort())
  })

  test('of several that want a name, one has it, and its record stays; that of an ended job is taken over', async () => {
    const start = (...args: string[]) =>
      muster(['run', '-b', '--name', 'web', ...args, '--', 'sleep', '100'], { env })
    const log = ['--log', at('own.log')]
    for (const flags of [log, log, [], []]) {
      const results = await Promise.all([start(...flags), start(...flags), start(...flags)])
      expect(results.map(({ code }) => code).sort()).toEqual([0, 1, 1])
      for (const { code, stderr } of results) {
        if (code !== 0)
          expect(stderr).toMatch(/^muster: a job "web" is there \(pid \d+\); give another --name/)
      }
      const [job, ...more] = await jobs()
      expect({ job, more }).toMatchObject({ job: { name: 'web', state: 'running' }, more: [] })
      expect(existsSync(job!.log)).toBe(true)
      expect(results.find(({ code }) => code === 0)?.stdout).toContain(`pid ${job!.pid},`)
      await muster(['jobs', 'stop', 'web'], { env })
    }
  })

  test('while another muster starts one, jobs are neither started nor forgotten', async () => {
    await background(['--name', 'old', '--', 'true'])
    await waitFor(async () => (await jobs())[0]?.state === 'ended')
    const path = at('state/muster/jobs/.lock')
    const file = await open(path)
    expect(await lockFile(file, path, 0)).toBe(true)
    const clean = new Run(['jobs', 'clean'], { env })
    // It has opened what it waits for.
    await waitFor(async () => {
      const names = await readdir(`/proc/${clean.pid}/fd`).catch(() => [])
      const links = await Promise.all(
        names.map((fd) => readlink(`/proc/${clean.pid}/fd/${fd}`).catch(() => '')),
      )
      return links.includes(path)
    })
    expect(await jobs()).toMatchObject([{ name: 'old', state: 'ended' }])
    await file.close()
    expect((await clean.ended).stdout).toBe('1 job forgotten\n')
  })

  test('who is left in the session without the program is listed, suspended and ended', async () => {
    const pidsOf = async (log: string) => (await readFile(log, 'utf8')).trim().split('\n').map(Number)
    const script = 'sleep 100 & echo $!; (sleep 100 & echo $!)'
    const job = await background(['--name', 'left', '--', 'sh', '-c', script])
    await waitFor(async () => (await jobs())[0]?.state === 'orphaned')
    expect((await muster(['jobs', 'clean'], { env })).stdout).toBe('0 jobs forgotten\n')
    expect(await muster(['run', '-b', '--name', 'left', 'true'], { env })).toMatchObject({ code: 1 })
    const left = await pidsOf(job.log)
    expect((await muster(['jobs', 'suspend', 'left'], { env })).stdout).toMatch(/suspended, 2 processes/)
    for (const pid of left) await waitFor(async () => (await readState(pid)) === 'T')
    const attached = new Run(['jobs', 'attach', 'left', '-n', '0'], { env })
    expect((await muster(['jobs', 'stop', 'left'], { env })).stdout).toMatch(
      /^left \(\d+\): ended by SIGTERM/,
    )
    for (const pid of left) await waitFor(() => !existsSync(`/proc/${pid}`))
    expect((await attached.ended).code).toBe(0)
    expect(await jobs()).toMatchObject([{ state: 'ended', stoppedBy: 'SIGTERM' }])

    // Also beside a program that runs.
    const other = await background(['--name', 'both', '--', 'sh', '-c', `${script}; wait`])
    const more = await waitFor(async () => {
      const pids = await pidsOf(other.log)
      return pids.length === 2 && pids
    })
    await muster(['jobs', 'stop', 'both'], { env })
    for (const pid of [...more, other.pid]) await waitFor(() => !existsSync(`/proc/${pid}`))
  })

  test('one that starts itself again at SIGTERM is ended too, and a stubborn one does not count as time of another', async () => {
    // Each leaves an orphan in its session, far more often than there are rounds.
    const script = `trap '( sh "$0" & ) ; exit 0' TERM; echo $$; while :; do sleep 0.05; done`
    await writeFile(at('again.sh'), script)
    const again = await background(['--name', 'again', '--', 'sh', at('again.sh')])
    await background(['--name', 'calm', '--', 'sleep', '100'])
    const stubborn = `trap '' TERM; echo up; while :; do sleep 0.1; done`
    const deaf = await background(['--name', 'deaf', '--', 'sh', '-c', stubborn])
    for (const { log } of [again, deaf]) await waitFor(async () => (await readFile(log, 'utf8')) !== '')

    const alone = await muster(['jobs', 'stop', 'again'], { env })
    expect(alone).toMatchObject({ code: 0, stdout: expect.stringMatching(/^again \(\d+\): ended by/) })
    expect(await jobs()).toMatchObject([{ state: 'ended' }, { state: 'running' }, { state: 'running' }])
    const pids = (await readFile(again.log, 'utf8')).trim().split('\n').map(Number)
    expect(pids.length).toBeGreaterThan(1)
    for (const pid of pids) await waitFor(() => !existsSync(`/proc/${pid}`))

    const { stdout } = await muster(['jobs', 'stop', '--json', '--grace', '2', 'calm', 'deaf'], { env })
    const [calm, killed] = JSON.parse(stdout) as { endedBy: string; tookMs: number }[]
    expect([calm, killed]).toMatchObject([{ endedBy: 'SIGTERM' }, { endedBy: 'SIGKILL' }])
    expect(calm!.tookMs).toBeLessThan(2000)
    expect(killed!.tookMs).toBeGreaterThan(1990)
  })

  test.runIf(canMount)(
    'one that /proc hides is unknown, and the others are listed all the same',
    async () => {
      const job = await background(['--name', 'hidden', '--', 'sleep', '100'])
      const kept = JSON.parse(await readFile(at('state/muster/jobs/hidden.json'), 'utf8')) as object
      const record = { ...kept, ownLog: false }
      const directory = at('theirs/muster/jobs')
      await mkdir(directory, { recursive: true, mode: 0o755 })
      await writeFile(join(directory, 'hidden.json'), JSON.stringify(record))
      await writeFile(
        join(directory, 'old.json'),
        JSON.stringify({ ...record, name: 'old', bootId: 'another' }),
      )
      for (const path of [directory, join(directory, 'hidden.json'), join(directory, 'old.json')]) {
        await chown(path, 65534, 65534)
      }
      await chmod(directory, 0o700)
      const inside = (...args: string[]) => {
        const script = `process.env.XDG_STATE_HOME = ${JSON.stringify(at('theirs'))}
        process.argv.splice(1, Infinity, ...${JSON.stringify([MUSTER, ...args])})
        await import(${JSON.stringify(MUSTER)})`
        return runConfined('hidepid', ['--input-type=module', '-e', script])
      }
      expect(JSON.parse((await inside('jobs', '--json')).stdout)).toMatchObject([
        { name: 'hidden', pid: job.pid, state: 'unknown' },
        { name: 'old', state: 'ended' },
      ])
      for (const action of ['stop', 'suspend', 'attach']) {
        expect(await inside('jobs', action, 'hidden'), action).toMatchObject({
          ...{ code: action === 'attach' ? 1 : 6, stderr: expect.stringMatching(/^muster: [^\n]+\n$/) },
        })
      }
      expect((await inside('jobs', 'clean')).stdout).toBe('1 job forgotten\n')
      expect(await readState(job.pid)).toBe('S')
    },
  )

  test('attach shows the last lines and what comes, until the job ends', async () => {
    const script = `i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo line $i; done; while [ ! -e '${at('go')}' ]; do sleep 0.02; done; echo last`
    const job = await background(['--name', 'talker', '--', 'sh', '-c', script])
    await waitFor(async () => (await readFile(job.log, 'utf8')).includes('line 20\n'))
    const run = new Run(['jobs', 'attach', 'talker', '-n', '2'], { env })
    await run.said(/line 20/)
    const other = new Run(['jobs', 'attach', 'talker', '-n', '0'], { env })
    await writeFile(at('go'), '')
    expect(await run.ended).toMatchObject({
      ...{ code: 0, stdout: 'line 19\nline 20\nlast\n' },
      stderr: `muster: talker (${job.pid}): exited 0\n`,
    })
    expect((await other.ended).stdout).toMatch(/^(last\n)?$/)
    const after = await muster(['jobs', 'attach', 'talker'], { env })
    expect(after.stdout.split('\n').slice(0, 2)).toEqual(['line 12', 'line 13'])
  })

  test('how a job ended while nobody looked is kept; wait ends with its code', async () => {
    const states = async () => (await muster(['jobs'], { env })).stdout
    await background(['--name', 'failed', '--', 'sh', '-c', 'exit 3'])
    // Has ended before its starter could become the keeper, or after it.
    await background(['--name', 'quick', '--', 'true'])
    const killed = await background(['--name', 'killed', '--', 'sleep', '100'])
    const waiting = new Run(['jobs', 'wait', 'killed'], { env })
    process.kill(killed.pid, 'SIGKILL')
    expect(await waiting.ended).toMatchObject({ code: 137, stdout: '', stderr: '' })
    const text = await states()
    for (const line of [/^failed .* exited 3 /m, /^quick .* exited 0 /m, /^killed .* killed by KILL /m]) {
      expect(text).toMatch(line)
    }
    expect(await muster(['jobs', 'wait', 'failed'], { env })).toMatchObject({ code: 3, stderr: '' })
    expect((await muster(['jobs', 'wait', 'quick', '--json'], { env })).stdout).toMatch(
      /"exit":{"exitCode":0,"signal":null,"coreDumped":false,"endedAtMs":\d+}/,
    )
    // A later job of that name takes nothing over.
    await background(['--name', 'failed', '--', 'sleep', '100'])
    expect((await jobs()).find(({ name }) => name === 'failed')).toMatchObject({
      state: 'running',
      exit: null,
    })
  })

  test('where the keeper was killed the code is unknown, and nothing else is taken for it', async () => {
    const job = await background(['--name', 'web', '--', 'sleep', '100'])
    const [{ keeper }] = (await jobs()) as [Job]
    const parent = (await readFile(`/proc/${job.pid}/stat`, 'latin1')).split(' ')[3]
    expect(parent).toBe(String(keeper.pid))
    await waitFor(async () => (await readFile(`/proc/${keeper.pid}/comm`, 'latin1')) === 'muster-keeper\n')
    // It holds nothing that somebody may wait for.
    const descriptors = await readdir(`/proc/${keeper.pid}/fd`)
    const targets = await Promise.all(descriptors.map((fd) => readlink(`/proc/${keeper.pid}/fd/${fd}`)))
    expect(targets).toEqual(['/dev/null', '/dev/null', '/dev/null'])
    process.kill(keeper.pid, 'SIGKILL')
    process.kill(job.pid, 'SIGKILL')
    expect(await muster(['jobs', 'wait', 'web'], { env })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^muster: web \(\d+\) has ended, with what code is unknown: .*\n$/),
    })
    expect((await muster(['jobs'], { env })).stdout).toMatch(/^web .* ended, code unknown /m)
  })

  test('a job is kept where who started it was killed meanwhile', async () => {
    const kept = spawn(
      process.execPath,
      [MUSTER, 'run', '-b', '--kept', '--name', 'web', '--', 'sh', '-c', 'exit 3'],
      {
        ...{ env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe', 'pipe'] },
      },
    )
    kept.stdio[3]!.destroy()
    await once(kept, 'close')
    expect(await muster(['jobs', 'wait', 'web'], { env })).toMatchObject({ code: 3, stderr: '' })
  })

  test('a record that cannot be written is told with its path, and nothing is started', async () => {
    await jobs()
    await mkdir(at('state/muster/jobs/web.json.new'))
    const { code, stderr } = await muster(['run', '-b', '--name', 'web', '--', 'touch', at('run')], { env })
    expect(code).toBe(7)
    expect(stderr).toBe(
      `muster: the record of job "web" cannot be written: "${at('state/muster/jobs/web.json')}" (EISDIR)\n`,
    )
    expect(existsSync(at('run'))).toBe(false)
  })

  test('a wait is left by a signal, and the job goes on', async () => {
    const job = await background(['--name', 'web', '--', 'sleep', '100'])
    const waiting = new Run(['jobs', 'wait', 'web'], { env })
    // Its handler is there before it looks at the job.
    await waitFor(async () => {
      const fds = await readdir(`/proc/${waiting.pid}/fdinfo`)
      const infos = fds.map((fd) => readFile(`/proc/${waiting.pid}/fdinfo/${fd}`, 'latin1').catch(() => ''))
      return (await Promise.all(infos)).some((info) => info.includes(`Pid:\t${job.pid}\n`))
    })
    waiting.child.kill('SIGTERM')
    expect((await waiting.ended).code).toBe(143)
    expect(await jobs()).toMatchObject([{ state: 'running' }])
  })

  test('Ctrl-C detaches, and the job goes on', async () => {
    const job = await background(['--name', 'talker', '--', 'sh', '-c', 'echo here; sleep 100'])
    const run = new Run(['jobs', 'attach', 'talker'], { env })
    await run.said(/here/)
    run.child.kill('SIGINT')
    expect(await run.ended).toMatchObject({
      ...{ code: 130, stderr: `muster: detached from talker (${job.pid}), which goes on\n` },
    })
    expect(await readState(job.pid)).toBe('S')
    const stopped = new Run(['jobs', 'attach', 'talker'], { env })
    await stopped.said(/here/)
    await muster(['jobs', 'stop', 'talker'], { env })
    expect((await stopped.ended).code).toBe(0)
  })

  test('a pid that is another’s by now, or of an earlier boot, is no job', async () => {
    const job = await background(['--name', 'old', '--', 'sleep', '100'])
    const file = at('state/muster/jobs/old.json')
    const record = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
    for (const change of [{ startTicks: Number(record.startTicks) - 1 }, { bootId: 'another' }]) {
      await writeFile(file, JSON.stringify({ ...record, ...change }))
      expect(await jobs()).toMatchObject([{ name: 'old', state: 'ended' }])
      expect((await muster(['jobs', 'stop', 'old'], { env })).stdout).toBe(`old (${job.pid}): had ended\n`)
      expect(await readState(job.pid)).toBe('S')
    }
    await writeFile(file, JSON.stringify(record))
    expect(await jobs()).toMatchObject([{ state: 'running' }])
  })

  test('a directory that others may use, and files that are no jobs', async () => {
    await background(['--name', 'ok', '--', 'sleep', '100'])
    await writeFile(at('state/muster/jobs/broken.json'), '{')
    await writeFile(at('state/muster/jobs/list.json'), '[1]')
    expect((await jobs()).map(({ name }) => name)).toEqual(['ok'])
    await chmod(at('state/muster/jobs'), 0o755)
    expect(await muster(['jobs'], { env })).toMatchObject({
      code: 7,
      stderr: expect.stringMatching(/chmod 700/),
    })
    await chmod(at('state/muster/jobs'), 0o700)
    const unusable = { env: { XDG_STATE_HOME: '/etc/passwd' } }
    expect(await muster(['run', '-b', 'true'], unusable)).toMatchObject({
      ...{ code: 7, stderr: expect.stringMatching(/cannot be used \(ENOTDIR\); set XDG_STATE_HOME/) },
    })
  })

  test('hostile arguments are escaped', async () => {
    await background(['--', 'sh', '-c', 'sleep 100', '\x1b[31mred\nline'])
    const { stdout } = await muster(['jobs'], { env })
    expect(stdout).not.toContain('\x1b')
    expect(stdout.trimEnd().split('\n')).toHaveLength(2)
  })

  // Needs root: another user.
  test.runIf(root)('another user has jobs of its own', async () => {
    await chmod(base, 0o777)
    const theirs = { uid: 65534, env: { XDG_STATE_HOME: at('theirs') }, cwd: '/' }
    await background(['--', 'sleep', '100'])
    const { code, stdout } = await muster(['run', '-b', '--', 'sleep', '100'], theirs)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^sleep: pid \d+, log /)
    expect((await muster(['jobs', 'stop', 'sleep'], theirs)).stdout).toMatch(/ended by SIGTERM/)
    expect(await muster(['jobs'], { ...theirs, env })).toMatchObject({ code: 7 })
  })
})
