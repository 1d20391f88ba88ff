import fc from 'fast-check'
import { expect, it, test } from 'vitest'
import { analyzeTrend, TrendTracker } from '../../dist/index.js'
import { courses, hourOf, MINUTE, type Series } from './series.js'

const MIB = 2 ** 20

function feed(tracker: TrendTracker, slot: number, { timesMs, values }: Series): TrendTracker {
  for (const [i, timeMs] of timesMs.entries()) tracker.add(slot, timeMs, values[i]!)
  return tracker
}

test('says what analyzeTrend says, as long as nothing had to be thinned out', () => {
  const series = hourOf(courses.afterWarmUp)
  const trend = feed(new TrendTracker({ capacity: 1, points: 1000 }), 0, series).analyze(0, {
    limit: 2 ** 30,
  })
  const exact = analyzeTrend({ ...series, limit: 2 ** 30 })
  expect(trend).toMatchObject({ verdict: exact.verdict, onsetMs: exact.onsetMs, cycles: exact.cycles })
  // Kept in 32 bits.
  expect(trend.slopePerSecond / exact.slopePerSecond).toBeCloseTo(1, 4)
  expect(trend.exhaustionMs! / exact.exhaustionMs!).toBeCloseTo(1, 3)
})

test('memory is what was asked for, at once and for ever', () => {
  const tracker = new TrendTracker({ capacity: 1000, points: 128 })
  expect(tracker.bytesPerSeries).toBeLessThan(2048)
  expect(tracker.buffer.byteLength).toBe(1000 * tracker.bytesPerSeries)
  for (let i = 0; i < 20_000; i++) {
    tracker.add(999, i * 5000, 1e8 + (i % 50) * 1e6)
    expect(tracker.count(999)).toBeLessThanOrEqual(128)
  }
  expect(tracker.count(999)).toBeGreaterThanOrEqual(60)
  expect(tracker.analyze(999).verdict).toBe('steady')
  expect(tracker.count(998)).toBe(0)
  expect(tracker.analyze(998).reason).toContain('only 0 samples')
})

test('lowest and highest values survive thinning', () => {
  const tracker = new TrendTracker({ capacity: 1, points: 64 })
  feed(tracker, 0, hourOf(courses.sawtooth, { minutes: 600 }))
  const { cycles, verdict } = tracker.analyze(0)
  expect(verdict).toBe('steady')
  expect(cycles).toBeGreaterThan(10)
})

test('a window forgets what is older, and keeps on finding what is new', () => {
  const tracker = new TrendTracker({ capacity: 1, points: 128, windowMs: 60 * MINUTE })
  // Six hours of growth, then level.
  feed(
    tracker,
    0,
    hourOf((minute) => Math.min(minute, 360), { minutes: 440 }),
  )
  expect(tracker.analyze(0).verdict).toBe('steady')
  const again = hourOf((minute) => 360 + minute, { minutes: 60 })
  feed(tracker, 0, { timesMs: again.timesMs.map((t) => t + 440 * MINUTE), values: again.values })
  const trend = tracker.analyze(0)
  expect(trend.verdict).toBe('leak')
  expect(trend.onsetMs).toBeGreaterThanOrEqual(435 * MINUTE)
  expect(trend.slopePerSecond / (MIB / 60)).toBeCloseTo(1, 1)
})

test('after a gap longer than the window it starts anew', () => {
  const tracker = feed(new TrendTracker({ capacity: 1, windowMs: 60 * MINUTE }), 0, hourOf(courses.leak))
  const later = hourOf(courses.steady, { minutes: 30 })
  feed(tracker, 0, { timesMs: later.timesMs.map((t) => t + 1000 * MINUTE), values: later.values })
  expect(tracker.analyze(0).verdict).toBe('steady')
})

test('a clock that is set back stands still for one sample, and goes on', () => {
  const { timesMs, values } = hourOf(courses.leak)
  const stepped = timesMs.map((t, i) => (i < 400 ? t : t - 120 * MINUTE))
  const trend = feed(new TrendTracker({ capacity: 1 }), 0, { timesMs: stepped, values }).analyze(0)
  expect(trend.verdict).toBe('leak')
  expect(trend.slopePerSecond / (MIB / 60)).toBeCloseTo(1, 1)
})

