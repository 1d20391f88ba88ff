import { expect, test } from 'vitest'
import { analyzeTrend, type TrendInput } from '../../dist/index.js'
import { courses, HEALTHY, hourOf, LEAKS, MINUTE } from './series.js'

const MIB = 2 ** 20

test.each(LEAKS)('calls a leak a leak: %s', (course) => {
  const trend = analyzeTrend(hourOf(courses[course]))
  expect(trend).toMatchObject({ verdict: 'leak' })
  expect(trend.confidence).toBeGreaterThanOrEqual(0.5)
  expect(trend.confidence).toBeLessThanOrEqual(1)
  expect(trend.slopeLow).toBeGreaterThan(0)
  expect(trend.slopeLow).toBeLessThanOrEqual(trend.slopePerSecond)
  expect(trend.slopeHigh).toBeGreaterThanOrEqual(trend.slopePerSecond)
  expect(trend.reason).toContain('the floors rose by')
})

test.each(HEALTHY)('does not call this a leak: %s', (course) => {
  const trend = analyzeTrend(hourOf(courses[course], { seed: 3 }))
  expect(trend).toMatchObject({ onsetMs: undefined })
  expect(trend.verdict).not.toBe('leak')
})

test('tells slope, onset and the time left', () => {
  const { timesMs, values } = hourOf(courses.late)
  const trend = analyzeTrend({ timesMs, values, limit: 200 * MIB })
  expect(trend.slopePerSecond / (MIB / 60)).toBeCloseTo(1, 1)
  // Onsets are tried every few minutes.
  expect(Math.abs(trend.onsetMs! / MINUTE - 30)).toBeLessThan(12)
  // 30 of 100 MiB are used up, at 1 MiB a minute.
  expect(Math.abs(trend.exhaustionMs! / MINUTE - 70)).toBeLessThan(5)
  expect(analyzeTrend({ timesMs, values, limit: 110 * MIB }).exhaustionMs).toBe(0)
  expect(analyzeTrend({ timesMs, values }).exhaustionMs).toBeUndefined()
  expect(analyzeTrend({ ...hourOf(courses.steady), limit: 200 * MIB }).exhaustionMs).toBeUndefined()
})

test('the time left is that of the peaks, which reach the limit first', () => {
  const trend = analyzeTrend({ ...hourOf(courses.underSawtooth), limit: 330 * MIB })
  expect(trend.verdict).toBe('leak')
  // Floors are at 120, peaks at 320.
  expect(trend.exhaustionMs! / MINUTE).toBeGreaterThan(10)
  expect(trend.exhaustionMs! / MINUTE).toBeLessThan(90)
})

test('counts cycles', () => {
  const { cycles } = analyzeTrend(hourOf(courses.sawtooth))
  expect(Math.abs(cycles - 60 / 1.37)).toBeLessThan(3)
  expect(analyzeTrend(hourOf(courses.steady)).cycles).toBe(0)
  expect(analyzeTrend(hourOf(courses.leak)).cycles).toBe(0)
})

test('is unsure of growth until it was seen for long enough', () => {
  const young = hourOf(courses.leak, { minutes: 12 })
  expect(analyzeTrend(young)).toMatchObject({ verdict: 'unsure', confidence: 0 })
  expect(analyzeTrend(young).reason).toContain('too short to tell a leak from a warm-up')
  expect(analyzeTrend({ ...young, minSpanMs: 8 * MINUTE }).verdict).toBe('leak')
})

test('is unsure with too few samples, and says how many', () => {
  for (const count of [0, 1, 2, 19]) {
    const { timesMs, values } = hourOf(courses.leak)
    const trend = analyzeTrend({ timesMs: timesMs.slice(0, count), values: values.slice(0, count) })
    expect(trend).toMatchObject({ verdict: 'unsure', slopePerSecond: 0, onsetMs: undefined, cycles: 0 })
    expect(trend.reason).toBe(`only ${count} samples: 20 are needed`)
  }
  const atOnce = { timesMs: Array(100).fill(7), values: Array.from({ length: 100 }, (_, i) => i) }
  expect(analyzeTrend(atOnce).reason).toBe('only 1 samples: 20 are needed')
})

test('growth smaller than minGrowth is steady', () => {
  const { timesMs, values } = hourOf((minute) => minute / 5)
  expect(analyzeTrend({ timesMs, values }).verdict).toBe('leak')
  const trend = analyzeTrend({ timesMs, values, minGrowth: 0.2 })
  expect(trend.verdict).toBe('steady')
  expect(trend.reason).toContain('less than 20 %')
})

