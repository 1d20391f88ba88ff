import { readFile } from 'node:fs/promises'

/**
 * The users that a host's own file knows, by name: passwd(5) fields 1 and 3. Users of a directory service are not there; rules
 * name those by uid.
 */
export async function readUsers(path = '/etc/passwd'): Promise<ReadonlyMap<string, number>> {
  const users = new Map<string, number>()
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch {
    return users // a container may have none; then every name is unknown, and the message says so
  }
  for (const line of text.split('\n')) {
    const [name, , uid] = line.split(':')
    if (name && uid && /^\d+$/.test(uid)) users.set(name, Number(uid))
  }
  return users
}
