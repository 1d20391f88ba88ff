import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as api from '../dist/index.js'

// Everybody is called with what is wrong: the types say so, JavaScript does not.
type Loose = (...args: unknown[]) => unknown
const all = api as unknown as Record<string, Loose>

const target = spawn('sleep', ['600'])
const directory = mkdtempSync(join(tmpdir(), 'arguments-'))
const circle: object[] = []
circle.push(circle)
const made: { identity?: api.ProcessIdentity; sampler?: api.Sampler; table?: api.Table } = {}

beforeAll(async () => {
  made.identity = await api.identify(target.pid!)
  made.sampler = await api.Sampler.open({ source: 'procfs' })
  made.table = (await made.sampler.sample()).copy()
})
afterAll(async () => {
  target.kill('SIGKILL')
  await made.sampler?.close()
  rmSync(directory, { recursive: true })
})

/** What is right for a parameter, taken when it is needed, and what is not. */
interface Parameter {
  readonly right: () => unknown
  readonly wrong: readonly unknown[]
}

const NOTHING = [undefined, null] as const
const notText = [...NOTHING, 42, Number.NaN, {}, [], true]
const notNumber = [...NOTHING, '5', Number.NaN, {}, [], true]
const notIdentity = [
  ...[...NOTHING, 42, '42', Number.NaN, {}, [], new Date(), { pid: 1.5, startTicks: 1 }],
  ...[
    { pid: -1, startTicks: 1 },
    { pid: 2 ** 53, startTicks: 1 },
    { pid: '1', startTicks: 1 },
  ],
  ...[
    { pid: 1, startTicks: Number.NaN },
    { pid: 1, startTicks: '1' },
  ],
]
const text = (right: string): Parameter => ({ right: () => right, wrong: notText })
const number = (right: number, ...wrong: unknown[]): Parameter => ({
  right: () => right,
  wrong: [...notNumber, ...wrong],
})
const identity: Parameter = {
  right: () => made.identity,
  wrong: [...notIdentity, { pid: 1 }, { pid: 1, startTicks: -1 }],
}
const identities: Parameter = {
  right: () => [],
  wrong: [
    ...NOTHING,
    42,
    'SIGTERM',
    Number.NaN,
    {},
    { pid: 1, startTicks: 1 },
    ...notIdentity.map((each) => [each]),
  ],
}
/** Undefined and NaN are unknown. */
const quantity: Parameter = { right: () => 5, wrong: [null, '5', {}, [], true] }
const signal: Parameter = { right: () => 0, wrong: [...NOTHING, -1, 999, Number.NaN, 'SIGNONE', {}, []] }
const table: Parameter = { right: () => made.table, wrong: [...NOTHING, 42, 'x', {}, []] }
const iterable: Parameter = { right: () => [], wrong: [...NOTHING, 42, Number.NaN, {}] }
/** Of our own making, so that it is only told apart from what is something else. */
const given: Parameter = { right: () => undefined, wrong: [...NOTHING, 42, 'x', Number.NaN, []] }
const list: Parameter = { right: () => [], wrong: [...NOTHING, 42, 'x', Number.NaN, {}, [42], [null]] }

const units: Parameter = { ...list, wrong: list.wrong.filter((each) => each !== 'x') }
const WRONG_OPTIONS = [null, 42, 'x', Number.NaN, [], new Date(), { noSuchOption: 1 }]
const BY_TYPE = {
  flag: [null, 'yes', 1, {}],
  text: notText.slice(1),
  path: [...notText.slice(1), '', 'a\0b'],
  time: [null, '5', Number.NaN, -1, 2 ** 53, Number.POSITIVE_INFINITY, {}],
  number: [null, '5', Number.NaN, {}],
  count: [null, '5', Number.NaN, -1, 1.5, {}],
  word: [null, 'no such word', 42, {}],
  words: [null, 'x', 42, {}, ['no such word'], [42]],
  callback: [null, 'x', 42, {}],
  signal: [null, 'SIGTERM', {}],
  /** What holds others by name. */
  list: [null, 'x', 42, []],
  stdio: [null, 'x', -1, {}],
} as const
/** An object with these keys, each in turn of a wrong type, and with one that there is not. */
function options(types: Readonly<Record<string, keyof typeof BY_TYPE>> = {}, right: object = {}): Parameter {
  const wrong = Object.entries(types).flatMap(([key, type]) =>
    BY_TYPE[type].map((value) => ({ ...right, [key]: value })),
  )
  return { right: () => right, wrong: [...WRONG_OPTIONS, ...wrong] }
}
/** Where something has to be given. */
const withoutNone = (given: Parameter): Parameter => ({ ...given, wrong: [...given.wrong, {}] })
const search = options({ procRoot: 'path', timeoutMs: 'time' })
const force = options({ force: 'flag' })
const threads = options({ threads: 'word', force: 'flag' })
const journal: Parameter = { right: () => join(directory, 'none.jsonl'), wrong: [...notText, ''] }
const members = options({ order: 'word', freeze: 'flag', waitMs: 'time', value: 'number', force: 'flag' })
const service = { manager: 'word', timeoutMs: 'number', systemctl: 'path' } as const
const forMs = options({ graceMs: 'time', killWaitMs: 'time', force: 'flag' }, { graceMs: 0 })

