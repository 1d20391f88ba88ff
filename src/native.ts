import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { PACKAGE_FILES } from './package_files.js'

/** What the addon exports; each room declares its part below. The only file that loads the `.node`. */
interface NativeAddon
  extends NativeLayout,
    NativeSource,
    NativeFileLock,
    NativeIoPriority,
    NativeControl,
    NativeCgroups,
    NativeInspect,
    NativeIpc,
    NativeSpawn,
    NativeBpf,
    NativeEvents {}

interface NativeLayout {
  readonly layout: {
    readonly columns: readonly {
      name: string
      type: string
      unit: string
      group: string
      description: string
    }[]
    readonly header: readonly string[]
    readonly nameBytes: number
    readonly missingWords: number
  }
}

interface NativeSource {
  readonly Sampler: new () => NativeSampler
}

// `out` of an asynchronous call: errno, and for a sample 0 or the capacity that it takes.
export interface NativeSampler {
  /** Samples from now on. `refusal` takes what the kernel says to a program that it refuses, up to a zero byte. */
  openBpf(exactRss: boolean, refusal: Uint8Array, out: Float64Array): Promise<void>
  /** Samples from now on; where another source did, it goes on with that one's table and processes. */
  openProcfs(procRoot: string, threads: number, descriptors: number, out: Float64Array): Promise<void>
  /**
   * An errno, 0 for success.
   * @param offsets control, slots, born, gone, execed, missing, names, then every column by id
   */
  attach(even: Uint8Array, odd: Uint8Array, capacity: number, offsets: Float64Array): number
  /** Fills the buffer of that parity. */
  sample(sequence: number, out: Float64Array): Promise<void>
  /** Bytes of rssBytes near which the bpf source reads it again exactly. */
  setExactNear(thresholds: Float64Array): void
  close(): void
}

interface NativeFileLock {
  /** flock(2), exclusive, without waiting: 0, or the errno (EWOULDBLOCK when another holds it). */
  tryLockFile(fd: number): number
}

interface NativeIoPriority {
  /** errno, 0 for success. */
  setIoPriority(tid: number, ioClass: number, level: number): number
  /** class << 13 | level, or the negative errno. */
  getIoPriority(tid: number): number
}

// --- control ---

/** An open pidfd; the addon closes it when it is collected, or on `closeHandle`. */
export type NativePidHandle = { readonly __pidHandle: never }

/** What `signalMembers` found; `readMembers` shows it. */
type NativeMembers = { readonly __members: never }

/** `known` is false for a process that is not our child: then nothing but the exit itself is known. */
type NativeExitCallback = (
  known: boolean,
  bySignal: boolean,
  status: number,
  coreDumped: boolean,
  reapedAtMs: number,
  ...use: NativeUse
) => void

/** Of struct rusage, getrusage(2). */
export type NativeUse = [
  userMicroseconds: number,
  systemMicroseconds: number,
  peakRssBytes: number,
  minorFaults: number,
  majorFaults: number,
  voluntarySwitches: number,
  involuntarySwitches: number,
]

