import { setTimeout as sleep } from 'node:timers/promises'
import { ProcmusterError } from '../../errors.js'
import { readLocalUsers } from '../../system/local_users.js'
import type { Match } from './ast.js'

/** Name services try their servers one after the other; an engine must start, and reload, all the same. */
const LIMIT_MS = 5000

/**
 * The uids of all users whom rules name: from the host's own file, else from its name services, nsswitch.conf(5).
 * Whom nobody knows is left out.
 * @throws ProcmusterError `TIMEOUT`, or what the errno of a name service stands for: who is asked for may exist
 */
export async function lookUpUsers(
  matches: readonly Match[],
  limitMs = LIMIT_MS,
): Promise<ReadonlyMap<string, number>> {
  const names = new Set(matches.flatMap(namesIn))
  if (names.size === 0) return new Map()
  const { uidOf } = await readLocalUsers()
  const unknown = [...names].filter((name) => !uidOf.has(name))
  if (unknown.length === 0) return uidOf
  const over = new AbortController()
  const limit = sleep(limitMs, undefined, { signal: over.signal })
  try {
    return await Promise.race([
      askServices(unknown, over.signal).then((others) => new Map([...uidOf, ...others])),
      limit.then(() => {
        throw timedOut(unknown, limitMs)
      }),
    ])
  } finally {
    over.abort()
    limit.catch(() => {})
  }
}

/** One after the other: each takes a thread of libuv's pool for as long as the services say nothing, and a watch writes with those. */
async function askServices(names: readonly string[], over: AbortSignal): Promise<Map<string, number>> {
  // Only here: rules are checked in places, too, that have no addon.
  const { findUser } = await import('../../spawn/account.js')
  const found = new Map<string, number>()
  for (const name of names) {
    if (over.aborted) break
    try {
      found.set(name, (await findUser(name)).uid)
    } catch (error) {
      if (!(error instanceof ProcmusterError) || error.code !== 'NOT_FOUND') throw error
    }
  }
  return found
}

function namesIn(match: Match): string[] {
  switch (match.kind) {
    case 'all':
    case 'any':
      return match.parts.flatMap(namesIn)
    case 'not':
      return namesIn(match.part)
    case 'user':
      return typeof match.user === 'string' ? [match.user] : []
    default:
      return []
  }
}

function timedOut(names: readonly string[], limitMs: number): ProcmusterError {
  const asked = names.map((name) => JSON.stringify(name)).join(', ')
  return new ProcmusterError('TIMEOUT', {
    message: `the name services of this host have not said within ${limitMs} ms who ${asked} is; give the uid instead`,
  })
}