const FUNCTIONS: Readonly<Record<string, readonly Parameter[]>> = {
  collectEvidence: [
    identity,
    options(
      { directory: 'path', environ: 'flag', maxBytes: 'time', prune: 'flag', rule: 'text', now: 'callback' },
      { directory: '/nowhere' },
    ),
  ],
  nudgeParent: [identity, options({ waitMs: 'time', signal: 'signal' })],
  startAgain: [given, options({ onReady: 'callback' })],
  captureRestart: [identity, options({ allowReplacedExecutable: 'flag' })],
  releaseRestart: [given],
  readAlerts: [
    journal,
    options({ severity: 'word', rule: 'text', pid: 'number', limit: 'count', state: 'word' }),
  ],
  isJournalInUse: [journal],
  readRequests: [journal],
  withdrawRequest: [journal, text('none')],
  sendRequest: [journal, given, options({ waitMs: 'time', signal: 'signal' })],
  builtinRules: [options({}, {})],
  capProcess: [
    identities,
    options({ memoryMaxBytes: 'number', cpuWeight: 'number', pidsMax: 'number' }, { pidsMax: 5 }),
    options({ descendants: 'flag', force: 'flag', mountinfo: 'path' }),
  ],
  detectCgroups: [options({ mountinfo: 'path' })],
  uncapProcess: [identities, options({ emptyOnly: 'flag', force: 'flag', mountinfo: 'path' })],
  identify: [number(1, 0, -1, 1.5, 2 ** 53), options({ procRoot: 'path' })],
  signalGroup: [identity, signal, members],
  signalSession: [identity, signal, members],
  signalTree: [identity, signal, members],
  lowerOwnPriority: [options({ nice: 'number', ioLevel: 'count' })],
  setPriority: [identities, number(5, -21, 1.5, 2 ** 53), threads],
  getResourceLimits: [identity],
  setResourceLimit: [
    identities,
    { right: () => 'nofile', wrong: notText },
    options({ soft: 'count', hard: 'count' }, { soft: 5 }),
    force,
  ],
  parseProcessors: [text('0')],
  printProcessors: [{ ...list, wrong: list.wrong.filter((each) => JSON.stringify(each) !== '[42]') }],
  setAffinity: [
    identities,
    { right: () => '0', wrong: [...NOTHING, 42, {}, [], ['0'], [-1], [Number.NaN]] },
    threads,
  ],
  setAutogroupNice: [identities, number(5, -21, 2 ** 53), force],
  setIoPriority: [identities, options({ ioClass: 'word', level: 'count' }, { ioClass: 'idle' }), threads],
  setOomScoreAdj: [identities, number(5, -1001, 2 ** 53), force],
  setScheduler: [
    identities,
    options({ policy: 'word', priority: 'count', resetOnFork: 'flag' }, { policy: 'batch' }),
    threads,
  ],
  setTimerSlack: [identities, number(5, -1, 2 ** 53), threads],
  getScheduling: [identities, options({ threads: 'flag' })],
  sendSignal: [identities, signal, options({ force: 'flag', value: 'number' })],
  signalName: [number(9)],
  signalNumber: [signal],
  terminate: [given, forMs],
  terminateTree: [identity, forMs],
  readConnections: [identity, options({ procRoot: 'path', protocols: 'words', timeoutMs: 'time' })],
  findSocketOwners: [iterable, search],
  findDeleted: [search],
  findByFile: [{ right: () => '/', wrong: [...notText, '', 'a\0b'] }, search],
  findByPort: [
    number(1, 0, -1, 65_536),
    options({ protocols: 'words', remote: 'flag', procRoot: 'path', timeoutMs: 'time' }),
  ],
  findProcesses: [
    table,
    options({ name: 'text', user: 'text', port: 'number', file: 'path' }, { name: 'x' }),
    search,
  ],
  needsTable: [options({ name: 'text', session: 'number' })],
  inspectProcess: [
    identity,
    options({ procRoot: 'path', timeoutMs: 'time', sections: 'words', environment: 'flag' }),
  ],
  findByLibrary: [text('libc'), search],
  readLibraries: [identity, search],
  readMemoryMap: [identity, options({ procRoot: 'path', timeoutMs: 'time', usage: 'flag' })],
  findByNamespace: [text('net:[1]'), search],
  listNamespaces: [search],
  readNamespaces: [identity, search],
  readOpenFiles: [identity, search],
  findPipePeers: [identity, search],
  parseDescriptors: [given],
  readProcFiles: [
    { right: () => made.identity, wrong: notIdentity },
    options(
      { files: 'words', procRoot: 'path', timeoutMs: 'time', maxBytesPerFile: 'number' },
      { files: ['stat'] },
    ),
  ],
  readProcessFacts: [identities, options({ procRoot: 'path', limits: 'flag' })],
  trackResources: [
    identity,
    options({ durationMs: 'number', intervalMs: 'time', pss: 'flag', signal: 'signal' }),
  ],
  findSocketPeers: [identity, search],
  readSockets: [
    { right: () => made.identity, wrong: notIdentity },
    options({ procRoot: 'path', protocols: 'words', timeoutMs: 'time' }),
  ],
  stuckFacts: [identity, options({ timeoutMs: 'time' })],
  stuckProcesses: [table, options({ limit: 'count', timeoutMs: 'time' })],
  stuckAdvice: [{ ...given, wrong: [...given.wrong, {}, { stack: [5] }, { stack: [], waitChannel: 5 }] }],
  readThreads: [identity, options({ procRoot: 'path', timeoutMs: 'time', stacks: 'flag' })],
  zombieAdvice: [{ ...given, wrong: [...given.wrong, {}] }],
  findZombies: [table],
  zombieFacts: [{ ...given, wrong: [...given.wrong, {}, { zombies: [null] }, { zombies: [], parent: 5 }] }],
  listIpc: [options({ procRoot: 'path' })],
  findSegmentMappers: [iterable, options({ procRoot: 'path' })],
  listPosixIpc: [options({ sharedMemoryRoot: 'path', queueRoot: 'path' })],
  removeIpc: [list, force],
  explainTrace: [
    {
      ...given,
      wrong: [
        ...given.wrong,
        { subjects: 5 },
        { query: { pid: 1 }, subjects: 5 },
        { query: { pid: 1 }, subjects: [{}] },
      ],
    },
    options({ time: 'callback' }),
  ],
  readJournal: [journal, options({ fromByte: 'number', without: 'flag' })],
  recover: [{ ...iterable, wrong: [...iterable.wrong, [null], [42], [{}]] }],
  traceDecisions: [journal, options({ limit: 'count', pid: 'number' }, { pid: 1 })],
  parseDuration: [text('5s')],
  parseWhen: [text('rss > 5M')],
  printCondition: [given],
  printOperand: [given],
  printWhen: [given],
  unitOf: [given],
  parseBytes: [text('5M')],
  printDuration: [number(5)],
  allOperands: [given],
  comparisonsOf: [given],
  lockFile: [given, text('x'), number(1, -1)],
  groupsNeeded: [list],
  subjectKey: [given],
  schemaFaults: [given],
  checkRules: [list],
  disableService: [units, options({ ...service, now: 'flag' })],
  enableService: [units, options({ ...service, now: 'flag' })],
  restartService: [units, options(service)],
  startService: [units, options(service)],
  stopService: [units, options(service)],
  listServices: [options({ ...service, type: 'word', state: 'text' })],
  serviceStatus: [text('x'), options(service)],
  generateUnit: [
    withoutNone(
      options({ args: 'stdio', user: 'text', restart: 'word', home: 'word' }, { program: '/bin/true' }),
    ),
  ],
  unitName: [text('x')],
  unitOfProcess: [identity, options({ procRoot: 'path' })],
  generateWatchUnit: [
    withoutNone(options({ restarts: 'flag', memoryMax: 'number', writablePaths: 'words' }, { config: '/x' })),
  ],
  findUser: [{ right: () => 'root', wrong: [...NOTHING, -1, 1.5, Number.NaN, 2 ** 53, {}, []] }],
  dropPidFile: [text('x'), identity],
  keepExit: [{ right: () => made.identity, wrong: [...NOTHING, 1, {}] }, text('/nonexistent/x')],
  readKeptExit: [identity, text('x')],
  spawnProcess: [
    { right: () => 'true', wrong: notText },
    { ...list, wrong: list.wrong.slice(1) },
    options({
      ...{ env: 'list', cwd: 'path', umask: 'stdio', limits: 'list', nice: 'number' },
      ...{ newSession: 'flag', detached: 'flag', pidFile: 'path', onReady: 'callback', stdin: 'stdio' },
    }),
  ],
  bpfObstacle: [options({ procRoot: 'path' })],
  systemRates: [given, given],
  readSystem: [options({ procRoot: 'path', sections: 'words', table: 'word' })],
  parseCgroup: [text('0::/')],
  statLetters: [given],
  terminalName: [number(5)],
  cellWidth: [text('x')],
  escapeForTerminal: [text('x')],
  safeJson: [{ right: () => 'x', wrong: [undefined, () => 1, Symbol('x'), 1n, { a: 1n }, circle] }],
  truncate: [text('x'), number(5), { right: () => '…', wrong: [null, 5, {}] }],
  nearestWord: [text('x'), iterable],
  insteadOf: [text('x'), { right: () => ['x'], wrong: [...NOTHING, 42, {}, 'x'] }],
  wordedBytes: [number(5)],
  wordedClause: [given],
  wordedClauses: [iterable],
  wordedComparison: [quantity, text('>'), quantity, text('bytes')],
  wordedDuration: [number(5)],
  wordedQuantity: [quantity, text('bytes')],
  renderTree: [given, options({ ascii: 'flag', pids: 'flag', fold: 'flag', width: 'number' })],
  readThreadNames: [iterable, options({ procRoot: 'path' })],
  processTree: [table, options({ root: 'stdio', commandLines: 'flag' })],
  compareCohort: [list, options({ limit: 'number', minSpanMs: 'number', minGrowth: 'number' })],
  analyzeTrend: [given],
  currentPlace: [],
  ruleJsonSchema: [],
  diagnose: [],
}

