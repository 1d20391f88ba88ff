import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { identify, ProcessHandle } from '../control/handle.js'
import { actOnMembers, Relation } from '../control/members.js'
import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import { handDown, removeGroup } from './cgroup.js'
import { childGroups, controlError, writeControl } from './files.js'
import {
  type CgroupHierarchy,
  type CgroupHost,
  type Controller,
  type DetectOptions,
  detectCgroups,
  directoryOf,
  hierarchyOf,
  parseMemberships,
  pathIn,
} from './hierarchies.js'
import {
  type CgroupLimit,
  type CgroupLimits,
  checkLimits,
  controllersFor,
  type FindPlace,
  readLimits,
  writeLimits,
} from './limits.js'
import { moveInto } from './move.js'
import { readProcesses } from './use.js'

/** Limits that a running process can be put under. */
export type CapLimits = Omit<CgroupLimits, 'ioMax'>

/** Options of `capProcess`. */
export interface CapOptions extends DetectOptions {
  /** Also its descendants, where they are in the same group now. Children born later are capped in any case. Default true. */
  readonly descendants?: boolean
  /** Also pid 1 and kernel threads. */
  readonly force?: boolean
}

/** What became of one target. */
export type CapResult =
  | {
      readonly pid: number
      readonly ok: true
      /** Of the group with the limits, once for each tree. */
      readonly directories: readonly string[]
      /** Processes that were moved, the target and its descendants. */
      readonly moved: readonly number[]
      /**
       * Resident memory that the target had before and that the kernel goes on counting where it came from: the limit is
       * one of what it takes from now on.
       */
      readonly uncountedBytes: number
    }
  | { readonly pid: number; readonly ok: false; readonly error: ProcmusterError }

/** What became of one target. */
export type UncapResult =
  | {
      readonly pid: number
      readonly ok: true
      /** Where it is again, once for each tree. */
      readonly directories: readonly string[]
    }
  | { readonly pid: number; readonly ok: false; readonly error: ProcmusterError }

// What a group is called says whose cap it is, and with the part before it where that one came from: it is undone by
// another process, and after a crash, without a file beside it.
const NAME = /^(?:(.+)\.)?procmuster-(\d+)-(\d+)$/
const NAME_BYTES = 255

/** One tree, and the groups of a target in it. */
interface Place {
  readonly hierarchy: CgroupHierarchy
  readonly controllers: readonly Controller[]
  /** Where the target is, or was before its cap. */
  readonly origin: string
  readonly group: string
}

/**
 * Puts running processes under limits, each into a control group of its own, and leaves it there until `uncapProcess`. Called
 * again, it changes the limits. In version 1 the group is made below the one where the process is, so that the limits there go on holding; in
 * version 2, where such a group can have none below it, beside it, with the tighter of both limits. The service manager
 * then finds the process in another group than it put it into.
 * @throws ProcmusterError `INVALID_ARGUMENT` for limits that are none
 */
export async function capProcess(
  targets: readonly ProcessIdentity[],
  limits: CapLimits,
  options: CapOptions = {},
): Promise<CapResult[]> {
  checkLimits(limits)
  const controllers = controllersFor(limits)
  if (controllers.length === 0 || controllers.includes('io')) {
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message:
        'no limit to cap with; use memoryMaxBytes, memoryHighBytes, swapMaxBytes, cpuQuotaPercent, cpuWeight or pidsMax',
    })
  }
  const host = await detectCgroups(options)
  return eachOf(targets, (target) => capOne(host, target, controllers, limits, options))
}

/**
 * Takes processes out of the groups that `capProcess` made for them, with everyone else in these, back to where they came from,
 * and removes the groups. Also of one that has ended: what is left of its cap is removed, and the result is `PROCESS_GONE`.
 * `NOT_FOUND` for one that has no cap, or whose former group has vanished.
 */
export async function uncapProcess(
  targets: readonly ProcessIdentity[],
  options: DetectOptions & { readonly force?: boolean } = {},
): Promise<UncapResult[]> {
  const host = await detectCgroups(options)
  return eachOf(targets, (target) => uncapOne(host, target, options.force ?? false))
}

async function eachOf<Result extends object>(
  targets: readonly ProcessIdentity[],
  each: (target: ProcessIdentity) => Promise<Result>,
): Promise<(({ pid: number; ok: true } & Result) | { pid: number; ok: false; error: ProcmusterError })[]> {
  const results = []
  for (const target of targets) {
    const { pid } = target
    try {
      results.push({ pid, ok: true as const, ...(await each(target)) })
    } catch (error) {
      if (!(error instanceof ProcmusterError)) throw error
      results.push({ pid, ok: false as const, error })
    }
  }
  return results
}

async function capOne(
  host: CgroupHost,
  target: ProcessIdentity,
  controllers: readonly Controller[],
  limits: CapLimits,
  options: CapOptions,
) {
  const places = await placesOf(host, target, controllers)
  const made: string[] = []
  const directories = places.map(({ group }) => group)
  try {
    for (const place of places) if (await makeCap(place)) made.push(place.group)
    const find = finder(places)
    await writeLimits(find, await withOrigin(places, limits))
    const uncountedBytes = controllers.includes('memory') ? await uncounted(find, target) : 0
    const [result] = await moveInto(directories, [target], options.force ?? false)
    if (!result!.ok) throw result!.error
    const moved = [target.pid]
    if (options.descendants ?? true) moved.push(...(await moveDescendants(places, target, options)))
    return { directories, moved, uncountedBytes: made.length > 0 ? uncountedBytes : 0 }
  } catch (error) {
    // As it was before: nobody stays in a group whose limits are not all there.
    for (const place of places) if (made.includes(place.group)) await dissolve(place).catch(() => {})
    throw error
  }
}

