import { expect, test } from 'vitest'
import { fineDuration, shortAge, shortBytes, shortTime } from '../../dist/cli/quantities.js'
import { didYouMean } from '../../dist/cli/suggest.js'

test('bytes in at most three digits and a unit', () => {
  const cases: [number, string][] = [
    [0, '0'],
    [999, '999'],
    [1000, '1.0K'],
    [1023, '1.0K'],
    [1024, '1.0K'],
    [1536, '1.5K'],
    [10_188, '9.9K'],
    [10_239, '10K'],
    [1_022_976, '999K'],
    [1_023_500, '1.0M'],
    [5.5 * 2 ** 30, '5.5G'],
    [2 ** 47, '128T'],
    [2 ** 53, '8.0P'],
  ]
  for (const [bytes, text] of cases) expect(shortBytes(bytes)).toBe(text)
})

test('ages never take more than six cells below 100 days', () => {
  const cases: [number, string][] = [
    [0, '0s'],
    [59.9, '59s'],
    [60, '1:00'],
    [3599, '59:59'],
    [3600, '1h00m'],
    [86_399, '23h59m'],
    [86_400, '1d00h'],
    [8_639_999, '99d23h'],
  ]
  for (const [seconds, text] of cases) expect(shortAge(seconds)).toBe(text)
})

test('the nearest name is suggested, a far one is not', () => {
  expect(didYouMean('intreval', ['interval', 'grace'])).toBe(' (did you mean "interval"?)')
  expect(didYouMean('RSSBYTES', ['rssBytes'])).toBe(' (did you mean "rssBytes"?)')
  expect(didYouMean('xyz', ['interval', 'grace'])).toBe('')
})

test('processor time finer than an age, and short durations finer than long ones', () => {
  const times: [number, string][] = [
    [0, '0.00s'],
    [4_990_000, '0.00s'],
    [5_100_000, '0.01s'],
    [9.99e9, '9.99s'],
    [9.999e9, '10.0s'],
    [59.94e9, '59.9s'],
    [59.96e9, '59s'],
    [754e9, '12:34'],
  ]
  for (const [ns, text] of times) expect(shortTime(ns)).toBe(text)
  const durations: [number, string][] = [
    [0.31, '310 us'],
    [0.9996, '1 ms'],
    [4.93, '4.9 ms'],
    [5, '5 ms'],
    [350.4, '350 ms'],
    [1500, '1.5 s'],
  ]
  for (const [ms, text] of durations) expect(fineDuration(ms)).toBe(text)
})
