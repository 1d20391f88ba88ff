import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import {
  chmod,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { dropPidFile, identify, lockFile, sendSignal, spawnProcess } from '../../dist/index.js'
import { canConfine, evaluateConfined } from '../fixtures/confined_node.js'
import { waitFor } from '../fixtures/processes.js'

const api = JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)
const canMount = canConfine('hidepid', '/proc with hidepid')
let base: string
let pidFile: string
const daemons: number[] = []

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'muster-daemon-'))
  pidFile = join(base, 'pid')
})
afterEach(async () => {
  for (const pid of daemons.splice(0)) {
    const identity = await identify(pid).catch(() => undefined)
    if (identity !== undefined) await sendSignal([identity], 'KILL')
  }
  await rm(base, { recursive: true })
})

async function daemon(script = 'exec sleep 100') {
  const child = await spawnProcess('sh', ['-c', script], {
    ...{ detached: true, pidFile, stdout: { file: join(base, 'log') } },
  })
  daemons.push(child.pid)
  return child
}

const vanished = (pid: number) => waitFor(() => !existsSync(`/proc/${pid}`), { what: `${pid} to vanish` })

describe('a daemon', () => {
  test('has a session, no terminal, a log, and lives on when its starter is killed', async () => {
    const script = `import { spawnProcess } from ${api}
      const child = await spawnProcess('sh', ['-c', 'echo started; while :; do sleep 0.05; echo on; done'], {
        env: { LD_PRELOAD: undefined }, detached: true, pidFile: ${JSON.stringify(pidFile)}, stdout: { file: ${JSON.stringify(join(base, 'log'))} },
      })
      console.log(child.pid)
      setInterval(() => {}, 1000)`
    const starter = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(starter.stdout, 'data')) as [Buffer]
    const pid = Number(line)
    daemons.push(pid)
    expect(await readFile(pidFile, 'utf8')).toBe(`${pid}\n`)
    starter.kill('SIGKILL')
    await once(starter, 'exit')
    const size = (await stat(join(base, 'log'))).size
    await waitFor(async () => (await stat(join(base, 'log'))).size > size, { what: 'its log to grow' })
    const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ')
    expect(fields.slice(3, 5)).toEqual([String(pid), '0'])
    expect(await readlink(`/proc/${pid}/fd/0`)).toBe('/dev/null')
    expect(await readlink(`/proc/${pid}/fd/2`)).toBe(join(base, 'log'))

    // Its pid file protects it while it lives, and is replaced when it has ended.
    await expect(daemon()).rejects.toMatchObject({
      code: 'BUSY',
      message: expect.stringContaining(`process ${pid}, which it names, is running`),
    })
    expect(await readFile(pidFile, 'utf8')).toBe(`${pid}\n`)
    await sendSignal([await identify(pid)], 'KILL')
    await vanished(pid)
    expect(existsSync(pidFile)).toBe(true)
    const next = await daemon()
    expect(await readFile(pidFile, 'utf8')).toBe(`${next.pid}\n`)
    expect(await readdir(base)).toEqual(['log', 'pid'])
  })

  test('is waited for while its starter lives, and its pid file goes with it', async () => {
    const child = await daemon('exit 3')
    expect(await child.exited).toMatchObject({ exitCode: 3 })
    expect(existsSync(`/proc/${child.pid}`)).toBe(false)
    await waitFor(() => !existsSync(pidFile))
  })
})

describe('a pid file', () => {
  test('of a process that runs is left alone, whatever the clock says of its age', async () => {
    const other = await spawnProcess('sleep', ['100'])
    daemons.push(other.pid)
    await writeFile(pidFile, `${other.pid}\n`)
    // As after a clock was set forward: the process seems to have started after the file was written.
    for (const at of [new Date(), new Date(Date.now() - 3_600_000)]) {
      await utimes(pidFile, at, at)
      await expect(daemon()).rejects.toMatchObject({ code: 'BUSY' })
    }
    await sendSignal([await identify(other.pid)], 'KILL')
    await vanished(other.pid)
    const child = await daemon()
    expect(await readFile(pidFile, 'utf8')).toBe(`${child.pid}\n`)
  })

  test.runIf(canMount)('of a process that /proc hides is left alone', async () => {
    await chmod(base, 0o777)
    await writeFile(pidFile, `${process.pid}\n`)
    const script = `import { spawnProcess } from ${api}
      const refusal = await spawnProcess('true', [], { pidFile: ${JSON.stringify(pidFile)} }).catch((error) => error)
      console.log(JSON.stringify({ code: refusal.code, message: refusal.message }))`
    expect(await evaluateConfined('hidepid', script)).toMatchObject({
      ...{ code: 'BUSY', message: expect.stringMatching(/which it names, is running/) },
    })
    expect(await readFile(pidFile, 'utf8')).toBe(`${process.pid}\n`)
  })

  test('without a pid, or that is a link, is left alone', async () => {
    for (const content of ['', 'not a pid\n', '0\n', '-5\n', '99999999999\n', '\x1b[31m']) {
      await writeFile(pidFile, content)
      await expect(daemon()).rejects.toMatchObject({
        code: 'BUSY',
        message: expect.stringMatching(/holds no pid/),
      })
      expect(await readFile(pidFile, 'utf8')).toBe(content)
    }
    await rm(pidFile)
    // Nobody writes to it: opening it would wait for ever.
    expect(spawnSync('mkfifo', [pidFile]).status).toBe(0)
    await expect(daemon()).rejects.toMatchObject({ code: 'BUSY', message: expect.stringMatching(/no pid/) })
    await rm(pidFile)
    const target = join(base, 'target')
    await writeFile(target, 'precious\n')
    await symlink(target, pidFile)
    await expect(daemon()).rejects.toMatchObject({ name: 'ProcmusterError' })
    expect(await readFile(target, 'utf8')).toBe('precious\n')
  })

  test('is had by one of many that want it at the same time, stale or not', async () => {
    for (const content of [undefined, '4194304\n']) {
      await rm(pidFile, { force: true })
      if (content !== undefined) await writeFile(pidFile, content)
      const results = await Promise.allSettled(Array.from({ length: 20 }, () => daemon()))
      const [winner, ...more] = results.filter((result) => result.status === 'fulfilled')
      expect(more).toEqual([])
      expect(await readFile(pidFile, 'utf8')).toBe(`${winner!.value.pid}\n`)
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'BUSY' })
      }
      winner!.value.signal('KILL')
      await winner!.value.exited
      await waitFor(() => !existsSync(pidFile))
    }
  })

  test('of another process is not dropped', async () => {
    const child = await daemon()
    await writeFile(pidFile, '1\n')
    await dropPidFile(pidFile, child)
    expect(await readFile(pidFile, 'utf8')).toBe('1\n')
  })

  test('is not dropped under the hands of a start that has it', async () => {
    const child = await daemon()
    const file = await open(pidFile)
    expect(await lockFile(file, pidFile, 0)).toBe(true)
    const dropped = dropPidFile(pidFile, child)
    await writeFile(join(base, 'next'), `${process.pid}\n`)
    await rename(join(base, 'next'), pidFile)
    await file.close()
    await dropped
    expect(await readFile(pidFile, 'utf8')).toBe(`${process.pid}\n`)
  })
})
