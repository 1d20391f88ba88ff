import { TEXT } from '../arguments.js'
import { parseMemberships } from '../cgroups/hierarchies.js'

/** What a process's control group says about who runs it. */
export interface CgroupPlace {
  /** Path below the root of the hierarchy, as the kernel writes it. */
  readonly path: string
  /** The systemd unit that it belongs to: the innermost one; undefined outside of any. */
  readonly unit: string | undefined
  /** The container's id; undefined outside of any. */
  readonly container: string | undefined
}

/**
 * Reads proc_pid_cgroup(5): lines `id:controllers:path`. The unified hierarchy's line (`0::`) counts, unless it says nothing and
 * another hierarchy does, as on hosts that still use version 1.
 * @returns undefined when there is no line that can be read
 */
export function parseCgroup(text: string): CgroupPlace | undefined {
  TEXT('the file', text)
  let unified: string | undefined
  let systemd: string | undefined
  let other: string | undefined
  for (const { controllers, path: written } of parseMemberships(text)) {
    // What a zombie was in may be gone by now.
    const path = written.replace(/(?<=.) \(deleted\)$/, '')
    if (controllers.length === 0) unified ??= path
    else if (controllers.includes('name=systemd')) systemd ??= path
    else if (other === undefined || other === '/') other = path
  }
  const paths = [unified, systemd, other].filter((path) => path !== undefined)
  const path = paths.find((each) => each !== '/') ?? paths[0]
  if (path === undefined) return undefined
  // Where only some hierarchies were handed to a container engine, the others still tell its id.
  return { path, unit: unitOf(path), container: firstOf(paths, containerOf) }
}

function firstOf<T>(paths: readonly string[], read: (path: string) => T | undefined): T | undefined {
  for (const path of paths) {
    const found = read(path)
    if (found !== undefined) return found
  }
  return undefined
}

/** systemd.unit(5): units that can have processes; a slice only groups them. */
const UNIT = /^[A-Za-z0-9:_.\\@-]+\.(?:service|scope|mount|socket|swap)$/

function unitOf(path: string): string | undefined {
  const segments = path.split('/')
  for (let at = segments.length - 1; at > 0; at--) {
    // A segment whose name would be one of the kernel's files is escaped by an underscore.
    const segment = segments[at]!.replace(/^_/, '')
    if (UNIT.test(segment)) return segment
  }
  return undefined
}

const ENGINES = 'docker|cri-containerd|containerd|nerdctl|crio|cri-o|libpod|podman|buildkit'
/** `docker-<id>.scope`, `cri-containerd-<id>.scope`, `crio-<id>`; not podman's monitor `libpod-conmon-<id>`. */
const NAMED = new RegExp(`^(?:${ENGINES})-([0-9a-f]{32,64})(?:\\.scope)?$`)
/** containerd's systemd driver: `<slice>:cri-containerd:<id>`. */
const PREFIXED = new RegExp(`(?:^|:)(?:${ENGINES}):([0-9a-f]{32,64})$`)
const BARE = /^[0-9a-f]{64}$/
/** AWS ECS and Fargate: `<task id>-<number>`. */
const ECS = /^[0-9a-f]{32}-\d{5,}$/

function containerOf(path: string): string | undefined {
  const segments = path.split('/')
  // The innermost: a container can run within another.
  for (let at = segments.length - 1; at > 0; at--) {
    const segment = segments[at]!
    const parent = segments[at - 1]!
    const named = NAMED.exec(segment) ?? PREFIXED.exec(segment)
    if (named !== null) return named[1]
    if (BARE.test(segment)) return segment
    if (ECS.test(segment) && segments.includes('ecs')) return segment
    const lxc = /^lxc\.payload\.(.+)$/.exec(segment)?.[1]
    if (lxc !== undefined) return lxc
    if (parent === 'lxc' && segment !== '') return segment
  }
  return undefined
}
