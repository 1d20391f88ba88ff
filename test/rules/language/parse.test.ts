import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RESOURCES } from '../../../dist/control/rlimit.js'
import { ProcmusterError } from '../../../dist/errors.js'
import { HOST_METRICS, type Operand } from '../../../dist/rules/language/ast.js'
import { parseDuration } from '../../../dist/rules/language/durations.js'
import { parseWhen } from '../../../dist/rules/language/parse.js'
import { printCondition, printOperand, printWhen } from '../../../dist/rules/language/print.js'
import { allOperands, comparisonsOf } from '../../../dist/rules/language/walk.js'
import { COLUMNS } from '../../../dist/table/columns.js'

function sidesOf(text: string): { left: Operand; right: Operand } {
  const { condition } = parseWhen(text)
  if (condition.kind !== 'compare') throw new Error(`${text} is no comparison`)
  return condition
}

function messageOf(text: string): string {
  try {
    parseWhen(text)
  } catch (error) {
    expect(error).toBeInstanceOf(ProcmusterError)
    expect((error as ProcmusterError).code).toBe('INVALID_ARGUMENT')
    return (error as ProcmusterError).message
  }
  throw new Error(`${text} was accepted`)
}

describe('names', () => {
  it('of every column, limit and number of the host are known, in any case of letters', () => {
    for (const { name } of COLUMNS) {
      const text = name === 'state' ? 'STATE == Z' : `${name.toUpperCase()} > 1`
      expect(sidesOf(text).left).toEqual({ kind: 'column', column: name })
    }
    for (const resource of RESOURCES) {
      expect(sidesOf(`Limit.${resource} > 1`).left).toEqual({ kind: 'limit', resource })
    }
    for (const metric of HOST_METRICS) {
      expect(sidesOf(`HOST.${metric} > 1`).left).toEqual({ kind: 'host', metric })
    }
  })

  it.each([
    ['rss', 'rssBytes'],
    ['RES', 'rssBytes'],
    ['vsz', 'vszBytes'],
    ['cpu', 'cpuPercent'],
    ['mem', 'memoryPercent'],
    ['memory', 'memoryPercent'],
    ['swap', 'swapBytes'],
    ['peakRss', 'peakRssBytes'],
    ['userTime', 'userTimeNs'],
    ['nlwp', 'threads'],
    ['age', 'ageSeconds'],
    ['limit.nofile', 'limit.openFiles'],
    ['limit.nproc', 'limit.processes'],
    ['limit.as', 'limit.addressSpace'],
    ['host.memAvailable', 'host.memAvailableBytes'],
    ['host.cpu', 'host.cpuPercent'],
    ['host.uptime', 'host.uptimeSeconds'],
    ['COUNT()', 'count()'],
    ['exitRate', 'exitRate(1m)'],
    ['exitRate()', 'exitRate(1m)'],
    ['EXITRATE(90s)', 'exitRate(90s)'],
    ['Avg( rss ,90s )', 'avg(rssBytes, 90s)'],
  ])('%s means %s', (text, name) => {
    expect(printOperand(sidesOf(`${text} > 1`).left)).toBe(name)
  })
})

