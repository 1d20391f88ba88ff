import { listOf, RECORD, TEXT } from '../arguments.js'
/** Where a process waits in the kernel: proc_pid_wchan(5), proc_pid_syscall(5), proc_pid_stack(5). */
export interface StuckFacts {
  /** The function of the kernel in which it waits: `io_schedule`, `rpc_wait_bit_killable`. */
  readonly waitChannel: string | undefined
  /** Number of the system call that it waits in. */
  readonly systemCall: number | undefined
  /** Functions of the kernel, innermost first; empty unless root reads it. */
  readonly stack: readonly string[]
}

/** What functions of the kernel say about what is waited for; the first that fits a function counts. */
const CAUSES: readonly (readonly [functions: RegExp, cause: string])[] = [
  [/nfs|rpc_|sunrpc/, 'a network file system (NFS): look at its server and the network'],
  [/cifs|smb/, 'a network file system (SMB): look at its server and the network'],
  [/ceph|rbd_/, 'Ceph storage: look at its cluster and the network'],
  [/fuse/, 'a file system in user space (FUSE): look at the process that serves it'],
  [/vfork|^kernel_clone$|^do_fork$/, 'a child made by vfork, until that executes a program or ends'],
  [/freez|refrigerator/, 'a thaw: its cgroup, or the host, is frozen'],
  [/jbd2|ext4|xfs|btrfs|f2fs/, 'a local file system: look at its disk and the kernel log'],
  [
    /io_schedule|blk_|bio_|wait_on_page|folio_wait|submit_bio|get_request/,
    'a disk: look at its health, load and the kernel log',
  ],
  [/mutex|rwsem|rw_semaphore|__down/, 'a lock in the kernel that another task holds: look for that one'],
  [/synchronize_rcu|rcu_/, 'a grace period of the kernel (RCU): a processor may be stuck'],
  [/exit_mm|do_exit|coredump/, 'its own end: memory to give back, or a core dump to write'],
]

/** What to do about a process that is stuck in the kernel, a line each. */
export function stuckAdvice(facts: StuckFacts): string[] {
  RECORD('the facts', facts)
  const { waitChannel, systemCall, stack } = facts
  if (waitChannel !== undefined) TEXT('waitChannel', waitChannel)
  listOf(TEXT)('stack', stack)
  const call = systemCall === undefined ? '' : ` in system call ${systemCall}`
  const where =
    waitChannel === undefined
      ? `it waits in the kernel${call}; where may not be read by this user, root may`
      : `it waits in the kernel at ${waitChannel}${call}`
  const cause = causeOf([...(waitChannel === undefined ? [] : [waitChannel]), ...stack])
  return [
    where,
    ...(cause === undefined ? [] : [`that is mostly for ${cause}`]),
    'signals, SIGKILL too, mostly take effect only when that call returns: a restart would wait for it',
  ]
}

function causeOf(functions: readonly string[]): string | undefined {
  for (const name of functions) {
    const found = CAUSES.find(([pattern]) => pattern.test(name))
    if (found !== undefined) return found[1]
  }
  return undefined
}
