import { existsSync } from 'node:fs'
import { checkIdentities, checkOptions, FLAG, PATH } from '../arguments.js'
import { identify, ProcessHandle } from '../control/handle.js'
import { eachOf } from '../control/results.js'
import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import { capOf, gone } from './cap_place.js'
import { childGroups } from './files.js'
import { removeGroup } from './group_directory.js'
import {
  type CgroupHost,
  type DetectOptions,
  detectCgroups,
  detection,
  directoryOf,
  pathIn,
  readMemberships,
} from './hierarchies.js'
import { moveInto } from './move.js'
import { readProcesses } from './use.js'

/** What became of one target. */
export type UncapResult =
  | {
      readonly pid: number
      readonly ok: true
      /** Where it is again, once for each tree. */
      readonly directories: readonly string[]
    }
  | { readonly pid: number; readonly ok: false; readonly error: ProcmusterError }

/** Options of `uncapProcess`. */
export interface UncapOptions extends DetectOptions {
  /** Also pid 1 and kernel threads. */
  readonly force?: boolean
  /** Of a process that has ended, remove only the groups that nobody is in any more. */
  readonly emptyOnly?: boolean
}

/**
 * Takes processes out of the groups that `capProcess` made for them, with everyone else in these, back to where they came from,
 * and removes the groups. Also of one that has ended: what is left of its cap is removed, and the result is `PROCESS_GONE`; with
 * `emptyOnly`, descendants that live on keep the limits that they are under.
 * `NOT_FOUND` for one that has no cap, or whose former group has vanished.
 */
export async function uncapProcess(
  targets: readonly ProcessIdentity[],
  options: UncapOptions = {},
): Promise<UncapResult[]> {
  checkIdentities(targets)
  checkOptions(options, { emptyOnly: FLAG, force: FLAG, mountinfo: PATH })
  const host = await detectCgroups(detection(options))
  return eachOf(targets, (target) => uncapOne(host, target, options))
}

async function uncapOne(
  host: CgroupHost,
  target: ProcessIdentity,
  { force = false, emptyOnly = false }: UncapOptions,
) {
  const memberships = await readMemberships(target.pid)
  const current = await identify(target.pid).catch(goneOrThrow)
  const undo = (place: CapGroup) => dissolve(place, force)
  if (current?.startTicks !== target.startTicks || (await hasExited(current))) {
    await removeLeftovers(host, target, emptyOnly ? removeEmpty : undo)
    throw gone(target)
  }
  const directories: string[] = []
  let holder: number | undefined
  for (const hierarchy of host.hierarchies) {
    const path = pathIn(hierarchy, memberships)
    const group = path === undefined ? undefined : directoryOf(hierarchy, path)
    const capped = group === undefined ? undefined : capOf(group)
    if (capped === undefined) continue
    if (capped.pid === target.pid && capped.startTicks === target.startTicks) {
      await undo({ origin: capped.origin, group: group! })
      directories.push(capped.origin)
    } else holder = capped.pid
  }
  // Version 1 shows one that is just about to end in the root of each tree.
  if (memberships.every(({ controllers, path }) => controllers.length === 0 || path === '/'))
    directories.push(...(await removeLeftovers(host, target, undo)))
  if (directories.length > 0) return { directories }
  throw new ProcmusterError('NOT_FOUND', {
    message:
      holder === undefined
        ? `process ${target.pid} has no cap`
        : `process ${target.pid} has no cap of its own: it is under that of process ${holder}; uncap that one`,
    pid: target.pid,
  })
}

type CapGroup = { readonly origin: string; readonly group: string }

/** Moves everyone back, those too that are born meanwhile, and removes the group. */
export async function dissolve({ origin, group }: CapGroup, force = true): Promise<void> {
  if (!existsSync(origin)) {
    throw new ProcmusterError('NOT_FOUND', {
      message: `the group ${JSON.stringify(origin)} from which the processes in ${JSON.stringify(group)} came has vanished; move them to another one`,
      path: origin,
    })
  }
  for (;;) {
    const pids = await readProcesses(group)
    if (pids.length === 0) break
    const found = await Promise.all(pids.map((pid) => identify(pid).catch(goneOrThrow)))
    const targets = found.filter((each) => each !== undefined)
    for (const result of await moveInto([origin], targets, force)) {
      if (!result.ok && result.error.code !== 'PROCESS_GONE') throw result.error
    }
  }
  await removeGroup(group)
}

function goneOrThrow(error: unknown): undefined {
  if (!(error instanceof ProcmusterError) || error.code !== 'PROCESS_GONE') throw error
}

/** A zombie is in no group any more. */
async function hasExited(process: ProcessIdentity): Promise<boolean> {
  try {
    using handle = await ProcessHandle.open(process)
    return handle.hasExited
  } catch (error) {
    if (error instanceof ProcmusterError && error.code === 'PROCESS_GONE') return true
    throw error
  }
}

/** Of the groups right below a directory, those of caps whose process has ended, where nobody is in them any more. */
export async function removeEndedCaps(directory: string): Promise<void> {
  for (const name of await childGroups(directory)) {
    const group = `${directory}/${name}`
    const capped = capOf(group)
    if (capped === undefined) continue
    const current = await identify(capped.pid).catch(goneOrThrow)
    const isThere = current?.startTicks === capped.startTicks && !(await hasExited(current))
    if (!isThere) await removeEmpty({ origin: capped.origin, group })
  }
}

async function removeEmpty({ group }: CapGroup): Promise<void> {
  try {
    await removeGroup(group)
  } catch (error) {
    if (!(error instanceof ProcmusterError) || error.code !== 'BUSY') throw error
  }
}

/** Wherever they are. The directories from which their processes came. */
async function removeLeftovers(
  { hierarchies }: CgroupHost,
  { pid, startTicks }: ProcessIdentity,
  remove: (place: CapGroup) => Promise<void>,
): Promise<string[]> {
  const origins: string[] = []
  const look = async (directory: string): Promise<void> => {
    for (const name of await childGroups(directory)) {
      const group = `${directory}/${name}`
      await look(group)
      const capped = capOf(group)
      if (capped?.pid !== pid || capped.startTicks !== startTicks) continue
      await remove({ origin: capped.origin, group })
      origins.push(capped.origin)
    }
  }
  for (const { mountPoint } of hierarchies) await look(mountPoint)
  return origins
}