const OPENED: Readonly<Record<string, readonly [call: Loose, ...parameters: Parameter[]]>> = {
  'ProcessHandle.open': [(...args) => (api.ProcessHandle.open as Loose)(...args), identity],
  'Sampler.open': [
    (...args) => (api.Sampler.open as Loose)(...args),
    options({ source: 'word', procRoot: 'path', groups: 'words', capacity: 'count', threads: 'count' }),
  ],
  'EventStream.open': [
    (...args) => (api.EventStream.open as Loose)(...args),
    options({ source: 'word', types: 'words', intervalMs: 'count', bufferBytes: 'count' }),
  ],
  'ProcessManager.open': [
    (...args) => (api.ProcessManager.open as Loose)(...args),
    options({
      intervalMs: 'time',
      journal: 'path',
      events: 'word',
      alertCapacity: 'number',
      sampler: 'list',
    }),
  ],
  'Engine.start': [
    (...args) => (api.Engine.start as Loose)(...args),
    options(
      {
        ...{ rules: 'words', intervalMs: 'time', journal: 'path', evidence: 'list', dryRun: 'flag' },
        ...{ graceMs: 'time', sampler: 'list', events: 'word', workers: 'count', governor: 'list' },
        ...{ startAttempts: 'number', startBackoff: 'word', notifiers: 'words', alertCapacity: 'number' },
      },
      { rules: [] },
    ),
  ],
  'RuleEngine.open': [
    (...args) => (api.RuleEngine.open as Loose)(...args),
    options({ rules: 'words', workers: 'count', intervalMs: 'number', readFacts: 'callback' }, { rules: [] }),
  ],
  'Cgroup.open': [
    (...args) => (api.Cgroup.open as Loose)(...args),
    text('/none'),
    options({ controllers: 'words', mountinfo: 'path' }),
  ],
  'new SystemMonitor': [
    (...args) => new (api.SystemMonitor as unknown as new (...args: unknown[]) => unknown)(...args),
    options({ procRoot: 'path', sections: 'word' }),
  ],
  'new TrendTracker': [
    (...args) => new (api.TrendTracker as unknown as new (...args: unknown[]) => unknown)(...args),
    options({ capacity: 'count', points: 'count', windowMs: 'number', buffer: 'word' }, { capacity: 1 }),
  ],
  'table.top': [(...args) => (made.table!.top as Loose).apply(made.table, args), text('pid'), number(1, -1)],
  'table.filter': [
    (...args) => (made.table!.filter as Loose).apply(made.table, args),
    options({ user: 'text', name: 'text', state: 'text', minCpuPercent: 'number' }),
  ],
}

