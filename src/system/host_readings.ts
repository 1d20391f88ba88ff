import { readdirSync } from 'node:fs'
import { readFile, readlink } from 'node:fs/promises'
import { getgroups } from 'node:process'
import { identify, ProcessHandle } from '../control/handle.js'
import { errnoName, ProcmusterError } from '../errors.js'
import type { ProcessStatus } from '../inspect/process_status.js'
import { type BpfReadings, ownStatus, readBpfReadings } from './kernel_support.js'

/** What `diagnose` judges by, apart from what it tries. */
export interface HostReadings {
  readonly bpf: BpfReadings
  /** Ids and capabilities of this process; undefined where `/proc` has no entry for it. */
  readonly status: ProcessStatus | undefined
  readonly groups: readonly number[]
  readonly proc: ProcMount
  /** Whether `/proc` is that of this PID namespace. */
  readonly hasOwnPids: boolean
  /** Processes listed in `/proc`, and tasks (their threads included) of the host. */
  readonly processes: number
  readonly tasks: number | undefined
  readonly pidMax: number | undefined
  readonly threadsMax: number | undefined
  /** RLIMIT_NOFILE of this process. */
  readonly descriptorLimit: number
  /** The lowest nice value that RLIMIT_NICE lets this process take. */
  readonly lowestNice: number
  /** `kernel.yama.ptrace_scope`; undefined without Yama. */
  readonly ptraceScope: number | undefined
  readonly cgroups: CgroupMounts
  /** Whether the kernel measures pressure stalls. */
  readonly hasPressure: boolean
  readonly pidfd: PidfdTrial
}

/** How `/proc` is mounted, proc(5). */
interface ProcMount {
  readonly mounted: boolean
  /** 0 nothing hidden, 1 files of others closed, 2 others invisible, 4 invisible unless they can be traced. */
  readonly hidepid: number
  /** Members of this group see all the same. */
  readonly gid: number | undefined
  /** `subset=pid`: only the processes, no meminfo, no stat. */
  readonly onlyProcesses: boolean
}

interface CgroupMounts {
  readonly v2: boolean
  /** Controllers of version 1 that are mounted. */
  readonly v1: readonly string[]
}

/** What came of opening a pidfd of this very process. */
interface PidfdTrial {
  readonly works: boolean
  /** The inode that tells one life from another until reboot, Linux 6.9. */
  readonly hasInode: boolean
  readonly refusal: string | undefined
}

export async function readHost(): Promise<HostReadings> {
  const limits = limitsOf((await read('/proc/self/limits')) ?? '')
  const mountinfo = (await read('/proc/self/mountinfo')) ?? ''
  const loadavg = await read('/proc/loadavg')
  return {
    bpf: readBpfReadings(),
    status: ownStatus(),
    groups: getgroups?.() ?? [],
    proc: procMount(mountinfo),
    hasOwnPids: (await readlink('/proc/self').catch(() => '')) === String(process.pid),
    processes: countProcesses(),
    tasks: numberIn(loadavg, /\/(\d+)/),
    pidMax: numberIn(await read('/proc/sys/kernel/pid_max'), /(\d+)/),
    threadsMax: numberIn(await read('/proc/sys/kernel/threads-max'), /(\d+)/),
    descriptorLimit: limits('Max open files'),
    lowestNice: 20 - Math.min(40, limits('Max nice priority')), // getrlimit(2): 20 minus the limit
    ptraceScope: numberIn(await read('/proc/sys/kernel/yama/ptrace_scope'), /(\d+)/),
    cgroups: cgroupMounts(mountinfo),
    hasPressure: (await read('/proc/pressure/cpu')) !== undefined,
    pidfd: await tryPidfd(),
  }
}

/** The last mount over `/proc` is the one that is seen. proc_pid_mountinfo(5) fields 5 and 11. */
export function procMount(mountinfo: string): ProcMount {
  const line = mountinfo.split('\n').findLast((each) => each.split(' ')[4] === '/proc')
  const [, back = ''] = line?.split(' - ') ?? []
  const options = new Map(
    (back.split(' ')[2] ?? '').split(',').map((option) => option.split('=') as [string, string | undefined]),
  )
  const hidepid = options.get('hidepid') ?? '0'
  const gid = options.get('gid')
  return {
    mounted: back.startsWith('proc '),
    // Linux 5.8 and later write words.
    hidepid: { off: 0, noaccess: 1, invisible: 2, ptraceable: 4 }[hidepid] ?? Number(hidepid),
    gid: gid === undefined ? undefined : Number(gid),
    onlyProcesses: options.get('subset') === 'pid',
  }
}

export function cgroupMounts(mountinfo: string): CgroupMounts {
  // Type, source and options stand behind the dash.
  const mounts = mountinfo.split('\n').map((line) => line.split(' - ')[1]?.split(' ') ?? [])
  const v1 = mounts.flatMap(([type, , options = '']) => (type === 'cgroup' ? controllersIn(options) : []))
  return { v2: mounts.some(([type]) => type === 'cgroup2'), v1: [...new Set(v1)].sort() }
}

const NO_CONTROLLERS = new Set(['rw', 'ro', 'none', 'xattr', 'clone_children', 'noprefix'])
const controllersIn = (options: string): string[] =>
  options.split(',').filter((option) => !NO_CONTROLLERS.has(option) && !option.includes('='))

async function tryPidfd(): Promise<PidfdTrial> {
  try {
    const identity = await identify(process.pid)
    using _ = await ProcessHandle.open(identity)
    return { works: true, hasInode: identity.pidfsInode !== undefined, refusal: undefined }
  } catch (error) {
    const errno = error instanceof ProcmusterError ? error.errno : undefined
    const refusal = errno === undefined ? (error as Error).message : errnoName(errno)
    return { works: false, hasInode: false, refusal }
  }
}

function countProcesses(): number {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length
  } catch {
    return 0
  }
}

/** Soft limits of `/proc/<pid>/limits`. */
function limitsOf(text: string): (name: string) => number {
  return (name) => {
    const word = new RegExp(`^${name} +(\\S+)`, 'm').exec(text)?.[1]
    return word === 'unlimited' ? Number.POSITIVE_INFINITY : Number(word ?? 0)
  }
}

const read = (path: string): Promise<string | undefined> => readFile(path, 'latin1').catch(() => undefined)

function numberIn(text: string | undefined, pattern: RegExp): number | undefined {
  const digits = text === undefined ? undefined : pattern.exec(text)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