test.each([0, 1, -5, 1e15])('a constant series of %s is steady', (value) => {
  const { timesMs } = hourOf(courses.steady)
  const trend = analyzeTrend({ timesMs, values: timesMs.map(() => value) })
  expect(trend).toMatchObject({
    verdict: 'steady',
    slopePerSecond: 0,
    slopeLow: 0,
    slopeHigh: 0,
    confidence: 1,
  })
})

test('missing samples are left out, wherever they are', () => {
  const { timesMs, values } = hourOf(courses.leak)
  const holed = values.map((value, i) => (i < 3 || i % 3 === 1 || i > 710 ? Number.NaN : value))
  holed[300] = Number.POSITIVE_INFINITY
  const trend = analyzeTrend({ timesMs, values: holed })
  expect(trend.verdict).toBe('leak')
  expect(trend.slopePerSecond / (MIB / 60)).toBeCloseTo(1, 1)
  expect(analyzeTrend({ timesMs, values: values.map(() => Number.NaN) }).reason).toContain('only 0 samples')
})

test('gaps and uneven times do not matter', () => {
  const { timesMs, values } = hourOf(courses.leak)
  const keep = timesMs.flatMap((_, i) => ((i > 200 && i < 330) || (i > 400 && i % 5) ? [] : [i]))
  const trend = analyzeTrend({ timesMs: keep.map((i) => timesMs[i]!), values: keep.map((i) => values[i]!) })
  expect(trend.verdict).toBe('leak')
  expect(trend.slopePerSecond / (MIB / 60)).toBeCloseTo(1, 1)
})

test('a restart after a leak starts anew; it is a leak again when it grows for long enough', () => {
  const restartedAt = (at: number) => hourOf((minute) => (minute < at ? minute : minute - at))
  const early = analyzeTrend(restartedAt(35))
  expect(early).toMatchObject({ verdict: 'leak' })
  expect(early.onsetMs).toBeGreaterThanOrEqual(34 * MINUTE)
  expect(early.reason).toContain('since a restart')
  expect(analyzeTrend(restartedAt(50)).verdict).toBe('unsure')
  expect(analyzeTrend(restartedAt(59.5)).reason).toContain('since a restart')
  const cured = analyzeTrend(hourOf((minute) => (minute < 30 ? 2 * minute : 0)))
  expect(cured.verdict).toBe('steady')
})

test('memory that is given back below the floors is no leak, however they rose', () => {
  const rising = (minute: number) => minute / 2 + 30 * ((minute / 6.1) % 1)
  expect(analyzeTrend(hourOf(rising)).verdict).toBe('leak')
  expect(analyzeTrend(hourOf((minute) => (minute < 57 ? rising(minute) : 0))).verdict).not.toBe('leak')
})

test('does not change what it is given, and takes typed arrays', () => {
  const { timesMs, values } = hourOf(courses.underSawtooth)
  const frozen = analyzeTrend({
    timesMs: Object.freeze(timesMs.slice()),
    values: Object.freeze(values.slice()),
  })
  expect(analyzeTrend({ timesMs: Float64Array.from(timesMs), values: Float64Array.from(values) })).toEqual(
    frozen,
  )
})

test('many samples, more than the first scratch holds', () => {
  for (const count of [2000, 20_000, 200_000]) {
    const timesMs = Array.from({ length: count }, (_, i) => i * 1000)
    const trend = analyzeTrend({ timesMs, values: timesMs.map((t) => 1e8 + count * t) })
    expect(trend.verdict).toBe('leak')
    expect(trend.slopePerSecond).toBeCloseTo(count * 1000, 0)
  }
})

const good = hourOf(courses.steady)
test.each<[string, TrendInput, string]>([
  ['lengths differ', { timesMs: [1, 2], values: [1] }, 'there are 2 times and 1 values'],
  ['a clock that was set back', { timesMs: [1, 3, 2], values: [1, 1, 1] }, 'timesMs[2] is 2, earlier'],
  ['no list', { timesMs: null as never, values: [1] }, 'timesMs is null; give a list of numbers'],
  ['text for numbers', { timesMs: [1, 2], values: ['1', '2'] as never }, 'values[0] is "1"; give a number'],
  ['big integers', { timesMs: new BigInt64Array(1) as never, values: [1] }, 'timesMs[0] is 0; give a number'],
  ['limit', { ...good, limit: Number.NaN }, 'limit is NaN'],
  ['minSpanMs', { ...good, minSpanMs: 0 }, 'minSpanMs is 0'],
  ['minGrowth', { ...good, minGrowth: -1 }, 'minGrowth is -1'],
])('refuses %s', (_, input, message) => {
  expect(() => analyzeTrend(input)).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(message) }),
  )
})
