import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { access, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import {
  explainTrace,
  type JournalRecord,
  readJournal,
  sendSignal,
  traceDecisions,
} from '../../dist/index.js'
import { compileFixture } from '../fixtures/compile.js'
import { controlGroupRoot, removeControlGroups, startControlGroup } from '../fixtures/control_group.js'
import {
  endedByStopAll,
  type ProcessMode,
  type ProcessOptions,
  startProcess,
  stopAll,
  waitFor,
} from '../fixtures/processes.js'
import { startWaits } from '../fixtures/waits.js'
import { endRuns, muster, Run } from './muster.js'

const EXAMPLE = fileURLToPath(new URL('../../examples/every-rule/rules.yaml', import.meta.url))
const MIB = 1 << 20
/** In place of `shop-` in the example: no other process of the host has such a name. */
const TOKEN = `e${process.pid.toString(36)}-`
const CONTAINER = randomBytes(32).toString('hex')

const isRoot = process.getuid?.() === 0
const cgroups = await controlGroupRoot()
const hasKernelThreads = await readFile('/proc/2/comm', 'utf8').then(
  (name) => name === 'kthreadd\n',
  () => false,
)
const hasPressure = await access('/proc/pressure/cpu').then(
  () => true,
  () => false,
)

/** By the rest of their names in the example. */
const pids: Record<string, number> = {}
const pid = (name: string) => () => `pid ${pids[name]}`
const RSS = 'rssBytes > 1KiB'

/** Each rule of the example: whom it is to fire for, and its clauses as they are printed. */
const RULES: readonly [name: string, whom: () => string, clauses: readonly string[]][] = [
  ['large', pid('big'), ['rssBytes > 64MiB']],
  ['busy', pid('spin'), ['avg(cpuPercent, 3s) > 2%']],
  ['busy nearly always', pid('spin'), ['p95(cpuPercent, 3s) > 2%']],
  ['many threads lately', pid('thread'), ['max(threads, 2s) > 20']],
  ['never small', pid('big'), ['min(rssBytes, 2s) > 48MiB']],
  ['jump', pid('jump'), ['delta(rssBytes, 3s) > 32MiB']],
  ['fast growth', pid('leak'), ['rate(rssBytes, 3s) > 1MiB/s']],
  ['leak', pid('leak'), ['leak(rssBytes, 4s)']],
  ['full in an hour', pid('leak'), ['timeTo(rssBytes, 8GiB) < 1h']],
  ['stuck', pid('stuck'), ['stateSeconds(D) > 2s']],
  ['zombie', pid('zombie'), ['stateSeconds(Z) > 1s']],
  ['old', pid('old'), ['ageSeconds > 3s']],
  ['nearly out of files', pid('files'), ['openFiles / limit.openFiles > 90%']],
  ['large while memory is short', pid('big'), ['rssBytes > 64MiB', 'host.memAvailableBytes < 99%']],
  ['busy while others wait', pid('spin'), ['cpuPercent > 1%', 'host.pressure.cpu.some10 > 1%']],
  ['odd', pid('thread'), ['rssBytes > 1TiB', 'threads > 20', 'state == Z', 'ageSeconds < 1s']],
  ['runaway', pid('run'), ['cpuPercent > 5%']],
  ['reminder', pid('thread'), ['threads > 20']],
  ['rehearsal', pid('big'), ['rssBytes > 64MiB']],
  ['rationed', pid('web'), ['rssBytes > 12MiB']],
  ['too few workers', () => 'all', ['count() < 3']],
  ['crash loop', () => 'all', ['exitRate(3s) > 0.2/s']],
  ['greedy user', () => 'user nobody (65534)', ['sum(rssBytes) > 32MiB']],
  ['greedy unit', () => `unit ${TOKEN}front.service`, ['sum(rssBytes) > 16MiB']],
  ['greedy cgroup', () => `cgroup /${TOKEN}all/${TOKEN}front.service`, ['avg(rssBytes) > 4MiB']],
  ['crowded container', () => `container ${CONTAINER}`, ['count() >= 2']],
  ['greedy program', () => `program ${TOKEN}web`, ['max(sum(rssBytes), 2s) > 12MiB']],
  ['family', () => `subtree ${pids.worker}`, ['sum(threads) >= 2', 'min(ageSeconds) > 1s']],
  ['by name and user', pid('nobody'), [RSS]],
  ['by command line', pid('idle'), [RSS]],
  ['by executable', pid('web'), [RSS]],
  ['by unit, but not all of it', pid('front'), [RSS]],
  ['by any of these', pid('box'), [RSS]],
  ['by pid', pid('old'), [RSS]],
  ['by subtree', pid('worker'), [RSS]],
  ['by session', pid('idle'), [RSS]],
  ['by process group', pid('idle'), [RSS]],
  ['kernel thread', () => 'pid 2', ['ageSeconds > 1s']],
]

/** What the host cannot provoke, and why. */
const lacking = new Map<string, string>([
  ...(isRoot ? [] : ['greedy user', 'by name and user'].map((name) => [name, 'needs root'] as const)),
  ...(cgroups !== undefined
    ? []
    : [
        'greedy unit',
        'greedy cgroup',
        'crowded container',
        'by unit, but not all of it',
        'by any of these',
      ].map((name) => [name, 'needs control groups that may be made'] as const)),
  ...(hasKernelThreads ? [] : [['kernel thread', 'needs kernel threads that can be seen'] as const]),
  ...(hasPressure ? [] : [['busy while others wait', 'needs /proc/pressure'] as const]),
])
for (const [name, why] of lacking) console.warn(`*** SKIPPED: rule "${name}": ${why}`)
const provoked = RULES.filter(([name]) => !lacking.has(name))

let directory: string
let journal: string
let records: readonly JournalRecord[] = []

type RecordOf<Type extends JournalRecord['type']> = Extract<JournalRecord, { type: Type }>
const all = <Type extends JournalRecord['type']>(type: Type, rule: string): RecordOf<Type>[] =>
  records.filter(
    (record): record is RecordOf<Type> => record.type === type && 'rule' in record && record.rule === rule,
  )
const fired = (rule: string, whom: string): RecordOf<'decision'>[] =>
  all('decision', rule).filter(({ kind, identity, name }) => {
    const subject = identity === undefined ? name : `pid ${identity.pid}`
    return kind === 'fire' && subject === whom
  })
const done = (rule: string, action: string) =>
  all('action-done', rule).filter((each) => each.action === action)

async function start(name: string, mode: ProcessMode, options: ProcessOptions = {}): Promise<void> {
  pids[name] = (await startProcess(mode, { name: TOKEN + name, ...options })).pid
}

async function run(name: string, program: string, args: readonly string[], as = name): Promise<void> {
  const child = spawn(program, args, { stdio: 'ignore', cwd: '/', env: { ...process.env, LD_PRELOAD: '' } })
  endedByStopAll(child)
  await once(child, 'spawn')
  await waitFor(async () => (await readFile(`/proc/${child.pid}/comm`, 'utf8')) === `${TOKEN + name}\n`)
  pids[as] = child.pid!
}
const provoke = async (name: string, ...what: string[]): Promise<void> =>
  run(name, await compileFixture('provoke.c'), [TOKEN + name, ...what])

/** A fixture as a program of another name. */
async function program(fixture: string, name: string): Promise<string> {
  const path = join(directory, TOKEN + name)
  await copyFile(await compileFixture(fixture), path)
  return path
}

async function startAll(): Promise<void> {
  const web = await program('service.c', 'web')
  const zombie = await program('waits.c', 'zombie')
  await Promise.all([
    start('big', 'idle', { rss: 96 * MIB }),
    start('spin', 'spin'),
    start('run', 'spin'),
    start('thread', 'idle', { threads: 30 }),
    start('leak', 'leak', { rate: 8 * MIB }),
    start('old', 'idle'),
    start('idle', 'idle', { detached: true, extraArguments: [`${TOKEN}idle`, 'job', '--queue=mail'] }),
    start('front', 'idle', { rss: 12 * MIB }),
    start('peer', 'idle', { rss: 12 * MIB }),
    start('box', 'idle'),
    start('box2', 'idle'),
    provoke('stuck', 'stuck'),
    provoke('files', 'files', '200'),
    provoke('crash', 'crashes', '400'),
    provoke('worker', 'workers', '1'),
    provoke('jump', 'jump', String(40 * MIB)),
    run('web', web, ['rate=4000000']),
    run('web', web, ['rate=4000000'], 'web2'),
    startWaits('nudged', 1, zombie).then((started) => {
      pids.zombie = started.pid
    }),
  ])
  if (isRoot) {
    await start('user', 'idle', { uid: 65534, rss: 40 * MIB })
    await start('nobody', 'idle', { uid: 65534 })
  }
  // Whoever of the two runs, the other waits.
  for (const name of ['spin', 'run']) await promisify(execFile)('taskset', ['-pc', '0', String(pids[name])])
  if (cgroups === undefined) return
  await startControlGroup(cgroups, `/${TOKEN}all/${TOKEN}front.service`, [pids.front!, pids.peer!])
  await startControlGroup(cgroups, `/${TOKEN}all/${CONTAINER}`, [pids.box!, pids.box2!])
}

/** The example's text, about this test's processes alone. */
async function rulesText(): Promise<string> {
  const places: Readonly<Record<string, string>> = {
    'shop-': TOKEN,
    '5403': CONTAINER.slice(0, 12),
    ...{ '4001': String(pids.old), '4002': String(pids.worker) },
    ...{ '4003': String(pids.idle), '4004': String(pids.idle) },
  }
  return (await readFile(EXAMPLE, 'utf8')).replaceAll(/shop-|\b5403|\b400[1-4]\b/g, (found) => places[found]!)
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'muster-every-rule-'))
  journal = join(directory, 'muster.jsonl')
  await startAll()
  const config = join(directory, 'rules.yaml')
  await writeFile(config, await rulesText())
  const watch = new Run(['watch', '--config', config], { timeoutMs: 190_000 })
  const isAllSeen = async () => {
    const found = []
    for await (const record of readJournal(journal)) found.push(record)
    records = found
    return (
      provoked.every(([name, whom]) => fired(name, whom()).length > 0) &&
      fired('reminder', `pid ${pids.thread}`).length > 1 &&
      all('decision', 'runaway').some(({ kind }) => kind === 'clear') &&
      done('zombie', 'nudgeParent').length > 0 &&
      done('leak', 'evidence').length > 0 &&
      all('governed', 'rationed').length > 0 &&
      done('rationed', 'restart').length > 0 &&
      all('decision', 'nearly out of files').some(({ kind }) => kind === 'clear')
    )
  }
  // Windows of three seconds are full by then. A host that is very busy may look away just when it jumps.
  const jump = setInterval(() => {
    const isDue = fired('fast growth', `pid ${pids.leak}`).length > 0
    if (isDue && fired('jump', `pid ${pids.jump}`).length === 0) process.kill(pids.jump!, 'SIGUSR1')
  }, 2000)
  const missing = () =>
    provoked.filter(([name, whom]) => fired(name, whom()).length === 0).map(([name]) => name)
  try {
    await waitFor(isAllSeen, { timeoutMs: 150_000, intervalMs: 250, what: 'every rule to fire' })
  } catch (error) {
    throw new Error(`not fired: ${missing().join(', ')}; ${watch.stdout}${watch.stderr}`, { cause: error })
  } finally {
    clearInterval(jump)
    watch.child.kill('SIGINT')
    await watch.ended
  }
}, 200_000)

