import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Alert } from '../../dist/alerts/alert.js'
import { Notifiers } from '../../dist/alerts/notifiers/notifiers.js'
import { type Deliver, DeliveryQueue } from '../../dist/alerts/notifiers/queue.js'
import { checkNotifiers, type NotifierSpec } from '../../dist/alerts/notifiers/spec.js'
import type { NotifyFailedBody } from '../../dist/journal/records.js'
import { waitFor } from '../fixtures/processes.js'
import { alert, identity } from './alert.js'
import { WebhookServer } from './webhook_server.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'muster-notify-'))
})
afterEach(() => rm(directory, { recursive: true }))

const silent = pino({ level: 'silent' })
const make = (specs: NotifierSpec[], log = silent) => {
  const failures: NotifyFailedBody[] = []
  const errors: Error[] = []
  const notifiers = new Notifiers(checkNotifiers(specs, ['r', 'q']), {
    log,
    onFailed: (failure) => failures.push(failure),
    onError: (error) => errors.push(error),
  })
  return { notifiers, failures, errors }
}
const resolved = (id: string, changes: Partial<Alert> = {}) => alert(id, { state: 'resolved', ...changes })

describe('a queue', () => {
  const setUp = (limit: number, concurrency: number) => {
    const begun: { alert: Alert; end: () => void; signal: AbortSignal }[] = []
    const failed: string[] = []
    let drops = 0
    const deliver: Deliver = (alert, signal) =>
      new Promise((resolve) => {
        begun.push({ alert, signal, end: () => resolve({ attempts: 1 }) })
        signal.addEventListener('abort', () => resolve({ attempts: 1, failure: 'closed' }))
      })
    const queue = new DeliveryQueue({
      ...{ deliver, limit, concurrency },
      onFailed: ({ id }) => failed.push(id),
      onDrop: () => drops++,
    })
    const ids = () => begun.map(({ alert: { id, state, repeats } }) => `${id} ${state} ${repeats}`)
    return { queue, begun, failed, ids, drops: () => drops }
  }
  const settle = () => new Promise((resolve) => setTimeout(resolve, 5))

  it('delivers in order, never two of one alert at a time, and only the newest repeat', async () => {
    const { queue, begun, ids } = setUp(10, 2)
    queue.push(alert('a'))
    queue.push(alert('a', { repeats: 1 }))
    queue.push(alert('a', { repeats: 2 }))
    queue.push(resolved('a'))
    queue.push(alert('b'))
    queue.push(alert('c'))
    await settle()
    expect(ids()).toEqual(['a firing 0', 'b firing 0'])
    begun[1]!.end()
    await settle()
    begun[0]!.end()
    await settle()
    expect(ids().slice(2)).toEqual(['c firing 0', 'a firing 2'])
    begun[3]!.end()
    await settle()
    expect(ids().slice(4)).toEqual(['a resolved 0'])
    expect(queue.counts).toEqual({ delivered: 3, failed: 0, dropped: 0, retries: 0 })
  })

  it('drops the oldest when it is full, and says so once', async () => {
    const { queue, drops, begun, ids } = setUp(2, 1)
    for (const id of ['a', 'b', 'c', 'd', 'e']) queue.push(alert(id))
    expect(queue.counts.dropped).toBe(2)
    expect(queue.waiting).toBe(2)
    expect(drops()).toBe(1)
    for (let i = 0; i < 3; i++) {
      await settle()
      begun[i]!.end()
    }
    await settle()
    expect(ids()).toEqual(['a firing 0', 'd firing 0', 'e firing 0'])
  })

  it('gives up what is not delivered in time at the end, and says which', async () => {
    const { queue, failed } = setUp(10, 1)
    for (const id of ['a', 'b', 'c']) queue.push(alert(id))
    await queue.close(20)
    expect(failed).toEqual(['a', 'b', 'c'])
    queue.push(alert('d'))
    expect(queue.waiting + queue.underWay).toBe(0)
  })
})

