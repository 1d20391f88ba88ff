import { ProcmusterError } from '../public/errors.js'
import { EXIT } from './exit_codes.js'
import type { FaultList } from './fault.js'
import { quoted } from './values.js'

/**
 * The uid of a user, as text: a table knows the names of /etc/passwd only, name services know more. One that the host
 * does not know would be waited for in vain.
 */
export async function requireUser(user: string, faults: FaultList): Promise<string> {
  if (/^\d+$/.test(user)) return user
  const { findUser } = await import('../public/spawn.js')
  try {
    return String((await findUser(user)).uid)
  } catch (error) {
    if (!(error instanceof ProcmusterError)) throw error
    // Else a name service does not answer, and it may be there.
    if (error.code === 'NOT_FOUND') {
      faults.add(
        EXIT.outOfRange,
        `--user ${quoted(user)}: no such user on this host; correct the name or give a uid`,
      )
    }
    return user
  }
}

/** Names of users, as far as the host knows them. */
export async function userNames(uids: Iterable<number>): Promise<ReadonlyMap<number, string>> {
  const { findUser } = await import('../public/spawn.js')
  const names = new Map<number, string>()
  for (const uid of new Set(uids)) {
    const user = await findUser(uid).catch(() => undefined)
    if (user !== undefined) names.set(uid, user.name)
  }
  return names
}
