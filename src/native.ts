import { createRequire } from 'node:module'

/** What the addon exports; each room declares its part below. The only file that loads the `.node`. */
export interface NativeAddon extends NativeLayout, NativeSource, NativeFileLock, NativeIoPriority {}

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
  readonly ProcfsSampler: new (options: {
    procRoot: string
    io: boolean
    status: boolean
    threads: number
    descriptors: number
  }) => NativeSampler
}

export interface NativeSampler {
  /** `offsets`: control, slots, born, gone, execed, missing, names, then every column by id. */
  attach(even: Uint8Array, odd: Uint8Array, capacity: number, offsets: Float64Array): void
  /** Fills the buffer of that parity; 0, or the capacity that it takes to do so. */
  sample(sequence: number): Promise<number>
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

// dist/native.js lies one level below the package root.
const require = createRequire(import.meta.url)
export const native = require('../build/Release/procmuster.node') as NativeAddon
