import { expect, test } from 'vitest'
import { fieldNamed } from '../../../dist/cli/ps/fields.js'
import { DEFAULT_FIELDS } from '../../../dist/cli/top/columns.js'
import { TableListing } from '../../../dist/cli/top/listing.js'
import { orderOf } from '../../../dist/cli/top/order.js'
import { press } from '../../../dist/cli/top/press.js'
import { type Effect, type State, settle } from '../../../dist/cli/top/state.js'
import { type Shown, tableOf } from './tables.js'

const PAGE = 5
const many: Shown[] = Array.from({ length: 20 }, (_, at) => ({
  slot: at,
  pid: 100 + at,
  name: `p${at}`,
  startTicks: 1000 + at,
  cells: { cpuPercent: 100 - at, uid: at % 2 === 0 ? 0 : 1000, nice: 3 },
}))

const start: State = {
  view: { sort: fieldNamed('cpu')!, descending: true, tree: false, filter: '', user: undefined },
  fields: DEFAULT_FIELDS,
  selected: undefined,
  at: 0,
  top: 0,
  frozen: false,
  dialog: undefined,
  told: undefined,
}

/** The screen without a screen: keys in, the state and what is to be done out. */
class Hands {
  state = start
  effects: Effect[] = []
  processes = many

  get listing(): TableListing {
    const table = tableOf(this.processes)
    return new TableListing(
      table,
      orderOf(table, this.state.view, { uptimeSeconds: 1e5, sampledAtMs: 0 }),
      PAGE,
    )
  }

  press(...keys: string[]): this {
    for (const key of keys) {
      const { state, effect } = press(this.state, key, this.listing)
      this.state = state
      this.state = settle(state, this.listing)
      if (effect !== undefined) this.effects.push(effect)
    }
    return this
  }

  /** A new sample. */
  sample(processes: Shown[]): this {
    this.processes = processes
    this.state = settle(this.state, this.listing)
    return this
  }

  get pid(): number | undefined {
    return this.listing.size === 0 ? undefined : this.listing.identityAt(this.state.at).pid
  }
}

test('the cursor moves, and the rows are scrolled with it', () => {
  const hands = new Hands()
  const after = (...keys: string[]) => {
    const { at, top } = hands.press(...keys).state
    return [at, top]
  }
  expect(after('down', 'down')).toEqual([2, 0])
  expect(after('pagedown')).toEqual([7, 3])
  expect(after('end')).toEqual([19, 15])
  expect(after('up')).toEqual([18, 15])
  expect(after('pageup', 'pageup')).toEqual([8, 8])
  expect(after('home')).toEqual([0, 0])
  expect(after('up')).toEqual([0, 0])
})

test('the cursor stays on its process wherever that comes to stand; at home it stays at the top', () => {
  const hands = new Hands().press('down', 'down')
  expect(hands.pid).toBe(102)
  const busier = many.map((each) =>
    each.pid === 119 ? { ...each, cells: { ...each.cells, cpuPercent: 500 } } : each,
  )
  hands.sample(busier)
  expect([hands.pid, hands.state.at]).toEqual([102, 3])
  hands.press('home')
  expect(hands.pid).toBe(119)
  expect(hands.sample(many).pid).toBe(100)
})

test('of a process that has ended the neighbour gets the cursor; so it is when its pid is another’s', () => {
  const hands = new Hands().press('down', 'down')
  hands.sample(many.filter(({ pid }) => pid !== 102))
  expect([hands.pid, hands.state.at]).toEqual([103, 2])
  const recycled = many.map((each) =>
    each.pid === 103 ? { ...each, startTicks: 5000, cells: { cpuPercent: 0 } } : each,
  )
  hands.sample(recycled)
  expect([hands.pid, hands.state.selected?.pid]).toEqual([102, 102])
  hands.sample([])
  expect(hands.state).toMatchObject({ at: 0, selected: undefined })
  expect(hands.press('k').state.told).toBe('no process is listed')
})

test('letters sort, I turns round, < and > take the column beside', () => {
  const hands = new Hands()
  const by = (...keys: string[]) => {
    const { sort, descending } = hands.press(...keys).state.view
    return [sort.name, descending]
  }
  expect(by('M')).toEqual(['memoryPercent', true])
  expect(by('T')).toEqual(['cpuTimeNs', true])
  expect(by('N')).toEqual(['pid', false])
  expect(by('I')).toEqual(['pid', true])
  expect(by('P')).toEqual(['cpuPercent', true])
  expect(by('>')).toEqual(['memoryPercent', true])
  expect(by('<', '<')).toEqual(['rssBytes', true])
  expect(by('s', 'v', 's', 'z', 'return')).toEqual(['vszBytes', true])
  expect(by('f6', 'escape')).toEqual(['vszBytes', true])
})

test('a filter is typed with the rows following it; Enter keeps it, Esc takes it away', () => {
  const hands = new Hands().press('/', 'p', '1', '2')
  expect(hands.state).toMatchObject({ view: { filter: 'p12' }, dialog: { kind: 'filter' } })
  expect(hands.listing.size).toBe(1)
  hands.press('backspace', 'down')
  expect([hands.state.view.filter, hands.listing.size, hands.pid]).toEqual(['p1', 11, 110])
  // Letters that are commands elsewhere.
  expect(hands.press('q', 'k').state.view.filter).toBe('p1qk')
  expect(hands.press('ctrl-u', '名', 'space', 'return').state).toMatchObject({
    view: { filter: '名 ' },
    dialog: undefined,
  })
  expect(hands.press('escape').state.view.filter).toBe('')
  expect(hands.press('/', 'x', 'escape').state).toMatchObject({ view: { filter: '' }, dialog: undefined })
  expect(hands.effects).toEqual([])
})

