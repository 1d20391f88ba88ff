import type { UnreadableProcess } from '../../public/find.js'
import { messageOf } from '../fault.js'

/** Says on stderr that a search could not look everywhere: nobody found does not mean nobody there. */
export function warnOfUnreadable(unreadable: readonly UnreadableProcess[]): void {
  const [first] = unreadable
  if (first === undefined) return
  const count = unreadable.length === 1 ? 'one process' : `${unreadable.length} processes, the first`
  const hint = process.getuid?.() === 0 ? '' : '; root may look into more'
  process.stderr.write(`muster: not looked into: ${count} (${messageOf(first.error)})${hint}\n`)
}
