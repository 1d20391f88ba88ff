import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backoffMs } from '../../dist/actions/backoff.js'
import { Governor } from '../../dist/actions/governor.js'
import { checkGovernor, effectiveLimits, type GovernorOptions } from '../../dist/actions/governor_options.js'
import type { GovernorChange, RestartRequest } from '../../dist/actions/governor_types.js'
import { RestartLog } from '../../dist/actions/restart_log.js'
import { RestartQueue, type WantedRestart } from '../../dist/actions/restart_queue.js'
import type { RuleLimits } from '../../dist/rules/schema/rule.js'

const identity = (pid: number, startTicks = 1) => ({ pid, startTicks, settled: true })
const key = ({ pid, startTicks }: { pid: number; startTicks: number }) => `${pid}:${startTicks}`

const asSet = (members: readonly string[] | undefined) => members && new Set(members)

/** A governor and what it told. */
function governed(options: GovernorOptions = {}, members?: () => readonly string[] | undefined) {
  const changes: GovernorChange[] = []
  const governor = new Governor(checkGovernor({ seed: 1, ...options }), {
    members: () => asSet(members?.()),
    onChange: (change) => changes.push(change),
  })
  const request = (
    pid: number,
    atMs: number,
    own: RuleLimits & Partial<RestartRequest> = {},
  ): RestartRequest => {
    const {
      rule = 'r',
      group,
      inBurst = false,
      startTicks = 1,
      ...limits
    } = own as RuleLimits & Partial<RestartRequest> & { startTicks?: number }
    return {
      ...{ rule, identity: identity(pid, startTicks), name: 'n', severity: 'warning', rssBytes: 1 },
      ...{ sinceMs: atMs, wantedMs: atMs, group, inBurst },
      limits: effectiveLimits(limits, governor.settings.limits),
    }
  }
  /** Restarts it, at once, with that end; its successor is the next life of the same pid. */
  const restart = (wanted: RestartRequest, atMs: number, end: 'done' | 'failed' | 'refused' = 'done') => {
    const verdict = governor.admit(wanted, atMs)
    if (verdict.kind !== 'now') return verdict
    governor.began(wanted, atMs)
    const { pid, startTicks } = wanted.identity
    governor.ended(wanted.identity, end, end === 'done' ? identity(pid, startTicks + 1) : undefined, atMs)
    return verdict
  }
  return { governor, changes, request, restart }
}
const life = (startTicks: number) => ({ startTicks }) as object

