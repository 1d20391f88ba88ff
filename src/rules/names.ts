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
  const wanted = name.toLowerCase()
  let nearest: string | undefined
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const [known, column] of columnNames) {
    const distance = editDistance(wanted, known, least)
    if (distance < least) {
      least = distance
      nearest = known === column.toLowerCase() ? column : known
    }
  }
  return nearest
}

function editDistance(from: string, to: string, limit: number): number {
  if (Math.abs(from.length - to.length) >= limit) return limit
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const swap = previous[column - 1]! + (from[row - 1] === to[column - 1] ? 0 : 1)
      current.push(Math.min(swap, previous[column]! + 1, current[column - 1]! + 1))
    }
    previous = current
  }
  return previous[to.length]!
}
