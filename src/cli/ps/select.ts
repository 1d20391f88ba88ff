import type { ProcessRow, Table } from '../../public/table.js'
import type { FieldContext } from './fields.js'
import type { PsOptions, SortKey } from './options.js'

/** The rows that pass the filters, in order, at most `limit`. */
export function selectRows(table: Table, options: PsOptions, context: FieldContext): ProcessRow[] {
  const { user, name, minCpuPercent, minMemoryPercent, pids, state } = options
  let rows = table.filter({ user, name, state, minCpuPercent, minMemoryPercent })
  if (pids) rows = rows.filter((row) => pids.has(row.pid))
  if (options.sort) rows = sorted(rows, options.sort, context)
  return rows.length > options.limit ? rows.slice(0, options.limit) : rows
}

/** Missing values go last whatever the direction; equal ones keep the order by pid. */
function sorted(
  rows: readonly ProcessRow[],
  { field, descending }: SortKey,
  context: FieldContext,
): ProcessRow[] {
  const sign = descending ? -1 : 1
  const keyed = rows.map((row) => ({ row, key: field.value(row, context) }))
  keyed.sort((a, b) => {
    if (a.key === undefined || b.key === undefined)
      return Number(a.key === undefined) - Number(b.key === undefined)
    return sign * compare(a.key, b.key) || a.row.pid - b.row.pid
  })
  return keyed.map(({ row }) => row)
}

function compare(a: number | string, b: number | string): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return a < b ? -1 : Number(a > b)
}
