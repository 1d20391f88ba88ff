import { existsSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { release } from 'node:os'
import { resolve } from 'node:path'
import { checkOptions, PATH } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import { parseStatus } from '../inspect/process_status.js'
import { native } from '../native.js'
import {
  ambientLine,
  type Capability,
  hasCapability,
  lackingCapabilities,
  setcapCommand,
} from './capabilities.js'

/** What keeps the kernel from filling the table by itself; stable across versions. */
export type ObstacleCode =
  /** The addon was compiled without clang or bpftool, and without the header that a release carries. */
  | 'NOT_BUILT'
  | 'OLD_KERNEL'
  /** The kernel does not describe its own types. */
  | 'NO_BTF'
  | 'NO_CAPABILITY'
  /** Pids would be those of the host, not those of the caller's namespace. */
  | 'PID_NAMESPACE'
  /** Start times would be those of the host, not those of the caller's `/proc`. */
  | 'TIME_NAMESPACE'
  | 'LOCKDOWN'
  /** Another proc root than `/proc` was asked for. */
  | 'PROC_ROOT'
  /** The kernel refused to load the program, although nothing seemed to be in its way. */
  | 'REFUSED'

/** Why something cannot be had, and the way out; each one line without a full stop. */
export interface Obstacle {
  readonly code: ObstacleCode
  readonly reason: string
  readonly remedy: string
}

/** Where a namespace of this process stands: that of the host, another one, or not to be told. */
type NamespacePlace = 'host' | 'other' | 'unreadable'

/** What decides whether the bpf source can work; each is cheap to read. */
export interface BpfReadings {
  /** Whether the addon has the program. */
  readonly built: boolean
  readonly procRoot: string
  /** uname(2)'s release, `6.18.44-fc`. */
  readonly kernelRelease: string
  readonly hasBtf: boolean
  readonly pidNamespace: NamespacePlace
  readonly timeNamespace: NamespacePlace
  readonly userNamespace: NamespacePlace
  /** The word in brackets of `/sys/kernel/security/lockdown`; undefined where the kernel has none. */
  readonly lockdown: string | undefined
  /** CapEff of this thread; undefined when it could not be read. */
  readonly effective: bigint | undefined
  /** CapBnd: what neither root nor file capabilities can go beyond. */
  readonly bounding: bigint | undefined
  /** NoNewPrivs: file capabilities add nothing then. */
  readonly noNewPrivileges: boolean
  /** The Node.js program, links followed. */
  readonly program: string
}

/** The first kernel with the open-coded task iterator (`bpf_iter_task_new`). */
export const BPF_KERNEL = '6.7'
export const BPF_CAPABILITIES = ['CAP_BPF', 'CAP_PERFMON'] as const satisfies readonly Capability[]

const BTF_FILE = '/sys/kernel/btf/vmlinux'
const LOCKDOWN_FILE = '/sys/kernel/security/lockdown'

// linux/proc_ns.h: the first namespaces of the host have fixed inode numbers, part of the kernel's ABI.
const HOST_NAMESPACES = { pid: 4_026_531_836, user: 4_026_531_837, time: 4_026_531_834 } as const
type HostNamespace = keyof typeof HOST_NAMESPACES

/**
 * Why the kernel cannot fill the table here, or undefined when nothing is known to be in the way: the program may still
 * be refused when it is loaded. Costs a few reads below `/proc/thread-self` and `/sys`.
 */
export function bpfObstacle(options: { procRoot?: string } = {}): Obstacle | undefined {
  checkOptions(options, { procRoot: PATH })
  return bpfObstacles(readBpfReadings(options.procRoot))[0]
}

/** All that is in the way; what no privilege could mend comes first. */
export function bpfObstacles(readings: BpfReadings): Obstacle[] {
  return CHECKS.flatMap((check) => check(readings) ?? [])
}

/** For who asked for what cannot be had, `what`: `ACCESS_DENIED` where a privilege or a policy is in the way. */
export function obstacleError(what: string, { code, reason, remedy }: Obstacle): ProcmusterError {
  const denied = code === 'NO_CAPABILITY' || code === 'LOCKDOWN'
  return new ProcmusterError(denied ? 'ACCESS_DENIED' : 'UNSUPPORTED', {
    message: `${what}: ${reason}; ${remedy}`,
  })
}

export function readBpfReadings(procRoot = '/proc'): BpfReadings {
  const status = ownStatus()
  return {
    built: native.bpf.built,
    procRoot,
    kernelRelease: release(),
    hasBtf: existsSync(BTF_FILE),
    pidNamespace: namespacePlace('pid'),
    timeNamespace: namespacePlace('time'),
    userNamespace: namespacePlace('user'),
    lockdown: lockdownMode(),
    effective: status?.effective,
    bounding: status?.bounding,
    noNewPrivileges: status?.noNewPrivileges ?? false,
    program: nodeProgram(),
  }
}

/** Capabilities and identity of this thread; undefined where `/proc` is absent or that of another pid namespace. */
export function ownStatus(): ReturnType<typeof parseStatus> | undefined {
  try {
    return parseStatus(readFileSync('/proc/thread-self/status', 'latin1'))
  } catch {
    return undefined
  }
}

export function namespacePlace(namespace: HostNamespace): NamespacePlace {
  try {
    const inode = /\[(\d+)\]$/.exec(readlinkSync(`/proc/thread-self/ns/${namespace}`))?.[1]
    return Number(inode) === HOST_NAMESPACES[namespace] ? 'host' : 'other'
  } catch {
    // A kernel that was built without this kind of namespace has no such link, and only the one that there is.
    return existsSync('/proc/thread-self/ns/mnt') ? 'host' : 'unreadable'
  }
}

/** Whether a kernel release, `6.18.44-fc`, is at least `wanted`, `6.7`. One that cannot be read counts as new. */
export function isKernelAtLeast(release: string, wanted: string): boolean {
  const parse = (text: string): [number, number] | undefined => {
    const [, major, minor] = /^(\d+)\.(\d+)/.exec(text) ?? []
    return major === undefined ? undefined : [Number(major), Number(minor)]
  }
  const [found, least] = [parse(release), parse(wanted)]
  if (!found || !least) return true
  return found[0] > least[0] || (found[0] === least[0] && found[1] >= least[1])
}

/** The program to which file capabilities have to be given. */
function nodeProgram(): string {
  try {
    return realpathSync(process.execPath)
  } catch {
    return process.execPath // replaced by an update while it runs
  }
}

function lockdownMode(): string | undefined {
  try {
    return /\[(\w+)\]/.exec(readFileSync(LOCKDOWN_FILE, 'latin1'))?.[1]
  } catch {
    return undefined
  }
}

const CHECKS: readonly ((readings: BpfReadings) => Obstacle | undefined)[] = [
  ({ procRoot }) =>
    resolve(procRoot) === '/proc'
      ? undefined
      : {
          code: 'PROC_ROOT',
          reason: `the proc root is ${JSON.stringify(procRoot)}, and the kernel knows only its own processes`,
          remedy: 'leave procRoot out',
        },
  ({ kernelRelease }) =>
    isKernelAtLeast(kernelRelease, BPF_KERNEL)
      ? undefined
      : {
          code: 'OLD_KERNEL',
          reason: `Linux ${kernelRelease} is older than ${BPF_KERNEL}`,
          remedy: `run Linux ${BPF_KERNEL} or later`,
        },
  ({ hasBtf }) =>
    hasBtf
      ? undefined
      : {
          code: 'NO_BTF',
          reason: `${BTF_FILE} is not there: the kernel does not describe its types`,
          remedy: 'run a kernel with CONFIG_DEBUG_INFO_BTF=y; in a container let /sys be mounted',
        },
  ({ built }) =>
    built
      ? undefined
      : {
          code: 'NOT_BUILT',
          reason: 'the addon was built without the bpf program',
          remedy:
            'install clang and bpftool, then run `npm rebuild procmuster`, or `npm ci` in a clone of it',
        },
  ({ lockdown }) =>
    lockdown !== 'confidentiality'
      ? undefined
      : {
          code: 'LOCKDOWN',
          reason: 'the kernel is locked down (confidentiality): no program may read its memory',
          remedy: 'boot with lockdown=integrity or without lockdown',
        },
  ({ pidNamespace }) =>
    pidNamespace === 'host'
      ? undefined
      : {
          code: 'PID_NAMESPACE',
          reason:
            pidNamespace === 'other'
              ? 'this process is in a pid namespace of its own, and the kernel would tell pids of the host'
              : 'the pid namespace cannot be read: /proc is not mounted, or is that of another pid namespace',
          remedy: "run it in the host's pid namespace (docker run --pid=host, hostPID: true)",
        },
  ({ timeNamespace }) =>
    timeNamespace === 'other'
      ? {
          code: 'TIME_NAMESPACE',
          reason: 'this process is in a time namespace of its own, where start times are shifted',
          remedy: "run it in the host's time namespace",
        }
      : undefined,
  capabilityObstacle,
]

function capabilityObstacle(readings: BpfReadings): Obstacle | undefined {
  const { effective = 0n, userNamespace } = readings
  if (userNamespace === 'other') {
    return {
      code: 'NO_CAPABILITY',
      reason:
        'this process is in a user namespace of its own, where no capability counts for the whole kernel',
      remedy: "run it in the host's user namespace (no rootless container, no --userns)",
    }
  }
  const lacking = hasCapability(effective, 'CAP_SYS_ADMIN')
    ? []
    : lackingCapabilities(effective, BPF_CAPABILITIES)
  if (lacking.length === 0) return undefined
  return {
    code: 'NO_CAPABILITY',
    reason: `no ${lacking.join(' and ')}`,
    remedy: grantText(lacking, readings),
  }
}

/** How to get capabilities that the bounding set lacks. */
export function beyondText(capabilities: readonly Capability[]): string {
  const flags = capabilities.map((capability) => `--cap-add=${capability.slice('CAP_'.length)}`).join(' ')
  return `not even root may have that here: widen what its container or service allows (docker run ${flags}, CapabilityBoundingSet= of its unit)`
}

/** How to get capabilities, by what could work for this process. */
function grantText(
  capabilities: readonly Capability[],
  { bounding, noNewPrivileges, program }: Pick<BpfReadings, 'bounding' | 'noNewPrivileges' | 'program'>,
): string {
  const beyond = bounding === undefined ? [] : lackingCapabilities(bounding, capabilities)
  if (beyond.length > 0) return beyondText(beyond)
  const service = `as a service with ${ambientLine(capabilities)}`
  return noNewPrivileges
    ? `run it as root, or ${service}`
    : `run it as root, or \`${setcapCommand(capabilities, program)}\`, or ${service}`
}