test('missing samples are left out', () => {
  const tracker = new TrendTracker({ capacity: 1 })
  const { timesMs, values } = hourOf(courses.leak)
  for (const [i, timeMs] of timesMs.entries()) {
    tracker.add(0, timeMs, i % 2 ? Number.NaN : values[i]!)
    tracker.add(0, Number.NaN, 1)
  }
  expect(tracker.analyze(0).verdict).toBe('leak')
})

test('reset forgets one series and no other', () => {
  const tracker = new TrendTracker({ capacity: 3 })
  for (const slot of [0, 1, 2]) feed(tracker, slot, hourOf(courses.leak))
  tracker.reset(1)
  expect([0, 1, 2].map((slot) => tracker.analyze(slot).verdict)).toEqual(['leak', 'unsure', 'leak'])
  feed(tracker, 1, hourOf(courses.steady))
  expect(tracker.analyze(1).verdict).toBe('steady')
})

test('grows, and keeps what it has', () => {
  const tracker = feed(new TrendTracker({ capacity: 2 }), 1, hourOf(courses.leak))
  const before = tracker.analyze(1)
  tracker.grow(50)
  expect(tracker.capacity).toBe(50)
  expect(tracker.buffer.byteLength).toBe(50 * tracker.bytesPerSeries)
  expect(tracker.analyze(1)).toEqual(before)
  feed(tracker, 49, hourOf(courses.leak))
  expect(tracker.analyze(49).verdict).toBe('leak')
  tracker.grow(3)
  expect(tracker.capacity).toBe(50)
})

test('another tracker over the same memory goes on where the first was', () => {
  const first = new TrendTracker({ capacity: 4, points: 100 })
  const { timesMs, values } = hourOf(courses.leak)
  feed(first, 2, { timesMs: timesMs.slice(0, 300), values: values.slice(0, 300) })
  const second = new TrendTracker({ capacity: 4, points: 100, buffer: first.buffer })
  feed(second, 2, { timesMs: timesMs.slice(300), values: values.slice(300) })
  expect(first.analyze(2)).toEqual(second.analyze(2))
  expect(first.analyze(2).verdict).toBe('leak')
})

it('never holds more than its points, and never goes back in time, whatever the clock does', () => {
  const step = fc.oneof(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: -1e7, max: 1e8 }))
  const windowMs = fc.constantFrom(undefined, 1000, 600_000)
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), windowMs, (steps, window) => {
      const tracker = new TrendTracker({ capacity: 1, points: 64, windowMs: window })
      let at = 1.7e12
      for (const ms of steps) {
        at += ms
        tracker.add(0, at, at % 977)
      }
      expect(tracker.count(0)).toBeLessThanOrEqual(64)
      const trend = tracker.analyze(0, { minSpanMs: 1 })
      expect(trend.slopeLow).toBeLessThanOrEqual(trend.slopeHigh)
      expect(trend.reason).not.toMatch(/NaN|undefined|Infinity|-\d/)
    }),
  )
})

test.each([
  [() => new TrendTracker({ capacity: 0 }), 'capacity is 0'],
  [() => new TrendTracker({ capacity: 1.5 }), 'capacity is 1.5'],
  [() => new TrendTracker({ capacity: 1, points: 10 }), 'points is 10'],
  [() => new TrendTracker({ capacity: 1, windowMs: 0 }), 'windowMs is 0'],
  [() => new TrendTracker({ capacity: 1, buffer: new SharedArrayBuffer(8) }), 'the buffer has 8 bytes'],
  [() => new TrendTracker({ capacity: 1 }).add(1, 0, 0), 'slot is 1'],
  [() => new TrendTracker({ capacity: 1 }).analyze(-1), 'slot is -1'],
  [() => new TrendTracker({ capacity: 1 }).analyze(0, { minSpanMs: -1 }), 'minSpanMs is -1'],
])('refuses bad numbers %#', (act, message) => {
  expect(act).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(message) }),
  )
})
