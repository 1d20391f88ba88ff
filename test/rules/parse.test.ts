import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProcmusterError } from '../../dist/errors.js'
import {
  type Clause,
  type Condition,
  OPERATORS,
  parseCondition,
  parseDuration,
  printCondition,
} from '../../dist/rules/language/print.js'
import { COLUMNS } from '../../dist/table/columns.js'

const clause = (text: string): Clause => parseCondition(text).clauses[0]!

function messageOf(text: string): string {
  try {
    parseCondition(text)
  } catch (error) {
    expect(error).toBeInstanceOf(ProcmusterError)
    expect((error as ProcmusterError).code).toBe('INVALID_ARGUMENT')
    return (error as ProcmusterError).message
  }
  throw new Error(`${text} was accepted`)
}

describe('a condition', () => {
  it('knows every column by its name', () => {
    for (const { name } of COLUMNS) {
      expect(clause(name === 'state' ? 'state == Z' : `${name} > 1`).column).toBe(name)
    }
  })

  it.each([
    ['rss > 1', 'rssBytes'],
    ['RSS > 1', 'rssBytes'],
    ['vsz > 1', 'vszBytes'],
    ['cpu > 1', 'cpuPercent'],
    ['mem > 1', 'memoryPercent'],
    ['memory > 1', 'memoryPercent'],
    ['swap > 1', 'swapBytes'],
    ['peakRss > 1', 'peakRssBytes'],
    ['userTime > 1s', 'userTimeNs'],
  ])('%s is about %s', (text, column) => {
    expect(clause(text).column).toBe(column)
  })

  it.each([
    ['rss > 500MiB', 500 * 2 ** 20],
    ['rss > 500 MiB', 500 * 2 ** 20],
    ['rss > 500M', 500 * 2 ** 20],
    ['rss > 500mb', 500e6],
    ['rss > 1.5GB', 1.5e9],
    ['rss > 2KB', 2000],
    ['rss > 2KiB', 2048],
    ['rss > 2k', 2048],
    ['rss > 1TiB', 2 ** 40],
    ['rss > 7B', 7],
    ['rss > 1e3', 1000],
    ['cpu > 80%', 80],
    ['cpu > 80', 80],
    ['nice < -5', -5],
    ['userTime > 90s', 90e9],
    ['userTime > 2m', 120e9],
    ['userTime > 5ms', 5e6],
    ['readBytesPerSecond > 10MiB', 10 * 2 ** 20],
    ['readBytesPerSecond > 10MB/s', 10e6],
    ['minorFaultsPerSecond > 100/s', 100],
    ['state == Z', 'Z'.charCodeAt(0)],
  ])('%s has the threshold %d', (text, threshold) => {
    expect(clause(text)).toMatchObject({ threshold, ofMemory: false })
  })

  it('takes percent of a memory column as percent of physical memory', () => {
    expect(clause('rss > 80%')).toMatchObject({ column: 'rssBytes', threshold: 80, ofMemory: true })
  })

  it('takes several clauses and a duration', () => {
    expect(parseCondition(' rss>500MiB AND cpu >= 80% && threads!=1 for 1h30m ')).toEqual({
      clauses: [
        { column: 'rssBytes', op: '>', threshold: 500 * 2 ** 20, ofMemory: false },
        { column: 'cpuPercent', op: '>=', threshold: 80, ofMemory: false },
        { column: 'threads', op: '!=', threshold: 1, ofMemory: false },
      ],
      forMs: 5_400_000,
    })
  })

  it.each([
    ['', /at the end: expected a column/],
    ['rsss > 5', /at character 1: unknown column 'rsss'; did you mean 'rss'/],
    ['cpu > 5 and memoryPercnt > 1', /at character 13: .*did you mean 'memoryPercent'/],
    ['qwertyuiop > 5', /unknown column 'qwertyuiop'$/],
    ['rss', /at the end: expected one of/],
    ['rss = 5', /at character 5: unknown comparison '='; did you mean '=='/],
    ['rss => 5', /unknown comparison '=>'/],
    ['rss >', /at the end: expected a number/],
    ['rss > x', /at character 7: expected a number/],
    ['rss > 5s', /at character 8: 's' does not fit rssBytes; it takes .*MiB.*% of physical memory/],
    ['cpu > 5MiB', /'MiB' does not fit cpuPercent/],
    ['readBytes > 5%', /'%' does not fit readBytes/],
    ['threads > 5k', /'k' does not fit threads; it takes a plain number/],
    ['startTicks > 5s', /does not fit startTicks/],
    ['userTime > 5M', /'M' does not fit userTimeNs/],
    ['rss > 1e999', /too large/],
    ['state > Z', /a state is compared by == or !=/],
    ['state == Q', /at character 10: expected a state, one letter of/],
    ['state == 5', /expected a state/],
    ['rss > 5 or cpu > 3', /at character 9: 'or' is not part of a condition; write a rule for each/],
    ['rss > 5 cpu > 3', /expected 'and', 'for' or the end|'cpu' does not fit/],
    ['rss > 5 for', /at the end: expected a duration/],
    ['rss > 5 for 30', /expected a duration/],
    ['rss > 5 for 30x', /expected a duration/],
    ['rss > 5 for 30s and', /at character 17: expected 'and', 'for' or the end/],
    ['rss > 5 for 9999d', /at most 366 days/],
    ['rss > 5 ;', /at character 9: expected 'and', 'for' or the end/],
    ['rss\u001b[2J > 5', /\\u001b/],
  ])('%j is refused with the place and the reason', (text, reason) => {
    expect(messageOf(text)).toMatch(reason)
  })

  it('is printed in its canonical form', () => {
    const canonical = 'rssBytes > 500MiB and cpuPercent >= 80% and state == D for 90s'
    expect(printCondition(parseCondition('rss > 500M and cpu >= 80 and state==D for 1m30s'))).toBe(canonical)
  })

  it('comes back from its printed form', () => {
    fc.assert(
      fc.property(anyCondition, (condition) => {
        expect(parseCondition(printCondition(condition))).toEqual(condition)
      }),
      { numRuns: 2000 },
    )
  })

  it('never fails but by INVALID_ARGUMENT', () => {
    const pieces = fc.constantFrom(
      'rss',
      'cpu',
      '>',
      '<=',
      '=',
      '5',
      '-1',
      '.5e3',
      'MiB',
      '%',
      'and',
      'for',
      '30s',
      ' ',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces).map((list) => list.join(' ')),
        ),
        (text) => {
          try {
            parseCondition(text)
          } catch (error) {
            expect(error).toMatchObject({ name: 'ProcmusterError', code: 'INVALID_ARGUMENT' })
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('a duration', () => {
  it.each([
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['250ms', 250],
    ['2d', 172_800_000],
    ['0s', 0],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  it.each(['', '30', 's', '30s5', '-5s', '5 s', '5y'])('%j is refused', (text) => {
    expect(() => parseDuration(text)).toThrow(/is no duration/)
  })

  it('is refused when it is longer than a year and a day', () => {
    expect(parseDuration('366d')).toBe(366 * 86_400_000)
    expect(() => parseDuration('367d')).toThrow('"367d" is too long a duration; give at most 366 days')
  })
})

const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)
const round = fc.tuple(
  fc.integer({ min: -4096, max: 4096 }),
  fc.constantFrom(1, 1000, 1024, 2 ** 20, 2 ** 30, 60e9),
)
const anyNumber = fc.oneof(
  finite,
  round.map(([count, factor]) => count * factor + 0),
)
const anyClause: fc.Arbitrary<Clause> = fc.oneof(
  fc.record({
    column: fc.constantFrom(...COLUMNS.map(({ name }) => name).filter((name) => name !== 'state')),
    op: fc.constantFrom(...OPERATORS),
    threshold: anyNumber,
    ofMemory: fc.constant(false),
  }),
  fc.record({
    column: fc.constantFrom('rssBytes' as const, 'vszBytes' as const, 'swapBytes' as const),
    op: fc.constantFrom(...OPERATORS),
    threshold: anyNumber,
    ofMemory: fc.constant(true),
  }),
  fc.record({
    column: fc.constant('state' as const),
    op: fc.constantFrom('==' as const, '!=' as const),
    threshold: fc.constantFrom(...'RSDTtZXI').map((letter) => letter.charCodeAt(0)),
    ofMemory: fc.constant(false),
  }),
)
const anyCondition: fc.Arbitrary<Condition> = fc.record({
  clauses: fc.array(anyClause, { minLength: 1, maxLength: 4 }),
  forMs: fc
    .oneof(fc.integer({ min: 0, max: 366 * 86_400_000 }), fc.double({ min: 0, max: 1e9, noNaN: true }))
    .map((ms) => ms + 0),
})
