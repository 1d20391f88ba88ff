import { checkIdentity, checkOptions, PATH } from '../arguments.js'
import { parseCgroup } from '../inspect/cgroup_path.js'
import { readProcFiles } from '../inspect/proc_files.js'
import type { ProcessIdentity } from '../table/identity.js'

/** The unit that a process belongs to. */
export interface ProcessUnit {
  /** The innermost: a service or scope, with its suffix. */
  readonly unit: string
  /** The user whose own manager runs it; undefined where the system's does. */
  readonly uid: number | undefined
}

/**
 * Which unit a process belongs to, by its control group; works without the service manager too.
 * @param options `procRoot`: another root than `/proc`
 * @returns undefined for a process in none
 * @throws ProcmusterError `PROCESS_GONE`, `ACCESS_DENIED`, `TIMEOUT`
 */
export async function unitOfProcess(
  target: Pick<ProcessIdentity, 'pid' | 'startTicks'>,
  options: { readonly procRoot?: string } = {},
): Promise<ProcessUnit | undefined> {
  checkIdentity(target)
  checkOptions(options, { procRoot: PATH })
  const [file] = await readProcFiles(target, { ...options, files: ['cgroup'] })
  if (file!.error !== undefined) throw file!.error
  const place = parseCgroup(file!.data.toString('utf8'))
  if (place?.unit === undefined) return undefined
  // Below the service that runs it, a user's manager has units of its own.
  const uid = /\/user@(\d+)\.service\/(?=.*\.(?:service|scope|mount|socket|swap)(?:\/|$))/.exec(
    place.path,
  )?.[1]
  return { unit: place.unit, uid: uid === undefined ? undefined : Number(uid) }
}
