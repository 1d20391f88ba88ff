import fc from 'fast-check'
import { expect, it } from 'vitest'
import { OPERATORS, printCondition } from '../../dist/rules/language/print.js'
import type { Rule } from '../../dist/rules/schema/rule.js'
import type { ColumnName } from '../../dist/table/layout.js'
import { brief, LocalJudge } from './local_judge.js'
import { NaiveJudge } from './naive_judge.js'
import { type SyntheticProcess, SyntheticTable } from './synthetic_table.js'

const KERNEL_THREAD = 0x0020_0000
const columns = ['rssBytes', 'cpuPercent', 'nice', 'threads', 'state', 'rchar'] as const
const names = ['web', 'db', 'cron', 'a name (with) parts']
/** Small whole numbers, so that equality and limits are met often. */
const cell = fc.integer({ min: -2, max: 3 })

const clause = fc
  .tuple(fc.constantFrom(...columns), fc.constantFrom(...OPERATORS), cell, fc.boolean())
  .map(([column, op, value, isPercent]) =>
    column === 'state'
      ? { column, op: op === '!=' ? op : ('==' as const), threshold: value < 1 ? 82 : 83, ofMemory: false }
      : { column, op, threshold: value, ofMemory: isPercent && column === 'rssBytes' },
  )
const rule = fc
  .record({
    clauses: fc.array(clause, { minLength: 1, maxLength: 3 }),
    forMs: fc.constantFrom(0, 0, 1000, 2500),
    cooldown: fc.constantFrom(undefined, undefined, 0, 1500, 4000),
    name: fc.constantFrom(undefined, undefined, ...names),
    user: fc.constantFrom(undefined, undefined, undefined, 'root', 'daemon'),
    kernelThreads: fc.constantFrom(undefined, undefined, true),
    pid: fc.constantFrom(undefined, undefined, undefined, 1003),
  })
  .map(({ clauses, forMs, cooldown, ...match }) => ({
    when: printCondition({ clauses, forMs }),
    cooldown,
    match,
  }))

const process = fc.record({
  lives: fc.integer({ min: 0, max: 9 }).map((dice) => dice > 1),
  isReused: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
  isRenamed: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
  isFresh: fc.boolean(),
  name: fc.constantFrom(...names),
  isKernelThread: fc.integer({ min: 0, max: 5 }).map((dice) => dice === 0),
  uid: fc.constantFrom(0, 0, 1),
  values: fc.tuple(cell, cell, cell, cell, fc.constantFrom(82, 83), cell),
  missing: fc.array(fc.constantFrom<ColumnName>(...columns, 'uid'), { maxLength: 2 }),
})
// 70 slots: two full words and a part of a third.
const CAPACITY = 70
const scene = fc.integer({ min: 1, max: CAPACITY }).chain((slots) =>
  fc.array(
    fc.record({
      gapMs: fc.constantFrom(1000, 1000, 1000, 10, 700, 5000, -3000, 0),
      processes: fc.array(process, { minLength: slots, maxLength: slots }),
    }),
    { minLength: 1, maxLength: 12 },
  ),
)

it('agrees with an interpreter written apart, on random tables with missing cells', () => {
  let fired = 0
  let cleared = 0
  fc.assert(
    fc.property(fc.array(rule, { minLength: 1, maxLength: 5 }), scene, (shapes, ticks) => {
      const rules = shapes.map(({ cooldown, ...shape }, index): Rule => {
        const match = Object.fromEntries(
          Object.entries(shape.match).filter(([, value]) => value !== undefined),
        )
        return { name: `r${index}`, ...shape, match, ...(cooldown === undefined ? {} : { cooldown }) }
      })
      const compiled = new LocalJudge(rules)
      const naive = new NaiveJudge(compiled.checked)
      const table = new SyntheticTable(CAPACITY, ['io'])
      const residents: (SyntheticProcess | undefined)[] = []
      let nowMs = 50_000
      let generation = 0
      for (const [step, tick] of ticks.entries()) {
        nowMs += tick.gapMs
        const sampledTicks = 1000 + step * 100
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
          const name = draw.isRenamed ? draw.name : resident.name!
          residents[slot] = { ...resident, name, cells, missing: draw.missing }
        }
        const present = residents.filter((resident) => resident !== undefined)
        const decisions = compiled.judge(table.fill(present, sampledTicks), nowMs)!
        const told = decisions.map(
          (decision) => brief(decision) + (decision.kind === 'fire' ? ` ${decision.sinceMs}` : ''),
        )
        fired += decisions.filter(({ kind }) => kind === 'fire').length
        cleared += decisions.filter(({ kind }) => kind === 'clear').length
        expect(told.sort()).toEqual(naive.judge(present, sampledTicks, nowMs).sort())
      }
    }),
    { numRuns: 400 },
  )
  // The scenes are worth something only if much happens in them.
  expect(fired).toBeGreaterThan(1000)
  expect(cleared).toBeGreaterThan(1000)
})