describe('notifiers', () => {
  it('are told of what concerns them: by severity, rule, state', async () => {
    const heard: Record<string, string[]> = {}
    const to = (name: string, changes: object = {}): NotifierSpec => ({
      ...{ type: 'callback', name },
      notify: ({ id, state }) => {
        heard[name] = [...(heard[name] ?? []), `${id} ${state}`]
      },
      ...changes,
    })
    const specs = [to('all'), to('critical', { minSeverity: 'critical' }), to('q', { rules: ['q'] })]
    const { notifiers } = make([...specs, to('begin', { resolved: false })])
    const alerts = [
      alert('a'),
      alert('b', { severity: 'critical', identity: identity(2) }),
      alert('c', { rule: 'q', severity: 'info' }),
    ]
    for (const each of alerts) notifiers.offer(each)
    await waitFor(() => heard.begin?.length === 3)
    for (const each of alerts) notifiers.offer({ ...each, state: 'resolved' })
    await notifiers.close()
    expect(heard).toEqual({
      all: ['a firing', 'b firing', 'c firing', 'a resolved', 'b resolved', 'c resolved'],
      critical: ['b firing', 'b resolved'],
      q: ['c firing', 'c resolved'],
      begin: ['a firing', 'b firing', 'c firing'],
    })
  })

  it('hear nothing of the end of what could not be delivered to them, or was dropped', async () => {
    const heard: string[] = []
    let isBroken = true
    const { notifiers, failures } = make([
      {
        ...{ type: 'callback', queueLimit: 2 },
        notify: ({ id, state }) => {
          if (isBroken) throw new Error('not now')
          heard.push(`${id} ${state}`)
        },
      },
    ])
    notifiers.offer(alert('a'))
    await waitFor(() => failures.length === 1)
    notifiers.offer(resolved('a'))
    isBroken = false
    // The oldest makes room: of four one is under way, two wait.
    for (const id of ['b', 'c', 'd', 'e']) notifiers.offer(alert(id))
    await waitFor(() => heard.length === 3)
    notifiers.offer(resolved('c'))
    notifiers.offer(resolved('b'))
    await waitFor(() => heard.length >= 4)
    notifiers.offer(resolved('e'))
    await notifiers.close()
    const dropped = ['b', 'c', 'd', 'e'].find((id) => !heard.includes(`${id} firing`))!
    expect(heard).not.toContain('a resolved')
    expect(heard).not.toContain(`${dropped} resolved`)
    for (const id of ['b', 'c', 'e']) {
      if (id !== dropped) expect(heard).toContain(`${id} resolved`)
    }
  })

  it('hear nothing of what is silenced or acknowledged, nor of the end of what they never heard of', async () => {
    const heard: string[] = []
    const { notifiers } = make([
      { type: 'callback', notify: ({ id, state, repeats }) => heard.push(`${id} ${state} ${repeats}`) },
    ])
    const acknowledged = { by: 'me', atMs: 1 }
    notifiers.offer(alert('a'))
    notifiers.offer(alert('a', { repeats: 1, acknowledged }))
    notifiers.offer(alert('b', { silencedBy: 's' }))
    notifiers.offer(resolved('b'))
    notifiers.offer(alert('c', { acknowledged }))
    notifiers.offer(resolved('c', { acknowledged }))
    await waitFor(() => heard.length === 1)
    notifiers.offer(resolved('a', { repeats: 1, acknowledged }))
    await notifiers.close()
    expect(heard).toEqual(['a firing 0', 'a resolved 1'])
  })

  it('do not wait for each other: one hangs, one throws, the others hear everything', async () => {
    await using server = await WebhookServer.open(() => {})
    const heard: string[] = []
    const { notifiers, failures, errors } = make([
      { type: 'webhook', name: 'stuck', url: server.url, queueLimit: 5, concurrency: 1 },
      {
        ...{ type: 'callback', name: 'throws' },
        notify: () => {
          throw new Error('no')
        },
      },
      { type: 'callback', name: 'never', notify: () => new Promise(() => {}), timeoutMs: 10, queueLimit: 1 },
      { type: 'callback', name: 'works', notify: ({ id }) => heard.push(id) },
    ])
    const ids = Array.from({ length: 20 }, (_, i) => `a${i}`)
    for (const [i, id] of ids.entries()) notifiers.offer(alert(id, { identity: identity(i + 1) }))
    await waitFor(() => heard.length === 20)
    expect(heard).toEqual(ids)
    await waitFor(() => failures.filter(({ notifier }) => notifier === 'throws').length === 20)
    await waitFor(() => failures.some(({ notifier }) => notifier === 'never'))
    expect(notifiers.stats).toMatchObject([
      { name: 'stuck', type: 'webhook', waiting: 5, underWay: 1, delivered: 0, dropped: 14 },
      { name: 'throws', failed: 20, lastFailure: 'no' },
      { name: 'never', lastFailure: 'not done within 10 ms' },
      { name: 'works', delivered: 20, failed: 0, dropped: 0, waiting: 0 },
    ])
    expect(errors.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/"stuck" cannot keep up/),
    )
    await notifiers.close()
    const stuck = failures.filter(({ notifier }) => notifier === 'stuck')
    expect(stuck.map(({ alertId }) => alertId)).toEqual(['a0', 'a15', 'a16', 'a17', 'a18', 'a19'])
    expect(new Set(stuck.map(({ reason }) => reason))).toEqual(new Set(['the engine closed first']))
  })

  it('that log write JSON Lines to a private file, follow no link, or use the logger', async () => {
    const path = join(directory, 'alerts.jsonl')
    const link = join(directory, 'link')
    await writeFile(join(directory, 'target'), '')
    await symlink(join(directory, 'target'), link)
    const lines: string[] = []
    const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
    const { notifiers, failures } = make(
      [{ type: 'log', path }, { type: 'log', path: link }, { type: 'log' }],
      log,
    )
    notifiers.offer(alert('a', { name: 'x\n\u001b[2J\u0085', message: 'm' }))
    notifiers.offer(alert('b', { severity: 'critical', message: 'n' }))
    await notifiers.close()
    const text = await readFile(path, 'utf8')
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).id),
    ).toEqual(['a', 'b'])
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(failures).toMatchObject([{ notifier: 'log-2', reason: expect.stringContaining('ELOOP') }, {}])
    expect(await readFile(join(directory, 'target'), 'utf8')).toBe('')
    expect(lines.map((line) => JSON.parse(line)).map(({ level, msg }) => [level, msg])).toEqual([
      [40, 'm'],
      [50, 'n'],
    ])
  })
})