const MANAGED: Readonly<Record<string, readonly Parameter[]>> = {
  listProcesses: [
    options({
      user: 'text',
      status: 'word',
      minCpuPercent: 'number',
      sort: 'word',
      limit: 'count',
      commandLines: 'flag',
    }),
  ],
  getProcessInfo: [identityOrPid(), options({ sections: 'words', environment: 'flag', timeoutMs: 'time' })],
  sendSignal: [identityOrPid(), signal, options({ to: 'word', force: 'flag', value: 'number' })],
  setPriority: [identityOrPid(), number(5, -21), threads],
  getTopProcesses: [options({ by: 'word', limit: 'count', commandLines: 'flag' })],
  getProcessTree: [
    { ...identityOrPid(), wrong: identityOrPid().wrong.filter((each) => each !== undefined) },
    options({ commandLines: 'flag' }),
  ],
  trackProcessResources: [
    identityOrPid(),
    options({ durationMs: 'number', intervalMs: 'time', pss: 'flag' }),
  ],
  startMonitoring: [
    identityOrPid(),
    options(
      { cpuPercent: 'time', cooldownMs: 'time', severity: 'word', displayName: 'text', onAlert: 'callback' },
      { cpuPercent: 99 },
    ),
  ],
  stopMonitoring: [text('none')],
  getAlerts: [options({ severity: 'word', monitor: 'text', limit: 'count' })],
  getResourceLimits: [identityOrPid()],
  setResourceLimits: [identityOrPid(), options({ nofile: 'list' }), force],
}