afterAll(async () => {
  await endRuns()
  for (const { successor } of done('rationed', 'restart')) {
    if (successor !== undefined) await sendSignal([successor], 'SIGKILL')
  }
  await stopAll()
  await waitFor(() => removeControlGroups().then(() => true))
  await rm(directory, { recursive: true })
})

test('the table here and the example have the same rules', async () => {
  const { rules } = parse(await readFile(EXAMPLE, 'utf8')) as { rules: { name: string; enabled?: boolean }[] }
  const judged = rules.filter(({ enabled }) => enabled !== false).map(({ name }) => name)
  expect(RULES.map(([name]) => name).sort()).toEqual(judged.sort())
  const { code, stdout } = await muster(['rules', 'check', '--static', EXAMPLE])
  expect({ code, lines: stdout.trimEnd().split('\n').length }).toEqual({ code: 0, lines: rules.length })
})

/** What `muster why` tells of a decision, without starting it. */
async function told(decisionId: string): Promise<string> {
  return explainTrace(await traceDecisions(journal, { id: decisionId })).join('\n')
}

test.each(provoked)('%s: decided, written down with its clauses, explained', async (name, whom, clauses) => {
  const [decision] = fired(name, whom())
  expect(decision!.clauses.map(({ text }) => text)).toEqual(clauses)
  expect(decision!.clauses.every(({ truth, value }) => truth !== undefined && value !== undefined)).toBe(true)
  const text = await told(decision!.decisionId)
  expect(text).toContain(`breach of "${name}" (decision ${decision!.decisionId}`)
  expect(text).toMatch(/^ {4}decided: ./m)
  const condition = text.split('\n').find((line) => line.startsWith('    condition: '))
  for (const { text: clause, op, operand, truth } of decision!.clauses) {
    expect(condition).toContain(clause)
    const start = `    ${(truth ? 'yes' : 'no').padEnd(7)}  ${op === 'leak' ? clause : operand} `
    expect(text.split('\n').some((line) => line.startsWith(start))).toBe(true)
  }
})