describe('a command', () => {
  const one = async (spec: Partial<NotifierSpec> & { command: string[] }, of = alert('a')) => {
    const { notifiers, failures } = make([{ type: 'command', ...spec } as NotifierSpec])
    notifiers.offer(of)
    await waitFor(() => notifiers.stats[0]!.delivered + notifiers.stats[0]!.failed === 1)
    return { failures, notifiers }
  }
  const isAlive = (pid: number) => {
    try {
      process.kill(pid, 0)
      return true
    } catch {
      return false
    }
  }

  it('gets the alert as JSON, a small environment, and no name in its arguments', async () => {
    const out = join(directory, 'out')
    process.env.NOT_FOR_OTHERS = 'secret'
    const name = '$(touch pwned); `id` \'"\n\u001b[2J'
    const command = [
      'sh',
      '-c',
      'cat > "$0"; env > "$0.env"; tr "\\0" "\\n" < /proc/$$/cmdline > "$0.args"',
      out,
    ]
    const { failures } = await one({ command }, alert('a', { name, identity: identity(42) }))
    delete process.env.NOT_FOR_OTHERS
    expect(failures).toEqual([])
    expect(JSON.parse(await readFile(out, 'utf8'))).toMatchObject({ id: 'a', name, version: 1 })
    const environment = await readFile(`${out}.env`, 'utf8')
    expect(environment).toMatch(/^MUSTER_ALERT_ID=a$/m)
    expect(environment).toMatch(/^MUSTER_PID=42$/m)
    expect(environment).not.toContain('secret')
    expect(environment).not.toContain('pwned')
    expect(await readFile(`${out}.args`, 'utf8')).not.toContain('pwned')
  })

  it('is not given to a shell unless asked', async () => {
    const out = join(directory, 'out')
    const { failures } = await one({ command: [`echo > ${out}`] })
    expect(failures).toMatchObject([{ reason: expect.stringContaining('ENOENT') }])
    const script = { command: ['printf %s "$1$MUSTER_STATE" > "$2"', 'a b;', out], shell: true }
    expect((await one(script)).failures).toEqual([])
    expect(await readFile(out, 'utf8')).toBe('a b;firing')
  })

  it('that fails is told with its exit code and the start of what it said', async () => {
    const loud = ['sh', '-c', 'yes wrong | head -c 100000 >&2; exit 3']
    const [failure] = (await one({ command: loud })).failures
    expect(failure).toMatchObject({ type: 'notify-failed', alertId: 'a', state: 'firing', attempts: 1 })
    expect(failure!.reason).toMatch(/^exit code 3: wrong\nwrong/)
    expect(failure!.reason.length).toBeLessThan(4200)
  })

  it('that does not read its input, or leaves a process with its stderr, is done when it ends', async () => {
    expect((await one({ command: ['true'] }, alert('a', { message: 'x'.repeat(1 << 20) }))).failures).toEqual(
      [],
    )
    const pidFile = join(directory, 'pid')
    expect((await one({ command: ['sh', '-c', 'sleep 300 & echo $! > "$0"', pidFile] })).failures).toEqual([])
    process.kill(Number(await readFile(pidFile, 'utf8')), 'SIGKILL')
  })

  it('that hangs is ended with all that it has started, even when that hears no SIGTERM', async () => {
    const pids = join(directory, 'pids')
    const script = `trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo "$$ $!" > "$0"; while :; do sleep 1; done`
    const { failures } = await one({ command: ['sh', '-c', script, pids], timeoutMs: 500 } as never)
    expect(failures).toMatchObject([{ reason: 'not done within 500 ms' }])
    const started = (await readFile(pids, 'utf8')).trim().split(' ').map(Number)
    expect(started).toHaveLength(2)
    await waitFor(() => !started.some(isAlive))
  })
})