describe('a number', () => {
  it.each<[string, number, string]>([
    ['rss > 1', 1, 'bytes'],
    ['rss > 500MiB', 500 * 2 ** 20, 'bytes'],
    ['rss > 500 MiB', 500 * 2 ** 20, 'bytes'],
    ['rss > 500M', 500 * 2 ** 20, 'bytes'],
    ['rss > 500m', 500 * 2 ** 20, 'bytes'],
    ['rss > 500mb', 500e6, 'bytes'],
    ['rss > 1.5GB', 1.5e9, 'bytes'],
    ['rss > 2KB', 2000, 'bytes'],
    ['rss > 2k', 2048, 'bytes'],
    ['rss > 1TiB', 2 ** 40, 'bytes'],
    ['rss > 7B', 7, 'bytes'],
    ['rss > 1e3', 1000, 'bytes'],
    ['rss > .5k', 512, 'bytes'],
    ['cpu > 80%', 80, '%'],
    ['cpu > 80', 80, '%'],
    ['nice < -5', -5, ''],
    ['nice<+5', 5, ''],
    ['nice > -0', 0, ''],
    ['userTime > 90s', 90e9, 'ns'],
    ['userTime > 2m', 120e9, 'ns'],
    ['userTime > 1h30m', 5400e9, 'ns'],
    ['userTime > 5ms', 5e6, 'ns'],
    ['userTime > 5us', 5e3, 'ns'],
    ['readBytesPerSecond > 10MiB', 10 * 2 ** 20, 'bytes/s'],
    ['readBytesPerSecond > 10MB/s', 10e6, 'bytes/s'],
    ['minorFaultsPerSecond > 100/s', 100, '1/s'],
    ['minorFaultsPerSecond > 100', 100, '1/s'],
    ['startTicks > 100', 100, 'ticks'],
    ['stateSeconds(D) > 20', 20, 's'],
    ['stateSeconds(DZ) > 20s', 20, 's'],
    ['ageSeconds > 1h', 3600, 's'],
    ['ageSeconds > 500ms', 0.5, 's'],
    ['age > 1h30m', 5400, 's'],
    ['timeTo(rss, 2GiB) < 30m', 1_800_000, 'ms'],
    ['timeTo(rss, 2GiB) < 5ms', 5, 'ms'],
    ['timeTo(rss, 2GiB) > 0', 0, 'ms'],
    ['exitRate(1m) > 0.5/s', 0.5, '1/s'],
    ['count() < 3', 3, ''],
    ['openFiles / limit.openFiles > 90%', 0.9, 'ratio'],
    ['openFiles / limit.openFiles > 0.9', 0.9, ''],
    ['openFiles / 2 > 90', 90, ''],
    ['rss / 2 > 1KiB', 1024, 'bytes'],
    ['rss / vsz > 90%', 0.9, 'ratio'],
    ['rss / threads > 1KiB', 1024, 'bytes'],
    ['rss / age > 1KiB/s', 1024, 'bytes/s'],
    ['readBytesPerSecond * age > 1KiB', 1024, 'bytes'],
    ['openFiles / age > 2/s', 2, '1/s'],
    ['avg(cpuPercent, 1m) > 80', 80, '%'],
    ['delta(rss, 5m) > 200MiB', 200 * 2 ** 20, 'bytes'],
    ['rate(rss, 5m) > 1MiB/s', 2 ** 20, 'bytes/s'],
    ['rate(threads, 5m) > 2/s', 2, '1/s'],
    ['avg(sum(rss), 5m) > 1KiB', 1024, 'bytes'],
    ['host.pressure.memory.some10 > 20', 20, '%'],
    ['host.memAvailableBytes < 1KiB', 1024, 'bytes'],
    ['limit.as < 1KiB', 1024, 'bytes'],
    ['limit.cpuTime < 1m', 60, 's'],
    ['readBytes / 1KiB > 5', 5, ''],
  ])('%s is %d (%s)', (text, value, unit) => {
    expect(sidesOf(text).right).toEqual({ kind: 'constant', value, unit })
  })

  it.each([
    'rss > 80%',
    'avg(rss, 5m) > 80%',
    'avg(sum(rss), 5m) > 80%',
    'rss + swap > 80%',
    'rss * 2 > 80%',
    'rss - 10MiB > 80%',
    'host.memAvailable < 80%',
    'limit.addressSpace < 80%',
  ])('with percent in %s is a part of physical memory', (text) => {
    expect(sidesOf(text).right).toEqual({ kind: 'memoryShare', percent: 80 })
  })

  it('takes its unit from the other side, wherever it stands', () => {
    expect(printWhen(parseWhen('500M < rss'))).toBe('500MiB < rssBytes')
    expect(printWhen(parseWhen('rss > 10% + 1k'))).toBe('rssBytes > 10% + 1KiB')
    expect(printWhen(parseWhen('rss > 2 * (1M + 1k)'))).toBe('rssBytes > 2 * (1MiB + 1KiB)')
    expect(sidesOf('rss > 2 * 10%').right).toMatchObject({
      left: { value: 2, unit: '' },
      right: { kind: 'memoryShare', percent: 10 },
    })
    expect(sidesOf('rss > 1GiB * 50%').right).toMatchObject({
      left: { value: 2 ** 30, unit: 'bytes' },
      right: { value: 0.5, unit: 'ratio' },
    })
    expect(sidesOf('rss > host.memTotal * 10%').right).toMatchObject({ right: { value: 0.1, unit: 'ratio' } })
    expect(sidesOf('timeTo(rss, 80%) / 1s > 5').left).toMatchObject({
      left: { limit: { kind: 'memoryShare', percent: 80 } },
      right: { value: 1000, unit: 'ms' },
    })
  })
})

