import { COLUMNS, type ColumnName, type ProcessRow, type Table } from '../../public/table.js'
import { processTree } from '../../public/tree.js'
import type { Field, FieldContext } from '../ps/fields.js'

/** Which processes are shown, and in what order. */
export interface View {
  readonly sort: Field
  readonly descending: boolean
  readonly tree: boolean
  /** Part of pid, name, user, command line or unit, in any case; empty for all. */
  readonly filter: string
  /** Name or number. */
  readonly user: string | undefined
}

/** The rows of one sample from the first to the last, by slot. */
export interface Order {
  readonly slots: ArrayLike<number>
  /** Only of a tree: what is drawn before the name. */
  strokesAt?(index: number): string
}

/** Missing values go last whatever the direction; equal ones stand by pid. */
export function orderOf(table: Table, view: View, context: FieldContext, ascii = false): Order {
  const matches = matcherOf(table, view)
  if (view.tree) return treeOrder(table, sorted(table.slots, table, view, context), matches, ascii)
  const shown = matches === undefined ? table.slots : table.slots.filter(matches)
  return { slots: sorted(shown, table, view, context) }
}

const FLOAT_COLUMNS = new Set<string>(
  COLUMNS.filter(({ type }) => type === 'Float64').map(({ name }) => name),
)

function sorted(slots: Uint32Array, table: Table, view: View, context: FieldContext): number[] {
  const { sort, descending } = view
  const sign = descending ? -1 : 1
  // An array, whose sort takes what is in order already as it is; that of typed arrays compares all the same.
  const order = Array.from(slots)
  if (!FLOAT_COLUMNS.has(sort.name)) {
    const values = new Map(order.map((slot) => [slot, sort.value(table.at(slot), context)]))
    return order.sort((a, b) => {
      const [left, right] = [values.get(a), values.get(b)]
      if (left === undefined || right === undefined)
        return Number(left === undefined) - Number(right === undefined)
      return left < right ? -sign : left > right ? sign : 0
    })
  }
  // A missing cell is NaN; and a column whose group is not sampled yet has none at all.
  const cells = table.columns[sort.name as ColumnName]
  if (cells === undefined) return order
  const keys = new Float64Array(cells.length)
  for (const slot of order) {
    const cell = cells[slot]!
    keys[slot] = Number.isNaN(cell) ? Number.POSITIVE_INFINITY : sign * cell
  }
  // Infinity less Infinity is no number, and counts as equal.
  return order.sort((a, b) => keys[a]! - keys[b]! || 0)
}

/** Undefined where all are shown. */
function matcherOf(table: Table, { filter, user }: View): ((slot: number) => boolean) | undefined {
  if (filter === '' && user === undefined) return undefined
  const needle = filter.toLowerCase()
  const usersByUid = new Map<number, boolean>()
  const isUser = (row: ProcessRow): boolean => {
    if (user === undefined) return true
    const { uid } = row
    if (uid === undefined) return false
    const known = usersByUid.get(uid) ?? (row.user === user || String(uid) === user)
    usersByUid.set(uid, known)
    return known
  }
  return (slot) => {
    const row = table.at(slot)
    return isUser(row) && (needle === '' || matchesText(row, needle))
  }
}

function matchesText(row: ProcessRow, needle: string): boolean {
  const has = (text: string | undefined): boolean => text?.toLowerCase().includes(needle) === true
  return (
    String(row.pid).startsWith(needle) ||
    has(row.name) ||
    has(row.user) ||
    has(row.commandLine) ||
    // The last part of the path is the unit.
    has(row.cgroup?.slice(row.cgroup.lastIndexOf('/') + 1))
  )
}

/** Children below their parents, in the order that they have among all; of a filter the ancestors stay too. */
function treeOrder(
  table: Table,
  slots: readonly number[],
  matches: ((slot: number) => boolean) | undefined,
  ascii: boolean,
): Order {
  const tree = processTree(table)
  const { size } = tree
  const slotAt = new Int32Array(size)
  const placeOf = new Int32Array(table.columns.pid.length)
  const parents = new Int32Array(size)
  for (const node of tree) {
    const slot = table.slotOf(node.pid)!
    slotAt[node.place] = slot
    placeOf[slot] = node.place
    parents[node.place] = node.parent?.place ?? size
  }
  const isShown = new Uint8Array(size + 1)
  for (let place = size - 1; place >= 0; place--) {
    if (isShown[place] === 0 && matches?.(slotAt[place]!) === false) continue
    isShown[place] = 1
    isShown[parents[place]!] = 1
  }
  // Of `size`, the root of all that have no parent.
  const firstChild = new Int32Array(size + 1).fill(-1)
  const nextSibling = new Int32Array(size + 1).fill(-1)
  for (let at = slots.length - 1; at >= 0; at--) {
    const place = placeOf[slots[at]!]!
    if (isShown[place] === 0) continue
    nextSibling[place] = firstChild[parents[place]!]!
    firstChild[parents[place]!] = place
  }
  const places: number[] = []
  // By links instead of by recursion: a chain of processes can be as long as pid_max.
  for (let place = firstChild[size]!; place >= 0; ) {
    places.push(place)
    let next = firstChild[place]!
    for (let up = place; next < 0 && up < size; up = parents[up]!) next = nextSibling[up]!
    place = next
  }
  const [branch, last, through] = ascii ? ['|-', '`-', '| '] : ['├─', '└─', '│ ']
  return {
    slots: places.map((place) => slotAt[place]!),
    strokesAt(index) {
      let strokes = ''
      for (let place = places[index]!, above = parents[place]!; above < size; ) {
        const isLast = nextSibling[place]! < 0
        strokes = (strokes === '' ? (isLast ? last : branch) : isLast ? '  ' : through) + strokes
        place = above
        above = parents[place]!
      }
      return strokes
    },
  }
}
