import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exactNear } from '../../dist/rules/exact_near.js'
import { checkRules } from '../../dist/rules/rule.js'

const MIB = 2 ** 20
const GIB = 2 ** 30
const MEM_TOTAL = 8 * GIB

const nearOf = (...conditions: string[]) => {
  const rules = checkRules(conditions.map((when, index) => ({ name: `r${index}`, when })))
  const near = exactNear(rules, MEM_TOTAL)
  return Object.fromEntries(Object.entries(near).map(([column, bytes]) => [column, [...bytes]]))
}

describe('exactNear', () => {
  const table: [name: string, conditions: string[], near: Record<string, number[]>][] = [
    ['nothing without rules', [], {}],
    ['bytes as they are written', ['rss > 500MiB'], { rssBytes: [500 * MIB] }],
    [
      'every operator',
      ['rss < 1MiB', 'rss <= 2MiB', 'rss >= 3MiB', 'rss == 4MiB', 'rss != 5MiB'],
      {
        rssBytes: [MIB, 2 * MIB, 3 * MIB, 4 * MIB, 5 * MIB],
      },
    ],
    ['every clause', ['rss > 1MiB and cpu > 5 and rss < 3MiB for 30s'], { rssBytes: [MIB, 3 * MIB] }],
    ['percent of memory as bytes', ['rss > 50%'], { rssBytes: [4 * GIB] }],
    ['the percentage column as bytes of RSS', ['memory > 25%'], { rssBytes: [2 * GIB] }],
    ['each threshold once', ['rss > 25%', 'memory > 25', 'rss < 2GiB'], { rssBytes: [2 * GIB] }],
    [
      'ascending, as numbers',
      ['rss > 9MiB', 'rss > 10MiB', 'rss > 1GiB'],
      {
        rssBytes: [9 * MIB, 10 * MIB, GIB],
      },
    ],
    [
      'every approximate column by itself',
      [
        ...['shared > 1MiB', 'rssAnon > 2MiB', 'rssFile > 3MiB', 'rssShmem > 4MiB'],
        ...['swap > 5MiB', 'peakRss > 6MiB'],
      ],
      {
        sharedBytes: [MIB],
        rssAnonBytes: [2 * MIB],
        rssFileBytes: [3 * MIB],
        rssShmemBytes: [4 * MIB],
        swapBytes: [5 * MIB],
        peakRssBytes: [6 * MIB],
      },
    ],
    ['no exact column', ['vsz > 1GiB', 'text > 1MiB', 'data > 1MiB', 'cpu > 50%', 'threads > 4'], {}],
    ['zero, which a process can rise above', ['rss > 0'], { rssBytes: [0] }],
    ['nothing below zero', ['rss > -1'], {}],
  ]
  it.each(table)('%s', (_, conditions, near) => {
    expect(nearOf(...conditions)).toEqual(near)
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
          const [t] = nearOf(`rss ${op} ${threshold}B`).rssBytes!
          const cell = Math.abs(approximate - t!) <= error ? exact : approximate
          expect(holds[op](cell, t!)).toBe(holds[op](exact, t!))
        },
      ),
    )
  })
})
