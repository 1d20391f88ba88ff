import { expect, test } from 'vitest'
import { fieldNamed } from '../../../dist/cli/ps/fields.js'
import { orderOf, type View } from '../../../dist/cli/top/order.js'
import { type Shown, tableOf } from './tables.js'

const context = { uptimeSeconds: 100_000, sampledAtMs: 0 }

function pidsOf(processes: readonly Shown[], view: Partial<View> & { by?: string }): number[] {
  const { by = 'cpu', ...rest } = view
  const table = tableOf(processes)
  const whole = { sort: fieldNamed(by)!, descending: true, tree: false, filter: '', user: undefined, ...rest }
  return Array.from(orderOf(table, whole, context).slots, (slot) => table.at(slot).pid)
}

const busy: Shown[] = [
  { slot: 3, pid: 10, name: 'init', cells: { cpuPercent: 1, ppid: 0, nice: 0, uid: 0 } },
  { slot: 1, pid: 20, name: 'beta', cells: { cpuPercent: 50, ppid: 10, nice: 5, uid: 33 } },
  { slot: 9, pid: 30, name: 'Alpha', cells: { ppid: 10, uid: 33 } },
  { slot: 2, pid: 40, name: 'gamma', cells: { cpuPercent: 50, ppid: 20, nice: -5, uid: 1000 } },
  { slot: 5, pid: 50, name: 'delta', cells: { cpuPercent: 90, ppid: 10, nice: 0, uid: 1000 } },
]

test('by a number, either way: missing ones last, equal ones by pid', () => {
  expect(pidsOf(busy, {})).toEqual([50, 20, 40, 10, 30])
  expect(pidsOf(busy, { descending: false })).toEqual([10, 20, 40, 50, 30])
  expect(pidsOf(busy, { by: 'nice' })).toEqual([20, 10, 50, 40, 30])
  expect(pidsOf(busy, { by: 'nice', descending: false })).toEqual([40, 10, 50, 20, 30])
})

test('by a text, and by a column that is not sampled yet', () => {
  expect(pidsOf(busy, { by: 'name', descending: false })).toEqual([30, 20, 50, 40, 10])
  expect(pidsOf(busy, { by: 'user', descending: false })).toEqual([40, 50, 10, 20, 30])
  expect(pidsOf(busy, { by: 'read' })).toEqual([10, 20, 30, 40, 50])
})

test('a filter finds name, user, beginning of the pid, command line and unit, in any case', () => {
  const some: Shown[] = [
    { slot: 0, pid: 123, name: 'Nginx' },
    { slot: 1, pid: 912, name: 'x', commandLine: 'java -jar Shop.jar' },
    { slot: 2, pid: 77, name: 'y', cells: { uid: 33 } },
    { slot: 4, pid: 78, name: 'z', cgroup: '0::/system.slice/redis.service' },
  ]
  const found = (filter: string) => pidsOf(some, { filter, by: 'pid', descending: false })
  expect(found('nginx')).toEqual([123])
  expect(found('12')).toEqual([123])
  expect(found('shop')).toEqual([912])
  expect(found('WWW')).toEqual([77])
  expect(found('redis')).toEqual([78])
  expect(found('system.slice')).toEqual([])
  expect(found('nobody has this')).toEqual([])
})

test('the processes of a user, by name or number', () => {
  expect(pidsOf(busy, { user: 'www-data' })).toEqual([20, 30])
  expect(pidsOf(busy, { user: '1000' })).toEqual([50, 40])
  expect(pidsOf(busy, { user: 'ann', filter: 'gam' })).toEqual([40])
})

test('a tree has children below their parents, siblings in the order chosen, and ancestors of what is found', () => {
  expect(pidsOf(busy, { tree: true })).toEqual([10, 50, 20, 40, 30])
  expect(pidsOf(busy, { tree: true, by: 'pid', descending: false })).toEqual([10, 20, 40, 30, 50])
  expect(pidsOf(busy, { tree: true, filter: 'gamma' })).toEqual([10, 20, 40])
  expect(pidsOf(busy, { tree: true, filter: 'nobody has this' })).toEqual([])
})

test('the strokes of a tree, in both sets of characters', () => {
  const view = {
    sort: fieldNamed('cpu')!,
    descending: true,
    tree: true,
    filter: '',
    user: undefined,
  }
  const drawn = (ascii: boolean) => {
    const order = orderOf(tableOf(busy), view, context, ascii)
    return Array.from(order.slots, (_, index) => order.strokesAt!(index))
  }
  expect(drawn(false)).toEqual(['', '├─', '├─', '│ └─', '└─'])
  expect(drawn(true)).toEqual(['', '|-', '|-', '| `-', '`-'])
})

test('a chain of thousands is walked without recursion', () => {
  const chain = Array.from({ length: 20_000 }, (_, at) => ({
    slot: at,
    pid: at + 1,
    cells: { ppid: at, cpuPercent: at },
  }))
  const table = tableOf(chain, 20_000)
  const view = { sort: fieldNamed('cpu')!, descending: true, tree: true, filter: '', user: undefined }
  const { slots } = orderOf(table, view, context)
  expect(slots).toHaveLength(20_000)
  expect(slots[19_999]).toBe(19_999)
})
