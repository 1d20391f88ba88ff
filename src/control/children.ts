import { type NativePidHandle, native } from '../native.js'
import type { ProcessIdentity } from '../table/identity.js'
import { signalName } from './signal_names.js'

/** How a process ended. Both are missing for one that is not a child of this process: the kernel does not tell. */
export interface ExitInfo {
  readonly exitCode?: number | undefined
  readonly signal?: string | undefined
}

// Children that this process started: the exit watch waits for each, so that none stays a zombie, and its exit code is
// kept here for the handles on it.
const exits = new Map<string, Promise<ExitInfo>>()

function key(identity: ProcessIdentity): string {
  return `${identity.pid}:${identity.startTicks}`
}

/** Waits for a child of ours in the background and closes its handle; the event loop may end meanwhile. */
export function reapChild(identity: ProcessIdentity, handle: NativePidHandle): Promise<ExitInfo> {
  const exit = new Promise<ExitInfo>((resolve) => {
    const id = native.control.watchExit(handle, true, false, (known, bySignal, status) => {
      native.control.closeHandle(handle)
      // Handles that were told of the exit in the same round still find it.
      setImmediate(() => exits.delete(key(identity))).unref()
      if (!known) resolve({})
      else resolve(bySignal ? { signal: signalName(status) } : { exitCode: status })
    })
    if (id < 0) resolve({})
  })
  exits.set(key(identity), exit)
  return exit
}

/** How a child of ours ended, or undefined when it is none. */
export function exitOfChild(identity: ProcessIdentity): Promise<ExitInfo> | undefined {
  return exits.get(key(identity))
}
