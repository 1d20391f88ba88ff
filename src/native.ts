import { createRequire } from 'node:module'

/** What the addon exports; each room declares its part below. The only file that loads the `.node`. */
export interface NativeAddon extends NativeLayout, NativeFileLock, NativeIoPriority {}

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

// dist/native.js lies one level below the package root.
const require = createRequire(import.meta.url)
export const native = require('../build/Release/procmuster.node') as NativeAddon