// Asynchronous calls write what they found into `out`, to be read once the promise is settled: when a worker thread is
// terminated, the addon could not make new values any more.
interface NativeControl {
  readonly control: {
    /** Targets are four numbers each: pid, startTicks, inode or 0, settled. `out`: errno and step of each. */
    act(
      targets: Float64Array,
      kind: number,
      args: Float64Array,
      force: boolean,
      leaderOnly: boolean,
      out: Int32Array,
    ): Promise<void>
    /** One thread for each target; the order of the cells is that of src/control/scheduling_reading.ts. */
    readScheduling(
      targets: Float64Array,
      tids: Int32Array,
      values: Float64Array,
      errors: Int32Array,
      processors: Uint32Array,
    ): Promise<void>
    newMembers(): NativeMembers
    /**
     * `numbers`: signal (-1: only list), value or NaN, freeze, children first, continue all, force, patience in ms.
     * `out`: errno, whether it is complete, how many members.
     */
    signalMembers(
      members: NativeMembers,
      relation: number,
      roots: Float64Array,
      numbers: Float64Array,
      out: Int32Array,
    ): Promise<void>
    /** `out`: the cells of src/control/members.ts for each member; `roots`: errno and step of each root. */
    readMembers(members: NativeMembers, out: Float64Array, roots: Int32Array): void
    /** `out`: errno, startTicks, inode or 0, settled. */
    identify(pid: number, procRoot: string, live: boolean, out: Float64Array): Promise<void>
    newHandle(): NativePidHandle
    /** `out`: errno, step, whether it is protected. */
    openHandle(handle: NativePidHandle, target: Float64Array, out: Int32Array): Promise<void>
    /** An errno, 0 for success. */
    signalHandle(handle: NativePidHandle, signal: number): number
    handleExited(handle: NativePidHandle): boolean
    /** An errno, 0 for success. */
    lockHandle(handle: NativePidHandle): number
    closeHandle(handle: NativePidHandle): void
    /** The watch's id, or a negative errno. */
    watchExit(
      handle: NativePidHandle,
      reap: boolean,
      keepAlive: boolean,
      callback: NativeExitCallback,
    ): number
    unwatchExit(id: number): void
    /** Of a child, which nobody waits for then; false when it has ended, and its callback comes. */
    leaveExit(id: number): boolean
    keepExitAlive(id: number, keepAlive: boolean): void
  }
}

// --- cgroups ---

interface NativeCgroups {
  readonly cgroups: {
    /** Readable once memory of a version 1 group has run out, and when the group is removed; or an errno. */
    openOomEvent(directory: string): NativePidHandle | number
    drainEvent(handle: NativePidHandle): boolean
  }
}

// --- inspect ---

interface NativeInspect {
  readonly inspect: {
    /**
     * The request's id; 0 when no thread could be started. The listener of the first call is the one that is told
     * that results wait to be drained.
     */
    read(
      listener: () => void,
      procRoot: string,
      pid: number,
      startTicks: number,
      files: readonly string[],
      maxBytes: number,
    ): number
    /**
     * Looks through these processes (native/inspect/process_scan.h); each of their contents is an item of the result,
     * as each file is of `read`. `keys` end with a zero character each.
     */
    scan(listener: () => void, procRoot: string, pids: Int32Array, kind: number, keys: string): number
    /** Appends for each finished request: id, started (0 or 1), then errno, truncated and Buffer of each file. */
    drain(results: (number | Buffer)[]): void
    /** The same of a request that is given up, with ETIMEDOUT for what is missing; nothing if it is done. */
    abandon(id: number, result: (number | Buffer)[]): void
  }
}

// --- ipc ---

interface NativeIpc {
  /** Objects are four numbers each: kind, id, key, changedAt. `out`: errno and step of each. */
  removeIpc(objects: Float64Array, force: boolean, out: Int32Array): Promise<void>
}

// --- spawn ---

/** Copies of a process's descriptors 0 to 2; closed when they are collected, or on `closeStdio`. */
export type NativeStdio = { readonly __stdio: never }

/** A child held before exec; ends without having executed anything when this is collected, or on `cancelGate`. */
export type NativeGate = { readonly __gate: never }