/** @throws ProcmusterError `UNSUPPORTED` when the host cannot, `PROCESS_GONE` */
async function placesOf(
  host: CgroupHost,
  target: ProcessIdentity,
  controllers: readonly Controller[],
): Promise<Place[]> {
  const memberships = parseMemberships(await readMembership(target))
  const places = new Map<CgroupHierarchy, Place>()
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

async function readMembership(target: ProcessIdentity): Promise<string> {
  try {
    return await readFile(`/proc/${target.pid}/cgroup`, 'utf8')
  } catch {
    throw gone(target)
  }
}

function gone(target: ProcessIdentity): ProcmusterError {
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

/** True when it was not there. */
async function makeCap({ hierarchy, controllers, group }: Place): Promise<boolean> {
  if (hierarchy.version === 2) await handDown(dirname(group), controllers)
  try {
    await mkdir(group)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw controlError('make', group, error)
  }
}

function finder(places: readonly Place[], which: 'group' | 'origin' = 'group'): FindPlace {
  return (controller) => {
    const place = places.find(({ controllers }) => controllers.includes(controller as Controller))
    return place && { version: place.hierarchy.version, directory: place[which] }
  }
}

const BOUNDS = ['memoryMaxBytes', 'memoryHighBytes', 'swapMaxBytes', 'cpuQuotaPercent', 'pidsMax'] as const

/** A group beside the former one of version 2 is no longer bound by that one: the tighter of both holds. */
async function withOrigin(places: readonly Place[], limits: CapLimits): Promise<CapLimits> {
  const beside = places.filter(({ origin, group }) => dirname(group) !== origin)
  if (beside.length === 0) return limits
  const former = await readLimits(finder(beside, 'origin'))
  const merged: { -readonly [Name in keyof CapLimits]: CapLimits[Name] } = { ...limits }
  for (const name of BOUNDS) merged[name] = tighter(limits[name], former[name])
  merged.cpuWeight = limits.cpuWeight ?? former.cpuWeight
  return merged
}

function tighter(a: CgroupLimit | undefined, b: CgroupLimit | undefined): CgroupLimit | undefined {
  if (a === undefined || b === undefined) return a ?? b
  if (a === 'unlimited') return b
  return b === 'unlimited' ? a : Math.min(a, b)
}

async function uncounted(find: FindPlace, { pid }: ProcessIdentity): Promise<number> {
  const { version, directory } = find('memory')!
  if (version === 1) {
    // Older kernels can count it in the new group.
    const moves = await writeControl(directory, 'memory.move_charge_at_immigrate', '3').then(
      () => true,
      () => false,
    )
    if (moves) return 0
  }
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1] ?? 0) * 1024
}

// Who is born while the others are moved is found by the next look, or is born into the new group.
async function moveDescendants(
  places: readonly Place[],
  target: ProcessIdentity,
  { force = false }: CapOptions,
): Promise<number[]> {
  const moved = new Set<number>()
  for (;;) {
    const { result } = await actOnMembers(Relation.tree, [target], undefined, { force })
    const fresh = []
    for (const { identity, depth } of result.members) {
      if (depth > 0 && !moved.has(identity.pid) && (await isIn(places, identity))) fresh.push(identity)
    }
    if (fresh.length === 0) return [...moved]
    const results = await moveInto(
      places.map(({ group }) => group),
      fresh,
      force,
    )
    for (const each of results) {
      if (!each.ok && each.error.code !== 'PROCESS_GONE') throw each.error
      moved.add(each.pid)
    }
  }
}

async function isIn(places: readonly Place[], { pid }: ProcessIdentity): Promise<boolean> {
  const memberships = parseMemberships(await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => ''))
  return places.every(({ hierarchy, origin }) => {
    const path = pathIn(hierarchy, memberships)
    return path !== undefined && directoryOf(hierarchy, path) === origin
  })
}

async function uncapOne(host: CgroupHost, target: ProcessIdentity, force: boolean) {
  const memberships = await readFile(`/proc/${target.pid}/cgroup`, 'utf8').then(parseMemberships, () => [])
  const current = await identify(target.pid).catch(() => undefined)
  if (current?.startTicks !== target.startTicks || (await hasExited(current))) {
    for (const { mountPoint } of host.hierarchies) await removeLeftovers(mountPoint, target, force)
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
      await dissolve({ origin: capped.origin, group: group! }, force)
      directories.push(capped.origin)
    } else holder = capped.pid
  }
  if (directories.length > 0) return { directories }
  throw new ProcmusterError('NOT_FOUND', {
    message:
      holder === undefined
        ? `process ${target.pid} has no cap`
        : `process ${target.pid} has no cap of its own: it is under that of process ${holder}; uncap that one`,
    pid: target.pid,
  })
}

/** Moves everyone back, those too that are born meanwhile, and removes the group. */
async function dissolve({ origin, group }: { origin: string; group: string }, force = true): Promise<void> {
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

async function removeLeftovers(
  directory: string,
  { pid, startTicks }: ProcessIdentity,
  force: boolean,
): Promise<void> {
  for (const name of await childGroups(directory)) {
    const group = `${directory}/${name}`
    await removeLeftovers(group, { pid, startTicks, settled: true }, force)
    const capped = capOf(group)
    if (capped?.pid === pid && capped.startTicks === startTicks) {
      await dissolve({ origin: capped.origin, group }, force)
    }
  }
}
