import { checkOptions, listOf, PATH, TEXT } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import {
  type CgroupHost,
  CONTROLLERS,
  type Controller,
  type DetectOptions,
  detectCgroups,
  detection,
  directoryOf,
  hierarchyOf,
} from './hierarchies.js'
import type { ControlPlace } from './limits.js'

/** Options of `Cgroup.create` and `Cgroup.open`. */
export interface CgroupOptions extends DetectOptions {
  /** Those that it shall have; all that the host has unless told otherwise. */
  readonly controllers?: readonly Controller[]
}

/** Of one controller. */
export interface GroupPlace extends ControlPlace {
  readonly mountPoint: string
}
export type PlaceName = Controller | 'cpuacct'

/** @throws ProcmusterError `INVALID_ARGUMENT`, `UNSUPPORTED` */
export async function placesFor(path: string, options: CgroupOptions): Promise<Map<PlaceName, GroupPlace>> {
  checkOptions(options, { controllers: listOf(TEXT), mountinfo: PATH })
  const host = await detectCgroups(detection(options))
  const wanted = options.controllers ?? CONTROLLERS
  const places = new Map<PlaceName, GroupPlace>()
  for (const name of wanted) {
    if (!CONTROLLERS.includes(name)) {
      throw new ProcmusterError('INVALID_ARGUMENT', {
        message: `unknown controller ${JSON.stringify(name)}; use one of ${CONTROLLERS.join(', ')}`,
      })
    }
    const place = placeOf(host, name, path)
    if (place !== undefined) places.set(name, place)
    else if (options.controllers !== undefined) throw noController(host, name)
  }
  if (places.size === 0) throw noController(host, wanted[0] ?? 'memory')
  if (places.get('cpu')?.version === 1) {
    const account = host.hierarchies.find(({ controllers }) => controllers.includes('cpuacct'))
    const directory = account && directoryOf(account, withRoot(account.mountRoot, path))
    if (directory !== undefined) {
      places.set('cpuacct', { version: 1, directory, mountPoint: account!.mountPoint })
    }
  }
  return places
}

function placeOf(host: CgroupHost, name: Controller, path: string): GroupPlace | undefined {
  const hierarchy = hierarchyOf(host, name)
  if (hierarchy === undefined) return undefined
  const directory = directoryOf(hierarchy, withRoot(hierarchy.mountRoot, path))
  const { version, mountPoint } = hierarchy
  return directory === undefined ? undefined : { version, directory, mountPoint }
}

// Of the trees as they are mounted here, so that `/web` is the same whatever a container sees of them.
function withRoot(mountRoot: string, path: string): string {
  if (path === '/') return mountRoot
  return mountRoot === '/' ? path : `${mountRoot}${path}`
}

function noController(host: CgroupHost, name: string): ProcmusterError {
  const has = [...new Set(host.hierarchies.flatMap(({ controllers }) => controllers))]
  return new ProcmusterError('UNSUPPORTED', {
    message:
      host.mode === 'none'
        ? 'no control groups are mounted here'
        : `this host has no controller ${name} (${host.mode}: ${has.join(', ') || 'no controllers'})`,
  })
}
