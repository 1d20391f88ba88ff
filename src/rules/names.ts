import { nearestWord } from '../spelling.js'
import { COLUMNS } from '../table/columns.js'
import type { ColumnName } from '../table/layout.js'

/** The words that people know from ps and top. */
const familiar: Record<string, ColumnName> = {
  rss: 'rssBytes',
  res: 'rssBytes',
  vsz: 'vszBytes',
  virt: 'vszBytes',
  shr: 'sharedBytes',
  cpu: 'cpuPercent',
  mem: 'memoryPercent',
  ni: 'nice',
  pri: 'priority',
  minFlt: 'minorFaults',
  majFlt: 'majorFaults',
  nlwp: 'threads',
}

const columnNames = new Map<string, ColumnName>()
for (const { name } of COLUMNS) columnNames.set(name.toLowerCase(), name)
// A column's name without its unit: `memory`, `swap`, `userTime`.
for (const { name } of COLUMNS) {
  const short = name.replace(/(Bytes|Percent|Ns)$/, '').toLowerCase()
  if (!columnNames.has(short)) columnNames.set(short, name)
}
for (const [alias, name] of Object.entries(familiar)) columnNames.set(alias.toLowerCase(), name)

/** The column that a name or alias means, in any case of letters. */
export function columnOf(name: string): ColumnName | undefined {
  return columnNames.get(name.toLowerCase())
}

/** The known name nearest to a mistyped one, or undefined when none is near. */
export function nearestColumnName(name: string): string | undefined {
  const known = nearestWord(name, columnNames.keys())
  if (known === undefined) return undefined
  const column = columnNames.get(known)!
  return known === column.toLowerCase() ? column : known
}
