import fc from 'fast-check'
import { expect, test } from 'vitest'
import { escapeForTerminal, wordedBytes, wordedDuration, wordedQuantity } from '../dist/index.js'
import { wordedClauses, wordedComparison } from '../dist/words.js'

test('sizes in words', () => {
  const cases: [number, string][] = [
    [0, '0 B'],
    [1, '1 B'],
    [0.004, '0.004 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [1.234 * 2 ** 20, '1.23 MiB'],
    [524_288_000, '500 MiB'],
    [612.34 * 2 ** 20, '612.3 MiB'],
    [2 ** 30 - 1, '1 GiB'],
    [2 ** 53, '8 PiB'],
    [-3 * 2 ** 20, '-3 MiB'],
  ]
  for (const [bytes, text] of cases) expect(wordedBytes(bytes)).toBe(text)
})

test('durations in words', () => {
  const cases: [number, string][] = [
    [0, '0 ms'],
    [4.931, '4.93 ms'],
    [350.4, '350 ms'],
    [999.7, '1 s'],
    [1500, '1.5 s'],
    [119_940, '119.9 s'],
    [120_000, '2 min'],
    [150_000, '2 min 30 s'],
    [3_599_700, '1 h'],
    [18_720_000, '5 h 12 min'],
    [86_400_000 * 3, '3 days'],
    [86_400_000 * 3 + 3_600_000 * 4, '3 days 4 h'],
    [Number.POSITIVE_INFINITY, 'never'],
    [-1500, '-1.5 s'],
  ]
  for (const [ms, text] of cases) expect(wordedDuration(ms)).toBe(text)
})

test('quantities of every unit in words', () => {
  const cases: [number | undefined, Parameters<typeof wordedQuantity>[1], string][] = [
    [undefined, 'bytes', 'unknown'],
    [Number.NaN, '%', 'unknown'],
    [90, 'state', 'Z'],
    [12.345, '%', '12.3 %'],
    [0.0001, '%', '0.0001 %'],
    [0.9, 'ratio', '90 %'],
    [1.5e9, 'ns', '1.5 s'],
    [90_000, 'ms', '90 s'],
    [600, 's', '10 min'],
    [Number.POSITIVE_INFINITY, 'ms', 'never'],
    [Number.POSITIVE_INFINITY, '', 'unlimited'],
    [Number.POSITIVE_INFINITY, 'bytes', 'unlimited'],
    [3 * 2 ** 20, 'bytes/s', '3 MiB/s'],
    [12.34, '1/s', '12.3/s'],
    [1_234_567, '', '1234567'],
    [9, 'ticks', '9 ticks'],
  ]
  for (const [value, unit, text] of cases) expect(wordedQuantity(value, unit)).toBe(text)
})

test('a comparison is written with the digits that tell its sides apart', () => {
  const mib = 2 ** 20
  expect(wordedComparison(612.34 * mib, '>', 500 * mib, 'bytes')).toBe('612.3 MiB > 500 MiB')
  expect(wordedComparison(500 * mib + 4096, '>', 500 * mib, 'bytes')).toBe('500.004 MiB > 500 MiB')
  expect(wordedComparison(undefined, '>', 500 * mib, 'bytes')).toBe('unknown > 500 MiB')
  expect(wordedComparison(80, '>=', 80, '%')).toBe('80 % >= 80 %')
  expect(wordedComparison(7_200_500, '>', 7_200_000, 'ms')).toBe('7200.5 s > 7200 s')
  const finite = fc.double({ min: 0, max: 2 ** 50, noNaN: true })
  const unit = fc.constantFrom('bytes', '%', 'ms', 'ns', '1/s', '') as fc.Arbitrary<'bytes' | '%'>
  fc.assert(
    fc.property(finite, fc.integer({ min: 1, max: 1000 }), unit, (value, permille, unit) => {
      const threshold = value * (1 - permille / 1e6)
      const [left, right] = wordedComparison(value, '>', threshold, unit).split(' > ')
      if (value - threshold > value * 1e-12) expect(left).not.toBe(right)
    }),
  )
})

test('clauses are said as they were found; what is unknown is left out', () => {
  const clause = { text: 'rssBytes > 500MiB', operand: 'rssBytes', op: '>', unit: 'bytes' } as const
  const large = { ...clause, value: 612.34 * 2 ** 20, threshold: 500 * 2 ** 20, truth: true }
  const leak = {
    ...clause,
    text: 'leak(rssBytes, 10m)',
    op: 'leak',
    value: 700 * 2 ** 20,
    threshold: undefined,
  }
  const busy = { ...clause, text: 'cpuPercent < 5%', operand: 'cpuPercent', op: '<', unit: '%' } as const
  expect(
    wordedClauses([
      large,
      { ...leak, truth: true },
      { ...busy, value: 8, threshold: 5, truth: false },
      { ...busy, value: undefined, threshold: 5, truth: undefined },
    ]),
  ).toBe('rssBytes 612.3 MiB > 500 MiB and leak(rssBytes, 10m) at 700 MiB and not cpuPercent 8 % < 5 %')
})

test('what could move a cursor or reorder text is escaped', () => {
  expect(escapeForTerminal('a\nb\u001b[31m\u0007\u202e\u009b')).toBe('a\\nb\\e[31m\\x07\\u{202e}\\x9b')
})