function identityOrPid(): Parameter {
  return {
    right: () => made.identity,
    wrong: [...NOTHING, '123', 0, -1, 1.5, Number.NaN, 2 ** 53, {}, [], { pid: 1 }],
  }
}

const REFUSED = new Set(['INVALID_ARGUMENT', 'OUT_OF_RANGE'])

/** What was taken, or refused in any other way: one line each. */
async function taken(name: string, call: Loose, parameters: readonly Parameter[]): Promise<string[]> {
  const faults: string[] = []
  for (const [index, { wrong }] of parameters.entries()) {
    for (const value of wrong) {
      // Whoever would check a later one first must be told of nothing else.
      const args = parameters.map(({ right }, at) => (at === index ? value : right()))
      if (parameters.length === 1 && index > 0) continue
      const what = `${name}, argument ${index + 1}: ${inspect(value)}`
      try {
        const result = await call(...args)
        faults.push(`${what}: taken`)
        if (result instanceof Object && 'close' in result) await (result.close as () => unknown)()
      } catch (error) {
        const { code, message } = error as api.ProcmusterError
        const isRefused = error instanceof api.ProcmusterError && REFUSED.has(code)
        if (!isRefused || message === '') faults.push(`${what}: ${String(error)} (${code})`)
      }
    }
  }
  return faults
}

