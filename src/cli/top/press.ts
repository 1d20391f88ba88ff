import { type Field, fieldNamed } from '../ps/fields.js'
import { isBestDescending } from './columns.js'
import { pressInDialog } from './dialog.js'
import { HELP_LINES } from './help.js'
import { columnItems, signalItems, sortItems, userItems } from './items.js'
import {
  type Chosen,
  type Dialog,
  type Item,
  type Listing,
  type Pressed,
  type State,
  topFor,
} from './state.js'

/** What a key does. Keys are characters, or names such as `up`, `f5`, `ctrl-c`. */
export function press(before: State, key: string, listing: Listing): Pressed {
  const state: State = { ...before, told: undefined }
  if (key === 'ctrl-c') return { state, effect: { kind: 'quit' } }
  if (key === 'ctrl-z') return { state, effect: { kind: 'suspend' } }
  if (key === 'ctrl-l') return { state, effect: { kind: 'repaint' } }
  if (state.dialog !== undefined) {
    return pressInDialog(state, state.dialog, key, listing) ?? { state: moved(state, key, listing) ?? state }
  }
  return { state: moved(state, key, listing) ?? state, ...COMMANDS[key]?.(state, listing) }
}

/** Undefined for a key that moves nothing. */
function moved(state: State, key: string, listing: Listing): State | undefined {
  const { size, page } = listing
  const steps: Readonly<Record<string, number>> = {
    up: -1,
    down: 1,
    pageup: -page,
    pagedown: page,
    home: -size,
    end: size,
  }
  const step = steps[key]
  if (step === undefined) return undefined
  const at = Math.max(0, Math.min(size - 1, state.at + step))
  // At home it stays at the top, whoever comes to be there.
  const isFree = key === 'home' || size === 0
  return {
    ...state,
    at,
    top: topFor(state.top, at, listing),
    selected: isFree ? undefined : listing.identityAt(at),
  }
}

type Command = (state: State, listing: Listing) => Pressed

const sortBy = (state: State, field: Field): Pressed => ({
  state: { ...state, view: { ...state.view, sort: field, descending: isBestDescending(field) } },
})

const sorting =
  (word: string): Command =>
  (state) =>
    sortBy(state, fieldNamed(word)!)

/** The column shown next to the one that is sorted by. */
const sortingBeside =
  (step: number): Command =>
  (state) => {
    const { fields, view } = state
    const at = fields.indexOf(view.sort) + step
    return sortBy(state, fields[Math.max(0, Math.min(fields.length - 1, at))]!)
  }

const opening =
  (open: (state: State, listing: Listing) => Dialog): Command =>
  (state, listing) => ({ state: { ...state, dialog: open(state, listing) } })

/** What is about a process holds on to the one that the cursor is on. */
const onProcess =
  (act: (state: State, target: Chosen) => Pressed): Command =>
  (state, listing) => {
    if (listing.size === 0) return { state: { ...state, told: 'no process is listed' } }
    const target = listing.chosenAt(state.at)
    return act({ ...state, selected: target.identity }, target)
  }

const opensOnProcess = (open: (target: Chosen, state: State) => Dialog): Command =>
  onProcess((state, target) => ({ state: { ...state, dialog: open(target, state) } }))

const asksNice = (step: number): Command =>
  opensOnProcess((target) => ({
    kind: 'prompt',
    purpose: 'nice',
    text:
      step === 0 || target.nice === undefined ? '' : String(Math.max(-20, Math.min(19, target.nice + step))),
    target,
  }))

const list = (
  purpose: 'sort' | 'columns' | 'user',
  title: string,
  items: (state: State, listing: Listing) => Item[],
): Command =>
  opening((state, listing) => {
    const found = items(state, listing)
    const at =
      purpose === 'columns'
        ? 0
        : Math.max(
            0,
            found.findIndex(({ isNow }) => isNow),
          )
    return { kind: 'list', purpose, title, items: found, at, typed: '' }
  })

const filter = opening(() => ({ kind: 'filter' }))
const help = opening(() => ({ kind: 'pane', title: 'Keys', lines: HELP_LINES, top: 0 }))
const inspect = onProcess((state, target) => ({ state, effect: { kind: 'inspect', target } }))
const sort = list('sort', 'Sort by', sortItems)
const signal = opensOnProcess((target) => ({
  kind: 'list',
  purpose: 'signal',
  title: 'Send signal',
  items: signalItems(),
  at: 0,
  typed: '',
  target,
}))
const tree: Command = (state) => ({ state: { ...state, view: { ...state.view, tree: !state.view.tree } } })
const quit: Command = (state) => ({ state, effect: { kind: 'quit' } })

const COMMANDS: Readonly<Record<string, Command>> = {
  q: quit,
  f10: quit,
  '?': help,
  h: help,
  f1: help,
  '/': filter,
  f3: filter,
  f4: filter,
  escape: (state) => ({ state: { ...state, view: { ...state.view, filter: '' } } }),
  P: sorting('cpu'),
  M: sorting('memory'),
  T: sorting('time'),
  N: sorting('pid'),
  '<': sortingBeside(-1),
  '>': sortingBeside(1),
  s: sort,
  f6: sort,
  I: (state) => ({ state: { ...state, view: { ...state.view, descending: !state.view.descending } } }),
  t: tree,
  f5: tree,
  c: list('columns', 'Columns', columnItems),
  u: list('user', 'Processes of', userItems),
  H: (state) => ({ state: { ...state, frozen: !state.frozen } }),
  k: signal,
  f9: signal,
  r: asksNice(0),
  f7: asksNice(-1),
  f8: asksNice(1),
  l: opensOnProcess((target) => ({ kind: 'prompt', purpose: 'limit', text: '', target })),
  i: inspect,
  return: inspect,
}
