import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  disableService,
  enableService,
  generateUnit,
  generateWatchUnit,
  identify,
  listServices,
  restartService,
  serviceStatus,
  startService,
  stopService,
  unitOfProcess,
} from '../../dist/index.js'
import { muster } from '../cli/muster.js'
import { waitFor } from '../fixtures/processes.js'
import { noSystemd, type Systemd, startSystemd } from '../fixtures/systemd.js'

if (noSystemd !== undefined) console.warn(`SKIPPED: services against the real systemd: ${noSystemd}`)

describe.skipIf(noSystemd !== undefined)('the real systemd, in namespaces of its own', () => {
  let systemd: Systemd
  let options: { systemctl: string }

  beforeAll(async () => {
    systemd = await startSystemd()
    options = { systemctl: systemd.systemctl }
  })
  afterAll(async () => {
    await systemd?.stop()
  })

  async function install(name: string, text: string): Promise<void> {
    await systemd.write(`/run/systemd/system/${name}`, text)
    const reload = spawn(systemd.systemctl, ['daemon-reload'], { stdio: 'ignore' })
    expect(await once(reload, 'exit')).toEqual([0, null])
  }

  test('a generated unit runs, with its arguments as they were given; it is followed, stopped and started', async () => {
    const args = ['-c', 'printf "%s\\n" "$@" > /var/lib/web/args; exec sleep 1000', 'sh']
    // biome-ignore lint/suspicious/noTemplateCurlyInString: systemd's, to be left alone
    const hostile = ['a b', '', '%n %% %', '$HOME ${HOME} $$', '"\\\'', ';', '\\x41\\n', 'ü ☃', '#x']
    await install(
      'web.service',
      generateUnit({
        program: '/bin/sh',
        args: [...args, ...hostile],
        description: 'Web 100% $HOME',
        environment: { GREETING: 'a "b" $c %d' },
        stateDirectory: 'web',
        memoryMax: 256 * 1024 * 1024,
      }),
    )
    expect(await startService('web', options)).toEqual([{ unit: 'web.service', ok: true }])
    const status = await serviceStatus('web', options)
    expect(status).toMatchObject({
      unit: 'web.service',
      description: 'Web 100% $HOME',
      loadState: 'loaded',
      activeState: 'active',
      subState: 'running',
      unitFileState: 'disabled',
      path: '/run/systemd/system/web.service',
      result: 'success',
      restarts: 0,
      exitCode: undefined,
      cgroup: '/system.slice/web.service',
      needsReload: false,
    })
    expect(Math.abs(Date.now() - status.sinceMs!)).toBeLessThan(60_000)
    const written = await waitFor(() =>
      readFile(`/proc/${systemd.pid}/root/var/lib/web/args`, 'utf8').then(
        (text) => text.split('\n').length > hostile.length && text,
      ),
    )
    expect(written.split('\n').slice(0, -1)).toEqual(hostile)

    const hostPid = await waitFor(() => inHost(systemd.pid, status.mainPid!))
    expect(await readFile(`/proc/${hostPid}/environ`, 'utf8')).toContain('GREETING=a "b" $c %d\0')
    expect(await readFile(`/proc/${hostPid}/status`, 'utf8')).toMatch(
      /CapBnd:\t0{16}\nCapAmb:\t0{16}\nNoNewPrivs:\t1/,
    )
    expect(await unitOfProcess(await identify(hostPid))).toEqual({ unit: 'web.service', uid: undefined })

    expect(await restartService('web', options)).toMatchObject([{ ok: true }])
    const restarted = await serviceStatus('web', options)
    expect(restarted.mainPid).not.toBe(status.mainPid)
    expect(await enableService('web', options)).toMatchObject([{ ok: true }])
    expect((await serviceStatus('web', options)).unitFileState).toBe('enabled')
    expect(await disableService('web', options)).toMatchObject([{ ok: true }])
    expect((await serviceStatus('web', options)).unitFileState).toBe('disabled')
    expect(await listServices({ ...options, state: 'running' })).toEqual([
      {
        unit: 'web.service',
        description: 'Web 100% $HOME',
        loadState: 'loaded',
        activeState: 'active',
        subState: 'running',
      },
    ])
    expect(await stopService('web', options)).toMatchObject([{ ok: true }])
    expect(await serviceStatus('web', options)).toMatchObject({ activeState: 'inactive', mainPid: undefined })
    expect((await listServices({ ...options, type: 'target' })).map(({ unit }) => unit)).toContain(
      'alone.target',
    )
  })

  test('a status is what systemctl show says', async () => {
    await install(
      'shown.service',
      '[Unit]\nDefaultDependencies=no\nDescription=Shown: a "b" %%\n[Service]\nExecStart=/bin/sleep 1000\n',
    )
    expect(await startService('shown', options)).toMatchObject([{ ok: true }])
    const PATH = `${dirname(systemd.systemctl)}:${process.env.PATH}`
    const [status] = JSON.parse(
      (await muster(['service', 'status', 'shown', '--json'], { env: { PATH } })).stdout,
    )
    const show = (property: string) =>
      execFileSync(systemd.systemctl, ['show', '--value', `--property=${property}`, 'shown'], {
        encoding: 'utf8',
      }).trim()
    const text = { unit: 'Id', description: 'Description', loadState: 'LoadState', subState: 'SubState' }
    for (const [name, property] of Object.entries({
      ...text,
      path: 'FragmentPath',
      cgroup: 'ControlGroup',
    })) {
      expect(status[name], name).toBe(show(property))
    }
    for (const [name, property] of [
      ['mainPid', 'MainPID'],
      ['restarts', 'NRestarts'],
      ['tasks', 'TasksCurrent'],
    ] as const) {
      const value = show(property)
      expect(status[name], name).toBe(/^\d{1,18}$/.test(value) ? Number(value) : null)
    }
    expect(await stopService('shown', options)).toMatchObject([{ ok: true }])
  })

  test('what fails and what is not there is told, each for itself', async () => {
    await install(
      'bad.service',
      '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/sh -c "exit 3"\n',
    )
    expect(await startService(['nope', 'bad'], options)).toMatchObject([
      { unit: 'nope.service', ok: false, error: { code: 'NOT_FOUND' } },
      { unit: 'bad.service', ok: false, error: { code: 'SERVICE_FAILED' } },
    ])
    expect(await serviceStatus('bad', options)).toMatchObject({
      activeState: 'failed',
      result: 'exit-code',
      exitCode: 3,
      signal: undefined,
    })
    expect(await listServices({ ...options, state: 'failed' })).toMatchObject([{ unit: 'bad.service' }])
    await expect(serviceStatus('nope', options)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await stopService('nope', options)).toMatchObject([{ error: { code: 'NOT_FOUND' } }])
    expect(await enableService(['nope', 'bad'], options)).toMatchObject([
      { error: { code: 'NOT_FOUND' } },
      { error: { code: 'SERVICE_FAILED', message: expect.stringMatching(/static.*WantedBy/) } },
    ])
  })

  test('what is restarted by the manager is counted, up to the limit of its unit', async () => {
    await install(
      'crash.service',
      generateUnit({
        program: '/bin/sh',
        args: ['-c', 'kill -SEGV $$'],
        restartDelayMs: 0,
        startLimitBurst: 3,
      }),
    )
    await startService('crash', options)
    const status = await waitFor(
      async () => {
        const now = await serviceStatus('crash', options)
        return now.activeState === 'failed' && now
      },
      { timeoutMs: 30_000 },
    )
    expect(status.restarts).toBeGreaterThanOrEqual(2)
    expect(status).toMatchObject({ signal: 11, exitCode: undefined })
  })

  test('systemd finds no fault with generated units', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'procmuster-units-'))
    try {
      const units = {
        'full.service': generateUnit({
          program: '/bin/sleep',
          args: ['1', '%', '$', '"', '\\'],
          user: 'daemon',
          group: 'daemon',
          workingDirectory: '/var',
          environment: { A: '1', B: 'x y' },
          memoryMax: 1e9,
          cpuQuotaPercent: 150,
          tasksMax: 100,
          restart: 'always',
          capabilities: ['CAP_NET_BIND_SERVICE'],
          writablePaths: ['/var/tmp', '/srv/a b'],
          home: 'read-only',
        }),
        'watch.service': generateWatchUnit({ config: '/etc/muster.yaml', memoryMax: 5e8 }),
        'restarting.service': generateWatchUnit({ config: '/etc/muster.yaml', restarts: true }),
      }
      for (const [name, text] of Object.entries(units)) await writeFile(join(directory, name), text)
      const files = Object.keys(units).map((name) => join(directory, name))
      const verify = spawn('systemd-analyze', ['verify', '--man=no', ...files], {
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 60_000,
      })
      let said = ''
      for (const stream of [verify.stdout, verify.stderr]) {
        stream.on('data', (chunk) => {
          said += chunk
        })
      }
      const [code] = await once(verify, 'close')
      expect(
        said.split('\n').filter((line) => Object.keys(units).some((name) => line.includes(name))),
      ).toEqual([])
      expect(code).toBe(0)
    } finally {
      await rm(directory, { recursive: true })
    }
  }, 90_000)
})

/** The host's pid of one in the namespace of `init`. */
async function inHost(init: number, pid: number): Promise<number | undefined> {
  const namespace = await readlink(`/proc/${init}/ns/pid`)
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || (await readlink(`/proc/${name}/ns/pid`).catch(() => '')) !== namespace)
      continue
    const status = await readFile(`/proc/${name}/status`, 'utf8').catch(() => '')
    if (/^NSpid:.*\t(\d+)$/m.exec(status)?.[1] === String(pid)) return Number(name)
  }
  return undefined
}
