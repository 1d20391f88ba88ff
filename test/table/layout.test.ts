import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { native } from '../../dist/native.js'
import { COLUMNS, HEADER, MISSING_WORDS, NAME_BYTES } from '../../dist/table/columns.js'
import { columnId, isMissing, layoutTable, mapTable, type OptionalGroup } from '../../dist/table/layout.js'

describe('the layout of a table', () => {
  it('is the same in the addon and in TypeScript', () => {
    expect({ columns: COLUMNS, header: HEADER, nameBytes: NAME_BYTES, missingWords: MISSING_WORDS }).toEqual(
      native.layout,
    )
  })

  it('gives every region memory of its own, within the buffer', () => {
    const groups = fc.subarray<OptionalGroup>(['io', 'status', 'kernel', 'exactRss'])
    fc.assert(
      fc.property(groups, fc.integer({ min: 1, max: 5000 }), (groups, capacity) => {
        const layout = layoutTable(groups, capacity)
        const memory = mapTable(layout, new SharedArrayBuffer(layout.byteLength))
        const { header, control, slots, born, gone, execed, missing, names, columns } = memory
        const regions = [
          header,
          control,
          slots,
          born,
          gone,
          execed,
          missing,
          names,
          ...Object.values(columns),
        ]
          .map((view) => ({ start: view.byteOffset, end: view.byteOffset + view.byteLength }))
          .sort((a, b) => a.start - b.start)
        for (const [i, { end }] of regions.entries()) {
          expect(end).toBeLessThanOrEqual(regions[i + 1]?.start ?? layout.byteLength)
        }
        const expected = COLUMNS.filter(({ group }) => group === 'table' || groups.includes(group))
        expect(Object.keys(columns)).toEqual(expected.map(({ name }) => name))
        for (const view of Object.values(columns)) expect(view).toHaveLength(capacity)
      }),
    )
  })

  it('marks each cell apart', () => {
    const layout = layoutTable(['io', 'status', 'kernel'], 3)
    const memory = mapTable(layout, new SharedArrayBuffer(layout.byteLength))
    for (const id of Object.values(columnId)) {
      memory.missing.fill(0)
      memory.missing[1 * MISSING_WORDS + (id >> 5)] = 1 << (id & 31)
      for (const other of Object.values(columnId)) {
        expect([0, 1, 2].map((slot) => isMissing(memory, slot, other))).toEqual([false, other === id, false])
      }
    }
  })
})
