import { readdir, readFile } from 'node:fs/promises'
import { checkOptions, PATH } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import { readStat } from '../inspect/stat.js'

/** Controllers that this package knows what to do with, by the names of version 2. */
export const CONTROLLERS = ['memory', 'cpu', 'pids', 'io', 'freezer'] as const
/** What bounds or counts one resource of a group. */
export type Controller = (typeof CONTROLLERS)[number]

/** One mounted tree of control groups. */
export interface CgroupHierarchy {
  readonly version: 1 | 2
  readonly mountPoint: string
  /** Which group of the tree is seen at the mount point; `/` outside of containers. */
  readonly mountRoot: string
  /** As the kernel names them: `blkio` in version 1, `io` in version 2. */
  readonly controllers: readonly string[]
}

/** What control groups a host has. */
export interface CgroupHost {
  /** `hybrid`: both versions; a controller belongs to one of them. */
  readonly mode: 'none' | 'v1' | 'v2' | 'hybrid'
  readonly hierarchies: readonly CgroupHierarchy[]
}

/** Where the mounts are told. */
export interface DetectOptions {
  /** A file of the form of proc_pid_mountinfo(5); `/proc/self/mountinfo` unless told otherwise. */
  readonly mountinfo?: string
}

// Of the options of a version 1 mount, those that name controllers. cgroups(7).
const V1_CONTROLLERS = new Set(
  'cpu cpuacct cpuset memory devices freezer net_cls net_prio blkio perf_event hugetlb pids rdma misc'.split(
    ' ',
  ),
)

/** What of other options `detectCgroups` takes. */
export function detection({ mountinfo }: DetectOptions): DetectOptions {
  return mountinfo === undefined ? {} : { mountinfo }
}

/**
 * Finds the control groups of this host as this process sees them. Never fails: a host without any has the mode `none`.
 */
export async function detectCgroups(options: DetectOptions = {}): Promise<CgroupHost> {
  checkOptions(options, { mountinfo: PATH })
  const text = await readFile(options.mountinfo ?? '/proc/self/mountinfo', 'utf8').catch(() => '')
  const hierarchies: CgroupHierarchy[] = []
  for (const mount of parseCgroupMounts(text)) {
    if (hierarchies.some((each) => sameTree(each, mount))) continue
    if (mount.version === 1) hierarchies.push(mount)
    else hierarchies.push({ ...mount, controllers: await unifiedControllers(mount.mountPoint) })
  }
  const versions = new Set(hierarchies.map(({ version }) => version))
  const mode = versions.size === 2 ? 'hybrid' : versions.has(2) ? 'v2' : versions.has(1) ? 'v1' : 'none'
  return { mode, hierarchies }
}

// A tree can be mounted at many places; the first will do.
function sameTree(a: CgroupHierarchy, b: CgroupHierarchy): boolean {
  if (a.version !== b.version) return false
  return a.version === 2 || a.controllers.join() === b.controllers.join()
}

async function unifiedControllers(mountPoint: string): Promise<string[]> {
  const text = await readFile(`${mountPoint}/cgroup.controllers`, 'utf8').catch(() => '')
  return text.split(/\s+/).filter(Boolean)
}

/**
 * The control group mounts of proc_pid_mountinfo(5); version 1 trees without a controller carry their `name=`. Of version 2
 * the controllers stay empty here: they are told by a file of it.
 */
export function parseCgroupMounts(text: string): CgroupHierarchy[] {
  return text.split('\n').flatMap((line): CgroupHierarchy[] => {
    const [front, back] = line.split(' - ')
    const [, , , mountRoot, mountPoint] = front!.split(' ')
    const [type, , options] = back?.split(' ') ?? []
    if (mountRoot === undefined || mountPoint === undefined || options === undefined) return []
    if (type !== 'cgroup' && type !== 'cgroup2') return []
    const controllers =
      type === 'cgroup2'
        ? []
        : options.split(',').filter((name) => V1_CONTROLLERS.has(name) || name.startsWith('name='))
    return [
      {
        version: type === 'cgroup2' ? 2 : 1,
        mountPoint: unescapePath(mountPoint),
        mountRoot: unescapePath(mountRoot),
        controllers,
      },
    ]
  })
}

function unescapePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

/** The tree that has a controller; `freezer` is built into version 2. */
export function hierarchyOf(host: CgroupHost, controller: Controller): CgroupHierarchy | undefined {
  const name = controller === 'io' ? 'blkio' : controller
  const old = host.hierarchies.find((each) => each.version === 1 && each.controllers.includes(name))
  if (old !== undefined) return old
  return host.hierarchies.find(
    (each) => each.version === 2 && (controller === 'freezer' || each.controllers.includes(controller)),
  )
}

/** Where a process is in one tree. */
export interface CgroupMembership {
  /** Empty for version 2. */
  readonly controllers: readonly string[]
  readonly path: string
}

/** Reads proc_pid_cgroup(5): lines `id:controllers:path`. */
export function parseMemberships(text: string): CgroupMembership[] {
  return text.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    return path === undefined ? [] : [{ controllers: controllers!.split(',').filter(Boolean), path }]
  })
}

/** Where a process is in all trees; nowhere once it has ended. */
export async function readMemberships(pid: number): Promise<CgroupMembership[]> {
  const stat = await readStat(pid)
  // Version 1 shows a thread that has ended in the root: where that is the main one, another one tells.
  const others = stat?.state === 'Z' ? await readdir(`/proc/${pid}/task`).catch(() => []) : []
  const tid = others.find((name) => name !== String(pid)) ?? pid
  return parseMemberships(await readFile(`/proc/${pid}/task/${tid}/cgroup`, 'utf8').catch(() => ''))
}

/** The path of a process in that tree; undefined when it is in none that is seen from here. */
export function pathIn(
  hierarchy: CgroupHierarchy,
  memberships: readonly CgroupMembership[],
): string | undefined {
  return memberships.find(({ controllers }) =>
    hierarchy.version === 2
      ? controllers.length === 0
      : controllers.some((name) => hierarchy.controllers.includes(name)),
  )?.path
}

/** The directory of a group; undefined outside of what is mounted here, or of our cgroup namespace. */
export function directoryOf(hierarchy: CgroupHierarchy, path: string): string | undefined {
  if (path.startsWith('/..')) return undefined
  const { mountPoint, mountRoot } = hierarchy
  if (mountRoot === '/') return path === '/' ? mountPoint : `${mountPoint}${path}`
  const inside = path === mountRoot || path.startsWith(`${mountRoot}/`)
  return inside ? `${mountPoint}${path.slice(mountRoot.length)}` : undefined
}

/**
 * A path below the root of a tree, such as `/web/api`.
 * @throws ProcmusterError `INVALID_ARGUMENT` for one that could leave it
 */
export function checkCgroupPath(path: string): string {
  const parts = path.split('/').slice(1)
  const good =
    path.startsWith('/') &&
    parts.every((part) => part !== '' && part !== '.' && part !== '..' && Buffer.byteLength(part) <= 255) &&
    !/[\0\n]/.test(path)
  if (good) return path
  throw new ProcmusterError('INVALID_ARGUMENT', {
    message: `${JSON.stringify(path)} is no path of a control group; use one like /web/api, without . and ..`,
  })
}