describe('the governor', () => {
  it('lets a successor inherit the backoff, which doubles, and begins anew after a quiet time', () => {
    const { governor, request, restart } = governed({
      limits: { backoffFirstMs: 100, backoffMaxMs: 350, successMs: 1000, flapMax: 100 },
    })
    const waits: (number | undefined)[] = []
    let nowMs = 0
    for (let lifeNumber = 1; lifeNumber <= 5; lifeNumber++) {
      const wanted = request(1, nowMs, life(lifeNumber))
      const verdict = governor.admit(wanted, nowMs)
      waits.push(verdict.kind === 'wait' ? verdict.untilMs! - nowMs : 0)
      if (verdict.kind === 'wait') nowMs = verdict.untilMs!
      expect(restart(wanted, nowMs)).toEqual({ kind: 'now' })
    }
    expect(waits).toEqual([0, 100, 200, 350, 350])
    expect(governor.admit(request(1, nowMs + 999, life(6)), nowMs + 999)).toEqual({ kind: 'now' }) // 350 is over
    expect(restart(request(1, nowMs + 1000, life(6)), nowMs + 1000)).toEqual({ kind: 'now' })
    // Quiet for the success period: the first pause again.
    expect(governor.admit(request(1, nowMs + 1000, life(7)), nowMs + 1000)).toMatchObject({
      bound: 'backoff',
      untilMs: nowMs + 1100,
    })
  })

  it('does not take the time that a restart waits for a quiet time', () => {
    const { governor, request, restart } = governed({ limits: { backoffFirstMs: 100, successMs: 1000 } })
    restart(request(1, 0), 0, 'refused')
    restart(request(1, 0), 100, 'refused')
    expect(governor.admit(request(1, 0), 5000)).toEqual({ kind: 'now' })
    restart(request(1, 0), 5000, 'refused')
    expect(governor.admit(request(1, 0), 5000)).toMatchObject({ bound: 'backoff', untilMs: 5400 })
  })

  it('gives up on a process that flaps, loudly, and tries it again later', () => {
    const limits = { flapMax: 3, flapWindowMs: 3_600_000, rearmMs: 5000, backoffFirstMs: 0, backoffMaxMs: 0 }
    const { governor, changes, request, restart } = governed({ limits })
    for (let i = 1; i <= 3; i++) expect(restart(request(1, i * 10, life(i)), i * 10).kind).toBe('now')
    const refused = { kind: 'refused', bound: 'gave-up', untilMs: 5040 }
    expect(governor.admit(request(1, 40, life(4)), 40)).toMatchObject(refused)
    expect(governor.admit(request(2, 40), 40)).toEqual({ kind: 'now' })
    const reason = 'restarted 3 times within 1 h, and it breaches again'
    expect(changes).toMatchObject([
      { kind: 'suspended', scope: 'process', who: { identity: { pid: 1, startTicks: 4 } }, reason },
    ])
    governor.tick(5039)
    expect(governor.admit(request(1, 40, life(4)), 5039)).toMatchObject(refused)
    expect(changes).toHaveLength(1)
    governor.tick(5040)
    expect(changes.at(-1)).toMatchObject({ kind: 'resumed', scope: 'process', by: 'time' })
    expect(governor.admit(request(1, 40, life(4)), 5040)).toEqual({ kind: 'now' })
  })

  it('does not count refused attempts as restarts', () => {
    const limits = { flapMax: 2, backoffFirstMs: 0, backoffMaxMs: 0 }
    const { changes, request, restart } = governed({ limits, perWindow: { max: 2, windowMs: 1000 } })
    for (let i = 0; i < 10; i++) expect(restart(request(1, 0), i, 'refused').kind).toBe('now')
    expect(changes).toEqual([])
  })

  it('bounds restarts of a rule and of a group, at the same time and in a window', () => {
    const { governor, request, restart } = governed({ concurrent: 10, limits: { jitterMs: 0 } })
    const limits = {
      concurrent: 2,
      perGroup: { max: 1, by: 'unit' as const },
      perWindow: { max: 3, windowMs: 100 },
    }
    const wanted = (pid: number, group?: string) => request(pid, 0, { ...limits, group } as object)
    governor.began(wanted(1, 'unit:a'), 0)
    expect(governor.admit(wanted(2, 'unit:a'), 0)).toMatchObject({ bound: 'group-concurrent' })
    expect(
      governor.admit(request(2, 0, { group: 'unit:a', rule: 'another', perGroup: limits.perGroup }), 0),
    ).toMatchObject({
      bound: 'group-concurrent',
    })
    governor.began(wanted(2, 'unit:b'), 10)
    expect(governor.admit(wanted(3, 'unit:c'), 10)).toMatchObject({ bound: 'rule-concurrent' })
    expect(governor.admit(request(3, 10, { rule: 'another' }), 10)).toEqual({ kind: 'now' })
    for (const pid of [1, 2]) governor.ended(identity(pid), 'done', identity(pid, 2), 20)
    restart(wanted(3, 'unit:c'), 20)
    expect(governor.admit(wanted(4, 'unit:d'), 20)).toMatchObject({ bound: 'rule-window', untilMs: 100 })
    expect(governor.admit(wanted(4, 'unit:d'), 100)).toEqual({ kind: 'now' })
    const perGroupWindow = { perGroupWindow: { max: 1, windowMs: 500 }, rule: 'third', group: 'unit:c' }
    expect(governor.admit(request(5, 100, perGroupWindow), 100)).toMatchObject({
      bound: 'group-window',
      untilMs: 520,
    })
  })

  it('never leaves fewer healthy members than asked for', () => {
    const alive = [1, 2, 3, 4].map((pid) => key(identity(pid)))
    const { governor, request } = governed({ concurrent: 10 }, () => alive)
    const half = { minHealthy: { percent: 50 } }
    for (const pid of [1, 2]) {
      expect(governor.admit(request(pid, 0, half), 0)).toEqual({ kind: 'now' })
      governor.began(request(pid, 0, half), 0)
    }
    expect(governor.admit(request(3, 0, half), 0)).toMatchObject({ bound: 'min-healthy', untilMs: undefined })
    alive.splice(0, 2) // those under restart are gone meanwhile: they are counted all the same
    expect(governor.admit(request(3, 0, half), 0)).toMatchObject({ bound: 'min-healthy' })
    expect(governor.admit(request(3, 0, { minHealthy: 1 }), 0)).toEqual({ kind: 'now' })
    expect(governor.admit(request(3, 0, { minHealthy: 2 }), 0)).toMatchObject({ bound: 'min-healthy' })
    governor.ended(identity(1), 'done', identity(1, 2), 10)
    alive.push(key(identity(1, 2)))
    expect(governor.admit(request(3, 0, half), 10)).toEqual({ kind: 'now' })
  })

  it('waits where it is not known how many members there are', () => {
    const { governor, request } = governed()
    expect(governor.admit(request(1, 0, { minHealthy: 1 }), 0)).toMatchObject({
      kind: 'wait',
      bound: 'min-healthy',
    })
  })

  it('stops the whole host when too much is restarting, and goes on after a time', () => {
    const { governor, changes, request, restart } = governed({
      perWindow: { max: 2, windowMs: 100 },
      coolMs: 1000,
    })
    restart(request(1, 0), 0)
    restart(request(2, 0, { rule: 'another' }), 0)
    expect(governor.admit(request(3, 10), 10)).toMatchObject({
      kind: 'wait',
      bound: 'host-stop',
      untilMs: 1010,
    })
    expect(governor.admit(request(4, 500), 500)).toMatchObject({ bound: 'host-stop', untilMs: 1010 })
    governor.tick(1010)
    expect(governor.admit(request(3, 10), 1010)).toEqual({ kind: 'now' })
    expect(changes.map(({ kind, scope }) => [kind, scope])).toEqual([
      ['suspended', 'host'],
      ['resumed', 'host'],
    ])
  })

  it('suspends a rule after three restarts of one process without relief, until it is resumed', () => {
    const { governor, changes, request, restart } = governed({
      limits: { backoffFirstMs: 0, backoffMaxMs: 0 },
    })
    for (let i = 1; i <= 3; i++) {
      restart(request(1, i, life(i)), i)
      expect(changes).toEqual([])
      governor.judged('r', identity(1, i + 1), false, 1000, i)
    }
    expect(changes).toMatchObject([{ kind: 'suspended', scope: 'rule', rule: 'r', untilMs: 1003 }])
    for (const pid of [1, 2])
      expect(governor.admit(request(pid, 9, life(pid === 1 ? 4 : 1)), 9)).toMatchObject({
        kind: 'refused',
        bound: 'suspended',
      })
    expect(governor.admit(request(2, 9, { rule: 'another' }), 9)).toEqual({ kind: 'now' })
    expect(governor.resume('another')).toBe(false)
    expect(governor.resume('r')).toBe(true)
    expect(changes.at(-1)).toMatchObject({ kind: 'resumed', scope: 'rule', by: 'request' })
    expect(governor.admit(request(2, 9), 9)).toEqual({ kind: 'now' })
  })

  it('suspends a rule after three restarts in a row, of whichever process, and not for a few among many', () => {
    const judge = (verdicts: readonly boolean[], order: readonly number[]) => {
      const { governor, changes, request, restart } = governed()
      for (const pid of verdicts.keys()) restart(request(pid + 1, 0), 0)
      for (const index of order) governor.judged('r', identity(index + 1, 2), verdicts[index]!, 1000, 1)
      return changes
    }
    expect(judge([false, false, false], [2, 0, 1])).toMatchObject([{ kind: 'suspended', scope: 'rule' }])
    // What is of no use shows first; in the order of the restarts it is not in a row.
    expect(judge([false, true, false, true, false], [0, 2, 4, 1, 3])).toEqual([])
  })

  it('leaves only the process alone where restarts of the rule help others', () => {
    const { governor, changes, request, restart } = governed({
      limits: { backoffFirstMs: 0, backoffMaxMs: 0 },
    })
    for (let i = 1; i <= 3; i++) {
      restart(request(1, i, life(i)), i)
      governor.judged('r', identity(1, i + 1), false, 1000, i)
      restart(request(100 + i, i), i)
      governor.judged('r', identity(100 + i, 2), true, 1000, i)
    }
    expect(changes).toMatchObject([{ kind: 'suspended', scope: 'process', who: { identity: { pid: 1 } } }])
    expect(governor.admit(request(2, 9), 9)).toEqual({ kind: 'now' })
    expect(governor.admit(request(1, 9, life(4)), 9)).toMatchObject({ bound: 'gave-up' })
    expect(governor.resume('r')).toBe(true)
    expect(governor.admit(request(1, 9, life(4)), 9)).toEqual({ kind: 'now' })
  })

  it('spreads what comes together, the same for the same seed, and not what comes alone', () => {
    const delays = (seed: number) => {
      const { governor, request } = governed({ seed, limits: { jitterMs: 1000 } })
      return Array.from({ length: 500 }, (_, pid) => governor.jitterOf(request(pid + 1, 0)))
    }
    const first = delays(7)
    expect(delays(7)).toEqual(first)
    expect(delays(8)).not.toEqual(first)
    expect(Math.min(...first)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...first)).toBeLessThan(1000)
    for (let tenth = 0; tenth < 10; tenth++) {
      const within = first.filter((ms) => Math.floor(ms / 100) === tenth).length
      expect(within).toBeGreaterThan(20)
      expect(within).toBeLessThan(90)
    }
    const { governor, request } = governed({ limits: { jitterMs: 1000 } })
    expect(governor.admit(request(1, 0), 0)).toEqual({ kind: 'now' })
    expect(governor.admit(request(2, 0, { inBurst: true }), 0)).toMatchObject({ bound: 'jitter' })
  })

  it('takes no option that makes no sense, and says which', () => {
    expect(() => checkGovernor({ concurrent: 0 })).toThrow(/governor\.concurrent is 0/)
    expect(() => checkGovernor({ perWindow: { max: 1.5, windowMs: 1 } })).toThrow(/perWindow\.max is 1.5/)
    expect(() => checkGovernor({ limits: { minHealthy: { percent: 101 } } })).toThrow(
      /minHealthy\.percent is 101/,
    )
    expect(() => checkGovernor({ limits: { rearmMs: Number.NaN } })).toThrow(/rearmMs is NaN/)
  })
})

