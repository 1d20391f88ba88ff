import fc from 'fast-check'
import { expect, it } from 'vitest'
import { CASES, generate, HARD_CASES } from '../../bench/leaks/patterns.mjs'
import { analyzeTrend, type Trend, TrendTracker } from '../../dist/index.js'
import { type Course, courses, HEALTHY, hourOf, LEAKS } from './series.js'

const course = fc.constantFrom(...(Object.keys(courses) as Course[]))
const seed = fc.integer({ min: 1, max: 1000 })
const anyHour = fc.tuple(course, seed).map(([name, from]) => hourOf(courses[name], { seed: from }))
/** A power of two, so that scaling rounds nothing. */
const factor = fc.integer({ min: -8, max: 8 }).map((exponent) => 2 ** exponent)

const slopesOf = ({ slopePerSecond, slopeLow, slopeHigh }: Trend) => [slopePerSecond, slopeLow, slopeHigh]

it('scaling the values scales the slope and nothing else', () => {
  fc.assert(
    fc.property(anyHour, factor, ({ timesMs, values }, by) => {
      const trend = analyzeTrend({ timesMs, values })
      const scaled = analyzeTrend({ timesMs, values: values.map((value) => value * by) })
      expect(slopesOf(scaled)).toEqual(slopesOf(trend).map((slope) => slope * by))
      expect({ ...scaled, ...trend }).toEqual(trend)
      expect(scaled.verdict).toBe(trend.verdict)
      expect(scaled.confidence).toBe(trend.confidence)
    }),
  )
})

it('scaling the times, and the span with them, scales the slope and nothing else', () => {
  fc.assert(
    fc.property(anyHour, factor, ({ timesMs, values }, by) => {
      const trend = analyzeTrend({ timesMs, values })
      const scaled = analyzeTrend({ timesMs: timesMs.map((t) => t * by), values, minSpanMs: 900_000 * by })
      expect(slopesOf(scaled)).toEqual(slopesOf(trend).map((slope) => slope / by))
      expect(scaled.onsetMs).toBe(trend.onsetMs === undefined ? undefined : trend.onsetMs * by)
      expect([scaled.verdict, scaled.cycles, scaled.confidence]).toEqual([
        trend.verdict,
        trend.cycles,
        trend.confidence,
      ])
    }),
  )
})

it('shifting the times shifts the onset and nothing else', () => {
  fc.assert(
    fc.property(anyHour, fc.integer({ min: -2e12, max: 2e12 }), ({ timesMs, values }, by) => {
      const trend = analyzeTrend({ timesMs, values })
      const shifted = analyzeTrend({ timesMs: timesMs.map((t) => t + by), values })
      const onsetMs = trend.onsetMs === undefined ? undefined : trend.onsetMs + by
      expect(shifted).toEqual({ ...trend, onsetMs })
    }),
  )
})

it('shifting the values does not change a slope of the same onset', () => {
  fc.assert(
    fc.property(anyHour, fc.integer({ min: 0, max: 50 }), ({ timesMs, values }, mebibytes) => {
      const trend = analyzeTrend({ timesMs, values })
      // Growth counts beside the level: a higher one can change the verdict, and with it where the slope begins.
      const shifted = analyzeTrend({ timesMs, values: values.map((value) => value + mebibytes * 2 ** 20) })
      fc.pre(shifted.onsetMs === trend.onsetMs)
      expect(slopesOf(shifted)).toEqual(slopesOf(trend))
    }),
  )
})

it('samples of the same time may come in any order', () => {
  const group = fc.array(fc.double({ min: 1e6, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(fc.array(group, { minLength: 20, maxLength: 80 }), (groups) => {
      const inOrder = (order: (values: number[]) => number[]) => {
        const ordered = groups.map((values) => order([...values]))
        return {
          timesMs: ordered.flatMap((values, at) => values.map(() => at * 60_000)),
          values: ordered.flat(),
        }
      }
      const trend = analyzeTrend(inOrder((values) => values))
      expect(analyzeTrend(inOrder((values) => values.reverse()))).toEqual(trend)
      expect(analyzeTrend(inOrder((values) => values.sort((a, b) => a - b)))).toEqual(trend)
    }),
  )
})

it('whatever it is given, the result makes sense', () => {
  const value = fc.oneof(fc.double(), fc.double({ min: 0, max: 1e12 }), fc.constantFrom(0, 1e9, Number.NaN))
  const sample = fc.tuple(fc.integer({ min: 0, max: 60_000 }), value)
  fc.assert(
    fc.property(
      fc.array(sample, { maxLength: 200 }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      (samples, limit) => {
        let at = 0
        const timesMs = samples.map(([step]) => {
          at += step
          return at
        })
        const trend = analyzeTrend({ timesMs, values: samples.map(([, v]) => v), limit })
        expect(['leak', 'steady', 'unsure']).toContain(trend.verdict)
        expect(trend.confidence).toBeGreaterThanOrEqual(0)
        expect(trend.confidence).toBeLessThanOrEqual(1)
        expect(trend.slopeLow).toBeLessThanOrEqual(trend.slopePerSecond)
        expect(trend.slopeHigh).toBeGreaterThanOrEqual(trend.slopePerSecond)
        expect(trend.reason).not.toMatch(/NaN|undefined|Infinity/)
        expect(trend.onsetMs !== undefined).toBe(trend.verdict === 'leak')
        if (trend.exhaustionMs !== undefined) expect(trend.exhaustionMs).toBeGreaterThanOrEqual(0)
      },
    ),
    { numRuns: 500 },
  )
})

it('thinning keeps the verdict on clear cases', () => {
  const clear = fc.constantFrom<Course>(...LEAKS.filter((name) => name !== 'underSawtooth'), ...HEALTHY)
  fc.assert(
    fc.property(clear, seed, fc.constantFrom(64, 100, 128, 300), (name, from, points) => {
      const { timesMs, values } = hourOf(courses[name], { seed: from })
      const tracker = new TrendTracker({ capacity: 2, points })
      for (const [i, timeMs] of timesMs.entries()) tracker.add(1, timeMs, values[i]!)
      const isLeak = analyzeTrend({ timesMs, values }).verdict === 'leak'
      expect(tracker.count(1)).toBeLessThanOrEqual(points)
      expect(tracker.analyze(1).verdict === 'leak').toBe(isLeak)
    }),
  )
})

// The full scores, over other seeds, are those of `npm run bench -- leaks`.
it.each(CASES)('$pattern $growth is what it is in nearly all of 24 series', (scored) => {
  let right = 0
  for (let from = 500; from < 524; from++) {
    const { verdict } = analyzeTrend(generate(scored, from))
    if ((verdict === 'leak') === scored.leaks) right++
  }
  expect(right).toBeGreaterThanOrEqual(22)
})

// Each is no leak by one criterion alone: without it, it is called one.
it.each([
  ['what grew since the last trough may be given back', 'bounded walk', 515],
  ['as much was given back before', 'bounded walk', 528],
  ['its level was there before', 'wave of hours', 620],
  ['it is over', 'cache, full for 8 min', 501],
  ['lows rise in one step', 'sawtooth over a step', 500],
  ['lows rise at the start only', 'sawtooth over a warm-up', 893],
  ['lows rise at the end only', 'sawtooth over a step', 967],
])('no leak, since %s: %s', (_, pattern, from) => {
  const scored = [...CASES, ...HARD_CASES].find((one) => one.pattern === pattern)!
  expect(analyzeTrend(generate(scored, from)).verdict).not.toBe('leak')
})