test('`muster why` tells the same, by the pid too', async () => {
  for (const name of ['runaway', 'too few workers']) {
    const [, whom] = RULES.find(([rule]) => rule === name)!
    const [{ decisionId, identity }] = fired(name, whom()) as [RecordOf<'decision'>]
    const withoutTimes = (text: string) => text.replaceAll(/^\d{4}-\S+(?: [\d:.]+)? {2}/gm, '').trimEnd()
    const { code, stdout } = await muster(['why', decisionId, '--journal', journal])
    expect({ code, text: withoutTimes(stdout) }).toEqual({
      code: 0,
      text: withoutTimes(await told(decisionId)),
    })
    if (identity === undefined) continue
    const byPid = await muster(['why', String(identity.pid), '--journal', journal])
    expect(byPid.stdout).toContain(`(decision ${decisionId}`)
  }
})

test('what follows is done to whom it is meant for', () => {
  // Each once: on a busy host a rule on CPU time can clear and fire anew.
  const doneTo = (rule: string, action: string) => [
    ...new Map(
      done(rule, action).map(({ status, identity }) => [`${status} ${identity.pid}`, [status, identity.pid]]),
    ).values(),
  ]
  const decided = (rule: string) =>
    all('decision', rule)
      .map(({ kind, cause }) => [kind, cause])
      .slice(0, 2)
  expect(doneTo('large', 'evidence')).toEqual([['done', pids.big]])
  expect(doneTo('busy', 'priority')).toEqual([['done', pids.spin]])
  expect(done('zombie', 'nudgeParent')[0]).toMatchObject({ status: 'done', result: { reaped: true } })
  expect(doneTo('nearly out of files', 'limit')).toEqual([['done', pids.files]])
  expect(decided('nearly out of files')).toEqual([
    ['fire', 'condition'],
    ['clear', 'condition'],
  ])
  expect(doneTo('runaway', 'priority')).toEqual([['done', pids.run]])
  expect(doneTo('runaway', 'signal')).toEqual([['done', pids.run]])
  expect(decided('runaway')).toEqual([
    ['fire', 'condition'],
    ['clear', 'condition'],
  ])
  for (const action of ['evidence', 'restart']) {
    expect(doneTo('rehearsal', action)).toEqual([['dry-run', pids.big]])
  }
  expect(done('rationed', 'restart').map(({ status }) => status)).toEqual(['done'])
  expect(all('governed', 'rationed')[0]).toMatchObject({ verdict: 'put-off' })
  expect(all('decision', 'switched off')).toEqual([])
  if (isRoot) expect(doneTo('greedy user', 'priority')).toEqual([['done', pids.user]])
  if (cgroups === undefined) return
  expect(doneTo('greedy unit', 'signal').sort()).toEqual(
    [
      ['done', pids.front],
      ['done', pids.peer],
    ].sort(),
  )
  expect(all('decision', 'by unit, but not all of it').map(({ identity }) => identity!.pid)).toEqual([
    pids.front,
  ])
})
