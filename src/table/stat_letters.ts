import { checkHas } from '../arguments.js'
import type { ProcessRow } from './process.js'

/**
 * The state as the column STAT of ps(1) writes it: the state letter, then `<` (nice below 0) or `N` (above), `L` (has pages
 * locked into memory), `s` (session leader), `l` (several threads), `+` (in the foreground of its terminal).
 * `L` can be told only of a table that has the group `status`.
 */
export function statLetters(row: ProcessRow): string {
  checkHas('the row', row, ['state', 'pid'], 'one of a table')
  const { nice = 0, lockedBytes = 0, threads = 1 } = row
  return (
    row.state +
    (nice < 0 ? '<' : nice > 0 ? 'N' : '') +
    (lockedBytes > 0 ? 'L' : '') +
    (row.sid === row.pid ? 's' : '') +
    (threads > 1 ? 'l' : '') +
    (row.pgid !== undefined && row.pgid === row.tpgid ? '+' : '')
  )
}
