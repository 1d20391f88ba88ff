import fc from 'fast-check'
import { expect, test } from 'vitest'
import { linkParents, preorder } from '../../dist/tree/parentage.js'

type Row = readonly [pid: number, ppid: number, startTicks: number]

function link(rows: readonly Row[]) {
  const sorted = [...rows].sort((a, b) => a[0] - b[0])
  const kinship = {
    pids: Int32Array.from(sorted, ([pid]) => pid),
    ppids: Int32Array.from(sorted, ([, ppid]) => ppid),
    startTicks: Float64Array.from(sorted, ([, , ticks]) => ticks),
  }
  return { ...kinship, ...linkParents(kinship) }
}

test.each<[what: string, rows: Row[], parents: number[], detached: [number, string][]]>([
  ['nobody', [], [], []],
  [
    'init and a child',
    [
      [1, 0, 0],
      [7, 1, 9],
    ],
    [-1, 0],
    [],
  ],
  [
    'a parent that is not in the table',
    [
      [1, 0, 0],
      [7, 6, 9],
    ],
    [-1, -1],
    [[1, 'absent']],
  ],
  [
    "a parent's pid that is another's by now",
    [
      [5, 0, 30],
      [7, 5, 9],
    ],
    [-1, -1],
    [[1, 'younger']],
  ],
  [
    'a parent of the same tick',
    [
      [5, 0, 9],
      [7, 5, 9],
    ],
    [-1, 0],
    [],
  ],
  [
    'a parent with a higher pid, after pids began anew',
    [
      [5, 7, 9],
      [7, 0, 3],
    ],
    [1, -1],
    [],
  ],
  ['its own parent', [[5, 5, 9]], [-1], [[0, 'cycle']]],
  [
    'each the parent of the other',
    [
      [5, 7, 9],
      [7, 5, 9],
      [8, 7, 9],
    ],
    [-1, 0, 1],
    [[0, 'cycle']],
  ],
  ['a parent that is not known', [[5, -1, 9]], [-1], [[0, 'unknown']]],
])('%s', (_, rows, parents, detached) => {
  const linked = link(rows)
  expect([...linked.parents]).toEqual(parents)
  expect([...linked.detached]).toEqual(detached)
})

test('whatever rows say, everyone is reached once, after its parent, and siblings in order of pid', () => {
  const pid = fc.integer({ min: 1, max: 40 })
  const rows = fc.uniqueArray(
    fc.tuple(pid, fc.integer({ min: -1, max: 42 }), fc.integer({ min: 0, max: 3 })),
    {
      selector: ([each]) => each,
      maxLength: 40,
    },
  )
  fc.assert(
    fc.property(rows, (given) => {
      const { parents, pids, ppids, startTicks, detached } = link(given)
      const order = [...preorder(parents)]
      expect([...order].sort((a, b) => a - b)).toEqual([...pids.keys()])
      const placed = new Map(order.map((row, place) => [row, place]))
      const lastChild = new Map<number, number>()
      for (const row of order) {
        const parent = parents[row]!
        if (parent >= 0) {
          expect(placed.get(parent)).toBeLessThan(placed.get(row)!)
          expect(pids[parent]).toBe(ppids[row])
          expect(startTicks[parent]).toBeLessThanOrEqual(startTicks[row]!)
        } else {
          expect(detached.has(row)).toBe(ppids[row] !== 0)
        }
        expect(lastChild.get(parent) ?? -1).toBeLessThan(row)
        lastChild.set(parent, row)
      }
      for (const root of pids.keys()) {
        const below = [...preorder(parents, root)]
        const at = placed.get(root)!
        expect(below).toEqual(order.slice(at, at + below.length))
      }
    }),
  )
})