describe('a specification', () => {
  it.each<[string, unknown, RegExp]>([
    ['of no type', {}, /notifier 1/],
    ['of a wrong URL', { type: 'webhook', url: 'ftp://x/' }, /notifier 1, url: give an http/],
    ['with a password in the URL', { type: 'webhook', url: 'http://a:b@x/' }, /without user and password/],
    ['with a header of ours', { type: 'webhook', url: 'http://x/', headers: { HOST: 'y' } }, /headers/],
    [
      'with a header that is none',
      { type: 'webhook', url: 'http://x/', headers: { 'a\nb': 'y' } },
      /headers/,
    ],
    ['with two secrets', { type: 'webhook', url: 'http://x/', secret: 'a', secretEnv: 'B' }, /exclude/],
    [
      'with a secret that is not there',
      { type: 'webhook', url: 'http://x/', secretEnv: 'NO_SUCH' },
      /NO_SUCH/,
    ],
    ['of no command', { type: 'command', command: [] }, /command/],
    ['of an unknown rule', { type: 'log', rules: ['leaking workes'] }, /did you mean "leaking workers"/],
    ['with an unknown key', { type: 'log', file: 'x' }, /file/],
    ['of no function', { type: 'callback', notify: 1 }, /give a function/],
  ])('%s is refused', (_, spec, message) => {
    expect(() => checkNotifiers([spec], ['leaking workers'])).toThrow(message)
  })

  it('names notifiers, and reads a secret from the environment', () => {
    process.env.HOOK_SECRET = 'key'
    const specs = [{ type: 'webhook', url: 'https://x.example/', secretEnv: 'HOOK_SECRET' }, { type: 'log' }]
    expect(checkNotifiers(specs, [])).toMatchObject([
      { name: 'webhook-1', secret: 'key', attempts: 5, concurrency: 4, minSeverity: 'info', resolved: true },
      { name: 'log-2', queueLimit: 1000 },
    ])
    delete process.env.HOOK_SECRET
    expect(() =>
      checkNotifiers(
        [
          { type: 'log', name: 'a' },
          { type: 'log', name: 'a' },
        ],
        [],
      ),
    ).toThrow(/has this name/)
  })
})
