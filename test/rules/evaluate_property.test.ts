import fc from 'fast-check'
import { expect, it } from 'vitest'
import { OPERATORS } from '../../dist/rules/language/ast.js'
import type { Rule } from '../../dist/rules/schema/rule.js'
import type { ColumnName } from '../../dist/table/layout.js'
import { brief, LocalJudge } from './local_judge.js'
import { NaiveJudge } from './naive_judge.js'
import { type SyntheticProcess, SyntheticTable } from './synthetic_table.js'

const KERNEL_THREAD = 0x0020_0000
const columns = ['rssBytes', 'cpuPercent', 'nice', 'threads', 'state', 'rchar', 'ppid'] as const
const names = ['web', 'db', 'cron', 'a name (with) parts']
/** Small whole numbers, so that equality and limits are met often. */
const cell = fc.integer({ min: -2, max: 3 })
const op = fc.constantFrom(...OPERATORS)
const number = fc.constantFrom('threads', 'nice')
const durations = fc.constantFrom('1s', '2s', '3s', '5s', '7500ms')

const window = (of: fc.Arbitrary<string>) =>
  fc
    .tuple(fc.constantFrom('avg', 'min', 'max', 'delta', 'p50', 'p95'), of, durations)
    .map(([fn, operand, span]) => `${fn}(${operand}, ${span})`)
const sum = fc
  .tuple(number, fc.constantFrom('+', '-', '*', '/'), number)
  .map(([left, sign, right]) => `(${left} ${sign} ${right})`)
const plain = fc.oneof(number, sum, window(fc.oneof(number, sum)))
const plainTest = fc
  .tuple(plain, op, fc.oneof(cell.map(String), plain))
  .map(([left, sign, right]) => `${left} ${sign} ${right}`)
const otherTest = fc.oneof(
  fc.tuple(fc.constantFrom('rssBytes', 'rchar', 'cpuPercent'), op, cell).map((parts) => parts.join(' ')),
  fc.tuple(op, cell).map(([sign, value]) => `rssBytes ${sign} ${value}%`),
  op.map((sign) => `rssBytes ${sign} host.memTotalBytes`),
  fc.constantFrom(
    'state == R',
    'state != S',
    'stateSeconds(R) >= 2',
    'stateSeconds(RS) > 3',
    'ageSeconds > 1',
  ),
  fc.tuple(durations, op, cell).map(([span, sign, value]) => `rate(rssBytes, ${span}) ${sign} ${value}`),
)
const conditionOf = (test: fc.Arbitrary<string>) =>
  fc.letrec<{ tree: string }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      test,
      fc.tuple(tie('tree'), fc.constantFrom('and', 'or'), tie('tree')).map((parts) => `(${parts.join(' ')})`),
      tie('tree').map((part) => `not (${part})`),
    ),
  })).tree

const processCondition = conditionOf(fc.oneof(plainTest, otherTest))
const aggregate = fc
  .tuple(fc.constantFrom('sum', 'avg', 'min', 'max'), fc.oneof(number, sum))
  .map(([fn, of]) => `${fn}(${of})`)
const groupNumber = fc.oneof(aggregate, window(aggregate), fc.constant('count()'))
const groupCondition = conditionOf(
  fc.oneof(
    fc.tuple(groupNumber, op, fc.oneof(cell.map(String), groupNumber)).map((parts) => parts.join(' ')),
    fc.tuple(durations, op, cell).map(([span, sign, value]) => `exitRate(${span}) ${sign} ${value}`),
  ),
)
const withFor = (condition: fc.Arbitrary<string>) =>
  fc.tuple(condition, fc.constantFrom('', '', ' for 1s', ' for 2500ms')).map((parts) => parts.join(''))

const common = {
  cooldown: fc.constantFrom(undefined, undefined, 0 as const, '1500ms', '4s'),
  match: fc.record({
    name: fc.constantFrom(undefined, undefined, ...names),
    user: fc.constantFrom(undefined, undefined, undefined, 'root', 'daemon'),
    kernelThreads: fc.constantFrom(undefined, undefined, true),
  }),
}
const processRule = fc.record({
  ...common,
  when: withFor(processCondition),
  clear: fc.oneof(fc.constant(undefined), withFor(processCondition)),
})
const groupRule = fc.record({
  ...common,
  per: fc.constantFrom('all' as const, 'user' as const, 'subtree' as const),
  when: withFor(groupCondition),
  clear: fc.oneof(fc.constant(undefined), withFor(groupCondition)),
})

