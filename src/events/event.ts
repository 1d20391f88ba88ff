/** What a stream can tell of. `lost` is told whatever types were asked for. */
export type LifecycleEventType = 'fork' | 'exec' | 'exit' | 'signal'

/** How a stream learns of events: kernel tracepoints, the process connector, or two samples compared. */
export type EventSource = 'bpf' | 'netlink' | 'snapshots'

/** The process that sent a signal, as it was then. */
export interface SignalSender {
  readonly pid: number
  /** Hostile input, as every name. */
  readonly name: string
}

/** What every event of a process has; what a source cannot know is undefined. */
export interface ProcessEvent {
  readonly pid: number
  /** Start in clock ticks since boot: with `pid` the process's identity. */
  readonly startTicks: number | undefined
  /** Inode of the process's pidfd (Linux 6.9 and later): unique until reboot. */
  readonly pidfsInode: number | undefined
  readonly ppid: number | undefined
  /** As the kernel keeps it (comm). Hostile input: it can hold newlines and escape sequences. */
  readonly name: string | undefined
  /** When it happened, epoch milliseconds; with `snapshots` when it was seen. */
  readonly atMs: number
}

/** A process was made; threads are not told of. `name` is still that of the parent. */
export interface ForkEvent extends ProcessEvent {
  readonly type: 'fork'
}

/** A process runs another program; `name` is the new one. */
export interface ExecEvent extends ProcessEvent {
  readonly type: 'exec'
}

/** A process has ended, that is its last thread; told before its parent has reaped it. */
export interface ExitEvent extends ProcessEvent {
  readonly type: 'exit'
  /** 0 to 255; undefined when a signal ended it. */
  readonly exitCode: number | undefined
  /** Name of the signal that ended it, for example `SIGKILL`. */
  readonly signal: string | undefined
  /** Whether the kernel wrote a core dump. */
  readonly coreDumped: boolean | undefined
  /** Whether the kernel ended it because memory had run out. */
  readonly oomKilled: boolean | undefined
  /** Who sent that signal; undefined also when the kernel did: for a fault, at a limit, out of memory. */
  readonly sender: SignalSender | undefined
  /** Nanoseconds on a processor, of all threads that it ever had. */
  readonly cpuTimeNs: number | undefined
  /** Most resident memory that it had. */
  readonly peakRssBytes: number | undefined
  /** Bytes that it made the storage layer read and write, proc_pid_io(5). */
  readonly readBytes: number | undefined
  readonly writeBytes: number | undefined
  readonly lifetimeMs: number | undefined
}

/** A signal was sent that ends its target by default action, and the target neither catches nor blocks it. */
export interface SignalEvent extends ProcessEvent {
  readonly type: 'signal'
  readonly signal: string
  /** Undefined when the kernel sent it. */
  readonly sender: SignalSender | undefined
}

/** Events were lost here, because the reader did not keep up. Whoever holds a picture of the host has to rescan. */
export interface LostEvent {
  readonly type: 'lost'
  readonly count: number
  /** When that was found, epoch milliseconds. */
  readonly atMs: number
}

/** Told apart by `type`. */
export type LifecycleEvent = ForkEvent | ExecEvent | ExitEvent | SignalEvent | LostEvent
