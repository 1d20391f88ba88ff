import { readdirSync } from 'node:fs'
import { constants, getPriority, setPriority } from 'node:os'
import { checkOptions, wholeWithin } from '../arguments.js'
import { native } from '../native.js'

/** What `lowerOwnPriority` lowers this process to. */
export interface OwnPriority {
  /** Nice value, 0 to 19; a thread that is nicer already stays so. Default 10. */
  nice?: number
  /** Level of the best-effort I/O class, 0 to 7, 7 being the least. Default 7. */
  ioLevel?: number
}

const BEST_EFFORT = 2 // IOPRIO_CLASS_BE, ioprio_set(2)

/**
 * Lowers the CPU and I/O priority of every thread of this process; threads started later inherit it.
 * On Linux both belong to the thread, so `setpriority` on the pid alone would leave V8's workers and libuv's pool
 * as they are. Without CAP_SYS_NICE the nice value cannot be raised again.
 *
 * Children inherit both as well: start those that should not from a thread that is left alone, or set them back.
 *
 * @returns the values that now hold for the main thread; `ioLevel` is undefined where the kernel has no I/O classes.
 */
export function lowerOwnPriority(options: OwnPriority = {}): {
  nice: number
  ioLevel: number | undefined
} {
  checkOptions(options, { nice: wholeWithin(-20, 19), ioLevel: wholeWithin(0, 7) })
  const { nice = 10, ioLevel = 7 } = options
  const done = new Set<number>()
  let ioError = 0
  // A thread born meanwhile may have inherited the old values: go round until nobody new is there.
  for (let round = 0; round < 10; round++) {
    const fresh = readdirSync('/proc/self/task')
      .map(Number)
      .filter((tid) => !done.has(tid))
    if (fresh.length === 0) break
    for (const tid of fresh) {
      done.add(tid)
      try {
        if (getPriority(tid) < nice) setPriority(tid, nice)
      } catch (error) {
        // The thread has ended since.
        if ((error as { info?: { errno?: number } }).info?.errno !== -constants.errno.ESRCH) throw error
      }
      const failed = native.setIoPriority(tid, BEST_EFFORT, ioLevel)
      if (tid === process.pid) ioError = failed
    }
  }
  return { nice: getPriority(process.pid), ioLevel: ioError === 0 ? ioLevel : undefined }
}
