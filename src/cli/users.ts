import { execFile } from 'node:child_process'
import { EXIT } from './exit_codes.js'
import type { FaultList } from './fault.js'
import { quoted } from './values.js'

/** A user that the host does not know would be waited for in vain. */
export async function requireUser(user: string, faults: FaultList): Promise<void> {
  if (/^\d+$/.test(user)) return
  const known = await new Promise<boolean>((resolve) => {
    // getent asks the name service as a whole (LDAP too); 2 is its word for "not found". Without it we cannot know.
    execFile('getent', ['--', 'passwd', user], { timeout: 5000 }, (error) => resolve(error?.code !== 2))
  })
  if (!known)
    faults.add(
      EXIT.outOfRange,
      `--user ${quoted(user)}: no such user on this host; correct the name or give a uid`,
    )
}

/** Names of users, as far as the host knows them. */
export async function userNames(uids: Iterable<number>): Promise<ReadonlyMap<number, string>> {
  const asked = [...new Set(uids)].map(String)
  if (asked.length === 0) return new Map()
  const text = await new Promise<string>((resolve) => {
    // With one that is not known it ends with 2, and has told the others.
    execFile('getent', ['passwd', ...asked], { timeout: 5000 }, (_, stdout) => resolve(stdout))
  })
  const lines = text.split('\n').map((line) => line.split(':'))
  return new Map(lines.flatMap(([name, , uid]) => (name && uid ? [[Number(uid), name]] : [])))
}
