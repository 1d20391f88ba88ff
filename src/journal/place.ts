import { readFile, readlink } from 'node:fs/promises'

/**
 * Where an identity means something: the boot, and the PID namespace. After a reboot, or in another container, a pid
 * with its start ticks can name a stranger.
 */
export interface Place {
  readonly bootId: string
  /** `pid:[number]@start`, the start being that of its first process in clock ticks. */
  readonly pidNamespace: string
}

/** This boot and PID namespace; see `Place`. Empty where the kernel hides one, which then never tells apart. */
export async function currentPlace(): Promise<Place> {
  const [bootId, namespace, init] = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => ''),
    readlink('/proc/self/ns/pid').catch(() => ''),
    readFile('/proc/1/stat', 'latin1').catch(() => ''),
  ])
  // The kernel gives the number of a namespace that ended to the next one: a container that is started again mostly has
  // the same. Its first process started at another time, proc_pid_stat(5) field 22.
  const initStart = init.slice(init.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  return { bootId: bootId.trim(), pidNamespace: `${namespace}@${initStart}` }
}

export function samePlace(a: Place, b: Place): boolean {
  return a.bootId === b.bootId && a.pidNamespace === b.pidNamespace
}
