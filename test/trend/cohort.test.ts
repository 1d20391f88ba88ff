import { expect, test } from 'vitest'
import { compareCohort } from '../../dist/index.js'
import { type Course, courses, hourOf, type Series } from './series.js'

const of = (...names: Course[]): Series[] => names.map((name, i) => hourOf(courses[name], { seed: i + 1 }))
const verdicts = (members: Series[]) => compareCohort(members).members.map(({ verdict }) => verdict)

test('one worker grows, its equals do not', () => {
  const cohort = compareCohort(of('steady', 'steady', 'leak', 'steady', 'steady'))
  expect(cohort.members.map(({ verdict }) => verdict)).toEqual(['alike', 'alike', 'apart', 'alike', 'alike'])
  const [, , odd] = cohort.members
  expect(odd!.trend.verdict).toBe('leak')
  expect(odd!.excessPerSecond! / (2 ** 20 / 60)).toBeCloseTo(1, 0)
  expect(odd!.reason).toContain('4 equals')
})

test('a leak of the last half hour, too', () => {
  expect(verdicts(of('steady', 'late', 'steady', 'steady'))).toEqual(['alike', 'apart', 'alike', 'alike'])
})

test('what all do is no exception, growth included', () => {
  for (const name of ['leak', 'wave', 'sawtooth', 'warmUp', 'steady'] as const) {
    expect(verdicts(of(name, name, name, name, name))).toEqual(Array(5).fill('alike'))
  }
})

test('one that grows faster than the others, which grow too', () => {
  const faster = hourOf((minute) => 3 * minute, { seed: 9 })
  const { members, growthPerSecond } = compareCohort([...of('leak', 'leak', 'leak'), faster])
  expect(members.map(({ verdict }) => verdict)).toEqual(['alike', 'alike', 'alike', 'apart'])
  expect(growthPerSecond / (2 ** 20 / 60)).toBeCloseTo(1, 0)
  expect(members[3]!.reason).toMatch(/(2\.9|3|3\.0)\d? times as fast/)
})

test('one that does not grow where all others do is not apart', () => {
  expect(verdicts(of('leak', 'leak', 'steady', 'leak'))).toEqual(Array(4).fill('alike'))
})

test('one under the sawtooth that its equals have', () => {
  expect(verdicts(of('sawtooth', 'underSawtooth', 'sawtooth', 'sawtooth', 'sawtooth'))[1]).toBe('apart')
})

test('unsure with too few equals or too few samples', () => {
  expect(verdicts(of('steady', 'leak'))).toEqual(['unsure', 'unsure'])
  expect(compareCohort([]).members).toEqual([])
  const short = { timesMs: [1, 2], values: [5, 6] }
  const { members } = compareCohort([...of('steady', 'steady', 'leak'), short])
  expect(members.map(({ verdict }) => verdict)).toEqual(['alike', 'alike', 'apart', 'unsure'])
  expect(members[3]).toMatchObject({ excessPerSecond: undefined, reason: 'only 2 samples: 20 are needed' })
  expect(compareCohort([...of('steady', 'leak'), short]).members[0]!.reason).toContain('1 equals with enough')
})

test('refuses what analyzeTrend refuses', () => {
  expect(() => compareCohort([{ timesMs: [2, 1], values: [1, 1] }])).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  )
})