test('tree, hold, user', () => {
  const hands = new Hands()
  expect(hands.press('t').state.view.tree).toBe(true)
  expect(hands.press('f5').state.view.tree).toBe(false)
  expect(hands.press('H').state.frozen).toBe(true)
  hands.press('u')
  expect(hands.state.dialog).toMatchObject({ items: [{ value: '' }, { value: 'ann' }, { value: 'root' }] })
  expect(hands.press('a', 'n', 'n', 'return').listing.size).toBe(10)
  expect(hands.press('u', 'home', 'return').listing.size).toBe(20)
})

test('columns are shown and taken away; the command line stays last, and one column stays', () => {
  const hands = new Hands().press('c', 'p', 'p', 'i', 'd', 'return')
  expect(hands.state.fields.map(({ name }) => name).slice(-2)).toEqual(['ppid', 'command'])
  expect(hands.press('space').state.fields).toEqual(DEFAULT_FIELDS)
  const command = ['ctrl-u', 'home', ...'command', 'return']
  expect(hands.press(...command).state.fields.map(({ name }) => name)).not.toContain('command')
  expect(hands.press(...command).state.fields).toEqual(DEFAULT_FIELDS)
  for (const { name } of DEFAULT_FIELDS) hands.press('ctrl-u', 'home', ...name, 'return')
  expect(hands.state.fields.map(({ name }) => name)).toEqual(['command'])
  expect(hands.state.told).toBe('the last column stays')
  expect(hands.press('escape').state.dialog).toBeUndefined()
})

test('a signal goes out only after its question, to whom the question named', () => {
  const hands = new Hands().press('down', 'k', 'return')
  expect(hands.state.dialog).toMatchObject({ kind: 'confirm', target: { identity: { pid: 101 } } })
  expect(hands.press('return', 'x', 'K').effects).toEqual([])
  const offered = (...keys: string[]) => {
    const { dialog } = new Hands().press('k', ...keys, 'return').state
    return dialog?.kind === 'confirm' && dialog.action.kind === 'signal' && dialog.action.signal
  }
  expect([offered(), offered('1'), offered('1', '5'), offered('k', 'i')]).toEqual([
    'SIGTERM',
    'SIGHUP',
    'SIGTERM',
    'SIGKILL',
  ])
  expect(hands.press('n').state).toMatchObject({ dialog: undefined, told: 'nothing was done' })
  hands.press('f9', '9', 'return', 'y')
  expect(hands.effects).toMatchObject([
    {
      kind: 'act',
      action: { kind: 'signal', signal: 'SIGKILL' },
      target: { identity: { pid: 101, startTicks: 1001 }, name: 'p1', user: 'ann' },
    },
  ])
})

test('a question about a process that ends meanwhile is closed, also when another gets its pid', () => {
  for (const without of [
    many.filter(({ pid }) => pid !== 101),
    many.map((each) => (each.pid === 101 ? { ...each, startTicks: 9 } : each)),
  ]) {
    for (const keys of [['k'], ['k', 'return'], ['r', '5'], ['l']]) {
      const hands = new Hands().press('down', ...keys).sample(without)
      expect(hands.state).toMatchObject({ dialog: undefined, told: '101 (p1, ann): it has ended' })
      expect(hands.press('y').effects).toEqual([])
    }
  }
})

test('a nice value and a limit are asked for, and what is none is said', () => {
  const hands = new Hands().press('r', '-', '5', 'return')
  expect(hands.state.dialog).toMatchObject({ kind: 'confirm', action: { kind: 'nice', nice: -5 } })
  hands.press('y', 'r', '9', '9', 'return')
  expect(hands.state).toMatchObject({
    told: expect.stringMatching(/"99" is out of range/),
    dialog: { text: '99' },
  })
  expect(hands.press('escape', 'f8').state.dialog).toMatchObject({ text: '4' })
  expect(hands.press('escape', 'f7').state.dialog).toMatchObject({ text: '2' })
  hands.press('escape', 'l', ...'nofile=64:128', 'return', 'y')
  expect(hands.press('l', ...'nofle=1', 'return').state.told).toMatch(
    /"nofle" is no resource \(did you mean "nofile"\?\)/,
  )
  expect(hands.effects).toMatchObject([
    { action: { kind: 'nice', nice: -5 } },
    { action: { kind: 'limit', change: { resource: 'nofile', limit: { soft: 64, hard: 128 } } } },
  ])
})

test('quit, suspend, repaint, look into: from everywhere or from the rows', () => {
  expect(new Hands().press('q').effects).toEqual([{ kind: 'quit' }])
  expect(new Hands().press('/', 'ctrl-c').effects).toEqual([{ kind: 'quit' }])
  expect(new Hands().press('?', 'q').effects).toEqual([])
  expect(new Hands().press('k', 'ctrl-z').effects).toEqual([{ kind: 'suspend' }])
  expect(new Hands().press('return').effects).toMatchObject([
    { kind: 'inspect', target: { identity: { pid: 100 } } },
  ])
  const pane = new Hands().press('?', 'end').state.dialog
  expect(pane).toMatchObject({ kind: 'pane', top: expect.any(Number) })
})
