/**
 * Who a process is. A pid alone never is enough: it is reused. `(pid, startTicks)` is certain once the row is
 * settled, that is sampled at a later clock tick than its start; only then can it be acted on.
 */
export interface ProcessIdentity {
  readonly pid: number
  /** Start in clock ticks since boot, proc_pid_stat(5) field 22. */
  readonly startTicks: number
  /** Inode of the pidfd where the kernel has it (Linux 6.9 and later); unique until reboot. */
  readonly pidfsInode?: number | undefined
  readonly settled: boolean
}

type Identified = Pick<ProcessIdentity, 'pid' | 'startTicks'>

/** `pid:startTicks`: the key of a process wherever things are kept by process. */
export function identityKey({ pid, startTicks }: Identified): string {
  return `${pid}:${startTicks}`
}

export function isSameProcess(a: Identified, b: Identified): boolean {
  return a.pid === b.pid && a.startTicks === b.startTicks
}

const readHere = new WeakSet<ProcessIdentity>()

/** Remembers that this process has read the identity from the kernel that runs, and that it is no kernel thread's. */
export function markReadHere(identity: ProcessIdentity): ProcessIdentity {
  readHere.add(identity)
  return identity
}

/**
 * Whether the inode alone proves who it is. Not of an identity that was kept, or handed over by somebody: inodes are given
 * anew after a reboot, in step with the pids, so that the same pid would have the same inode again.
 */
export function isProvenByInode(identity: ProcessIdentity): boolean {
  return identity.pidfsInode !== undefined && readHere.has(identity)
}
