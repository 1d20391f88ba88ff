import { Cgroup } from '../cgroups/cgroup.js'
import {
  type CgroupMembership,
  CONTROLLERS,
  type Controller,
  detectCgroups,
  hierarchyOf,
  pathIn,
} from '../cgroups/hierarchies.js'
import type { CgroupLimits } from '../cgroups/limits.js'
import type { CgroupUse } from '../cgroups/use.js'
import { ProcmusterError } from '../errors.js'

/** A control group that a process is in, with what it and those in it and below may use, and do use. */
export interface ProcessCgroup {
  /** Below the root of the trees as they are mounted here; `Cgroup.open` takes it. */
  readonly path: string
  /** Those that count and limit there: all of them in version 2, while in version 1 each may have another group. */
  readonly controllers: readonly Controller[]
  readonly limits: CgroupLimits | undefined
  readonly use: CgroupUse | undefined
  /** Why `limits` and `use` could not be read; what is missing of them alone is in `use.missing`. */
  readonly reason: string | undefined
}

/** The groups of a process, by its proc_pid_cgroup(5): one for each path that it has in the mounted trees. */
export async function readProcessCgroups(memberships: readonly CgroupMembership[]): Promise<ProcessCgroup[]> {
  const host = await detectCgroups()
  const groups = new Map<string, { readonly path: string | undefined; readonly controllers: Controller[] }>()
  for (const controller of CONTROLLERS) {
    const hierarchy = hierarchyOf(host, controller)
    const full = hierarchy && pathIn(hierarchy, memberships)
    if (full === undefined) continue
    const path = pathBelow(hierarchy!.mountRoot, full)
    const group = groups.get(full) ?? { path, controllers: [] }
    groups.set(full, group)
    group.controllers.push(controller)
  }
  return Promise.all([...groups].map(([full, { path, controllers }]) => readOne(full, path, controllers)))
}

/** Undefined outside of what is mounted here, or of our cgroup namespace. */
function pathBelow(mountRoot: string, path: string): string | undefined {
  if (path.startsWith('/..')) return undefined
  if (mountRoot === '/' || path === mountRoot) return mountRoot === '/' ? path : '/'
  return path.startsWith(`${mountRoot}/`) ? path.slice(mountRoot.length) : undefined
}

async function readOne(
  full: string,
  path: string | undefined,
  controllers: readonly Controller[],
): Promise<ProcessCgroup> {
  const unread = { path: path ?? full, controllers, limits: undefined, use: undefined }
  if (path === undefined)
    return { ...unread, reason: `the group ${JSON.stringify(full)} is not among those mounted here` }
  try {
    const group = await Cgroup.open(path, { controllers })
    return { ...unread, limits: await group.limits(), use: await group.use(), reason: undefined }
  } catch (error) {
    if (!(error instanceof ProcmusterError)) throw error
    return { ...unread, reason: error.message }
  }
}
