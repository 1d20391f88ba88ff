import fc from 'fast-check'
import { expect, it } from 'vitest'
import { RESOURCES } from '../../../dist/control/rlimit.js'
import {
  AGGREGATE_FUNCTIONS,
  type Condition,
  HOST_METRICS,
  OPERATORS,
  type Operand,
  type Unit,
  type When,
  WINDOW_FUNCTIONS,
} from '../../../dist/rules/language/ast.js'
import { parseWhen } from '../../../dist/rules/language/parse.js'
import { printWhen } from '../../../dist/rules/language/print.js'
import { isMemory, unitOf } from '../../../dist/rules/language/typing.js'
import { COLUMNS } from '../../../dist/table/columns.js'

const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)
const round = fc
  .tuple(
    fc.integer({ min: -4096, max: 4096 }),
    fc.constantFrom(1, 60, 1000, 1024, 3600, 2 ** 20, 2 ** 30, 60e9),
  )
  .map(([count, factor]) => count * factor + 0)
const anyNumber = fc.oneof(finite, round)
const span = fc.integer({ min: 1, max: 366 * 86_400_000 })

/** A number as it may stand beside an operand. */
function constantBeside(operand: Operand): fc.Arbitrary<Operand> {
  const unit = unitOf(operand)
  const plain = anyNumber.map(
    (value): Operand => ({ kind: 'constant', value, unit: unit === 'ratio' ? '' : unit }),
  )
  const percent = anyNumber.map(
    (value): Operand => ({ kind: 'constant', value: value / 100 + 0, unit: 'ratio' }),
  )
  const share = anyNumber.map((value): Operand => ({ kind: 'memoryShare', percent: value }))
  return fc.oneof(plain, ...(unit === 'ratio' ? [percent] : []), ...(isMemory(operand) ? [share] : []))
}

/** A number that stands for itself, as in a product; never zero, by which nothing is divided. */
const constantAlone = fc
  .oneof(
    fc.tuple(anyNumber, fc.constantFrom<Unit>('', 'bytes', 'bytes/s', '1/s', 's')),
    anyNumber.map((value): [number, Unit] => [value / 100, 'ratio']),
  )
  .filter(([value]) => value !== 0)
  .map(([value, unit]): Operand => ({ kind: 'constant', value: value + 0, unit }))

const single: fc.Arbitrary<Operand> = fc.oneof(
  fc
    .constantFrom(...COLUMNS.map(({ name }) => name).filter((name) => name !== 'state'))
    .map((column): Operand => ({ kind: 'column', column })),
  fc.constantFrom(...RESOURCES).map((resource): Operand => ({ kind: 'limit', resource })),
  fc.constantFrom<Operand>(
    { kind: 'age' },
    { kind: 'stateSeconds', states: 'D' },
    { kind: 'stateSeconds', states: 'DZ' },
  ),
)
const host = fc.constantFrom(...HOST_METRICS).map((metric): Operand => ({ kind: 'host', metric }))

/** Sums of one operand with itself or a number, products of any two. */
function reckoned(of: fc.Arbitrary<Operand>): fc.Arbitrary<Operand> {
  const sum = of.chain((left) =>
    fc
      .tuple(
        fc.constantFrom('+' as const, '-' as const),
        fc.oneof(constantBeside(left), fc.constant(left)),
        fc.boolean(),
      )
      .map(
        ([op, other, swapped]): Operand => ({
          kind: 'arithmetic',
          op,
          ...(swapped ? { left: other, right: left } : { left, right: other }),
        }),
      ),
  )
  const isTime = (operand: Operand) => ['ns', 'ms'].includes(unitOf(operand))
  const product = fc
    .tuple(fc.constantFrom('*' as const, '/' as const), of, fc.oneof(of, constantAlone), fc.boolean())
    // A time beside a time is read in its unit.
    .filter(([, left, right]) => !(isTime(left) && right.kind === 'constant' && right.unit === 's'))
    .map(
      ([op, one, other, swapped]): Operand => ({
        kind: 'arithmetic',
        op,
        ...(swapped ? { left: other, right: one } : { left: one, right: other }),
      }),
    )
  return fc.oneof(of, sum, product)
}

const perProcess = reckoned(reckoned(single))
const aggregate = fc
  .tuple(fc.constantFrom(...AGGREGATE_FUNCTIONS), perProcess)
  .map(([fn, of]): Operand => ({ kind: 'aggregate', fn, of }))
const atOnce = reckoned(fc.oneof(perProcess, aggregate, host, fc.constant<Operand>({ kind: 'count' })))
const overTime: fc.Arbitrary<Operand> = fc.oneof(
  fc
    .tuple(fc.constantFrom(...WINDOW_FUNCTIONS), atOnce, span)
    .map(([fn, of, windowMs]): Operand => ({ kind: 'window', fn, of, windowMs })),
  atOnce.chain((of) =>
    fc.oneof(constantBeside(of), fc.constant(of)).map((limit): Operand => ({ kind: 'timeTo', of, limit })),
  ),
  span.map((windowMs): Operand => ({ kind: 'exitRate', windowMs })),
)
const measured = reckoned(fc.oneof(atOnce, overTime))

const comparison: fc.Arbitrary<Condition> = fc.oneof(
  measured.chain((operand) =>
    fc
      .tuple(
        fc.constantFrom(...OPERATORS),
        fc.oneof(
          { weight: 3, arbitrary: constantBeside(operand) },
          { weight: 1, arbitrary: fc.constant(operand) },
        ),
        fc.boolean(),
      )
      .map(
        ([op, other, swapped]): Condition => ({
          kind: 'compare',
          op,
          ...(swapped ? { left: other, right: operand } : { left: operand, right: other }),
        }),
      ),
  ),
  fc.tuple(fc.constantFrom('==' as const, '!=' as const), fc.constantFrom(...'RSDTtZXI')).map(
    ([op, letter]): Condition => ({
      kind: 'compare',
      op,
      left: { kind: 'column', column: 'state' },
      right: { kind: 'state', letter },
    }),
  ),
  fc.tuple(atOnce, span).map(([of, spanMs]): Condition => ({ kind: 'leak', of, spanMs })),
)

const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 3 },
    comparison,
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      parts: fc.array(tie('condition'), { minLength: 2, maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('not' as const), part: tie('condition') }),
  ),
}))

const when: fc.Arbitrary<When> = fc.record({
  condition,
  forMs: fc
    .oneof(
      fc.constant(0),
      fc.integer({ min: 0, max: 366 * 86_400_000 }),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
    )
    .map((ms) => ms + 0),
})

it('every condition comes back from its printed form', () => {
  let tried = 0
  fc.assert(
    fc.property(when, (each) => {
      const text = printWhen(each)
      fc.pre(text.length <= 1000)
      tried++
      expect(parseWhen(text)).toEqual(each)
    }),
    { numRuns: 3000 },
  )
  expect(tried).toBe(3000)
})
