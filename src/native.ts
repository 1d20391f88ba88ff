import { createRequire } from 'node:module'

/** What the addon exports; each room declares its part below. The only file that loads the `.node`. */
export interface NativeAddon extends NativeLayout, NativeFileLock {}

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

// dist/native.js lies one level below the package root.
const require = createRequire(import.meta.url)
export const native = require('../build/Release/procmuster.node') as NativeAddon