describe('a condition', () => {
  it('binds or before and before not before comparisons', () => {
    const shape = (text: string): string => {
      const show = (each: ReturnType<typeof parseWhen>['condition']): string =>
        each.kind === 'and' || each.kind === 'or'
          ? `${each.kind}[${each.parts.map(show).join(' ')}]`
          : each.kind === 'not'
            ? `not[${show(each.part)}]`
            : printCondition(each).replaceAll(' ', '')
      return show(parseWhen(text).condition)
    }
    expect(shape('nice > 1 or nice > 2 and nice > 3')).toBe('or[nice>1 and[nice>2 nice>3]]')
    expect(shape('not nice > 1 AND nice > 2')).toBe('and[not[nice>1] nice>2]')
    expect(shape('!(nice > 1 || nice > 2) && ! nice > 3')).toBe('and[not[or[nice>1 nice>2]] not[nice>3]]')
    expect(shape('nice > 1 and (nice > 2 and nice > 3)')).toBe('and[nice>1 and[nice>2 nice>3]]')
    expect(shape('not not nice != 1')).toBe('not[not[nice!=1]]')
    expect(shape('((nice > 1))')).toBe('nice>1')
    expect(shape('((nice)) > (1)')).toBe('nice>1')
    expect(shape('((nice) + 1) * 2 > 1 and (nice > 2)')).toBe('and[(nice+1)*2>1 nice>2]')
  })

  it.each([
    ['nice + 1 * 2 - 3 > 0', 'nice + 1 * 2 - 3 > 0'],
    ['nice - (1 - 2) > 0', 'nice - (1 - 2) > 0'],
    ['(nice - 1) - 2 > 0', 'nice - 1 - 2 > 0'],
    ['nice / (threads * 2) > 0', 'nice / (threads * 2) > 0'],
    ['-nice > 0', '0 - nice > 0'],
    ['-nice * 2 > 0', '(0 - nice) * 2 > 0'],
    ['nice - -5 > 0', 'nice - -5 > 0'],
    ['- 5 < nice', '-5 < nice'],
    ['leak(rss)', 'leak(rssBytes, 15m)'],
    ['leak(rss + swap, 10m)', 'leak(rssBytes + swapBytes, 10m)'],
    [
      'rss > 500M and cpu >= 80 and state==D for 1m30s',
      'rssBytes > 500MiB and cpuPercent >= 80% and state == D for 90s',
    ],
    ['state != Z or stateSeconds(ZX) > 1m', 'state != Z or stateSeconds(ZX) > 1m'],
    ['rss > 0 for 0s', 'rssBytes > 0B'],
    ['openFiles/limit.openFiles>7%', 'openFiles / limit.openFiles > 7%'],
    ['threads > openFiles * 2', 'threads > openFiles * 2'],
  ])('%s is printed as %s', (text, printed) => {
    expect(printWhen(parseWhen(text))).toBe(printed)
    expect(printWhen(parseWhen(printed))).toBe(printed)
  })

  it('gives its comparisons in the order in which they are written', () => {
    const { condition } = parseWhen('rss > 1 and (leak(swap) or not nice == 2) or count() > 3')
    const words = ['rssBytes > 1B', 'leak(swapBytes, 15m)', 'nice == 2', 'count() > 3']
    expect(comparisonsOf(condition).map(printCondition)).toEqual(words)
  })

  it('gives every operand', () => {
    const { condition } = parseWhen('avg(sum(rss + swap), 5m) > timeTo(nice, 3) / 1s * 1MiB')
    expect([...allOperands(condition)].map(({ kind }) => kind).sort()).toEqual(
      [
        'window',
        'aggregate',
        'arithmetic',
        'column',
        'column',
        'arithmetic',
        'arithmetic',
        'timeTo',
        'column',
        'constant',
        'constant',
        'constant',
      ].sort(),
    )
  })

  it('may be as long and as deep as it says', () => {
    const deep = (depth: number) => `${'('.repeat(depth)}nice > 1${')'.repeat(depth)}`
    expect(printWhen(parseWhen(deep(32)))).toBe('nice > 1')
    expect(messageOf(deep(33))).toMatch(/at character 33: nested more than 32 deep/)
    expect(messageOf(`${'not '.repeat(33)}nice > 1`)).toMatch(/nested more than 32/)
    expect(messageOf(`${'- '.repeat(33)}nice > 1`)).toMatch(/nested more than 32/)
    const sum = `${Array(190).fill('nice').join('+')} > 1`
    expect(printWhen(parseWhen(sum))).toBe(sum.replaceAll('+', ' + '))
    expect(messageOf('nice > 1 or '.repeat(100))).toMatch(/at character 1: more than 1000 characters/)
  })
})

