import { existsSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import {
  type CgroupHierarchy,
  type CgroupHost,
  type Controller,
  directoryOf,
  hierarchyOf,
  pathIn,
  readMemberships,
} from './hierarchies.js'

// What a group is called says whose cap it is, and with the part before it where that one came from: it is undone by
// another process, and after a crash, without a file beside it.
const NAME = /^(?:(.+)\.)?procmuster-(\d+)-(\d+)$/
const NAME_BYTES = 255

/** One tree, and the groups of a target in it. */
export interface CapPlace {
  readonly hierarchy: CgroupHierarchy
  readonly controllers: readonly Controller[]
  /** Where the target is, or was before its cap. */
  readonly origin: string
  readonly group: string
}

/** @throws ProcmusterError `UNSUPPORTED` when the host cannot, `PROCESS_GONE` */
export async function placesOf(
  host: CgroupHost,
  target: ProcessIdentity,
  controllers: readonly Controller[],
): Promise<CapPlace[]> {
  const memberships = await readMemberships(target.pid)
  if (memberships.length === 0) throw gone(target)
  const places = new Map<CgroupHierarchy, CapPlace>()
  for (const name of controllers) {
    const hierarchy = hierarchyOf(host, name)
    const path = hierarchy && pathIn(hierarchy, memberships)
    const directory = path === undefined ? undefined : directoryOf(hierarchy!, path)
    if (hierarchy === undefined || directory === undefined || !existsSync(directory)) {
      throw new ProcmusterError('UNSUPPORTED', {
        message: `process ${target.pid} cannot be capped: ${
          hierarchy === undefined
            ? `this host has no controller ${name} (${host.mode})`
            : `its group ${JSON.stringify(path)} is not seen from here`
        }`,
        pid: target.pid,
      })
    }
    const before = places.get(hierarchy)
    const both = [...(before?.controllers ?? []), name]
    places.set(hierarchy, { hierarchy, controllers: both, ...groupsOf(hierarchy, directory, target) })
  }
  return [...places.values()]
}

export function gone(target: ProcessIdentity): ProcmusterError {
  const { pid, startTicks } = target
  return new ProcmusterError('PROCESS_GONE', {
    message: `process ${pid} (started at tick ${startTicks}) has ended`,
    pid,
    startTicks,
  })
}

function groupsOf(
  hierarchy: CgroupHierarchy,
  directory: string,
  { pid, startTicks }: ProcessIdentity,
): { origin: string; group: string } {
  const capped = capOf(directory)
  if (capped?.pid === pid && capped.startTicks === startTicks)
    return { origin: capped.origin, group: directory }
  const own = `procmuster-${pid}-${startTicks}`
  const isRoot = directory === hierarchy.mountPoint
  if (hierarchy.version === 1 || isRoot) return { origin: directory, group: `${directory}/${own}` }
  const name = `${basename(directory)}.${own}`
  if (Buffer.byteLength(name) <= NAME_BYTES)
    return { origin: directory, group: `${dirname(directory)}/${name}` }
  throw new ProcmusterError('UNSUPPORTED', {
    message: `process ${pid} cannot be capped: the name of its group ${JSON.stringify(directory)} is too long to make one beside it`,
    pid,
  })
}

/** Whose cap a directory is; undefined for another group. */
export function capOf(directory: string): { origin: string; pid: number; startTicks: number } | undefined {
  const [, sibling, pid, startTicks] = NAME.exec(basename(directory)) ?? []
  if (pid === undefined) return undefined
  const parent = dirname(directory)
  return {
    origin: sibling === undefined ? parent : `${parent}/${sibling}`,
    pid: Number(pid),
    startTicks: Number(startTicks),
  }
}
