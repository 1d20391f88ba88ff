import { limitChange } from '../control/limit.js'
import { FaultList, messageOf } from '../fault.js'
import { type Field, fieldNamed } from '../ps/fields.js'
import { readNumber } from '../values.js'
import { isBestDescending } from './columns.js'
import type { Action, Dialog, Item, Listing, Pressed, State } from './state.js'

/** What a key does while a dialog is open; undefined for one that is not about it. */
export function pressInDialog(
  state: State,
  dialog: Dialog,
  key: string,
  listing: Listing,
): Pressed | undefined {
  switch (dialog.kind) {
    case 'filter':
      return inFilter(state, key)
    case 'list':
      return inList(state, dialog, key, listing)
    case 'prompt':
      return inPrompt(state, dialog, key)
    case 'confirm':
      return inConfirm(state, dialog, key)
    case 'pane':
      return inPane(state, dialog, key, listing)
  }
}

const closed = (state: State): State => ({ ...state, dialog: undefined })
const unchanged = (state: State): Pressed => ({ state })

/** The text after a key; undefined for a key that types nothing. */
function typed(text: string, key: string): string | undefined {
  if (key === 'backspace' || key === 'delete') return [...text].slice(0, -1).join('')
  if (key === 'ctrl-u') return ''
  if (key === 'space') return `${text} `
  return [...key].length === 1 ? text + key : undefined
}

function inFilter(state: State, key: string): Pressed | undefined {
  if (key === 'return') return unchanged(closed(state))
  const filter = key === 'escape' ? '' : typed(state.view.filter, key)
  if (filter === undefined) return undefined
  const filtered = { ...state, view: { ...state.view, filter } }
  return unchanged(key === 'escape' ? closed(filtered) : filtered)
}

type List = Extract<Dialog, { kind: 'list' }>

function inList(state: State, dialog: List, key: string, { page }: Listing): Pressed {
  const { items, at } = dialog
  const last = items.length - 1
  const show = (next: Partial<List>): Pressed => unchanged({ ...state, dialog: { ...dialog, ...next } })
  const steps: Readonly<Record<string, number>> = {
    up: at - 1,
    down: at + 1,
    pageup: at - page,
    pagedown: at + page,
    home: 0,
    end: last,
  }
  const moved = steps[key]
  if (moved !== undefined) return show({ at: Math.max(0, Math.min(last, moved)), typed: '' })
  if (key === 'escape') return unchanged(closed(state))
  if (key === 'return' || (key === 'space' && dialog.purpose === 'columns')) return chosen(state, dialog)
  const text = typed(dialog.typed, key)
  if (text === undefined) return unchanged(state)
  return show({ typed: text, at: text === '' ? at : indexOfTyped(items, text, at) })
}

/** The item of that word, else the first that begins so, else one that has it; where none does, the one as before. */
function indexOfTyped(items: readonly Item[], text: string, before: number): number {
  const wanted = text.toLowerCase()
  const texts = items.map(({ label, value }) => [...label.trim().split(' '), label.trim(), value])
  const tests: ((each: string) => boolean)[] = [
    (each) => each === wanted,
    (each) => each.startsWith(wanted),
    (each) => each.includes(wanted),
  ]
  const found = tests.map((test) => texts.findIndex((some) => some.some((each) => test(each.toLowerCase()))))
  return found.find((at) => at >= 0) ?? before
}

function chosen(state: State, dialog: List): Pressed {
  const value = dialog.items[dialog.at]?.value
  if (value === undefined) return unchanged(closed(state))
  const field = fieldNamed(value)
  switch (dialog.purpose) {
    case 'sort':
      return unchanged(
        closed({ ...state, view: { ...state.view, sort: field!, descending: isBestDescending(field!) } }),
      )
    case 'user':
      return unchanged(closed({ ...state, view: { ...state.view, user: value === '' ? undefined : value } }))
    case 'signal':
      return unchanged({
        ...state,
        dialog: { kind: 'confirm', action: { kind: 'signal', signal: value }, target: dialog.target! },
      })
    case 'columns': {
      const shown = state.fields.filter((each) => each !== field)
      if (shown.length === 0) return unchanged({ ...state, told: 'the last column stays' })
      // The command line takes the rest of a line, and so stays last.
      const added = state.fields.includes(field!) ? shown : [...shown, field!]
      const isCommand = ({ name }: Field) => name === 'command'
      const fields = [...added.filter((each) => !isCommand(each)), ...added.filter(isCommand)]
      const items = dialog.items.map((item) => ({
        ...item,
        isNow: fields.some(({ name }) => name === item.value),
      }))
      return unchanged({ ...state, fields, dialog: { ...dialog, items, typed: '' } })
    }
  }
}

const NICE = { flag: 'nice', wanted: 'a whole number from -20 to 19', min: -20, max: 19, integer: true }

function inPrompt(state: State, dialog: Extract<Dialog, { kind: 'prompt' }>, key: string): Pressed {
  const { purpose, target } = dialog
  if (key === 'escape') return unchanged(closed(state))
  if (key !== 'return') {
    const text = typed(dialog.text, key)
    return unchanged(text === undefined ? state : { ...state, dialog: { ...dialog, text } })
  }
  const text = dialog.text.trim()
  if (text === '') return unchanged(closed(state))
  const faults = new FaultList()
  const action = purpose === 'nice' ? niceOf(text, faults) : limitOf(text, faults)
  try {
    faults.throwIfAny()
  } catch (error) {
    return unchanged({ ...state, told: messageOf(error) })
  }
  return unchanged({ ...state, dialog: { kind: 'confirm', action: action!, target } })
}

function niceOf(text: string, faults: FaultList): Action | undefined {
  const nice = readNumber(text, NICE, faults)
  return nice === undefined ? undefined : { kind: 'nice', nice }
}

function limitOf(text: string, faults: FaultList): Action | undefined {
  const change = limitChange(text, faults)
  return change && { kind: 'limit', change, text }
}

function inConfirm(
  state: State,
  { action, target }: Extract<Dialog, { kind: 'confirm' }>,
  key: string,
): Pressed {
  if (key === 'y' || key === 'Y') return { state: closed(state), effect: { kind: 'act', action, target } }
  if (key === 'n' || key === 'N' || key === 'escape' || key === 'q') {
    return unchanged({ ...closed(state), told: 'nothing was done' })
  }
  return unchanged(state)
}

function inPane(
  state: State,
  dialog: Extract<Dialog, { kind: 'pane' }>,
  key: string,
  { page }: Listing,
): Pressed {
  if (['escape', 'q', 'return', '?', 'h', 'i', 'f1'].includes(key)) return unchanged(closed(state))
  const { top, lines } = dialog
  const steps: Readonly<Record<string, number>> = {
    up: top - 1,
    down: top + 1,
    pageup: top - page,
    pagedown: top + page,
    home: 0,
    end: lines.length,
  }
  const moved = steps[key]
  if (moved === undefined) return unchanged(state)
  return unchanged({
    ...state,
    dialog: { ...dialog, top: Math.max(0, Math.min(lines.length - page, moved)) },
  })
}
