import { ProcmusterError } from '../public/errors.js'
import { findUser } from '../public/spawn.js'
import { EXIT } from './exit_codes.js'
import type { FaultList } from './fault.js'
import { quoted } from './values.js'

/** A user that the host does not know would be waited for in vain. */
export async function requireUser(user: string, faults: FaultList): Promise<void> {
  if (/^\d+$/.test(user)) return
  try {
    await findUser(user)
  } catch (error) {
    if (!(error instanceof ProcmusterError)) throw error
    // Else a name service does not answer, and it may be there.
    if (error.code !== 'NOT_FOUND') return
    faults.add(
      EXIT.outOfRange,
      `--user ${quoted(user)}: no such user on this host; correct the name or give a uid`,
    )
  }
}

/** Names of users, as far as the host knows them. */
export async function userNames(uids: Iterable<number>): Promise<ReadonlyMap<number, string>> {
  const names = new Map<number, string>()
  for (const uid of new Set(uids)) {
    const user = await findUser(uid).catch(() => undefined)
    if (user !== undefined) names.set(uid, user.name)
  }
  return names
}