describe('what is wrong is refused with a code, and named', () => {
  test('every function is in the table', () => {
    const functions = Object.keys(all).filter((name) => {
      return typeof all[name] === 'function' && !/^class\b/.test(Function.prototype.toString.call(all[name]))
    })
    expect(functions.filter((name) => !Object.hasOwn(FUNCTIONS, name))).toEqual([])
  })

  test.each(Object.entries(FUNCTIONS))('%s', async (name, parameters) => {
    // Generators check when they are begun.
    const call: Loose = (...args) => {
      const result = all[name]!(...args)
      return name === 'allOperands' ? (result as Iterator<unknown>).next() : result
    }
    const faults = await taken(name, call, parameters)
    expect(faults).toEqual([])
  })

  test.each(Object.entries(OPENED))('%s', async (name, [call, ...parameters]) => {
    const faults = await taken(name, call, parameters)
    expect(faults).toEqual([])
  })

  test.each(['Engine', 'ProcessManager', 'RuleEngine'])('new %s: others make it', (name) => {
    const made = () => new (all[name] as unknown as new (...args: unknown[]) => unknown)()
    expect(made).toThrow(`options to ${name}.`)
    expect(made).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })

  test('ProcessManager', { timeout: 30_000 }, async () => {
    await using manager = await api.ProcessManager.open({ sampler: { source: 'procfs' } })
    const methods = manager as unknown as Record<string, Loose>
    for (const [name, parameters] of Object.entries(MANAGED)) {
      expect(await taken(name, (...args) => methods[name]!(...args), parameters)).toEqual([])
    }
  })

  test('options are any object that holds values by name, also inherited ones', async () => {
    const path = join(directory, 'options.mjs')
    writeFileSync(path, 'export const timeoutMs = 4000')
    class Options {
      readonly timeoutMs = 4000
      get [Symbol.toStringTag]() {
        return 'Options'
      }
    }
    const right = [await import(path), new Options(), Object.create(null), Object.create({ timeoutMs: 4000 })]
    for (const options of right) {
      expect(await api.findByLibrary('no such library', options)).toMatchObject({ found: [] })
    }
    class Getter {
      get timeoutMs() {
        return 'soon'
      }
    }
    const others = [
      new Map(),
      new Set(),
      /x/,
      new Error('x'),
      Promise.resolve(),
      Buffer.alloc(1),
      new String(''),
    ]
    const wrong = [
      ...others,
      ...[new ArrayBuffer(1), new DataView(new ArrayBuffer(1)), new WeakMap(), AbortSignal.abort(), () => 1],
      ...[Object.create({ timeoutMs: 4000, bogus: 1 }), Object.create({ timeoutMs: 'soon' }), new Getter()],
    ]
    for (const options of wrong) {
      await expect(api.findByLibrary('x', options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
  })

  test.each<[object, string]>([
    [{ governor: { limits: { perWindw: {} } } }, 'unknown option "perWindw"; did you mean perWindow?'],
    [{ governor: { perWindow: { max: 1, windowMs: 1000, windw: 3 } } }, 'unknown option "windw"'],
    [{ governor: { limits: { perGroupWindow: { max: 1, windowMs: 1000, x: 3 } } } }, 'unknown option "x"'],
    [{ governor: { limits: { perGroup: { max: 1, by: 'unit', x: 3 } } } }, 'unknown option "x"'],
    [{ governor: { limits: { minHealthy: { percent: 1, x: 3 } } } }, 'unknown option "x"'],
    [{ governor: { limits: { perWindow: null } } }, 'perWindow is null'],
    [{ governor: { limits: { perGroup: null } } }, 'perGroup is null'],
    [{ governor: { limits: { minHealthy: null } } }, 'minHealthy is null'],
    [{ governor: { limits: { minHealthy: '50%' } } }, 'governor.limits.minHealthy is "50%"'],
    [{ startBackoff: { firstMs: 1, maxMs: 2, x: 3 } }, 'unknown option "x"'],
    [{ hooks: { nope: 1 } }, 'unknown option "nope"'],
    [{ hooks: { onDone: 1 } }, 'onDone is 1'],
    [{ logger: 5 }, 'logger is 5; give a pino logger'],
  ])('nested options of an engine: %j', async (given, message) => {
    const started = api.Engine.start({ rules: [], ...given } as never)
    await expect(started).rejects.toMatchObject({
      ...{ code: 'INVALID_ARGUMENT', message: expect.stringContaining(message) },
    })
  })

  test('the message names the value and what is wanted', async () => {
    await expect(api.findSocketPeers(999_999 as never)).rejects.toThrow(
      'the process: 999999; give its identity: of identify(pid), or of a row',
    )
    await expect(api.sendSignal(42 as never, 'SIGTERM')).rejects.toThrow(
      'the targets: 42; give a list of identities',
    )
    await expect(api.listNamespaces(5 as never)).rejects.toThrow('the options: 5; give an object')
    await expect(api.listNamespaces({ timeoutMs: 'x' } as never)).rejects.toThrow(
      'timeoutMs is "x"; give 0 to 2147483647',
    )
    await expect(api.readThreads(made.identity!, { timeoutMS: 5 } as never)).rejects.toThrow(
      'unknown option "timeoutMS"; did you mean timeoutMs?',
    )
  })
})