describe('backoff', () => {
  it('doubles up to its maximum', () => {
    const options = { firstMs: 100, maxMs: 500 }
    expect([0, 1, 2, 3, 4, 2000].map((attempts) => backoffMs(attempts, options))).toEqual([
      0, 100, 200, 400, 500, 500,
    ])
  })
})

describe('a log of restarts', () => {
  it('is bounded, and a time that goes back counts as the latest', () => {
    const log = new RestartLog()
    for (let i = 0; i < 50_000; i++) log.add(i)
    expect(log.freeAtMs({ max: 10_000, windowMs: 1 })).toBe(40_001)
    expect(log.add(5)).toBe(49_999)
  })
})

/** One random history: what breaches when, how restarts end, how long they take, how the clock jumps. */
const history = fc.record({
  options: fc.record({
    concurrent: fc.integer({ min: 1, max: 5 }),
    perWindow: fc.record({
      max: fc.integer({ min: 1, max: 12 }),
      windowMs: fc.integer({ min: 1, max: 20_000 }),
    }),
    coolMs: fc.integer({ min: 0, max: 20_000 }),
    seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    suspendAfter: fc.integer({ min: 1, max: 4 }),
  }),
  rules: fc.array(
    fc.record({
      concurrent: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
      perGroup: fc.option(
        fc.record({ max: fc.integer({ min: 1, max: 3 }), by: fc.constant('unit' as const) }),
        {
          nil: undefined,
        },
      ),
      perWindow: fc.option(
        fc.record({ max: fc.integer({ min: 1, max: 6 }), windowMs: fc.integer({ min: 1, max: 10_000 }) }),
        { nil: undefined },
      ),
      minHealthy: fc.option(
        fc.oneof(fc.integer({ min: 0, max: 3 }), fc.record({ percent: fc.integer({ min: 0, max: 80 }) })),
        {
          nil: undefined,
        },
      ),
      jitterMs: fc.integer({ min: 0, max: 3000 }),
      backoffFirstMs: fc.integer({ min: 0, max: 1000 }),
      backoffMaxMs: fc.integer({ min: 0, max: 5000 }),
      successMs: fc.integer({ min: 1, max: 10_000 }),
      flapMax: fc.integer({ min: 1, max: 5 }),
      flapWindowMs: fc.integer({ min: 1, max: 20_000 }),
      rearmMs: fc.integer({ min: 0, max: 10_000 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  processes: fc.integer({ min: 1, max: 12 }),
  steps: fc.array(
    fc.record({
      /** Mostly ticks, at times a long gap. */
      gapMs: fc.oneof(
        { weight: 9, arbitrary: fc.integer({ min: 0, max: 500 }) },
        fc.integer({ min: 0, max: 60_000 }),
      ),
      breaches: fc.array(fc.nat({ max: 11 }), { maxLength: 8 }),
      ends: fc.array(fc.constantFrom('done', 'done', 'failed', 'refused', 'given-up' as const), {
        maxLength: 4,
      }),
      reliefs: fc.array(fc.constantFrom(true, false, 'unknown' as const), { maxLength: 3 }),
    }),
    { minLength: 5, maxLength: 60 },
  ),
})

/** Plays histories through the governor and keeps its own, naive, books. */
class World {
  readonly lives: number[]
  readonly wanted = new Set<number>()
  readonly running: WantedRestart<number>[] = []
  readonly begun: { pid: number; rule: number; group: string; atMs: number; refused: boolean }[] = []
  readonly judgeable: { rule: string; pid: number; life: number }[] = []
  /** By pid: how many restarts had been begun when it was pardoned. */
  readonly begunAtPardon = new Map<number, number>()
  readonly governor: Governor
  readonly queue: RestartQueue<number>
  readonly rules
  readonly options
  nowMs = 1_000_000
  readonly firstWantedMs = new Map<number, number>()

  constructor({
    options,
    rules,
    processes,
  }: Pick<typeof history extends fc.Arbitrary<infer T> ? T : never, 'options' | 'rules' | 'processes'>) {
    this.options = options
    this.lives = Array.from({ length: processes }, () => 1)
    this.rules = rules
    this.governor = new Governor(checkGovernor(options), {
      members: (rule) =>
        new Set(this.membersOf(Number(rule)).map((pid) => key(identity(pid, this.lives[pid]!)))),
      onChange: (change) => {
        if (change.kind === 'resumed' && change.scope === 'process')
          this.begunAtPardon.set(change.who!.identity.pid, this.begun.length)
      },
    })
    this.queue = new RestartQueue<number>(this.governor, {
      stillWanted: ({ payload }) => this.wanted.has(payload),
      onPutOff: () => {},
      onDropped: () => {},
      onRestarted: () => {},
    })
  }

  /** Each process is of one rule, and one of its two groups. */
  ruleOf = (pid: number) => pid % this.rules.length
  groupOf = (pid: number) => `unit:${this.ruleOf(pid)}-${Math.floor(pid / this.rules.length) % 2}`
  limitsOf = (rule: number) => effectiveLimits(this.rules[rule]!, this.governor.settings.limits)
  membersOf = (rule: number) => [...this.lives.keys()].filter((pid) => this.ruleOf(pid) === rule)

  breach(pid: number): void {
    if (pid >= this.lives.length) return
    this.wanted.add(pid)
    if (!this.firstWantedMs.has(pid)) this.firstWantedMs.set(pid, this.nowMs)
    const rule = this.ruleOf(pid)
    const limits = this.limitsOf(rule)
    // The groups of minHealthy are those of the whole rule here, so that the books below stay plain.
    const group =
      limits.perGroup === undefined || limits.minHealthy !== undefined ? undefined : this.groupOf(pid)
    this.queue.want(
      {
        ...{ rule: String(rule), identity: identity(pid, this.lives[pid]!), name: 'n', severity: 'warning' },
        ...{ rssBytes: pid, sinceMs: this.nowMs, wantedMs: this.nowMs, group, limits },
      },
      pid,
    )
  }

  pass(): void {
    for (const wanted of this.queue.pass(this.nowMs)) {
      const pid = wanted.payload
      this.#checkPace(wanted)
      this.running.push(wanted)
      this.begun.push({
        pid,
        rule: this.ruleOf(pid),
        group: this.groupOf(pid),
        atMs: this.nowMs,
        refused: false,
      })
      this.#checkBounds(pid)
    }
  }

  end(how: 'done' | 'failed' | 'refused' | 'given-up'): void {
    const wanted = this.running.shift()
    if (wanted === undefined) return
    const pid = wanted.payload
    const life = this.lives[pid]!
    if (how === 'done') this.lives[pid] = life + 1
    this.queue.ended(wanted, how, how === 'done' ? identity(pid, life + 1) : undefined, this.nowMs)
    if (how === 'refused' || how === 'given-up')
      this.begun.findLast((each) => each.pid === pid)!.refused = true
    if (how === 'done' || how === 'given-up') {
      this.wanted.delete(pid)
      this.firstWantedMs.delete(pid)
    }
    if (how === 'done') this.judgeable.push({ rule: wanted.request.rule, pid, life: life + 1 })
  }

  judge(relief: boolean | 'unknown'): void {
    const restarted = this.judgeable.shift()
    if (restarted === undefined) return
    const { rule, pid, life } = restarted
    this.governor.judged(rule, identity(pid, life), relief, this.limitsOf(Number(rule)).rearmMs, this.nowMs)
  }

  #checkPace({ request }: WantedRestart<number>): void {
    const { wantedMs, inBurst, limits } = request
    const jitter = this.governor.jitterOf(request)
    expect(jitter).toBeGreaterThanOrEqual(0)
    expect(jitter).toBeLessThanOrEqual(limits.jitterMs)
    if (inBurst) expect(this.nowMs).toBeGreaterThanOrEqual(wantedMs + jitter)
  }

  #checkBounds(pid: number): void {
    const rule = this.ruleOf(pid)
    const limits = this.limitsOf(rule)
    const { concurrent, perWindow } = this.options
    const runningOf = (test: (pid: number) => boolean) =>
      this.running.filter(({ payload }) => test(payload)).length
    const within = (windowMs: number, test: (begun: (typeof this.begun)[number]) => boolean, from = 0) =>
      this.begun
        .slice(from)
        .filter((begun) => !begun.refused && begun.atMs > this.nowMs - windowMs && test(begun)).length
    expect(this.running.length).toBeLessThanOrEqual(concurrent)
    expect(new Set(this.running.map(({ payload }) => payload)).size).toBe(this.running.length)
    expect(within(perWindow.windowMs, () => true)).toBeLessThanOrEqual(perWindow.max)
    if (limits.concurrent !== undefined)
      expect(runningOf((each) => this.ruleOf(each) === rule)).toBeLessThanOrEqual(limits.concurrent)
    if (limits.perGroup !== undefined && limits.minHealthy === undefined)
      expect(runningOf((each) => this.groupOf(each) === this.groupOf(pid))).toBeLessThanOrEqual(
        limits.perGroup.max,
      )
    if (limits.perWindow !== undefined)
      expect(within(limits.perWindow.windowMs, (begun) => begun.rule === rule)).toBeLessThanOrEqual(
        limits.perWindow.max,
      )
    expect(
      within(limits.flapWindowMs, (begun) => begun.pid === pid, this.begunAtPardon.get(pid)),
    ).toBeLessThanOrEqual(limits.flapMax)
    if (limits.minHealthy !== undefined) {
      const members = this.membersOf(rule)
      const healthy = members.length - runningOf((each) => this.ruleOf(each) === rule)
      const { minHealthy } = limits
      const least =
        typeof minHealthy === 'number' ? minHealthy : Math.ceil((minHealthy.percent / 100) * members.length)
      expect(healthy).toBeGreaterThanOrEqual(least)
    }
  }
}

describe('histories', () => {
  it('never exceed a bound, and all that is wanted is done in the end', () => {
    fc.assert(
      fc.property(history, ({ steps, ...setting }) => {
        const world = new World(setting)
        for (const { gapMs, breaches, ends, reliefs } of steps) {
          world.nowMs += gapMs
          for (const pid of breaches) world.breach(pid)
          world.pass()
          for (const how of ends) world.end(how)
          for (const relief of reliefs) world.judge(relief)
          world.pass()
        }
        // From here on everything goes well: whatever was refused, suspended, stopped, is done in time.
        const possible = (pid: number) => {
          const { minHealthy = 0 } = world.limitsOf(world.ruleOf(pid))
          const members = world.membersOf(world.ruleOf(pid)).length
          const least =
            typeof minHealthy === 'number' ? minHealthy : Math.ceil((minHealthy.percent / 100) * members)
          return members - 1 >= least
        }
        for (let i = 0; i < 5000 && [...world.wanted].some(possible); i++) {
          world.nowMs += 500
          world.pass()
          while (world.running.length > 0) world.end('done')
        }
        expect([...world.wanted].filter(possible)).toEqual([])
        expect(world.governor.running).toBe(0)
      }),
      { numRuns: 500 },
    )
  })
})

describe('waiting restarts', () => {
  it('go by memory, then severity, then age, one by one', () => {
    const { governor, request } = governed({ concurrent: 1, limits: { jitterMs: 0 } })
    const queue = new RestartQueue<string>(governor, {
      stillWanted: () => true,
      onPutOff() {},
      onDropped() {},
      onRestarted() {},
    })
    queue.want({ ...request(1, 5), rssBytes: 10 }, 'young')
    queue.want({ ...request(2, 1), rssBytes: 10 }, 'old')
    queue.want({ ...request(3, 5), rssBytes: 10, severity: 'critical' }, 'bad')
    queue.want({ ...request(4, 5), rssBytes: 20 }, 'large')
    queue.want({ ...request(5, 0), rssBytes: undefined }, 'unknown')
    const order: string[] = []
    for (let nowMs = 10; queue.waiting > 0; nowMs++) {
      for (const wanted of queue.pass(nowMs)) {
        order.push(wanted.payload)
        queue.ended(wanted, 'done', undefined, nowMs)
      }
    }
    expect(order).toEqual(['large', 'bad', 'old', 'young', 'unknown'])
  })

  it('are told of once for each bound, are dropped when the breach is over, and survive refusals', () => {
    const { governor, request } = governed({ concurrent: 1, limits: { jitterMs: 0, backoffFirstMs: 100 } })
    const told: string[] = []
    const dropped: number[] = []
    const wantedPids = new Set([1, 2])
    const queue = new RestartQueue<number>(governor, {
      stillWanted: ({ payload }) => wantedPids.has(payload),
      onPutOff: ({ payload }, { bound }) => told.push(`${payload} ${bound}`),
      onDropped: ({ payload }) => dropped.push(payload),
      onRestarted() {},
    })
    queue.want(request(1, 0), 1)
    queue.want(request(2, 0), 2)
    const [first] = queue.pass(0)
    expect(first!.payload).toBe(1)
    for (let nowMs = 1; nowMs < 50; nowMs++) expect(queue.pass(nowMs)).toEqual([])
    expect(told).toEqual(['2 host-concurrent'])
    wantedPids.delete(2)
    queue.ended(first!, 'refused', undefined, 50)
    expect(queue.pass(50)).toEqual([])
    expect(dropped).toEqual([2])
    expect(told).toEqual(['2 host-concurrent', '1 backoff'])
    expect(queue.pass(149)).toEqual([])
    expect(queue.pass(150)).toEqual([first])
  })

  const told = (governor: Governor) => {
    const lines: string[] = []
    const queue = new RestartQueue<string>(governor, {
      stillWanted: () => true,
      onPutOff: ({ payload }, { bound }) => lines.push(`${payload} put off: ${bound}`),
      onDropped: ({ payload }, why) => lines.push(`${payload} dropped: ${why}`),
      onRestarted: ({ payload }, byRule, isTold) => lines.push(`${payload} restarted by ${byRule} ${isTold}`),
    })
    return { lines, queue }
  }

  it('of a process that another rule has restarted are dropped, also those that come later', () => {
    const { governor, request } = governed({ limits: { jitterMs: 0, backoffFirstMs: 0 } })
    const { lines, queue } = told(governor)
    queue.want({ ...request(1, 0), rssBytes: 2 }, 'first')
    queue.want(request(1, 0, { rule: 'other' }), 'second')
    queue.want(request(2, 0, { rule: 'other' }), 'of another process')
    const admitted = queue.pass(0)
    expect(admitted.map(({ payload }) => payload)).toEqual(['first', 'of another process'])
    queue.ended(admitted[0]!, 'done', identity(1, 2), 1)
    queue.want(request(1, 1, { rule: 'late' }), 'third')
    expect(lines).toEqual([
      'second put off: busy',
      'second restarted by r false',
      'third restarted by r false',
    ])
    expect(queue.waiting).toBe(0)
    // Of one that was left as it was the others are still wanted.
    queue.ended(admitted[1]!, 'refused', undefined, 1)
    queue.want(request(2, 1, { rule: 'late' }), 'fourth')
    expect(queue.pass(1).map(({ payload }) => payload)).toEqual(['of another process'])
  })

  it('of a group whose largest member is meant are one: who is meant by now, and nobody else meanwhile', () => {
    const { governor, request } = governed({ concurrent: 1, limits: { jitterMs: 0, backoffFirstMs: 0 } })
    const { lines, queue } = told(governor)
    const withGroup = (pid: number) => ({ ...request(pid, 0, { rule: 'g' }), largestOf: 'unit:a' })
    queue.want({ ...request(9, 0), rssBytes: 99 }, 'busy')
    const [busy] = queue.pass(0)
    queue.want(withGroup(1), 'one')
    expect(queue.pass(0)).toEqual([])
    queue.want(withGroup(2), 'two')
    expect(queue.waiting).toBe(1)
    queue.ended(busy!, 'done', identity(9, 2), 1)
    const [admitted] = queue.pass(1)
    expect(admitted!.payload).toBe('two')
    queue.want(withGroup(3), 'three')
    queue.want(withGroup(2), 'two again')
    expect(lines).toEqual([
      'one put off: host-concurrent',
      'one dropped: another member of the group is meant by now',
      'three dropped: another member of the group is being restarted',
    ])
    queue.ended(admitted!, 'done', identity(2, 2), 2)
    expect(queue.waiting).toBe(0)
  })
})