describe('a fault', () => {
  it.each<[string, RegExp]>([
    ['', /at the end: expected a column such as 'rss' or a function/],
    ['rsss > 5', /at character 1: unknown column 'rsss'; did you mean 'rss'/],
    ['cpu > 5 and memoryPercnt > 1', /at character 13: .*did you mean 'memoryPercent'/],
    ['qwertyuiop > 5', /unknown column 'qwertyuiop'; `muster ps --help` lists them$/],
    ['limit.openFile > 3', /at character 1: unknown limit 'limit.openFile'; did you mean 'limit.openFiles'/],
    ['host.memAvailabel > 3', /unknown number of the host .*did you mean 'host.memAvailable'/],
    ['stateSecond > 3', /did you mean 'stateSeconds'/],
    ['av(rss, 1m) > 3', /at character 1: unknown function 'av'; did you mean 'avg'/],
    ['rss(5) > 3', /at character 1: rssBytes is no function/],
    ['avg > 3', /at character 5: expected '\(' after 'avg'; write avg\(rss, 5m\)/],
    ['rss', /at the end: expected one of/],
    ['rss and cpu > 1', /at character 5: expected one of/],
    ['not rss', /at the end: expected one of/],
    ['rss = 5', /at character 5: unknown comparison '='; did you mean '=='/],
    ['rss => 5', /at character 5: unknown comparison '=>'/],
    ['rss >', /at the end: expected a number, a column or a function after '>'/],
    ['rss > and', /at character 7: expected a number/],
    ['rss > x', /at character 7: unknown column 'x'/],
    ['rss > 5s', /at character 8: 's' does not fit rssBytes; it takes .*MiB.*% of physical memory/],
    ['cpu > 5MiB', /at character 8: 'MiB' does not fit cpuPercent/],
    ['avg(cpu, 1m) > 5MiB', /'MiB' does not fit avg\(cpuPercent, 1m\); it takes a number or %/],
    ['readBytes > 5%', /'%' does not fit readBytes/],
    ['host.swapUsed > 50%', /'%' does not fit host.swapUsedBytes/],
    ['timeTo(rss, 1GiB) < 30', /a number does not fit timeTo\(.*\); it takes a unit: ms, s, m, h or d/],
    ['threads > 5k', /'k' does not fit threads; it takes a plain number/],
    ['threads > 5%', /'%' does not fit threads/],
    ['startTicks > 5s', /does not fit startTicks/],
    ['userTime > 5M', /'M' does not fit userTimeNs/],
    ['rss > 5x', /at character 8: 'x' does not fit/],
    ['rss * 5x > 3', /at character 8: 'x' is no unit/],
    ['rss > 1e999', /at character 7: 1e999B? is too large/],
    ['rss > NaN', /at character 7: 'NaN' is no number/],
    ['rss > Infinity', /'Infinity' is no number/],
    [
      'rss > threads',
      /at character 5: rssBytes \(bytes\) and threads \(a plain number\) are not of one unit/,
    ],
    ['timeTo(rss, 1GiB) < age', /\(ms\) and ageSeconds \(s\) are not of one unit/],
    ['rss - cpu > 3', /at character 5: .*not of one unit/],
    ['5 > 3', /at character 1: two numbers are compared/],
    ['rss > 5 and 2 * 3 == 6', /at character 13: two numbers/],
    ['rss > 1 < 3', /at character 9: a comparison has two sides/],
    ['(rss > 5) > 3', /at character 11: a condition is not compared/],
    ['(rss > 5) + 3 > 3', /at character 2: expected a number, a column or a function, not a condition/],
    ['rss > (cpu > 5)', /at character 8: expected a number.*not a condition/],
    ['leak(rss) > 5', /at character 11: a condition is not compared by '>'/],
    ['rss / 0 > 1', /at character 7: division by zero/],
    ['rss > 1GiB / 0', /division by zero/],
    ['state > Z', /at character 7: a state is compared by == or !=/],
    ['state == Q', /at character 10: expected a state, one letter of/],
    ['state == DZ', /at character 10: expected a state/],
    ['state == 5', /at character 10: expected a state/],
    ['state == state', /expected a state/],
    ['state + nice > 1', /at character 7: a state is a letter/],
    ['nice > state', /at character 6: a state stands on the left/],
    ['avg(state, 1m) > 1', /at character 5: a state is a letter/],
    ['stateSeconds(Q) > 1', /at character 14: expected states/],
    ['stateSeconds() > 1', /at character 14: expected states/],
    ['stateSeconds(DD) > 1', /twice/],
    ['delta(rss) > 5', /at character 10: expected ',' and a duration; write delta\(rss, 5m\)/],
    ['sum(rss, 5m) > 5', /at character 8: sum is over the members.*avg\(sum\(rss\), 5m\)/],
    ['avg(rss, 30) > 5', /at character 10: expected a duration/],
    ['avg(rss, 0s) > 5', /at character 10: a window is longer than 0/],
    ['avg(rss, 9999d) > 5', /at character 10: a duration is at most 366 days/],
    ['leak(rss, 0s)', /longer than 0/],
    ['exitRate(0s) > 1', /longer than 0/],
    ['avg(rss, 5m, 3) > 5', /at character 12: avg takes no more/],
    ['avg(rss, 5m > 5', /at character 13: expected '\)' at the end of avg/],
    ['avg(avg(rss, 1m), 1m) > 3', /at character 5: avg\(rssBytes, 1m\) is over time already/],
    ['leak(avg(rss, 1m), 1m)', /is over time already/],
    ['timeTo(avg(rss, 1m), 1GiB) < 1m', /is over time already/],
    ['timeTo(rss, avg(vsz, 1m)) < 1m', /at character 13: .*is over time already/],
    ['avg(exitRate, 1m) > 1', /is over time already/],
    ['timeTo(rss) < 1m', /at character 11: expected ',' and a limit/],
    ['timeTo(rss, threads) < 1m', /at character 13: .*does not grow to/],
    ['timeTo(5, 5) < 1m', /at character 8: expected something that is measured/],
    ['avg(5, 1m) > 3', /at character 5: expected something that is measured/],
    ['sum(avg(rss, 1m)) > 3', /at character 5: first over the members, then over time/],
    ['sum(max(rss)) > 3', /max\(rssBytes\) is of the whole group already/],
    ['sum(count()) > 3', /count\(\) is of the whole group already/],
    ['sum(host.load1) > 3', /host.load1 is the same for every member/],
    ['rss > 5 and (cpu > 3', /at the end: expected '\)' for the '\(' at character 13/],
    ['rss > 5)', /at character 8: expected 'and', 'or', 'for' or the end/],
    ['rss > 5 cpu > 3', /'cpu' does not fit/],
    ['rss > 5 not cpu > 3', /at character 9: expected 'and', 'or', 'for' or the end, not 'not'/],
    ['rss > 5 for', /at the end: expected a duration/],
    ['rss > 5 for 30', /expected a duration/],
    ['rss > 5 for 30x', /expected a duration/],
    ['rss > 5 for 30s and', /at character 17: expected the end, not 'and'/],
    ['(rss > 5 for 30s)', /at character 10: expected '\)'/],
    ['rss > 5 for 9999d', /at most 366 days/],
    ['rss > 5 ;', /at character 9: expected 'and', 'or', 'for' or the end$/],
    ['rss\u001b[2J > 5', /\\u001b/],
  ])('in %j is named with its place and reason', (text, reason) => {
    expect(messageOf(text)).toMatch(reason)
  })

  it('is never anything but INVALID_ARGUMENT', () => {
    const words =
      'rss cpu state D host.load1 limit.as age avg( sum( leak( timeTo( stateSeconds( count() exitRate ( ) , > <= == = ! + - * / 5 -1 .5e3 0 MiB % /s 1h30m and or not for 30s'
    const pieces = fc.constantFrom(...words.split(' '))
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces, { maxLength: 20 }).map((list) => list.join(' ')),
          fc.array(pieces, { maxLength: 20 }).map((list) => list.join('')),
        ),
        (text) => {
          let when: ReturnType<typeof parseWhen>
          try {
            when = parseWhen(text)
          } catch (error) {
            expect(error).toMatchObject({ name: 'ProcmusterError', code: 'INVALID_ARGUMENT' })
            return
          }
          expect(parseWhen(printWhen(when))).toEqual(when)
        },
      ),
      { numRuns: 3000 },
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
