import type { ProcessIdentity } from '../../public/table.js'
import type { Change } from '../control/limit.js'
import type { Field } from '../ps/fields.js'
import type { View } from './order.js'

/** A process as it was when it was chosen: whom an action goes to, and what to call it. */
export interface Chosen {
  readonly identity: ProcessIdentity
  readonly name: string
  readonly user: string
  readonly nice: number | undefined
}

export type Action =
  | { readonly kind: 'signal'; readonly signal: string }
  | { readonly kind: 'nice'; readonly nice: number }
  | { readonly kind: 'limit'; readonly change: Change; readonly text: string }

export interface Item {
  readonly label: string
  /** What it stands for: name of a field, a signal or a user; empty for all users. */
  readonly value: string
  /** It is what holds now. */
  readonly isNow: boolean
}

export type Dialog =
  /** The text is the view's filter, which the rows follow as it is typed. */
  | { readonly kind: 'filter' }
  | {
      readonly kind: 'list'
      readonly purpose: 'sort' | 'columns' | 'user' | 'signal'
      readonly title: string
      readonly items: readonly Item[]
      readonly at: number
      /** What was typed to find an item. */
      readonly typed: string
      readonly target?: Chosen
    }
  | {
      readonly kind: 'prompt'
      readonly purpose: 'nice' | 'limit'
      readonly text: string
      readonly target: Chosen
    }
  | { readonly kind: 'confirm'; readonly action: Action; readonly target: Chosen }
  | {
      readonly kind: 'pane'
      readonly title: string
      readonly lines: readonly string[]
      readonly top: number
    }

/** All that keys change. */
export interface State {
  readonly view: View
  readonly fields: readonly Field[]
  /** The process that the cursor is on; undefined for whichever is first. */
  readonly selected: ProcessIdentity | undefined
  /** Row of the cursor, and first row that is seen. */
  readonly at: number
  readonly top: number
  readonly frozen: boolean
  readonly dialog: Dialog | undefined
  /** What is told at the bottom until the next key. */
  readonly told: string | undefined
}

/** What is to be done outside; what came of it is told later. */
export type Effect =
  | { readonly kind: 'quit' | 'suspend' | 'repaint' }
  | { readonly kind: 'act'; readonly action: Action; readonly target: Chosen }
  | { readonly kind: 'inspect'; readonly target: Chosen }

/** What a key has made of the state, and what is to be done outside. */
export interface Pressed {
  readonly state: State
  readonly effect?: Effect
}

/** What a key is about, as far as keys have to know it. */
export interface Listing {
  readonly size: number
  /** How many rows are seen at once. */
  readonly page: number
  identityAt(index: number): ProcessIdentity
  chosenAt(index: number): Chosen
  /** -1 where it is not listed. */
  indexOf(identity: ProcessIdentity): number
  isAlive(identity: ProcessIdentity): boolean
  users(): readonly string[]
}

export const nameOf = ({ identity, name, user }: Chosen): string => `${identity.pid} (${name}, ${user})`

/** Puts the cursor on the process that it was on, or on a neighbour of one that is not there any more. */
export function settle(state: State, listing: Listing): State {
  const { selected, dialog } = state
  const found = selected === undefined ? 0 : listing.indexOf(selected)
  const at = Math.max(0, Math.min(found < 0 ? state.at : found, listing.size - 1))
  const settled = {
    ...state,
    at,
    selected: selected === undefined || listing.size === 0 ? undefined : listing.identityAt(at),
    top: topFor(state.top, at, listing),
  }
  const target = dialog !== undefined && 'target' in dialog ? dialog.target : undefined
  if (target === undefined || listing.isAlive(target.identity)) return settled
  return { ...settled, dialog: undefined, told: `${nameOf(target)}: it has ended` }
}

/** As little scrolled as it takes to see the cursor, and no further than the last page. */
export function topFor(top: number, at: number, { size, page }: Listing): number {
  const near = at < top ? at : at >= top + page ? at - page + 1 : top
  return Math.max(0, Math.min(near, size - page))
}
