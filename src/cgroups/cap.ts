import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { checkIdentities, checkOptions, FLAG, PATH, RECORD } from '../arguments.js'
import { actOnMembers, Relation } from '../control/members.js'
import { eachOf } from '../control/results.js'
import { ProcmusterError } from '../errors.js'
import { identityKey, type ProcessIdentity } from '../table/identity.js'
import { type CapPlace, placesOf } from './cap_place.js'
import { controlError, writeControl } from './files.js'
import { handDown } from './group_directory.js'
import {
  type CgroupHost,
  type Controller,
  type DetectOptions,
  detectCgroups,
  detection,
  directoryOf,
  pathIn,
  readMemberships,
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
import { dissolve, removeEndedCaps } from './uncap.js'

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

/**
 * Puts running processes under limits, each into a control group of its own, and leaves it there until `uncapProcess`. Called
 * again, it changes the limits. In version 1 the group is made below the one where the process is, so that the limits there go on
 * holding; in version 2, where such a group can have none below it, beside it, with the tighter of both limits. The service manager
 * then finds the process in another group than it put it into. Empty groups that caps of ended processes have left there are removed.
 * @throws ProcmusterError `INVALID_ARGUMENT` for limits that are none
 */
export async function capProcess(
  targets: readonly ProcessIdentity[],
  limits: CapLimits,
  options: CapOptions = {},
): Promise<CapResult[]> {
  checkIdentities(targets)
  checkOptions(options, { descendants: FLAG, force: FLAG, mountinfo: PATH })
  RECORD('the limits', limits)
  checkLimits(limits)
  const controllers = controllersFor(limits)
  if (controllers.length === 0 || controllers.includes('io')) {
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message:
        'no limit to cap with; use memoryMaxBytes, memoryHighBytes, swapMaxBytes, cpuQuotaPercent, cpuWeight or pidsMax',
    })
  }
  const host = await detectCgroups(detection(options))
  const results = await eachOf(targets, (target) => capOne(host, target, controllers, limits, options))
  // Nobody is there to remove a group when its last process ends.
  const parents = new Set(
    results.flatMap((result) => (result.ok ? result.directories.map((group) => dirname(group)) : [])),
  )
  for (const parent of parents) await removeEndedCaps(parent).catch(() => {})
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

/** True when it was not there. */
async function makeCap({ hierarchy, controllers, group }: CapPlace): Promise<boolean> {
  if (hierarchy.version === 2) await handDown(dirname(group), controllers)
  try {
    await mkdir(group)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw controlError('make', group, error)
  }
}

function finder(places: readonly CapPlace[], which: 'group' | 'origin' = 'group'): FindPlace {
  return (controller) => {
    const place = places.find(({ controllers }) => controllers.includes(controller as Controller))
    return place && { version: place.hierarchy.version, directory: place[which] }
  }
}

const BOUNDS = ['memoryMaxBytes', 'memoryHighBytes', 'swapMaxBytes', 'cpuQuotaPercent', 'pidsMax'] as const

/** A group beside the former one of version 2 is no longer bound by that one: the tighter of both holds. */
async function withOrigin(places: readonly CapPlace[], limits: CapLimits): Promise<CapLimits> {
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
  places: readonly CapPlace[],
  target: ProcessIdentity,
  { force = false }: CapOptions,
): Promise<number[]> {
  const tried = new Set<string>()
  const moved: number[] = []
  for (;;) {
    const { result } = await actOnMembers(Relation.tree, [target], undefined, { force })
    const fresh = []
    for (const { identity, depth } of result.members) {
      if (depth > 0 && !tried.has(identityKey(identity)) && (await isIn(places, identity)))
        fresh.push(identity)
    }
    if (fresh.length === 0) return moved
    for (const identity of fresh) tried.add(identityKey(identity))
    const results = await moveInto(
      places.map(({ group }) => group),
      fresh,
      force,
    )
    for (const each of results) {
      if (each.ok) moved.push(each.pid)
      else if (each.error.code !== 'PROCESS_GONE') throw each.error
    }
  }
}

async function isIn(places: readonly CapPlace[], { pid }: ProcessIdentity): Promise<boolean> {
  const memberships = await readMemberships(pid)
  return places.every(({ hierarchy, origin }) => {
    const path = pathIn(hierarchy, memberships)
    return path !== undefined && directoryOf(hierarchy, path) === origin
  })
}