const process = fc.record({
  lives: fc.integer({ min: 0, max: 9 }).map((dice) => dice > 1),
  isReused: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
  isRenamed: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
  isFresh: fc.boolean(),
  name: fc.constantFrom(...names),
  isKernelThread: fc.integer({ min: 0, max: 5 }).map((dice) => dice === 0),
  uid: fc.constantFrom(0, 0, 1),
  values: fc.tuple(
    cell,
    cell,
    cell,
    cell,
    fc.constantFrom(82, 83),
    cell,
    fc.integer({ min: 999, max: 1070 }),
  ),
  missing: fc.array(fc.constantFrom<ColumnName>(...columns, 'uid'), { maxLength: 2 }),
})
// 70 slots: two full words and a part of a third.
const CAPACITY = 70
const scene = fc.integer({ min: 1, max: CAPACITY }).chain((slots) =>
  fc.array(
    fc.record({
      gapMs: fc.constantFrom(1000, 1000, 1000, 1000, 10, 700, 5000, 9000, -3000, 0),
      hostBytes: fc.constantFrom(Number.NaN, 0, 1, 2),
      processes: fc.array(process, { minLength: slots, maxLength: slots }),
    }),
    { minLength: 1, maxLength: 14 },
  ),
)

it.each([
  ['processes', processRule],
  ['groups', groupRule],
] as const)(
  'agrees on %s with an interpreter written apart, on random tables with missing cells',
  (_, rule) => {
    let fired = 0
    let cleared = 0
    fc.assert(
      fc.property(
        fc.array<Partial<Record<keyof Rule, unknown>>>(rule as never, { minLength: 1, maxLength: 5 }),
        fc.constantFrom(undefined, 1000),
        scene,
        (shapes, intervalMs, ticks) => {
          const rules = shapes.map((shape, index) => asRule(`r${index}`, shape))
          const compiled = new LocalJudge(rules, intervalMs === undefined ? {} : { intervalMs })
          const naive = new NaiveJudge(compiled.checked, intervalMs)
          const table = new SyntheticTable(CAPACITY, ['io'])
          const residents: (SyntheticProcess | undefined)[] = []
          let nowMs = 50_000
          let generation = 0
          for (const [step, tick] of ticks.entries()) {
            nowMs += tick.gapMs
            const sampledTicks = 1000 + step * 100
            const host = Float64Array.of(tick.hostBytes)
            for (const [slot, draw] of tick.processes.entries()) {
              if (!draw.lives) {
                residents[slot] = undefined
                continue
              }
              let resident = residents[slot]
              if (resident === undefined || draw.isReused) {
                generation++
                const startTicks = draw.isFresh ? sampledTicks : sampledTicks - 1
                const flags = draw.isKernelThread ? KERNEL_THREAD : 0
                resident = { slot, pid: 1000 + slot, name: draw.name, generation, startTicks, flags }
              }
              const cells: Record<string, number> = { uid: draw.uid }
              for (const [index, column] of columns.entries()) cells[column] = draw.values[index]!
              // Parents are older: no process is its own ancestor.
              cells.ppid = Math.min(cells.ppid!, 999 + slot)
              const name = draw.isRenamed ? draw.name : resident.name!
              residents[slot] = { ...resident, name, cells, missing: draw.missing }
            }
            const present = residents.filter((resident) => resident !== undefined)
            const decisions = compiled.judge(table.fill(present, sampledTicks), nowMs, { host })!
            const told = decisions.map(
              (decision) => brief(decision) + (decision.kind === 'fire' ? ` ${decision.sinceMs}` : ''),
            )
            fired += decisions.filter(({ kind }) => kind === 'fire').length
            cleared += decisions.filter(({ kind }) => kind === 'clear').length
            expect(told.sort()).toEqual(naive.judge(present, sampledTicks, nowMs, host).sort())
          }
        },
      ),
      { numRuns: 300 },
    )
    // The scenes are worth something only if much happens in them.
    expect(fired).toBeGreaterThan(200)
    expect(cleared).toBeGreaterThan(100)
  },
  120_000,
)

function asRule(name: string, shape: object): Rule {
  const given = Object.entries(shape).map(([key, value]) => [
    key,
    key === 'match' ? Object.fromEntries(Object.entries(value as object).filter(isGiven)) : value,
  ])
  return { name, ...Object.fromEntries(given.filter(isGiven as never)) } as Rule
}

function isGiven([, value]: [string, unknown]): boolean {
  return value !== undefined
}
