import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exactNear, needsExactForAll } from '../../dist/rules/exact_near.js'
import { checkRules } from '../../dist/rules/schema/rule.js'

const MIB = 2 ** 20
const GIB = 2 ** 30
const MEM_TOTAL = 8 * GIB

const checked = (conditions: readonly string[]) =>
  checkRules(conditions.map((when, index) => ({ name: `r${index}`, when })))
const nearOf = (...conditions: string[]) => [...exactNear(checked(conditions), MEM_TOTAL)]

describe('exactNear', () => {
  const table: [name: string, conditions: string[], near: number[]][] = [
    ['nothing without rules', [], []],
    ['bytes as they are written', ['rss > 500MiB'], [500 * MIB]],
    [
      'every operator',
      ['rss < 1MiB', 'rss <= 2MiB', 'rss >= 3MiB', 'rss == 4MiB', 'rss != 5MiB'],
      [MIB, 2 * MIB, 3 * MIB, 4 * MIB, 5 * MIB],
    ],
    ['every clause', ['rss > 1MiB and cpu > 5 and rss < 3MiB for 30s'], [MIB, 3 * MIB]],
    ['percent of memory as bytes', ['rss > 50%'], [4 * GIB]],
    ['the percentage column as bytes of RSS', ['memory > 25%'], [2 * GIB]],
    ['each threshold once', ['rss > 25%', 'memory > 25', 'rss < 2GiB'], [2 * GIB]],
    ['ascending, as numbers', ['rss > 9MiB', 'rss > 10MiB', 'rss > 1GiB'], [9 * MIB, 10 * MIB, GIB]],
    ['no other column', ['vsz > 1GiB', 'shared > 1MiB', 'cpu > 50%', 'threads > 4'], []],
    ['zero, which a process can rise above', ['rss > 0'], [0]],
    ['nothing below zero', ['rss > -1'], []],
  ]
  it.each(table)('%s', (_, conditions, near) => {
    expect(nearOf(...conditions)).toEqual(near)
  })

  it.each(['shared', 'rssAnon', 'rssFile', 'rssShmem', 'swap', 'peakRss'])(
    'leaves %s to the group exactRss',
    (name) => {
      expect(needsExactForAll(checked([`cpu > 5 and ${name} > 1MiB`]))).toBe(true)
    },
  )

  it('needs that group for no other column', () => {
    expect(
      needsExactForAll(checked(['rss > 1MiB', 'memory > 5', 'vsz > 1MiB', 'text > 1', 'data > 1'])),
    ).toBe(false)
  })

  // What the table is for: if exact cells are used where near, and approximate ones elsewhere, no comparison differs.
  it('decides as exact cells do, however far the approximate ones are off', () => {
    const holds = { '>': (a: number, b: number) => a > b, '<': (a: number, b: number) => a < b } as const
    const operator = fc.constantFrom('>' as const, '<' as const)
    const bytes = fc.integer({ min: 0, max: 1000 })
    fc.assert(
      fc.property(
        operator,
        bytes,
        bytes,
        fc.integer({ min: 0, max: 50 }),
        fc.integer(),
        (op, threshold, exact, error, noise) => {
          const approximate = exact + (noise % (error + 1))
          const [t] = nearOf(`rss ${op} ${threshold}B`)
          const cell = Math.abs(approximate - t!) <= error ? exact : approximate
          expect(holds[op](cell, t!)).toBe(holds[op](exact, t!))
        },
      ),
    )
  })
})
