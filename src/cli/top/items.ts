import { SIGNAL_NAMES, signalNumber } from '../../public/control.js'
import { fieldNames } from '../ps/fields.js'
import { escapeForTerminal } from '../terminal.js'
import type { Item, Listing, State } from './state.js'

export const sortItems = ({ view }: State): Item[] =>
  fieldNames().map((name) => ({ label: name, value: name, isNow: name === view.sort.name }))

/** Those that are shown first. */
export function columnItems({ fields }: State): Item[] {
  const shown = fields.map(({ name }) => name)
  const others = fieldNames().filter((name) => !shown.includes(name))
  return [...shown, ...others].map((name) => ({ label: name, value: name, isNow: shown.includes(name) }))
}

export const userItems = ({ view }: State, listing: Listing): Item[] => [
  { label: 'all users', value: '', isNow: view.user === undefined },
  ...listing
    .users()
    .map((user) => ({ label: escapeForTerminal(user), value: user, isNow: user === view.user })),
]

/** The one that ends gracefully first, the others by number. */
export function signalItems(): Item[] {
  const names = ['SIGTERM' as const, ...SIGNAL_NAMES.filter((name) => name !== 'SIGTERM')]
  return names.map((name) => ({
    label: `${String(signalNumber(name)).padStart(2)} ${name}`,
    value: name,
    isNow: false,
  }))
}
