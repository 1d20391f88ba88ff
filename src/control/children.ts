import { type NativePidHandle, type NativeUse, native } from '../native.js'
import { identityKey, type ProcessIdentity } from '../table/identity.js'
import { signalName } from './signal_names.js'

/** How a process ended. Both are missing for one that is not a child of this process: the kernel does not tell. */
export interface ExitInfo {
  readonly exitCode?: number | undefined
  readonly signal?: string | undefined
}

/** What a process used in its life, with those of its children that it has waited for. getrusage(2). */
export interface ChildUse {
  readonly userTimeMs: number
  readonly systemTimeMs: number
  /**
   * The kernel begins to count at what this process itself had when it started the child, so that only what is above
   * that is the child's.
   */
  readonly peakRssBytes: number
  /** Pages that were had without I/O, and that took it. */
  readonly minorFaults: number
  readonly majorFaults: number
  readonly voluntarySwitches: number
  readonly involuntarySwitches: number
}

/** The end of a child of ours, as wait4(2) has it. */
interface ChildEnd extends ExitInfo {
  readonly coreDumped: boolean
  readonly use: ChildUse
  /** On the clock of `process.hrtime`. */
  readonly endedAtMs: number
}

/** A child that is waited for. */
export interface Reaping {
  /** 0, or why it cannot be waited for. */
  readonly errno: number
  /** Undefined when somebody else has waited for it. */
  readonly ended: Promise<ChildEnd | undefined>
  /** Whether the event loop goes on until it has ended; not unless told so. */
  keepAlive(keep: boolean): void
  /** Nobody here waits for it any more; false when that has been done already, and `ended` is about to tell. */
  leave(): boolean
  /** Resolves when it has ended, or so many milliseconds have passed. */
  within(ms: number): Promise<void>
}

// Children that this process started: the exit watch waits for each, so that none stays a zombie, and its exit code is
// kept here for the handles on it.
const exits = new Map<string, Promise<ExitInfo>>()

/** Waits for a child of ours in the background and closes its handle. */
export function reapChild(identity: ProcessIdentity, handle: NativePidHandle): Reaping {
  let id = 0
  const ended = new Promise<ChildEnd | undefined>((resolve) => {
    id = native.control.watchExit(
      handle,
      true,
      false,
      (known, bySignal, status, coreDumped, endedAtMs, ...use) => {
        native.control.closeHandle(handle)
        // Handles that were told of the exit in the same round still find it.
        setImmediate(() => exits.delete(identityKey(identity))).unref()
        if (!known) return resolve(undefined)
        const how = bySignal ? { signal: signalName(status) } : { exitCode: status }
        resolve({ ...how, coreDumped, endedAtMs, use: toUse(use) })
      },
    )
    if (id < 0) resolve(undefined)
  })
  const exit = ended.then((end): ExitInfo => {
    if (end === undefined) return {}
    return end.signal === undefined ? { exitCode: end.exitCode } : { signal: end.signal }
  })
  if (id >= 0) exits.set(identityKey(identity), exit)
  return {
    errno: Math.max(0, -id),
    ended,
    keepAlive: (keep) => native.control.keepExitAlive(id, keep),
    leave: () => native.control.leaveExit(id),
    async within(ms) {
      let timer: NodeJS.Timeout | undefined
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, ms)
      })
      await Promise.race([ended, patience])
      clearTimeout(timer)
    },
  }
}

function toUse([user, system, peak, minor, major, voluntary, involuntary]: NativeUse): ChildUse {
  return {
    userTimeMs: user / 1000,
    systemTimeMs: system / 1000,
    peakRssBytes: peak,
    minorFaults: minor,
    majorFaults: major,
    voluntarySwitches: voluntary,
    involuntarySwitches: involuntary,
  }
}

/** How a child of ours ended, or undefined when it is none. */
export function exitOfChild(identity: ProcessIdentity): Promise<ExitInfo> | undefined {
  return exits.get(identityKey(identity))
}