// `out` of a descriptor: errno, whether it is the same open file, mode, device, inode, flags, position or -1.
interface NativeSpawn {
  readonly spawn: {
    newStdio(): NativeStdio
    closeStdio(stdio: NativeStdio): void
    /** `out`: the fields above for each of 0 to 2. */
    takeStdio(stdio: NativeStdio, process: NativePidHandle, pid: number, out: Float64Array): Promise<void>
    reopenStdio(
      stdio: NativeStdio,
      number: number,
      path: Uint8Array,
      flags: number,
      device: number,
      inode: number,
      owner: number,
      position: number,
      out: Float64Array,
    ): Promise<void>
    /** Descriptor `number` becomes a copy of `fd`, which stays the caller's. An errno. */
    copyStdio(stdio: NativeStdio, number: number, fd: number, blocking: boolean): number
    /** Descriptor `to` becomes a copy of what `from` is. An errno. */
    joinStdio(stdio: NativeStdio, from: number, to: number): number
    /** Descriptor `number` becomes the end of a pipe; the other one, the caller's to close, or a negative errno. */
    pipeStdio(stdio: NativeStdio, number: number): number
    /** `out`: errno, uid, gid, number of groups. `text`: name, home, shell, each ended by a zero byte. */
    findUser(
      name: string,
      uid: number,
      out: Float64Array,
      groups: Uint32Array,
      text: Uint8Array,
    ): Promise<void>
    /** `out`: errno, gid. */
    findGroup(name: string, out: Float64Array): Promise<void>
    fileCapabilities(path: Uint8Array, out: BigUint64Array): void
    /**
     * Arguments and environment: strings that each end with a zero byte. `numbers`: device and inode of the executable,
     * of the directory, whether the user changes, uid, gid, umask, nice, I/O priority or -1, no new privileges, the
     * place (src/spawn/start.ts), whether it may be setuid. `limits`: soft and hard of each, or empty.
     * `capabilities`: bounding, inheritable, ambient. `namedPath`: another path of the executable, or empty.
     * `processors`: sched_setaffinity(2)'s mask, or empty.
     */
    newGate(
      stdio: NativeStdio,
      path: Uint8Array,
      directory: Uint8Array,
      args: Uint8Array,
      environment: Uint8Array,
      numbers: Float64Array,
      groups: Uint32Array,
      limits: Float64Array,
      capabilities: BigUint64Array,
      namedPath: Uint8Array,
      processors: Uint8Array,
    ): NativeGate
    /** `out`: errno, step, pid, warnings; the handle becomes the child's. */
    startGate(gate: NativeGate, stdio: NativeStdio, child: NativePidHandle, out: Float64Array): Promise<void>
    /** `out`: errno, step. */
    openGate(gate: NativeGate, out: Float64Array): Promise<void>
    cancelGate(gate: NativeGate): void
    /** execve(2) of this whole process; the errno when that fails. Arguments as of newGate. */
    becomeProgram(path: Uint8Array, args: Uint8Array): number
  }
}

// --- bpf ---

interface NativeBpf {
  /** Whether the addon was built with its kernel programs. */
  readonly bpf: { readonly built: boolean }
  /**
   * One bare walk over all processes, on this thread. `groups`: bits of the walk (native/source/bpf/rows.h). `out`:
   * wallNs, cpuNs, rows, slices. Returns an errno.
   */
  timeWalk(groups: number, out: Float64Array): number
}

// --- events ---

interface NativeEvents {
  /** `source`: 0 is bpf, 1 netlink. `wanted`: bits `1 << type`. `bytes`: a power of two. Holds `wake` weakly. */
  readonly EventFeed: new (
    source: number,
    wanted: number,
    bytes: number,
    wake: () => void,
  ) => NativeEventFeed
}

export interface NativeEventFeed {
  /** `out`: errno. `refusal`: what the kernel said, ended by a zero byte where it is shorter. */
  open(out: Int32Array, refusal: Uint8Array): Promise<void>
  /** Asks for one call of `wake` once there is something to drain, and keeps the event loop alive until then. */
  arm(): number
  /** Fills cells with the oldest events, in the order of src/events/decode.ts; returns how many. */
  drain(cells: Float64Array): number
  lost(): number
  close(): void
}

// PROCMUSTER_ADDON, an absolute path, names another build of the addon: that is how the tests run on the sanitizer builds.
export const native = load(process.env.PROCMUSTER_ADDON ?? fileURLToPath(PACKAGE_FILES.addon))

function load(path: string): NativeAddon {
  const require = createRequire(import.meta.url)
  try {
    return require(path) as NativeAddon
  } catch (cause) {
    const found = (cause as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND'
    const [line] = String((cause as Error).message).split('\n')
    const reason = found ? `cannot be loaded (${line})` : 'is not there'
    throw new Error(
      `the addon ${path} ${reason}: build it with \`npm rebuild procmuster\`, which needs a C++20 compiler, make and Python 3; npm leaves it out with --ignore-scripts, and where install scripts have to be allowed first`,
      { cause },
    )
  }
}
