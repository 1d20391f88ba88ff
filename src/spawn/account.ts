import { constants } from 'node:os'
import { codeOfErrno, errnoName, ProcmusterError } from '../errors.js'
import { native } from '../native.js'

/** A user as passwd(5) has it. */
export interface Account {
  readonly name: string
  readonly home: string
  readonly shell: string
  readonly uid: number
  readonly gid: number
  /** Its supplementary groups, with `gid`. */
  readonly groups: readonly number[]
}

/** NGROUPS_MAX, and names that are longer than any path. */
const MOST_GROUPS = 65_536
const MOST_TEXT = 16_384

/**
 * A user by name or uid, asked of all name services. getpwnam(3), getgrouplist(3).
 * @throws ProcmusterError `NOT_FOUND`; `INVALID_ARGUMENT` for a number that is no uid; else what the errno of a name service
 * stands for
 */
export async function findUser(user: string | number): Promise<Account> {
  const uid = numberOf(user)
  const out = new Float64Array(4)
  const groups = new Uint32Array(MOST_GROUPS)
  const text = new Uint8Array(MOST_TEXT)
  await native.spawn.findUser(String(user), uid ?? -1, out, groups, text)
  const [errno, found, gid, count] = out as unknown as [number, number, number, number]
  if (errno !== 0) throw unknown('user', user, errno, uid)
  const [name, home, shell] = Buffer.from(text).toString('utf8').split('\0', 3) as [string, string, string]
  return { name, home, shell, uid: found, gid, groups: [...groups.subarray(0, count)] }
}

/** The gid of a group by name; a number is one. @throws ProcmusterError `NOT_FOUND` */
export async function findGroup(group: string | number): Promise<number> {
  const gid = numberOf(group)
  if (gid !== undefined) return gid
  const out = new Float64Array(2)
  await native.spawn.findGroup(String(group), out)
  if (out[0] !== 0) throw unknown('group', group, out[0]!, undefined)
  return out[1]!
}

/** The largest one is none: chown(2) and others take it for "leave". */
const MOST_ID = 2 ** 32 - 2

function numberOf(id: string | number): number | undefined {
  if (typeof id === 'string' && !/^\d+$/.test(id) && !id.includes('\0')) return undefined
  const number = typeof id === 'string' || typeof id === 'number' ? Number(id) : Number.NaN
  if (Number.isInteger(number) && number >= 0 && number <= MOST_ID) return number
  throw new ProcmusterError('INVALID_ARGUMENT', {
    message: `${JSON.stringify(id)} is no user or group id; use a name, or a number from 0 to ${MOST_ID}`,
  })
}

function unknown(
  what: string,
  id: string | number,
  errno: number,
  number: number | undefined,
): ProcmusterError {
  const none = errno === constants.errno.ENOENT
  const way = number === undefined ? 'correct the name, or give its number' : 'give a group, too'
  return new ProcmusterError(codeOfErrno(errno), {
    message: none
      ? `there is no ${what} ${JSON.stringify(id)} on this host; ${way}`
      : `the ${what} ${JSON.stringify(id)} cannot be looked up (${errnoName(errno)})`,
    errno,
  })
}
