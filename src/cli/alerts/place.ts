import { access, constants, lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { readJournal } from '../../public/journal.js'
import { EXIT } from '../exit_codes.js'
import { type FaultList, fail } from '../fault.js'
import { quoted, readText } from '../values.js'

/** Options that say which journal is meant, as `muster watch` has them. */
export interface RawPlace {
  directory?: string
  journal?: string
}

export function journalOf({ directory, journal }: RawPlace, faults: FaultList): string {
  if (journal !== undefined) return readText(journal, '--journal', 'a file', faults) ?? ''
  if (directory !== undefined) {
    const path = readText(directory, '-d/--directory', 'the directory of a watch', faults)
    return path === undefined ? '' : join(path, 'muster.jsonl')
  }
  faults.add(EXIT.usage, 'which watch is meant? give its -d DIRECTORY or its --journal FILE')
  return ''
}

/**
 * The journal has to be there. Root acts as its owner from here on: what root left in the owner's directory the engine
 * could not read, and a path there is the owner's to bend.
 */
export async function useJournal(path: string): Promise<void> {
  const stat = await lstat(path).catch((error: NodeJS.ErrnoException) => error)
  if (stat instanceof Error) {
    const reason =
      stat.code === 'ENOENT' || stat.code === 'ENOTDIR' ? 'does not exist' : `cannot be read (${stat.code})`
    return fail(EXIT.directory, `journal ${quoted(path)} ${reason}; give that of a muster watch`)
  }
  if (!stat.isFile()) {
    return fail(EXIT.directory, `journal ${quoted(path)} is no regular file; give that of a muster watch`)
  }
  const isReadable = await access(path, constants.R_OK).then(
    () => true,
    () => false,
  )
  if (!isReadable) {
    const wayOut = 'run as the user of the watch, or as root'
    return fail(EXIT.permission, `journal ${quoted(path)} is not readable for this user; ${wayOut}`)
  }
  if (process.geteuid?.() === 0 && stat.uid !== 0) {
    process.setegid!(stat.gid)
    process.seteuid!(stat.uid)
  }
  const reader = readJournal(path)
  for await (const _ of reader) return
  if (reader.badLines > 0)
    fail(
      EXIT.directory,
      `${quoted(path)} is no journal, no line of it is a record; give that of a muster watch`,
    )
}
