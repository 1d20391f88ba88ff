import { readFile } from 'node:fs/promises'

/**
 * The users of a host's own file, passwd(5) fields 1 and 3. Those of a directory service are not there: a table can hold thousands
 * of uids, and one that such a service is slow to answer for would hold up each sample. `findUser` asks it, for one user at a time.
 */
interface LocalUsers {
  readonly nameOf: ReadonlyMap<number, string>
  readonly uidOf: ReadonlyMap<string, number>
}

/** Without the file, as in a bare container, there are none. Of two lines the first counts, as getpwnam(3) has it. */
export async function readLocalUsers(path = '/etc/passwd'): Promise<LocalUsers> {
  const nameOf = new Map<number, string>()
  const uidOf = new Map<string, number>()
  const text = await readFile(path, 'utf8').catch(() => '')
  for (const line of text.split('\n')) {
    const [name, , digits] = line.split(':')
    if (!name || !digits || !/^\d+$/.test(digits)) continue
    const uid = Number(digits)
    if (!nameOf.has(uid)) nameOf.set(uid, name)
    if (!uidOf.has(name)) uidOf.set(name, uid)
  }
  return { nameOf, uidOf }
}
