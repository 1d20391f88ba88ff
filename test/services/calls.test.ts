import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  disableService,
  enableService,
  listServices,
  restartService,
  serviceStatus,
  startService,
  stopService,
} from '../../dist/index.js'

const systemctl = fileURLToPath(new URL('../fixtures/fake_systemctl.sh', import.meta.url))

function fake(mode: string, text = '', code = 1): void {
  vi.stubEnv('FAKE_SYSTEMCTL', mode)
  vi.stubEnv('FAKE_SYSTEMCTL_TEXT', text)
  vi.stubEnv('FAKE_SYSTEMCTL_CODE', String(code))
}
afterEach(() => {
  vi.unstubAllEnvs()
})

describe('what systemctl says is told apart', () => {
  test.each([
    [
      "System has not been booted with systemd as init system (PID 1). Can't operate.",
      'UNSUPPORTED',
      /in a container ask on the host/,
    ],
    ['Failed to connect to bus: Host is down', 'UNSUPPORTED', /muster signal/],
    [
      'Failed to connect to system scope bus via local transport: No such file or directory',
      'UNSUPPORTED',
      /systemd does not run/,
    ],
    ['Failed to connect to bus: Operation not permitted', 'ACCESS_DENIED', /run as root/],
    ['Failed to start x.service: Access denied', 'ACCESS_DENIED', /run as root/],
    ['Failed to start x.service: Interactive authentication required.', 'ACCESS_DENIED', /run as root/],
    ['Failed to start x.service: Unit x.service not found.', 'NOT_FOUND', /list-unit-files/],
    ['Failed to stop x.service: Unit x.service not loaded.', 'NOT_FOUND', /list-unit-files/],
    ['Failed to enable unit: Unit file x.service does not exist.', 'NOT_FOUND', /list-unit-files/],
    ['Failed to start x.service: Unit x.service is masked.', 'SERVICE_FAILED', /unmask/],
    [
      'Job for x.service failed because the control process exited with error code.',
      'SERVICE_FAILED',
      /control process/,
    ],
    ['', 'SERVICE_FAILED', /exit code 1/],
  ])('%j: %s', async (said, code, message) => {
    fake('fail', said)
    const [result] = await startService('x', { systemctl })
    expect(result).toMatchObject({ unit: 'x.service', ok: false, error: { code } })
    expect(!result!.ok && result!.error.message).toMatch(message)
  })

  test('and not by the name of the unit', async () => {
    fake('fail', 'Job for access-denied-not-found.service failed.')
    expect(await startService('access-denied-not-found', { systemctl })).toMatchObject([
      { ok: false, error: { code: 'SERVICE_FAILED' } },
    ])
  })

  test('the user of another manager gets another way out', async () => {
    fake('fail', 'Failed to connect to bus: No medium found')
    await expect(listServices({ systemctl, manager: 'user' })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringMatching(/enable-linger/),
    })
  })
})

test('without systemctl it is unsupported, with the way out', async () => {
  await expect(listServices({ systemctl: 'systemctl-that-is-not-there' })).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringMatching(/is not there.*its own tools/),
  })
  await expect(listServices({ systemctl: '/etc/passwd' })).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
})

test('what hangs is ended in time, what floods is cut, what dies is told', async () => {
  fake('hang')
  const beganAt = performance.now()
  await expect(serviceStatus('x', { systemctl, timeoutMs: 200 })).rejects.toMatchObject({
    code: 'TIMEOUT',
    message: expect.stringMatching(/200 ms/),
  })
  expect(performance.now() - beganAt).toBeLessThan(30_000)
  fake('flood')
  await expect(listServices({ systemctl })).rejects.toMatchObject({
    code: 'IO_ERROR',
    message: expect.stringMatching(/more than 16777216 bytes/),
  })
  fake('die')
  await expect(listServices({ systemctl })).rejects.toMatchObject({
    code: 'IO_ERROR',
    message: expect.stringMatching(/SIGSEGV/),
  })
  await expect(listServices({ systemctl, timeoutMs: 0 })).rejects.toMatchObject({ code: 'OUT_OF_RANGE' })
})

test('what is no list, and no status, is refused', async () => {
  fake('say', 'x.service loaded active running X')
  await expect(listServices({ systemctl })).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringMatching(/systemd 246/),
  })
  fake('say', '[{"unit":"x.service"}, null]')
  await expect(listServices({ systemctl })).rejects.toMatchObject({ code: 'IO_ERROR' })
  fake(
    'say',
    'Id=x.service\nDescription=a\nLoadState=loaded\nActiveState=active\nSubState=dead\nLoadState=not-found',
  )
  await expect(serviceStatus('x', { systemctl })).rejects.toMatchObject({
    code: 'IO_ERROR',
    message: expect.stringMatching(/twice/),
  })
  fake('say', '')
  await expect(serviceStatus('x', { systemctl })).rejects.toMatchObject({
    code: 'IO_ERROR',
    message: expect.stringMatching(/no Id/),
  })
})

describe('what it is called with', () => {
  test('names follow --, and there is one call for each', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'procmuster-services-'))
    try {
      const log = join(directory, 'log')
      vi.stubEnv('FAKE_SYSTEMCTL_LOG', log)
      fake('say', 'enabled')
      expect(await startService(['a', 'b.timer'], { systemctl })).toEqual([
        { unit: 'a.service', ok: true },
        { unit: 'b.timer', ok: true },
      ])
      await stopService('a', { systemctl, manager: 'user' })
      await restartService('touchx', { systemctl })
      await enableService('a', { systemctl, now: true })
      await disableService('a', { systemctl })
      const common = '--system --no-pager --no-ask-password'
      expect((await readFile(log, 'utf8')).trim().split('\n')).toEqual([
        `${common} start -- a.service`,
        `${common} start -- b.timer`,
        '--user --no-pager --no-ask-password stop -- a.service',
        `${common} restart -- touchx.service`,
        `${common} show --property=UnitFileState --value -- a.service`,
        `${common} enable --now -- a.service`,
        `${common} disable -- a.service`,
      ])
    } finally {
      await rm(directory, { recursive: true })
    }
  })

  test('bad names, kinds and states reach nobody', async () => {
    const unreachable = { systemctl: '/nonexistent/systemctl' }
    for (const bad of [
      '-H evil',
      '--force',
      '',
      'a b',
      'a\nb',
      'a*',
      '/dev/sda',
      'x'.repeat(300),
      '@.service',
      '.service',
    ]) {
      await expect(startService(['fine', bad], unreachable)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      })
      await expect(serviceStatus(bad, unreachable)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    await expect(listServices({ ...unreachable, state: '--x' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    await expect(listServices({ ...unreachable, type: 'x' as 'all' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })
})
